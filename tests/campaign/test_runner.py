"""How a run goes on: interrupted, killed, with failures as rows, with references and at a second level."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.calculators.emt import EMT

import chggen
from chggen.campaign import further_levels
from chggen.campaign import resources as resources
from chggen.campaign import runner as pipeline
from chggen.potential.ase import AsePotential
from chggen.results.candidate import Candidate
from chggen.results.summary import summary_row
from chggen.stability.references import ReferenceEntry, References

_EMT = "ase:ase.calculators.emt:EMT"


_QUICK: dict[str, Any] = {"levels": 6, "potential": _EMT, "workers": 1, "fmax": 0.2}
Predict = Callable[..., list[Candidate]]


class _Moody(EMT):
    """EMT, but eight atoms are too many for it."""

    def calculate(self, *args: Any, **kwargs: Any) -> None:
        super().calculate(*args, **kwargs)
        if len(self.atoms) == 8:
            self.results["energy"] = math.nan


def moody() -> EMT:
    return _Moody()


class _StoppedError(Exception):
    pass


def test_an_interrupted_run_resumes_to_the_same_summary(
    predict_alloy: Predict, alloy_run: tuple[list[Candidate], Path], tmp_path: Path
) -> None:
    def stop_at_two(stage: str, done: int, total: int, failures: int) -> None:
        if stage == "generate" and done == 2:
            raise _StoppedError

    with pytest.raises(_StoppedError):
        predict_alloy(out=tmp_path, batch_size=2, progress=stop_at_two)
    assert not (tmp_path / "summary.csv").exists()
    seen: list[tuple[str, int, int, int]] = []
    predict_alloy(out=tmp_path, batch_size=2, progress=lambda *told: seen.append(told))
    assert seen[0][:3] == ("generate", 2, 4)  # the first batch is not made again
    assert (tmp_path / "summary.csv").read_text() == (alloy_run[1] / "summary.csv").read_text()
    resumed, whole = ({p.name: p.read_text() for p in (f / "structures").iterdir()} for f in (tmp_path, alloy_run[1]))
    assert resumed == whole


# It goes on until it is killed: it never comes to the end by itself.
_SCRIPT = """
import chggen, sys, time

def progress(stage, done, total, failures):
    if done > 2:
        time.sleep(600)

chggen.predict("Cu3Au", guests=["Cu"], n=4, formula_units=[1], out=sys.argv[1], batch_size=2, levels=6, n_resample=1,
               best_of=2, cells_from=["bravais"], potential="ase:ase.calculators.emt:EMT", workers=1, fmax=0.2,
               progress=progress)
