"""Partially occupied structures as input: ordered once, told of, and the same when a command is repeated."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from pymatgen.core import Lattice, Structure

import chggen
from chggen.campaign import OrderOptions
from chggen.cli.file_commands import refine_files
from chggen.cli.hull import Placing, hull_lines
from chggen.errors import InputError
from chggen.execution import Machine, silent
from chggen.io import as_structure
from chggen.io.toml import read_toml
from chggen.potential import load_potential
from chggen.results import Candidate, failed
from chggen.results.database import read_candidates
from chggen.workflows.ordered_input import ordered_host
from chggen.workflows.relax import relax_files

EMT = "ase:ase.calculators.emt:EMT"
ALLOY = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.75), [{"Cu": 0.5, "Au": 0.5}], [[0, 0, 0]])
MIXED = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(4.1), [{"Li": 0.5, "Co": 0.5}, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]
)
LAYERED = Structure.from_spacegroup(
    "R-3m", Lattice.hexagonal(2.816, 14.054), ["Li", "Co", "O"], [[0, 0, 0.5], [0, 0, 0], [0, 0, 0.2605]]
).get_primitive_structure()
_QUICK: dict[str, Any] = {"potential": EMT, "levels": 4, "workers": 1}


def _filled(out: Path | None, host: Structure = ALLOY, **changes: Any) -> list[Candidate]:
    return chggen.inpaint(host, {"H": 1}, **({"n": 1, "order": True, "out": out, **_QUICK} | changes))


def _energies(candidates: list[Candidate]) -> dict[str, float | None]:
    return {c.id: c.energy_per_atom for c in candidates}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[OrderOptions]:
    """What orderings are asked for, where none is made: the answers are layered LiCoO2, and a failed one."""
    options: list[OrderOptions] = []

    def answer(structure: Structure, given: OrderOptions, *rest: Any) -> list[Candidate]:
        options.append(given)
        marked = LAYERED.copy()
        marked.add_site_property("guest", [True] + [False] * 3)
        best = Candidate(id="LiCoO2-4-001", stage="order", formula="LiCoO2", seed=0, structure=marked)
        return [best, failed(best, "relax", "not converged")]

    monkeypatch.setattr("chggen.workflows.ordered_input.run_order", answer)
    return options


def _refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: Any) -> None:
        raise AssertionError("ordered again")

    monkeypatch.setattr("chggen.workflows.ordered_input.run_order", refuse)


def test_a_repeated_run_goes_on_with_the_orderings_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "chggen.io.notes")
    first = _filled(tmp_path / "out")
    best = read_candidates(tmp_path / "out" / "ordered")
    assert len(best) == 4
    lowest = min(best, key=lambda c: c.energy_per_atom or 0.0)
    (note,) = {m for m in caplog.messages if "ordered as" in m}
    assert note.startswith(f"the host: ordered as CuAu in a cell of {lowest.n_atoms} atoms, {lowest.id}, ")
    assert note in (tmp_path / "out" / "log.txt").read_text()
    assert f"{lowest.energy_per_atom:.4f} eV/atom" in note
    assert read_toml(tmp_path / "out" / "config.toml")["order"] is True
    assert as_structure(tmp_path / "out" / "inputs" / "host.cif").is_ordered
    assert not as_structure(tmp_path / "out" / "ordered" / "inputs" / "structure.cif").is_ordered

    killed = tmp_path / "killed"

    def stop(stage: str, done: int, total: int, bad: int) -> None:
        if stage == "order" and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _filled(killed, progress=stop)
    assert 2 <= len(read_candidates(killed / "ordered")) <= 4
    assert _energies(_filled(killed)) == _energies(first)
    again = (killed / "ordered" / "summary.csv").read_text()
    assert again == (tmp_path / "out" / "ordered" / "summary.csv").read_text()
    assert _energies(_filled(None)) == _energies(first)  # in memory

    _refuse(monkeypatch)
    assert _energies(_filled(tmp_path / "out")) == _energies(first)
    assert len(_filled(tmp_path / "out", n=2)) == 2
    with pytest.raises(InputError, match="was made with -n 2, now 1; --seed 0, now 1; repeat the old options"):
        _filled(tmp_path / "out", seed=1)
    with pytest.raises(InputError, match="was made with another host; --order on, now not given; repeat"):
        _filled(tmp_path / "out", LAYERED, n=2)


def test_ordered_hosts_are_left_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _refuse(monkeypatch)
    copper = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.6), ["Cu"], [[0, 0, 0]])
    plain = _filled(tmp_path, copper, order=False, relax=False, potential="chgnet")
    assert "order" not in read_toml(tmp_path / "config.toml")
    assert [c.raw for c in _filled(tmp_path, copper, relax=False, potential="chgnet")] == [c.raw for c in plain]
    assert not (tmp_path / "ordered").exists()


def test_files_are_ordered_each_in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / name for name in ("gold.cif", "half.cif", "most.cif")]
    Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.0), ["Au"], [[0, 0, 0]]).to(str(files[0]))
    ALLOY.to(str(files[1]))
    Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.7), [{"Cu": 0.75, "Pt": 0.25}], [[0, 0, 0]]).to(str(files[2]))
    told: set[str] = set()

    def relaxed() -> list[Candidate]:
        return relax_files(
            files, {"potential": EMT}, "cpu", 1, tmp_path / "out", lambda stage, *_: told.add(stage), order=True
        )

    found = relaxed()
    assert [(c.id, c.formula, c.status) for c in found] == [
        ("gold", "Au", "ok"), ("half", "CuAu", "ok"), ("most", "Cu3Pt", "ok")
    ]  # fmt: skip
    assert told == {"compare half", "order half", "compare most", "order most", "relax"}
    assert {p.name for p in (tmp_path / "out" / "ordered").iterdir()} == {"half", "most"}
    assert read_toml(tmp_path / "out" / "config.toml")["order"] is True
    _refuse(monkeypatch)
    assert _energies(relaxed()) == _energies(found)
    with pytest.raises(InputError, match=r"2 of 3 files .*half\.cif, most\.cif"):
        relax_files(files, {"potential": EMT}, "cpu", 1, tmp_path / "out", silent)


def test_what_a_command_is_given_is_what_it_orders_with(asked: list[OrderOptions], tmp_path: Path) -> None:
    MIXED.to(str(tmp_path / "mixed.cif"))
    out = tmp_path / "out"
    (refined,) = refine_files([tmp_path / "mixed.cif"], [0.1], out, order=True)
    assert refined.startswith("mixed: space group 166")
    placing = Placing.of(fmax=0.3, max_steps=1, order=True)
    hull_lines([tmp_path / "mixed.cif"], None, None, "r2scan", [], ["shipped"], placing, None)
    chggen.inpaint(MIXED, {"H": 1}, n=1, seed=7, order=True, relax=False, quality="fast", levels=4, workers=1)
    (relaxed,) = chggen.relax([MIXED], order=True, max_steps=2, pressure=5.0)
    assert relaxed.structure.composition == LAYERED.composition
    assert "guest" not in relaxed.structure.site_properties
    assert [o.n for o in asked] == [4] * 4
    assert [o.seed for o in asked] == [0, 0, 7, 0]
    settings = [o.relax for o in asked if o.relax is not None]
    assert [s.potential for s in settings] == ["chgnet", "chgnet-r2scan", "chgnet", "chgnet"]
    assert [(s.fmax, s.max_steps, s.pressure) for s in settings[1:]] == [(0.3, 1, 0.0), (0.1, 500, 0.0), (0.1, 2, 0.0)]
    assert (asked[2].sampler.quality, asked[2].sampler.levels) == ("fast", 4)


def test_an_electrode_is_scanned_in_the_ordered_host(
    asked: list[OrderOptions], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Structure] = []
    monkeypatch.setattr("chggen.api.from_structure.run_electrode", lambda host, *rest: seen.append(host))
    chggen.electrode(MIXED, "Li", order=True, seed=3, out=tmp_path)
    assert [host.composition for host in seen] == [LAYERED.composition]
    assert [(o.seed, o.relax and o.relax.fmax) for o in asked] == [(3, 0.03)]


@pytest.mark.parametrize(
    "call",
    [
        lambda: chggen.inpaint(MIXED, {"Li": 1}, relax=False),
        lambda: chggen.electrode(MIXED, "Li"),
    ],
)
def test_without_the_option_a_refusal_names_it(call: Any) -> None:
    with pytest.raises(InputError, match=r"order it first with `chggen order`, or give --order$") as said:
        call()
    assert len(str(said.value)) <= 300
    (relaxed,) = chggen.relax([MIXED])
    assert str(relaxed.reason).endswith("order it first with `chggen order`, or give --order")


def test_what_cannot_be_ordered_is_refused_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="fixed_atoms are of no use to order"):
        chggen.relax([MIXED], order=True, fixed_atoms=[[True] * 8])
    with pytest.raises(InputError, match="a potential that is an object is of no use to order"):
        chggen.relax([MIXED], order=True, potential=load_potential(EMT))
    lost = Candidate(id="a", stage="order", formula="LiCoO2", seed=0)
    monkeypatch.setattr(
        "chggen.workflows.ordered_input.run_order", lambda *given: [failed(lost, "relax", "far " * 100)] * 2
    )
    with pytest.raises(InputError, match=r"the host cannot be ordered: 2 orderings failed, the first at relax") as said:
        ordered_host(MIXED, {}, Machine())
    assert str(said.value).endswith("order it by itself with `chggen order`")


def test_atoms_held_in_place_are_said_to_be_free(
    asked: list[OrderOptions], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    held = MIXED.copy()
    held.add_site_property("selective_dynamics", [[False] * 3] * len(held))
    with caplog.at_level(logging.WARNING, "chggen.io.notes"):
        (relaxed,) = chggen.relax([held], order=True, max_steps=1)
    assert relaxed.structure.composition == LAYERED.composition
    assert any(m.endswith("atoms held in place are free in it") for m in caplog.messages)
