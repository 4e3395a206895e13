"""Dispersion: D3 as its own program gives it, forces and stress as slopes of the energy, layers at their distances."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor
from tests.potential.test_potential import crystals

from chggen.campaign.options import GenerateOptions
from chggen.crystals.batch import Crystals, from_structures
from chggen.errors import InputError
from chggen.potential import registered_potential
from chggen.potential.built_in import BUILT_IN
from chggen.potential.dispersion import DispersedPotential
from chggen.potential.protocol import EnergyForcesStress, energies_of, evaluate
from chggen.potential.registry import level_named, level_of, load_potential, potential_of, refining_potential
from chggen.relaxation.options import RelaxOptions
from chggen.relaxation.relaxer import relax
from chggen.symmetry.constraint import SymmetryConstraint

pytest.importorskip("dftd3")


def graphite(gap: float = 3.6) -> Structure:
    """Graphite with its layers at a distance, Å."""
    sites = [[0, 0, 0], [1 / 3, 2 / 3, 0], [0, 0, 0.5], [2 / 3, 1 / 3, 0.5]]
    return Structure(Lattice.hexagonal(2.46, 2 * gap), ["C"] * 4, sites)


def molybdenite(gap: float = 6.6) -> Structure:
    """2H-MoS2 with Mo planes at a distance, Å."""
    z = 1.56 / (2 * gap)
    return Structure.from_spacegroup(
        "P6_3/mmc", Lattice.hexagonal(3.16, 2 * gap), ["Mo", "S"], [[1 / 3, 2 / 3, 0.25], [1 / 3, 2 / 3, 0.75 - z]]
    )


@pytest.mark.parametrize(("name", "functional"), [("chgnet", "pbe"), ("chgnet-r2scan", "r2scan")])
def test_adds_what_d3_gives(name: str, functional: str) -> None:
    from dftd3.ase import DFTD3

    structures = [*crystals(), graphite()]
    alone, found = (load_potential(one)(from_structures(structures)) for one in (name, f"{name}+d3"))
    counts = np.cumsum([len(s) for s in structures])[:-1]
    for k, (structure, before, after) in enumerate(
        zip(structures, np.split(alone.forces.numpy(), counts), np.split(found.forces.numpy(), counts), strict=True)
    ):
        atoms = AseAtomsAdaptor.get_atoms(structure)
        atoms.calc = DFTD3(method=functional, damping="d3bj", params_tweaks={"method": functional, "atm": False})
        added = float(found.energy[k] - alone.energy[k])
        assert added == pytest.approx(atoms.get_potential_energy(), abs=1e-5 * len(structure))
        assert added < 0
        np.testing.assert_allclose(after - before, atoms.get_forces(), atol=1e-5)
        np.testing.assert_allclose(found.stress[k] - alone.stress[k], atoms.get_stress(voigt=False), atol=1e-6)


def test_stress_is_the_slope_of_the_energy() -> None:
    potential, step = DispersedPotential(_Nothing(), "pbe"), 1e-3
    strained = [graphite(3.4).apply_strain([0, 0, s], inplace=False) for s in (-step, step)]
    low, high = potential(from_structures(strained)).energy.tolist()
    middle = potential(from_structures([graphite(3.4)]))
    assert float(middle.stress[0, 2, 2]) * graphite(3.4).volume == pytest.approx((high - low) / (2 * step), rel=0.02)


def test_symmetry_and_energies_alone_give_the_same() -> None:
    potential, structures = load_potential("chgnet+d3"), [graphite(), molybdenite()]
    batch = from_structures(structures)
    symmetries = [SymmetryConstraint.sparing(s) for s in structures]
    whole, symmetric = potential(batch), evaluate(potential, batch, symmetries)
    for energy in (
        symmetric.energy,
        energies_of(potential, batch).energy,
        energies_of(potential, batch, symmetries).energy,
    ):
        np.testing.assert_allclose(energy, whole.energy, atol=1e-4)
    np.testing.assert_allclose(symmetric.forces, whole.forces, atol=1e-4)


def test_an_element_without_parameters_costs_its_own_crystal_only() -> None:
    batch = from_structures([Structure(Lattice.cubic(4), ["Og"], [[0, 0, 0]]), graphite()])
    found = DispersedPotential(_Nothing(), "pbe")(batch)
    assert found.energy.isnan().tolist() == [True, False]
    assert "no parameters of element 118" in found.failures[0]
    assert found.energy[1] < 0


def test_layers_stand_at_their_distances() -> None:
    """PBE with D3 puts graphite at 3.4 and MoS2 at 6.1 Å; measured are 3.35 and 6.15, and PBE alone finds more."""
    gaps = {}
    for name in ("chgnet", "chgnet+d3"):
        done = relax([graphite(), molybdenite()], potential=name, fmax=0.005, fix_symmetry=[0.01, 0.01])
        assert all(one.converged for one in done)
        gaps[name] = [one.structure.lattice.c / 2 for one in done]
    assert gaps["chgnet+d3"] == pytest.approx([3.35, 6.15], rel=0.04)
    assert gaps["chgnet"][0] > 3.7
    assert gaps["chgnet"][1] > 7


def test_is_a_level_of_its_own() -> None:
    names = [f"{one.name}+d3" for one in BUILT_IN]
    levels = [level_of(name).name for name in names]
    assert len({*levels, *(one.level.name for one in BUILT_IN)}) == 2 * len(BUILT_IN)
    assert [potential_of(level) for level in levels] == names
    assert level_named("pbe+d3").label == "PBE (CHGNet) with D3"
    assert refining_potential("chgnet+d3") == "chgnet-r2scan+d3"


def test_option_and_name_are_one() -> None:
    assert RelaxOptions(dispersion="d3") == RelaxOptions(potential="chgnet+d3")
    assert RelaxOptions(dispersion="d3").potential == "chgnet+d3"
    assert RelaxOptions(potential="chgnet").dispersion is None
    assert RelaxOptions.of(**RelaxOptions(dispersion="d3").model_dump()).potential == "chgnet+d3"


def test_judges_have_it_too() -> None:
    options = GenerateOptions(formula="C", relax=RelaxOptions(dispersion="d3"), judge_by=("sevennet-l3i5", "chgnet+d3"))
    assert options.judge_by == ("sevennet-l3i5+d3", "chgnet+d3")


def test_refuses_a_potential_of_unknown_functional() -> None:
    with pytest.raises(InputError, match="needs a potential of a known functional; expected chgnet"):
        relax([graphite()], potential="ase:ase.calculators.emt:EMT+d3")


def test_without_the_package_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registered_potential, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r'run `pip install "chggen\[d3\]"`'):
        load_potential("chgnet+d3")


class _Nothing:
    """A potential that says nothing, so that only dispersion is left."""

    name, level = "nothing", "nothing"

    def __call__(self, batch: Crystals) -> EnergyForcesStress:
        return EnergyForcesStress(
            energy=batch.lattice.new_zeros(len(batch.lattice)), forces=0 * batch.frac_coords, stress=0 * batch.lattice
        )