"""


def test_a_killed_run_resumes_to_the_same_summary(
    predict_alloy: Predict, alloy_run: tuple[list[Candidate], Path], tmp_path: Path
) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-c", _SCRIPT, str(tmp_path)], env=environment)
    log, deadline = tmp_path / "log.txt", time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if log.exists() and "Cu3Au-z1-0001" in log.read_text():
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert "Cu3Au-z1-0001" in log.read_text()
    predict_alloy(out=tmp_path, batch_size=2)
    assert (tmp_path / "summary.csv").read_text() == (alloy_run[1] / "summary.csv").read_text()


def test_a_finished_run_computes_nothing_again(
    predict_alloy: Predict, alloy_run: tuple[list[Candidate], Path], monkeypatch: Any
) -> None:
    def refuse(*args: Any) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(pipeline, "make_candidates", refuse)
    assert [c.id for c in predict_alloy(out=alloy_run[1], batch_size=2)] == [c.id for c in alloy_run[0]]


def _same(some: Sequence[Candidate], others: Sequence[Candidate]) -> None:
    by_id = {c.id: c for c in others}
    assert {c.id for c in some} == set(by_id)
    for c in some:
        other = by_id[c.id]
        assert c.seed == other.seed
        assert c.raw is not None
        assert other.raw is not None
        assert c.raw == other.raw
        assert np.array_equal(c.raw.frac_coords, other.raw.frac_coords)


def test_a_potential_that_breaks_for_some_fails_them_alone() -> None:
    quick = {**_QUICK, "n": 3, "formula_units": [1, 2]}
    sound = {c.id: c for c in chggen.generate("Cu3Au", **quick)}
    shaken = {c.id: c for c in chggen.generate("Cu3Au", **{**quick, "potential": f"ase:{__name__}:moody"})}
    assert any("-z2-" in c.id and c.failed_at != "screen" for c in sound.values())
    assert shaken.keys() == sound.keys()
    for name, c in shaken.items():
        if "-z2-" in name and sound[name].failed_at != "screen":
            assert (c.status, c.failed_at) == ("failed", "relax")
            assert "no finite energy" in str(c.reason)
            assert c.structure is not None
        else:
            assert (c.status, c.reason) == (sound[name].status, sound[name].reason)
            assert c.energy_per_atom == sound[name].energy_per_atom


def test_a_stage_of_no_candidates_is_not_shown() -> None:
    shown: dict[str, int] = {}

    def progress(stage: str, done: int, total: int, failed: int) -> None:
        shown[stage] = total

    chggen.predict("Cu", n=1, **{**_QUICK, "formula_units": 1}, progress=progress)  # an element has no guests
    assert shown["generate"] == 1
    assert all(shown.values())


def test_what_sampling_cannot_do_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = resources.Recipe.run

    def stumbling(self: Any, score: Any, crystals: Any, seeds: Sequence[int], **kwargs: Any) -> Any:
        if bad in seeds:
            raise RuntimeError("out of memory\nmore")
        return whole(self, score, crystals, seeds, **kwargs)

    quick = {"n": 3, "levels": 4, "relax": False, "workers": 1}
    sound = {c.id: c for c in chggen.generate("Cu", **quick)}
    bad = sound["Cu-z1-0001"].seed
    monkeypatch.setattr(resources.Recipe, "run", stumbling)
    found = {c.id: c for c in chggen.generate("Cu", **quick)}
    failed = found.pop("Cu-z1-0001")
    assert (failed.status, failed.failed_at, failed.reason) == ("failed", "sample", "RuntimeError: out of memory more")
    _same(list(found.values()), [sound[name] for name in found])


def test_failed_symmetric_candidates_are_drawn_anew_under_ids_of_their_own(tmp_path: Path) -> None:
    moody = f"ase:{__name__}:moody"  # eight atoms fail
    options: dict[str, Any] = {
        **_QUICK,
        "n": 2,
        "formula_units": [2],
        "potential": moody,
        "best_of": 1,
        "out": tmp_path,
    }
    found = chggen.generate("Cu3Au", space_group="auto", **options)
    expected = [f"Cu3Au-z2-000{k}{again}" for k in range(2) for again in ("", "-r1", "-r2", "-r3")]
    assert sorted(c.id for c in found) == expected
    assert {(c.status, c.failed_at) for c in found} <= {("failed", "relax"), ("failed", "screen")}
    assert len({c.seed for c in found}) == len(found)
    again = chggen.generate("Cu3Au", space_group="auto", **options)  # a finished run makes nothing new
    assert [summary_row(c) for c in again] == [summary_row(c) for c in found]


@pytest.fixture
def pbe_emt(monkeypatch: pytest.MonkeyPatch) -> None:
    """EMT in the place of CHGNet: its energies count as PBE ones."""
    monkeypatch.setattr(resources, "load_potential", lambda *_: AsePotential(EMT(), name="chgnet", level="pbe"))


def _generate_alloys(folder: Path) -> list[Candidate]:
    return chggen.generate("Cu3Au", n=4, out=folder, **{**_QUICK, "potential": "chgnet"}, batch_size=2)


@pytest.mark.usefixtures("pbe_emt")
def test_without_references_candidates_come_and_the_log_says_why_once(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(References, "load", staticmethod(lambda path=None: References.from_entries([])))
    found = _generate_alloys(tmp_path)
    good = [c for c in found if c.status == "ok"]
    assert good
    assert all(c.level == "pbe" and c.e_decomposition is None and c.known_as is None for c in found)
    log = (tmp_path / "log.txt").read_text()
    assert log.count("no decomposition energy") == 1
    assert "holds no entries" in log


@pytest.mark.usefixtures("pbe_emt")
def test_with_references_candidates_are_placed_and_known_ones_named(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(References, "load", staticmethod(lambda path=None: References.from_entries([])))
    best = _generate_alloys(tmp_path / "first")[0]
    assert best.energy_per_atom is not None
    assert best.space_group_loose is not None
    table = References.from_entries(
        ReferenceEntry(id=name, formula=formula, level="pbe", energy_per_atom=energy, space_group=group)
        for name, formula, energy, group in (
            ("copper", "Cu", 0.5, 225),
            ("gold", "Au", 0.5, 225),
            ("alloy", "Cu3Au", best.energy_per_atom - 0.004, best.space_group_loose),
            ("far", "Cu3Au", best.energy_per_atom + 0.1, best.space_group_loose),
        )
    )
    monkeypatch.setattr(References, "load", staticmethod(lambda path=None: table))
    found = _generate_alloys(tmp_path / "second")
    assert found[0].id == best.id
    assert found[0].e_decomposition == pytest.approx(0.004, abs=1e-6)
    assert found[0].known_as == "same group and energy as alloy"  # the entry has no fingerprint
    assert found[0].hull_warning is None
    assert all(c.decomposition_products for c in found if c.status == "ok")


def _stretched_emt() -> AsePotential:
    """EMT whose energies are 1 eV/atom higher: another level of theory."""

    class Shifted(EMT):
        def calculate(self, *args: Any, **kwargs: Any) -> None:
            super().calculate(*args, **kwargs)
            self.results["energy"] += len(self.atoms)

    return AsePotential(Shifted(), name="chgnet-r2scan", level="r2scan")


def test_survivors_are_ranked_at_the_second_level(
    predict_alloy: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = {"chgnet": AsePotential(EMT(), name="chgnet", level="pbe"), "chgnet-r2scan": _stretched_emt()}
    monkeypatch.setattr(resources, "load_potential", lambda name, *_: levels[name])
    bound = {"Cu": 0.0, "Au": 0.0, "CuAu": -0.1}
    table = References.from_entries(
        ReferenceEntry(id=f"{level}-{name}", formula=name, level=level, energy_per_atom=energy + shift)
        for level, shift in (("pbe", 0.0), ("r2scan", 1.0))
        for name, energy in bound.items()
    )
    monkeypatch.setattr(References, "load", staticmethod(lambda path=None: table))
    all_pbe = predict_alloy(potential="chgnet", second_level_below=None)
    assert all(c.energies.get("r2scan") is None for c in all_pbe)
    distinct = [c for c in all_pbe if c.status == "ok" and c.duplicate_of is None]
    assert len(distinct) > 1  # else the limit below tests nothing
    energies = [c.e_decomposition for c in distinct]
    limit = (energies[0] + energies[-1]) / 2
    found = predict_alloy(potential="chgnet", second_level_below=limit, out=tmp_path)
    again = [c for c in found if c.energies.get("r2scan") is not None]
    assert {c.id for c in again} == {c.id for c in distinct if c.e_decomposition < limit}
    assert again
    assert found[: len(again)] == again
    for c in again:
        assert c.level == "pbe"
        assert c.energies.get("r2scan") - 1.0 <= c.energy_per_atom + 1e-6  # relaxed on
        assert c.decomposition_energies.get("r2scan") == pytest.approx(c.energies.get("r2scan") - 0.95, abs=1e-6)
        assert (c.hull_warning or "").count("no known phase of Cu3Au") == 1  # said once, though at both levels
        assert not c.stable

    def refuse(*_: Any) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(further_levels, "rescore_in_parts", refuse)
    _same(predict_alloy(potential="chgnet", second_level_below=limit, out=tmp_path), found)


@pytest.mark.usefixtures("pbe_emt")
def test_a_run_at_the_second_level_alone_fills_its_columns(
    predict_alloy: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "load_potential", lambda *_: _stretched_emt())
    table = References.from_entries(
        ReferenceEntry(id=name, formula=name, level="r2scan", energy_per_atom=1.0) for name in ("Cu", "Au")
    )
    monkeypatch.setattr(References, "load", staticmethod(lambda path=None: table))
    good = [c for c in predict_alloy(potential="chgnet-r2scan") if c.status == "ok"]
    assert good
    for c in good:
        assert (c.level, c.energies.get("r2scan")) == ("r2scan", c.energy_per_atom)
        assert (
            c.decomposition_energies.get("r2scan")
            == c.e_decomposition
            == pytest.approx(c.energy_per_atom - 1.0, abs=1e-6)
        )
