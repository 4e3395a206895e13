"""Symmetric crystals by their asymmetric units: what the whole crystal gives, alone or in a batch, at any price."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest
import torch
from pymatgen.core import Lattice, Structure

from chggen.crystals import Crystals, edges_within, from_structures
from chggen.potential import EnergyForcesStress, Potential, energies_of, evaluate, load_potential
from chggen.potential.asymmetric_graph import asymmetric_graph
from chggen.potential.chgnet import ChgnetPotential
from chggen.relaxation import relax
from chggen.symmetry import SymmetryConstraint, space_group

CRYSTALS = {
    "rock salt, 192 operations": ("Fm-3m", Lattice.cubic(5.5), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
    "rutile": ("P4_2/mnm", Lattice.tetragonal(4.6, 2.96), ["Ti", "O"], [[0, 0, 0], [0.3, 0.3, 0]]),
    "olivine": (
        "Pnma",
        Lattice.orthorhombic(10.2, 6.0, 4.7),
        ["Mg", "Mg", "Si", "O", "O", "O"],
        [
            [0, 0, 0],
            [0.278, 0.25, 0.99],
            [0.094, 0.25, 0.42],
            [0.09, 0.25, 0.77],
            [0.45, 0.25, 0.22],
            [0.16, 0.03, 0.27],
        ],
    ),
    "quartz, without inversion": (
        "P3_121",
        Lattice.hexagonal(4.9, 5.4),
        ["Si", "O"],
        [[0.47, 0, 1 / 3], [0.41, 0.27, 0.28]],
    ),
    "zinc blende, polar sites": ("F-43m", Lattice.cubic(5.4), ["Zn", "S"], [[0, 0, 0], [0.25, 0.25, 0.25]]),
    "wurtzite, a polar axis": (
        "P6_3mc",
        Lattice.hexagonal(3.8, 6.2),
        ["Zn", "S"],
        [[1 / 3, 2 / 3, 0.1], [1 / 3, 2 / 3, 0.47]],
    ),
    "iron, bonds of an atom to itself": ("Im-3m", Lattice.cubic(2.87), ["Fe"], [[0, 0, 0]]),
    "baddeleyite": (
        "P2_1/c",
        Lattice.monoclinic(5, 6, 7, 105),
        ["Zr", "O", "O"],
        [[0.27, 0.04, 0.21], [0.07, 0.33, 0.34], [0.45, 0.76, 0.48]],
    ),
}


def made(name: str) -> Structure:
    """A crystal, shifted off its origin and out of its cell."""
    structure = Structure.from_spacegroup(*CRYSTALS[name])
    structure.translate_sites(range(len(structure)), [0.37, 0.11, 0.23], to_unit_cell=False)
    structure.translate_sites([len(structure) - 1], [1, -2, 0], to_unit_cell=False)
    return structure


def by_unit(potential: Potential, structures: Sequence[Structure]) -> EnergyForcesStress:
    symmetries = [SymmetryConstraint.of(structure, 0.01) for structure in structures]
    return evaluate(potential, from_structures(structures), symmetries)


@pytest.fixture(scope="module")
def chgnet() -> ChgnetPotential:
    return cast(ChgnetPotential, load_potential("chgnet"))


@pytest.mark.parametrize("name", CRYSTALS)
def test_the_unit_gives_what_the_whole_crystal_gives(chgnet: ChgnetPotential, name: str) -> None:
    structure = made(name)
    whole, unit = chgnet(from_structures([structure])), by_unit(chgnet, [structure])
    assert float(unit.energy) == pytest.approx(float(whole.energy), abs=1e-5 * len(structure))
    torch.testing.assert_close(unit.forces, whole.forces, atol=2e-5, rtol=0)
    torch.testing.assert_close(unit.stress, whole.stress, atol=1e-6, rtol=0)
    torch.testing.assert_close(unit.magnetic_moments, whole.magnetic_moments, atol=1e-5, rtol=0)
    symmetries = [SymmetryConstraint.of(structure, 0.01)]
    alone = energies_of(chgnet, from_structures([structure]), symmetries).energy
    assert torch.equal(alone, unit.energy)


def test_the_unit_is_one_atom_and_edge_of_each_orbit(chgnet: ChgnetPotential) -> None:
    structure = made("rock salt, 192 operations")
    crystals, symmetry = from_structures([structure]), SymmetryConstraint.of(structure, 0.01)
    assert symmetry is not None
    edges = edges_within(crystals, 4.0)
    graph = asymmetric_graph(crystals, edges, 3.0, [symmetry])
    assert graph.unit is not None
    assert graph.unit.size.tolist() == [4, 4]
    # Neighbours of Na: 6 Cl at 2.75 Å, 12 Na at 3.9 Å; the same the other way round. Angles of a bond: with 5 others.
    assert sorted(graph.unit.count.tolist()) == [6, 6, 12, 12]
    assert graph.n_short == 2
    assert graph.unit.reverse.tolist() == [1, 0]
    assert len(graph.one) == 10


def test_a_batch_of_units_is_single_to_the_last_bit(chgnet: ChgnetPotential) -> None:
    structures = [made(name) for name in CRYSTALS]
    together = by_unit(chgnet, structures)
    rows = torch.tensor([0, *(len(s) for s in structures)]).cumsum(0).tolist()
    for k, structure in enumerate(structures):
        alone = by_unit(chgnet, [structure])
        assert torch.equal(together.energy[k], alone.energy[0])
        assert torch.equal(together.forces[rows[k] : rows[k + 1]], alone.forces)
        assert torch.equal(together.stress[k], alone.stress[0])


def test_atoms_that_left_their_places_are_computed_one_by_one(chgnet: ChgnetPotential) -> None:
    structure = made("rutile")
    symmetry = SymmetryConstraint.of(structure, 0.01)
    structure.perturb(0.005)
    crystals = from_structures([structure])
    found, whole = evaluate(chgnet, crystals, [symmetry]), chgnet(crystals)
    assert torch.equal(found.energy, whole.energy)
    assert torch.equal(found.forces, whole.forces)


def test_a_fault_of_one_crystal_is_its_own(chgnet: ChgnetPotential) -> None:
    far = Structure.from_spacegroup("Fm-3m", Lattice.cubic(20), ["Ar"], [[0, 0, 0]])
    found = by_unit(chgnet, [far, made("rutile")])
    assert "no neighbour" in found.failures[0]
    assert torch.isnan(found.energy[0])
    assert torch.equal(found.energy[1], by_unit(chgnet, [made("rutile")]).energy[0])


class Whole:
    """CHGNet without its way to use symmetry."""

    name = level = "whole"

    def __init__(self, potential: Potential) -> None:
        self.potential = potential

    def __call__(self, crystals: Crystals) -> EnergyForcesStress:
        return self.potential(crystals)


@pytest.mark.parametrize("name", ["olivine", "quartz, without inversion", "baddeleyite"])
def test_a_relaxation_ends_where_that_of_the_whole_crystal_ends(chgnet: ChgnetPotential, name: str) -> None:
    structure = made(name)
    structure.scale_lattice(structure.volume * 1.06)
    unit, whole = (relax([structure], potential=p, fix_symmetry=0.01, fmax=0.02)[0] for p in (chgnet, Whole(chgnet)))
    assert unit.converged
    assert unit.energy_per_atom == pytest.approx(cast(float, whole.energy_per_atom), abs=5e-4)
    assert unit.structure.volume == pytest.approx(whole.structure.volume, rel=5e-3)
    assert space_group(unit.structure, 0.001) == space_group(structure, 0.001)


def test_a_large_perfect_supercell_is_computed_atom_by_atom() -> None:
    salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.2), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    small, large = salt.copy(), salt * (3, 3, 3)
    assert SymmetryConstraint.sparing(large) is None  # 5,184 operations of 216 atoms
    found = SymmetryConstraint.sparing(small)
    assert found is not None
    assert len(found.images) == 192
    assert found.share == 2 / 8
