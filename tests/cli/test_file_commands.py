"""Commands on files: refine, relax, and building reference energies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from chggen.cli.file_commands import refine_files
from chggen.cli.hull import Placing, hull_lines
from chggen.cli.reference_table import reference_lines
from chggen.errors import InputError
from chggen.execution.progress import silent
from chggen.io import structures as files
from chggen.io.folders import locked
from chggen.stability import building as reference_building
from chggen.stability.building import Wanted
from chggen.stability.energy_log import EnergyLog
from chggen.stability.references import ReferenceEntry, References, write_references
from chggen.symmetry import structure_fingerprint
from chggen.workflows.relax import relax_files

_EMT = {"potential": "ase:ase.calculators.emt:EMT", "fmax": 0.05}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two elements' crystals, slightly off their minima."""
    place = tmp_path / "phases"
    place.mkdir()
    Structure(Lattice.cubic(3.5), ["Li", "Li"], [[0, 0, 0], [0.5, 0.5, 0.5]]).to(str(place / "lithium.cif"))
    diamond = [[0, 0, 0], [0.25, 0.25, 0.25]]
    silicon = Structure(Lattice([[0, 2.75, 2.75], [2.75, 0, 2.75], [2.75, 2.75, 0]]), ["Si", "Si"], diamond)
    silicon.to(str(place / "silicon.cif"))
    (place / ".hidden").write_text("not looked at")
    return place


