"""Molecules as guests: they come whole, stay in their region, and have their adsorption energy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import add_adsorbate, fcc100, fcc111, molecule
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

import chggen
from chggen.cli.app import app
from chggen.io import as_structure
from chggen.regions import region_of

EMT: dict[str, Any] = {"potential": "ase:ase.calculators.emt:EMT", "workers": 1, "references": None}


def _slab() -> Structure:
    atoms = fcc111("Cu", (2, 2, 2), vacuum=7.0)
    atoms.pbc = True
    return as_structure(atoms)


def _above(slab: Structure, low: float, high: float) -> str:
    top = float(slab.cart_coords[:, 2].max())
    return f"z {top + low} {top + high}"


def test_molecules_start_as_they_are_alone_and_in_their_region() -> None:
    slab = _slab()
    where = _above(slab, 0.8, 5.5)
    found = chggen.inpaint(slab, {"H2O": 2, "N": 1}, region=where, n=3, relax=False, workers=1)
    assert len({c.formula for c in found}) == 1
    for c in found:
        assert c.status == "ok", c.reason
        assert c.seed_source == "molecules"
        assert c.raw is not None
        assert np.array_equal(c.raw.frac_coords[: len(slab)], slab.frac_coords % 1.0)
        assert [site.specie.symbol for site in c.raw[len(slab) :]] == ["O", "H", "H", "O", "H", "H", "N"]
        assert sum(c.raw.site_properties["guest"]) == 7
        assert region_of(where, slab).contains(c.raw.cart_coords[len(slab) :]).all()
        for first in (len(slab), len(slab) + 3):
            own = c.raw.distance_matrix[first : first + 3, first : first + 3]
            assert np.allclose(own, molecule("H2O").get_all_distances(), atol=1e-6)
        others = np.delete(c.raw.distance_matrix[len(slab) : len(slab) + 3], range(len(slab), len(slab) + 3), axis=1)
        assert others.min() >= 0.5 * 2 * 0.31  # of the radii of two H


def test_a_narrow_region_holds_centres() -> None:
    slab = _slab()
    (made,) = chggen.inpaint(slab, {"CO": 1}, region=_above(slab, 2.5, 2.6), n=1, relax=False, workers=1)
    assert made.raw is not None
    centre = np.average(made.raw.cart_coords[-2:, 2], weights=[12.011, 15.999])
    assert 2.5 <= centre - slab.cart_coords[:, 2].max() <= 2.6


def test_atoms_and_molecules_have_regions_of_their_own() -> None:
    slab = _slab()
    words = [f"N2: {_above(slab, 3.5, 6)}", _above(slab, 0.5, 2.5)]
    (made,) = chggen.inpaint(slab, {"N2": 1, "H": 1}, region=words, n=1, relax=False, workers=1)
    assert made.raw is not None
    assert region_of(_above(slab, 3.5, 6), slab).contains(made.raw.cart_coords[-3:-1]).all()
    assert region_of(_above(slab, 0.5, 2.5), slab).contains(made.raw.cart_coords[-1:]).all()


def test_molecules_go_into_pores_without_a_region() -> None:
    frame = Structure(Lattice.cubic(8.0), ["Al", "O", "O", "O"], [[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]])
    (made,) = chggen.inpaint(frame, {"CH4": 1}, n=1, relax=False, workers=1)
    assert made.raw is not None
    assert np.allclose(made.raw.distance_matrix[4:, 4:], molecule("CH4").get_all_distances(), atol=1e-6)


def test_the_lowest_of_known_sites_is_found_with_its_energy_against_the_molecule_alone() -> None:
    """The lowest candidate is as low as CO that was put upright on each site by hand."""
    atoms = fcc100("Cu", (2, 2, 2), vacuum=7.0)
    atoms.pbc = True
    slab, hold = as_structure(atoms), {"hold": "0-3", "fix_cell": True, "fmax": 0.05}
    (bare,) = chggen.relax([slab], potential=EMT["potential"], **hold)
    box = molecule("CO", vacuum=8.0)
    box.pbc = True
    (alone,) = chggen.relax([box], potential=EMT["potential"], fix_cell=True, fmax=0.05)
    by_hand = []
    for site, height in (("ontop", 1.9), ("bridge", 1.5), ("hollow", 1.2)):
        placed = atoms.copy()
        add_adsorbate(placed, molecule("CO"), height, site, mol_index=1)
        by_hand.append(placed)
    tried = chggen.relax([as_structure(a) for a in by_hand], potential=EMT["potential"], **hold)
    assert bare.energy_per_atom is not None
    assert alone.energy_per_atom is not None
    known = min(10 * end.energy_or_inf for end in tried) - 8 * bare.energy_per_atom - 2 * alone.energy_per_atom
    found = chggen.inpaint(slab, {"CO": 1}, region=_above(slab, 0.8, 4), n=3, **hold, **EMT)
    assert found[0].e_insertion is not None
    assert found[0].e_insertion == pytest.approx(known, abs=0.03) or found[0].e_insertion < known


def test_a_stated_potential_counts_and_a_stopped_run_goes_on_alike(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"guests": {"N2": 1}, "region": _above(_slab(), 1, 4), "fmax": 0.3, "hold": "0-3"} | EMT
    whole = chggen.inpaint(_slab(), n=2, mu={"N2": 1.5}, out=tmp_path / "a", **asked)
    chggen.inpaint(_slab(), n=1, mu={"N2": 1.5}, out=tmp_path / "b", **asked)
    again = chggen.inpaint(_slab(), n=2, mu={"N2": 1.5}, out=tmp_path / "b", **asked)
    assert [(c.id, c.energy_per_atom, c.e_insertion) for c in again] == [
        (c.id, c.energy_per_atom, c.e_insertion) for c in whole
    ]
    against_box = chggen.inpaint(_slab(), n=2, **asked)
    box = molecule("N2", vacuum=8.0)
    box.pbc = True
    (alone,) = chggen.relax([box], potential=EMT["potential"], fix_cell=True, fmax=0.3)
    assert alone.energy_per_atom is not None
    for c, other in zip(whole, against_box, strict=True):
        assert c.e_insertion is not None
        assert other.e_insertion == pytest.approx(c.e_insertion + 1.5 - 2 * alone.energy_per_atom, abs=1e-4)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"guests": {"H2P": 1}, "region": "z 1 3"}, "unknown guest 'H2P'; expected an element or a molecule"),
        ({"guests": {"H2O": -2}}, "guest count of H2O must be a positive integer, got -2"),
        ({"guests": {"C6H6": 9}, "region": "z 10 14"}, "has room for about"),
        ({"guests": {"H2O": 1}, "symmetry": "host"}, "H2O is placed whole"),
        ({"guests": {"H2O": 1}, "guests_from": "pattern"}, "expected auto or anywhere"),
        ({"guests": {"H2O": 1}, "guests_from": "prototype"}, "H2O is placed whole"),
        ({"guests": {"H2O": 1}, "anchor": "renoise"}, "has no effect on H2O"),
        ({"guests": {"H2O": 1}, "host_sigma": 0.2}, "no effect beside H2O"),
        ({"guests": {"H2O": 1}, "mu": {"H2P": 1.0}}, "elements and molecules; got 'H2P'"),
        ({"guests": {"H2O": 1}, "region": "CO: z 10 14"}, "there are no guests; expected H2O"),
    ],
)
def test_what_makes_no_sense_is_refused(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(chggen.InputError, match=said) as raised:
        chggen.inpaint(_slab(), **asked)
    assert len(str(raised.value)) <= 290


def test_elsewhere_molecules_are_refused() -> None:
    copper = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.6), ["Cu"], [[0, 0, 0]])
    with pytest.raises(chggen.InputError, match="H2O"):
        chggen.electrode(copper, "H2O")
    with pytest.raises(chggen.InputError, match="'H2O' is a molecule, which only inpaint takes"):
        chggen.interface(
            copper, copper, miller_a="111", miller_b="111", gap=5.0, max_area=20.0, guests={"H2O": 1}, **EMT
        )
    with pytest.raises(chggen.InputError, match="'H2O' is not in the formula"):
        chggen.predict("LiCoO2", guests=["H2O"])


def test_the_command_takes_molecules(tmp_path: Path) -> None:
    _slab().to(str(tmp_path / "slab.cif"))
    asked = ["inpaint", str(tmp_path / "slab.cif"), "--guest", "H2O=1", "--guest", "O=1", "-n", "1", "--no-relax"]
    made = CliRunner().invoke(app, [*asked, "--workers", "1", "-o", str(tmp_path / "out")])
    assert made.exit_code == 0, made.output
    assert ",Cu4HO,12," in (tmp_path / "out" / "summary.csv").read_text()
