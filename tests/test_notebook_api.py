"""What the Python interface does for notebooks: progress, potentials as objects, several hosts, reading back."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.morse import MorsePotential

import chggen
from chggen.potential import load_potential, name_of_potential
from chggen.potential.ase import AsePotential

_QUICK: dict[str, Any] = {"levels": 4, "n_resample": 1}


def test_a_calculator_computes_as_its_name_does() -> None:
    own, named = (
        chggen.generate("Cu", n=1, levels=4, fmax=0.5, workers=workers, potential=potential)
        for workers, potential in ((0, EMT()), (1, "ase:ase.calculators.emt:EMT"))
    )
    assert [c.energy_per_atom for c in own] == [c.energy_per_atom for c in named]
    assert {c.level for c in own} == {"object:ase.calculators.emt.EMT"}
    (one,) = chggen.relax([bulk("Cu")], potential=EMT())
    assert one.converged


def test_a_calculator_is_told_from_others_of_its_class() -> None:
    names = [name_of_potential(MorsePotential(epsilon=e)) for e in (1.0, 1.0, 2.0)]
    assert names[0] == names[1] != names[2]
    calculator = load_potential(names[2])
    assert isinstance(calculator, AsePotential)
    assert calculator.calculator.parameters["epsilon"] == 2.0
    mine = AsePotential(EMT(), name="mine", level="my level")
    assert name_of_potential(mine) == "object:mine"
    assert load_potential("object:mine") is mine
    assert chggen.generate("Cu", potential=mine, n=1, levels=4, fmax=0.5)[0].level == "my level"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"potential": EMT(), "workers": 2}, "computes in this process alone, got workers=2; .* name a function"),
        ({"potential": EMT}, "got the class EMT; call a class"),
        ({"potential": "object:lost"}, "is an object of another process"),
    ],
)
def test_potentials_that_cannot_be_used_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(chggen.InputError, match=says):
        chggen.generate("Cu", n=1, **options)


def test_several_hosts_have_a_run_each_and_share_a_list(tmp_path: Path) -> None:
    hosts = [bulk("Al", cubic=True), bulk("Cu", cubic=True), bulk("Cu", cubic=True)]
    options: dict[str, Any] = {"guests": {"H": 1}, "relax": False, "n": 1, "workers": 1, **_QUICK}
    stages = set()
    found = chggen.inpaint(hosts, out=tmp_path, progress=lambda stage, *counts: stages.add(stage), **options)
    assert [c.id for c in found] == ["Al/Al4H-i0000", "Cu-2/Cu4H-i0000", "Cu/Cu4H-i0000"]
    assert stages == {"Al inpaint", "Cu inpaint", "Cu-2 inpaint"}
    (alone,) = chggen.inpaint(hosts[0], **options)
    assert found[0].raw == alone.raw
    assert chggen.open(tmp_path) == found
    assert (tmp_path / "Cu-2" / "summary.csv").exists()
    with pytest.raises(chggen.InputError, match="got an empty list"):
        chggen.inpaint([], **options)


def test_a_folder_is_read_back_as_it_was_returned(alloy_run: tuple[list[Any], Path]) -> None:
    found, folder = alloy_run
    again = chggen.open(folder)
    assert isinstance(again, chggen.Candidates)
    assert [repr(c) for c in again] == [repr(c) for c in found]
    assert chggen.answer(again) == chggen.answer(found)
    with pytest.raises(chggen.InputError, match=r"no candidates.db in"):
        chggen.open(folder / "structures")


def test_a_run_that_did_not_end_is_read_best_first(alloy_run: tuple[list[Any], Path], tmp_path: Path) -> None:
    found, folder = alloy_run
    (tmp_path / "candidates.db").write_bytes((folder / "candidates.db").read_bytes())
    again = chggen.open(tmp_path)
    assert [c.id for c in again] == [c.id for c in found]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["candidates.db"]


def _generated(progress: Any) -> list[chggen.Candidate]:
    return chggen.generate("Cu", n=1, levels=4, relax=False, workers=1, progress=progress)


def test_nothing_is_shown_where_output_is_piped(capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[Any] = []
    runs = [_generated(progress) for progress in (True, None, False, lambda *told: seen.append(told))]
    assert capfd.readouterr() == ("", "")
    assert seen[-1][1:] == (1, 1, 0)
    assert all(run == runs[0] for run in runs)


def test_a_terminal_has_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # what rich takes for a terminal
    _generated(True)
    shown = capsys.readouterr()
    assert "generate" in shown.err
    assert "1/1" in shown.err
    assert shown.out == ""
    _generated(False)
    assert capsys.readouterr().err == ""


def test_a_notebook_has_a_bar_that_is_brought_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    class ZMQInteractiveShell:
        pass

    def displayed(html: str, **keywords: Any) -> Any:
        shown.append(html)
        update: Callable[[str], None] = lambda other: shown.__setitem__(-1, other)  # noqa: E731
        return types.SimpleNamespace(update=update)

    display = types.SimpleNamespace(HTML=str, display=displayed)
    fake = types.SimpleNamespace(get_ipython=ZMQInteractiveShell, display=display)
    monkeypatch.setitem(sys.modules, "IPython", fake)
    _generated(True)
    assert len(shown) == 1
    assert "generate: 1 of 1, 0 failed" in shown[0]