def _copper(a: float, shift: float = 0.0) -> Structure:
    return Structure(Lattice.cubic(a), ["Cu"] * 4, [[shift, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])


def test_names_are_those_of_the_files_and_unique(folder: Path) -> None:
    again = folder.parent / "lithium.cif"
    again.write_text((folder / "lithium.cif").read_text())
    names = list(files.named_structures([folder, again]))
    assert names == ["phases-lithium", "silicon", f"{folder.parent.name}-lithium"]


def test_names_leave_room_for_twins_in_p1(folder: Path) -> None:
    text = (folder / "lithium.cif").read_text()
    for name in ("a", "a-P1", "b-P1", "b"):
        (folder.parent / f"{name}.cif").write_text(text)
    given = [folder.parent / f"{name}.cif" for name in ("a", "a-P1", "b-P1", "b")]
    assert list(files.named_structures(given)) == ["a-cif", "a-P1-cif", "b-P1-cif", "b-cif"]


def _built(folder: Path, out: Path, wanted: Wanted | None = None, progress: Any = silent) -> dict[str, ReferenceEntry]:
    path = reference_building.build_references([folder], ["pbe"], 0.1, "cpu", 1, out, progress, wanted)
    assert path == out / "references.npz"
    return {e.id: e for e in References.load(path).system(["Li", "Si"], "pbe")}


def test_references_are_built_resumed_and_shown(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "references"
    seen: list[tuple[str, int, int, int]] = []
    built = _built(folder, out, progress=lambda *told: seen.append(told))
    assert seen == [
        ("static pbe", 0, 2, 0),
        ("static pbe", 2, 2, 0),
        ("relaxed pbe", 0, 2, 0),
        ("relaxed pbe", 2, 2, 0),
    ]
    assert {e.id: (e.formula, e.space_group, e.relaxed) for e in built.values()} == {
        "lithium": ("Li", 229, True),
        "silicon": ("Si", 227, True),
    }
    assert built["lithium"].energy_per_atom == pytest.approx(-1.9, abs=0.1)
    assert built["silicon"].energy_per_atom == pytest.approx(-5.3, abs=0.2)

    rows = (out / "rows.jsonl").read_text()
    lines = rows.splitlines(keepends=True)
    (out / "rows.jsonl").write_text("".join(lines[:3]) + lines[3][:30])  # killed while writing
    (out / "references.npz").unlink()
    seen.clear()
    again = _built(folder, out, progress=lambda *told: seen.append(told))
    assert seen == [("relaxed pbe", 0, 1, 0), ("relaxed pbe", 1, 1, 0)]
    assert repr(again) == repr(built)  # to the last digit; what is not known is NaN, which equals nothing

    def refuse(*args: Any) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(reference_building, "ROWS", {"static": refuse, "relaxed": refuse})
    path = out / "references.npz"
    assert repr(_built(folder, out)) == repr(built)
    shown = reference_lines("Li-Si", "pbe", [str(path)], tmp_path / "li-si.svg", tmp_path)
    assert [line.split()[:2] for line in shown[:2]] == [["lithium", "Li"], ["silicon", "Si"]]
    assert [("E_hull 0.0000  space group" in s, s.endswith("relaxed")) for s in shown[:2]] == [(True, True)] * 2
    assert shown[2] == f"phase diagram in {tmp_path / 'li-si.svg'}"
    assert "formation energy" in (tmp_path / "li-si.svg").read_text()
    assert (tmp_path / "Li-Si.txt").read_text().splitlines() == shown
    none = reference_lines("Li-Si", "r2scan", [str(path)], None, None)
    assert none == ["no r2scan reference energies for Li-Si"]
    with pytest.raises(InputError, match="no phase diagram of Li; expected two to four elements"):
        reference_lines("Li", "pbe", [str(path)], tmp_path / "li.svg", None)
    with pytest.raises(InputError, match="'Li-Xx' is no chemical system"):
        reference_lines("Li-Xx", "pbe", [str(path)], None, None)


def test_phases_near_the_hull_are_relaxed_and_others_stay_static(folder: Path, tmp_path: Path) -> None:
    stretched = Structure(Lattice.cubic(3.9), ["Li", "Li"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    stretched.to(str(folder / "stretched.cif"))
    (folder / "broken.cif").write_text((folder / "lithium.cif").read_text().replace("3.50000000", "0.35"))
    with pytest.raises(InputError, match=r"broken.cif has a cell of volume"):
        _built(folder, tmp_path / "none")
    (folder / "broken.cif").unlink()
    static = _built(folder, tmp_path / "static", Wanted(within=-1.0))
    assert not any(e.relaxed for e in static.values())
    near = _built(folder, tmp_path / "near", Wanted(within=0.0))
    assert {name for name, e in near.items() if e.relaxed} == {"lithium", "silicon"}
    assert near["stretched"].energy_per_atom == static["stretched"].energy_per_atom
    assert near["lithium"].energy_per_atom < static["lithium"].energy_per_atom
    wide = _built(folder, tmp_path / "near", Wanted(within=0.5))
    assert {name for name, e in wide.items() if e.relaxed} == set(static)


def test_systems_named_first_are_relaxed_first(tmp_path: Path) -> None:
    log = EnergyLog(tmp_path / "rows.jsonl")
    for k, (formula, energy) in enumerate({"Li": -2.0, "Si": -5.0, "P": -5.0, "LiSi": -4.0, "LiP": -3.0}.items()):
        known = {"formula": formula, "space_group": 1, "n_atoms": 9 - k, "static": energy}
        log.add([{"id": formula, "level": "pbe", **known}])
    every = log.names
    assert Wanted(within=0.0).choose(log, "pbe", every) == ["LiSi", "P", "Si", "Li"]  # small cells first
    assert Wanted(within=0.0, first=["Li-P"]).choose(log, "pbe", every) == ["P", "Li"]
    assert Wanted(within=1.0, first=["Li-P"]).choose(log, "pbe", every) == ["P", "Li", "LiP"]
    assert Wanted(within=0.0, first=["Li-P"]).choose(log, "pbe", {"Li", "Si"}) == ["Li"]
    assert Wanted(within=0.0, first=["Li-P"]).choose(log, "pbe", {"Si", "LiP"}) == ["Si"]
    log.add([{"id": name, "level": "pbe", "relaxed": log.of(name, "pbe")["static"]} for name in ("Li", "Si", "P")])
    log.add([{"id": "LiSi", "level": "pbe", "failed": "no end"}])
    assert "LiSi" not in {e.id for e in log.entries()}  # a static one must not stay on a hull
    assert Wanted(within=0.0).choose(log, "pbe", every) == []
    assert Wanted(within=1.0).choose(log, "pbe", every) == ["LiP"]


def test_a_phase_without_energy_is_a_row_with_its_reason(tmp_path: Path) -> None:
    far = tmp_path / "far.cif"
    Structure(Lattice.cubic(40), ["Li"], [[0, 0, 0]]).to(str(far))
    assert _built(far, tmp_path / "out") == {}
    row = json.loads((tmp_path / "out" / "rows.jsonl").read_text())
    assert row["id"] == "far"
    assert "no neighbour within 6 Å" in row["failed"]


def test_a_phase_that_does_not_relax_is_no_reference(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference_building, "_MAX_STEPS", 1)
    (folder / "silicon.cif").unlink()
    assert _built(folder, tmp_path / "out") == {}
    assert "not converged in 1 step," in (tmp_path / "out" / "rows.jsonl").read_text()


def test_refining_goes_up_the_tolerances_and_writes_what_it_finds(tmp_path: Path) -> None:
    copper = _copper(3.6)
    copper.translate_sites([0], [0.008, 0.005, 0.003])
    copper.to(str(tmp_path / "copper.cif"))
    lines = refine_files([tmp_path / "copper.cif"], [1e-5, 0.1], tmp_path / "refined")
    assert len(lines) == 1
    assert lines[0].startswith("copper: space group 225 (Fm-3m) at symprec 0.1 Å, atoms moved 0.0")
    assert "_symmetry_Int_Tables_number   225" in (tmp_path / "refined" / "copper.cif").read_text()
    assert sorted(p.name for p in (tmp_path / "refined").iterdir()) == ["copper-P1.cif", "copper.cif"]
    text = (tmp_path / "refined" / "copper.cif").read_text()
    assert "# symmetrised with symprec 0.1 Å, atoms moved 0.0" in text
    assert text.count("symmetrised") == 1
    assert "_symmetry_Int_Tables_number   1\n" in (tmp_path / "refined" / "copper-P1.cif").read_text()
    assert refine_files([tmp_path / "copper.cif"], [1e-5], None)[0].startswith("copper: space group 1 (P1) at ")


def test_relaxing_files_keeps_their_order_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / "2.cif", tmp_path / "1.cif"]  # names that read as numbers
    _copper(3.8).to(str(files[0]))
    _copper(3.5, shift=0.03).to(str(files[1]))
    found = relax_files(files, _EMT, "cpu", 1, tmp_path / "out", silent)
    assert [c.id for c in found] == ["2", "1"]
    for c in found:
        assert (c.status, c.stage, c.space_group_loose) == ("ok", "relax", 225)
        assert c.structure is not None
        assert c.structure.lattice.a == pytest.approx(3.59, abs=0.03)

    def refuse(*args: Any) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr("chggen.campaign.parts.relax_candidates", refuse)
    again = relax_files(files, _EMT, "cpu", 1, tmp_path / "out", silent)
    assert [c.energy_per_atom for c in again] == [c.energy_per_atom for c in found]
    _copper(3.7).to(str(files[0]))
    with pytest.raises(InputError, match="was made with other structures: 2;"):
        relax_files(files, _EMT, "cpu", 1, tmp_path / "out", silent)


def test_hull_of_files_relaxes_them_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(References, "load", staticmethod(lambda path=None: References.from_entries([])))
    far = folder / "far.cif"
    Structure(Lattice.cubic(40), ["Li"], [[0, 0, 0]]).to(str(far))
    lines = hull_lines([folder / "lithium.cif", far], None, None, "pbe", [], [], Placing(), None)
    assert lines[0].startswith("lithium: E -1.8")
    assert lines[0].endswith(" eV/atom, no decomposition energy (the reference table holds no entries)")
    assert lines[1].startswith("far: not placed, its relaxation came to no end (an atom has no neighbour within 6 Å")


def test_the_fall_of_static_ones_is_that_of_a_sample(folder: Path, tmp_path: Path) -> None:
    high = Structure.from_file(folder / "lithium.cif")
    high.scale_lattice(high.volume * 1.3)
    high.to(str(folder / "loose.cif"))
    out = tmp_path / "references"
    built = _built(folder, out, Wanted(within=0.01, sample=0))
    assert not built["loose"].relaxed
    assert built["loose"].fingerprint == built["lithium"].fingerprint == structure_fingerprint(high)
    assert np.isnan(References.load(out / "references.npz").drops[0])
    assert _built(folder, out, Wanted(within=0.01, sample=5))["loose"].relaxed
    fall = built["loose"].energy_per_atom - built["lithium"].energy_per_atom
    assert References.load(out / "references.npz").drops[0] == pytest.approx(fall, abs=0.01)
    assert fall > 0.01


def test_a_build_does_not_go_on_with_other_settings_or_structures(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "references"
    _built(folder, out, Wanted(within=-1.0))
    with pytest.raises(InputError, match=r"was made with fmax 0.1, now 0.05 is asked for; use another --out"):
        reference_building.build_references([folder], ["pbe"], 0.05, "cpu", 1, out, silent)
    (folder / "README.txt").write_text("not a structure")
    assert len(_built(folder, out, Wanted(within=-1.0))) == 2
    (folder / "lithium.cif").write_text((folder / "silicon.cif").read_text())
    with pytest.raises(InputError, match=r"lithium.cif has changed since .*; use another --out"):
        _built(folder, out, Wanted(within=-1.0))


def test_a_build_goes_on_with_structures_of_other_folders(folder: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "references", tmp_path / "other"
    other.mkdir()
    _built(folder, out, Wanted(within=-1.0))
    _copper(3.6).to(str(other / "copper.cif"))
    assert _built(other, out).keys() == {"lithium", "silicon"}  # copper is of another system
    assert {e.id: e.relaxed for e in References.load(out / "references.npz").system(["Cu", "Li"], "pbe")} == {
        "copper": True, "lithium": False
    }  # fmt: skip
    (other / "lithium.cif").write_text((other / "copper.cif").read_text().replace("3.6", "3.7"))
    with pytest.raises(InputError, match="holds energies of another lithium already; rename it or use another --out"):
        _built(other, out)
    (other / "lithium.cif").write_text((folder / "lithium.cif").read_text())  # the very one
    assert len(_built(other, out, Wanted(within=-1.0))) == 2


def test_a_build_leaves_imported_energies_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "references.npz").write_bytes(b"imported")
    with pytest.raises(InputError, match="holds energies of `chggen references import`; choose another --out"):
        _built(folder, tmp_path)
    assert (tmp_path / "references.npz").read_bytes() == b"imported"


def test_a_build_that_was_stopped_before_its_first_row_goes_on(folder: Path, tmp_path: Path) -> None:
    def stop(*told: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _built(folder, tmp_path, Wanted(within=-1.0), stop)
    assert len(_built(folder, tmp_path, Wanted(within=-1.0))) == 2


def test_two_builds_do_not_share_a_folder(folder: Path, tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(InputError, match="in use by another run"):
        _built(folder, tmp_path)
    assert len(_built(folder, tmp_path, Wanted(within=-1.0))) == 2


def test_a_damaged_row_is_named(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "references"
    _built(folder, out, Wanted(within=-1.0))
    lines = (out / "rows.jsonl").read_text().splitlines(keepends=True)
    for damaged in (lines[0][:20] + "\n", "[1]\n", "{}\n"):
        (out / "rows.jsonl").write_text(damaged + lines[1])
        with pytest.raises(InputError, match=r"line 1 of .*rows.jsonl cannot be read; .*delete the line"):
            _built(folder, out, Wanted(within=-1.0))


@pytest.mark.parametrize("wrong", [{"within": np.nan}, {"sample": -1}, {"first": ("Xx-Y",)}])
def test_wishes_that_cannot_be_are_refused_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"expected"):
        Wanted(**wrong)


def test_structures_are_not_compared_with_a_foreign_level(folder: Path, tmp_path: Path) -> None:
    rows = [ReferenceEntry(id=f, formula=f, level="pbe-dft", energy_per_atom=-2.0) for f in ("Li", "Si")]
    write_references(rows, tmp_path / "own.npz")
    asked: tuple[Any, ...] = ([str(tmp_path / "own.npz")], Placing(), None)
    lines = hull_lines([], "LiSi", -2.5, "pbe-dft", [], *asked)
    place = (
        "LiSi: E -2.5000 eV/atom, E_d -0.5000 eV/atom, E_hull 0.0000 eV/atom (pbe-dft), products LiSi -> Li + Si "
        "(formula units)"
    )
    assert [line.split("; ")[0] for line in lines] == [place]
    assert lines[0].endswith("; add phases by `chggen references import`")
    with pytest.raises(InputError, match="which cannot be compared with 'pbe-dft'; give an energy of that level"):
        hull_lines([folder / "lithium.cif"], None, None, "pbe-dft", [], *asked)


def test_trajectories_and_symmetry_of_relaxed_files(tmp_path: Path) -> None:
    from ase.io import read

    start = tmp_path / "copper.cif"
    _copper(3.7, 0.02).to(str(start))
    options = {**_EMT, "fix_symmetry": 0.01}
    first = relax_files([start], options, "cpu", 1, tmp_path / "out", silent)
    found = relax_files([start], options, "cpu", 1, tmp_path / "out", silent, trajectory=True)  # done again
    assert [c.energy_per_atom for c in found] == [c.energy_per_atom for c in first]
    frames = read(tmp_path / "out" / "trajectories" / "copper.extxyz", index=":")
    assert len(frames) == (found[0].relax_steps or 0) + 1
    assert frames[-1].get_potential_energy() / 4 == pytest.approx(found[0].energy_per_atom, abs=1e-3)  # refined after
    assert abs(frames[-1].get_forces()).max() < 0.05
