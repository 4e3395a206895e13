"""Electrodes: scans by a toy potential whose voltages are known by hand, resumed and refused ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ase.calculators.emt import EMT
from pymatgen.apps.battery.insertion_battery import InsertionElectrode
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

import chggen
from chggen.errors import InputError
from chggen.potential import level_of
from chggen.report import draw_candidates, write_report
from chggen.stability.reference_entry import ReferenceEntry
from chggen.stability.references import write_references

TOY = "ase:ase.calculators.emt:EMT"
METAL = -0.01  # eV/atom of aluminium in the references of the toy potential


def gold(filled: int = 0) -> Structure:
    """Half of the sites of an fcc cell, two of four, and aluminium on some of the others."""
    places = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    return Structure(Lattice.cubic(3.9), ["Au", "Au", *["Al"] * filled], places[: 2 + filled])


def energy(structure: Structure) -> float:
    """Energy of a structure as it is, eV, by ASE itself."""
    atoms = AseAtomsAdaptor.get_atoms(structure)
    atoms.calc = EMT()
    return float(atoms.get_potential_energy())


@pytest.fixture
def references(tmp_path: Path) -> Path:
    rows = [
        ReferenceEntry(
            id=s, formula=s, level=level_of(TOY).name, energy_per_atom=e, relaxed=True, space_group=225, n_atoms=1
        )
        for s, e in (("Al", METAL), ("Au", 0.0))
    ]
    write_references(rows, tmp_path / "toy.npz")
    return tmp_path / "toy.npz"


def scan(host: Structure, references: Path, **changes: Any) -> chggen.Electrode:
    given: dict[str, Any] = {
        "ion": "Al", "counts": (0, 1, 2), "n": 2, "quality": "fast", "levels": 6, "potential": TOY, "fix_cell": True,
        "references": references, "workers": 1, "fmax": 0.02,
    }  # fmt: skip
    return chggen.electrode(host, **(given | changes))


def test_voltages_are_those_of_the_known_sites(references: Path) -> None:
    found = scan(gold(), references)
    # With the cell held, all sites are fixed by symmetry: nothing moves, so the energies are those of ASE at once.
    empty, half, full = (energy(gold(k)) for k in range(3))
    assert found.framework == "Au"
    assert found.contents == (0.0, 0.5, 1.0)
    assert found.average_voltage == pytest.approx((METAL - (full - empty) / 2) / 3, abs=5e-3)
    assert found.energies[0.5] <= half / 2 + 5e-3
    assert found.to_pymatgen().get_average_voltage() == pytest.approx(found.average_voltage, abs=1e-6)
    assert all(row.topotactic for row in found.table())
    assert {c.stage for c in found.candidates} == {"electrode"}


def test_elements_that_are_held_stay_where_they_are(references: Path) -> None:
    host = gold()
    host.translate_sites([1], [0.03, 0.0, 0.01])
    moved = {}
    for hold in ((), ("Au",)):
        made = scan(host, references, n=1, hold=hold).candidates
        found = [c.structure.frac_coords[:2] - host.frac_coords for c in made if c.status == "ok" and c.structure]
        assert len(found) > 2
        moved[hold] = max(abs(off - off.round()).max() for off in found)
    assert moved[()] > 1e-3
    assert moved[("Au",)] < 1e-9
    with pytest.raises(InputError, match="--hold is for elements here; got 'Cu', expected one of Au"):
        scan(host, references, hold="Cu")


def test_a_full_host_is_emptied(references: Path) -> None:
    found = scan(gold(2), references, counts=())
    assert found.limit == "the Al that the host came with"
    assert found.contents == (0.0, 0.5, 1.0)
    sources = {c.seed_source for c in found.candidates}
    assert {"host", "vacancies"} <= sources
    (emptied,) = {c.formula for c in found.candidates if c.seed_source == "vacancies"}
    assert emptied == "AlAu2"


def test_contents_take_the_smallest_supercell_that_holds_them(references: Path) -> None:
    found = scan(gold(), references, counts=(), contents=(0.0, 0.25, 1.0), n=1)
    assert found.contents == (0.0, 0.25, 1.0)
    quarter = found.best(0.25)
    assert quarter is not None
    assert quarter.n_atoms == 5
    assert quarter.id.startswith("Au-1x1x2-Al1-")


def test_a_supercell_may_be_a_matrix_and_a_content_a_fraction(references: Path) -> None:
    rows = [[1, 1, 0], [-1, 1, 0], [0, 0, 1]]
    found = scan(gold(2), references, counts=(), contents=(0.0, "1/4", 1.0), supercell=rows, n=1)
    assert found.contents == (0.0, 0.25, 1.0)
    emptied, full = found.best(0.25), found.best(1.0)
    assert emptied is not None
    assert full is not None
    assert (emptied.n_atoms, full.n_atoms) == (5, 8)
    assert full.structure is not None
    assert full.structure.lattice.abc == pytest.approx((3.9 * 2**0.5, 3.9 * 2**0.5, 3.9))
    assert found.energies[1.0] == pytest.approx(energy(gold(2)) / 2, abs=5e-3)


def test_sites_of_ions_are_found_again_in_a_supercell(references: Path) -> None:
    found = scan(gold(2), references, counts=(), ion_sites=(3,), supercell=(1, 1, 2), n=1)
    assert found.framework in ("AlAu2", "Au2Al")
    assert found.contents == (0.0, 0.5, 1.0)
    named = scan(gold(2), references, ion="Al3+", n=1)
    assert named.ion == "Al"


def test_a_largest_content_takes_the_supercell_that_it_needs(references: Path) -> None:
    found = scan(gold(), references, counts=(), max_content=0.25, n=1)
    assert found.contents == (0.0, 0.25)
    assert repr(found).startswith("Electrode(Al in Au: contents 0, 0.25; ")


def test_a_scan_that_was_stopped_goes_on(references: Path, tmp_path: Path) -> None:
    whole = scan(gold(), references, out=tmp_path / "whole")

    def stop(stage: str, done: int, total: int, failed: int) -> None:
        if stage == "electrode, round 2" and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan(gold(), references, out=tmp_path / "stopped", batch_size=1, progress=stop)
    resumed = scan(gold(), references, out=tmp_path / "stopped")
    assert (tmp_path / "stopped" / "summary.csv").read_text() == (tmp_path / "whole" / "summary.csv").read_text()
    assert resumed.as_dict() == whole.as_dict()
    said = json.loads((tmp_path / "stopped" / "electrode.json").read_text())
    assert said[0]["average_voltage"] == pytest.approx(whole.average_voltage)
    page = (write_report(tmp_path / "stopped")).read_text()
    assert "mixing energy, meV per Au" in page
    draw_candidates(tmp_path / "stopped", None, tmp_path / "curve.svg")
    assert "voltage against Al, V" in (tmp_path / "curve.svg").read_text()
    (tmp_path / "stopped" / "electrode.json").write_text("[{}]")
    with pytest.raises(InputError, match=r"electrode\.json is damaged"):
        draw_candidates(tmp_path / "stopped", None, tmp_path / "curve.svg")
    (books,) = (tmp_path / "stopped").glob("insertion_electrode_*.json")
    theirs = InsertionElectrode.from_dict(json.loads(books.read_text()))
    assert theirs.get_average_voltage() == pytest.approx(whole.average_voltage)


@pytest.mark.parametrize("stopped_in", [3])
def test_what_a_later_round_asks_for_does_not_depend_on_its_own_results(
    references: Path, tmp_path: Path, stopped_in: int
) -> None:
    """Contents of four steps: those begun from a neighbour must not begin from what the same round made of it."""
    host = gold().make_supercell((1, 1, 2), in_place=False)
    asked: dict[str, Any] = {"counts": (0, 1, 2, 3, 4), "levels": 4}
    whole = scan(host, references, out=tmp_path / "whole", **asked)
    assert {c.seed_source for c in whole.candidates} >= {"pushed", "vacancies", "host"}
    rounds = []

    def stop(stage: str, done: int, total: int, failed: int) -> None:
        rounds.append(stage)
        if stage == f"electrode, round {stopped_in}" and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan(host, references, out=tmp_path / "stopped", batch_size=1, progress=stop, **asked)
    resumed = scan(host, references, out=tmp_path / "stopped", **asked)
    assert [(c.id, c.parent) for c in resumed.candidates] == [(c.id, c.parent) for c in whole.candidates]
    assert (tmp_path / "stopped" / "summary.csv").read_text() == (tmp_path / "whole" / "summary.csv").read_text()


def test_what_is_pushed_and_falls_back_is_not_found_anew(references: Path) -> None:
    found = scan(gold(), references, counts=(0, 2), n=1)
    by_id = {c.id: c for c in found.candidates}
    assert sorted(by_id) == ["Au-Al0-h", "Au-Al0-p-h", "Au-Al2-f000", "Au-Al2-p-f000"]
    (kept,) = [c for c in found.candidates if "-Al2-" in c.id and c.duplicate_of is None]
    assert kept.n_found == 1
    assert kept.found_by != "pushed"


OXIDE = Structure.from_spacegroup(
    "R-3m", Lattice.hexagonal(2.82, 14.05), ["Li", "Co", "O"], [[0, 0, 0.5], [0, 0, 0], [0, 0, 0.26]]
)


@pytest.mark.parametrize(
    ("host", "changes", "message"),
    [
        (OXIDE, {"ion": "Xx"}, "unknown working ion 'Xx'; expected one of H, Li"),
        (OXIDE, {"ion": "O"}, "without its O the host LiCoO2 falls apart; say which sites of O are mobile"),
        (OXIDE, {"ion": "Li", "ion_sites": (4,)}, "site 4 is no Li; sites of Li are 0, 1, 2"),
        (OXIDE, {"ion": "Li", "counts": (0, 400)}, "400 Li do not fit: the host has room for about"),
        (OXIDE, {"ion": "Li", "counts": (3,)}, "a voltage needs two contents or more"),
        (OXIDE, {"ion": "Li", "counts": (-1, 3)}, "counts of Li must be 0 or more, got -1"),
        (OXIDE, {"ion": "Li", "contents": (0.0, 0.0234)}, "a content must be a simple fraction|needs more than 16"),
        (OXIDE, {"ion": "Li", "counts": (0, 3), "contents": (0.0, 1.0)}, "got counts and contents; leave one out"),
        (OXIDE, {"ion": "Li", "counts": (0, 3), "max_content": 1.0}, "got counts and max_content; leave one out"),
        (OXIDE, {"ion": "Li", "supercell": (30, 30, 30)}, "that supercell has .* atoms"),
        (OXIDE, {"ion": "Li", "supercell": (2, 2)}, "supercell: expected three multiples such as 1,1,2, or the nine"),
        (OXIDE, {"ion": "Li", "contents": ("0", "1/0")}, "contents.1: expected a number or a fraction such as 1/3"),
        (gold(), {"ion": "Li", "ion_sites": (0,)}, "site 0 is no Li; the host holds none, so name no sites"),
        (OXIDE, {"ion": "Li", "potential": "foo"}, "unknown potential 'foo'"),
        (OXIDE, {"ion": "K", "references": "toy"}, "the references have no energy of K"),
        (gold(), {"ion": "Li"}, "no oxidation states balance the framework Au|no element of Au can be reduced"),
        (Structure(Lattice.cubic(3.5), ["Li"], [[0, 0, 0]]), {"ion": "Li"}, "the host is Li alone"),
        (
            Structure(Lattice.cubic(4.2), [{"Mg": 0.5, "Zn": 0.5}, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
            {"ion": "Li"},
            "partial",
        ),
    ],
)  # fmt: skip
def test_what_is_no_electrode_is_refused_in_a_sentence(
    host: Structure, changes: dict[str, Any], message: str, references: Path, tmp_path: Path
) -> None:
    if "references" in changes:
        changes = changes | {"references": references, "potential": TOY, "counts": (0, 1)}
    with pytest.raises(InputError, match=message) as said:
        chggen.electrode(host, workers=1, out=tmp_path / "out", **changes)
    assert len(str(said.value)) <= 300
    assert not (tmp_path / "out").exists()
