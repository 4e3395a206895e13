"""Potentials: CHGNet's own predictions, batch = single, failures that stay alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pymatgen.core import Lattice, Structure

from chggen.crystals.batch import Crystals, collate, from_structures
from chggen.errors import InputError
from chggen.potential.ase import AsePotential
from chggen.potential.protocol import GPA, CheapEnergies, EnergyForcesStress, Potential, energies_of
from chggen.potential.registry import load_potential
from chggen.relaxation.relaxer import relax


def crystals() -> list[Structure]:
    """A rattled cell, two atoms met through many images, a skewed cell without angles, bonds of an atom to itself."""
    nacl = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    rng = np.random.default_rng(0)
    nacl.translate_sites(range(8), [0.3, 0.4, 0.9])
    rattled = Structure(nacl.lattice, nacl.species, nacl.frac_coords + 0.02 * rng.normal(size=(8, 3)))
    zinc_blende = Structure(Lattice.rhombohedral(3.85, 60), ["Zn", "S"], [[0, 0, 0], [0.24, 0.25, 0.27]])
    lithium = Structure(Lattice.from_parameters(3.1, 3.2, 9, 80, 70, 60), ["Li"], [[0.1, 0, 0]])
    iron = Structure(Lattice.rhombohedral(2.5, 108), ["Fe"], [[0.2, 0, 0]])
    return [rattled, zinc_blende, lithium, iron]


def isolated() -> Structure:
    return Structure(Lattice.cubic(9), ["Ar"], [[0, 0, 0]])


def overlapping() -> Structure:
    return Structure(Lattice.cubic(4), ["Na", "Cl", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.51, 0.5, 0.5]])


@pytest.fixture(scope="module")
def chgnet() -> Potential:
    return load_potential("chgnet")


def parts(result: EnergyForcesStress, counts: list[int]) -> list[tuple[float, np.ndarray, np.ndarray]]:
    forces = [f.numpy() for f in result.forces.split(counts)]
    return list(zip(result.energy.tolist(), forces, result.stress.numpy(), strict=True))


@pytest.mark.parametrize("name", ["chgnet", "chgnet-r2scan"])
def test_gives_what_chgnet_itself_predicts(name: str) -> None:
    from chgnet.model import CHGNet

    model = CHGNet.load(model_name={"chgnet": "0.3.0"}.get(name, "r2scan"), use_device="cpu", verbose=False)
    structures = crystals()
    found = load_potential(name)(from_structures(structures))
    assert found.magnetic_moments is not None
    counts = [len(s) for s in structures]
    moments = iter(m.numpy() for m in found.magnetic_moments.split(counts))
    for structure, (energy, forces, stress) in zip(structures, parts(found, counts), strict=True):
        own = model.predict_structure(structure, task="efsm")
        assert energy / len(structure) == pytest.approx(float(own["e"]), abs=1e-5)
        np.testing.assert_allclose(forces, own["f"], atol=1e-4)
        np.testing.assert_allclose(stress, own["s"] * GPA, atol=1e-5)
        np.testing.assert_allclose(next(moments), own["m"], atol=1e-4)


def test_stress_is_the_slope_of_the_energy_with_strain(chgnet: Potential) -> None:
    structure = crystals()[0]
    stretched = []
    for strain in (-2e-3, 2e-3):
        matrix = structure.lattice.matrix @ (np.eye(3) + strain * np.diag([1.0, 0.0, 0.0]))
        stretched.append(Structure(Lattice(matrix), structure.species, structure.frac_coords))
    low, high = chgnet(from_structures(stretched)).energy.tolist()
    stress = float(chgnet(from_structures([structure])).stress[0, 0, 0])
    assert stress == pytest.approx((high - low) / 4e-3 / structure.volume, rel=0.05, abs=5e-4)


@pytest.mark.parametrize("name", ["chgnet", "chgnet-r2scan"])
def test_batch_is_single_to_the_last_bit_in_any_order(name: str) -> None:
    potential = load_potential(name)
    structures = crystals()
    alone = [potential(from_structures([s])) for s in structures]
    for order in ([0, 1, 2, 3], [3, 2, 0, 1]):
        found = potential(from_structures([structures[k] for k in order]))
        assert found.energy.tolist() == [float(alone[k].energy) for k in order]
        assert torch.equal(found.forces, torch.cat([alone[k].forces for k in order]))
        assert torch.equal(found.stress, torch.cat([alone[k].stress for k in order]))
        moments = [alone[k].magnetic_moments for k in order]
        assert torch.equal(found.magnetic_moments, torch.cat(moments))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["chgnet", "ase:ase.calculators.emt:EMT"])
def test_energies_alone_are_those_with_forces_to_the_bit(name: str) -> None:
    copper = Structure(Lattice.cubic(3.7), ["Cu"] * 4, [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0.1, 0.5, 0.5]])
    wrong = isolated() if name == "chgnet" else Structure(Lattice.cubic(4), ["Na"], [[0, 0, 0]])
    potential = load_potential(name)
    both = from_structures([copper, wrong, copper * (1, 2, 1)])
    whole, alone = potential(both), energies_of(potential, both)
    assert isinstance(potential, CheapEnergies) == (name == "chgnet")
    assert torch.equal(alone.energy.nan_to_num(), whole.energy.nan_to_num())
    assert alone.energy.isnan().tolist() == [False, True, False]
    assert alone.failures == whole.failures
    assert alone.failures.keys() == {1}


def test_a_crystal_without_a_graph_is_nan_alone(chgnet: Potential) -> None:
    good = crystals()[0]
    broken = from_structures([good])
    broken.frac_coords[0, 0] = torch.nan
    lawrencium = Structure(Lattice.cubic(3), ["Lr"], [[0, 0, 0]])
    bad = from_structures([isolated(), overlapping(), lawrencium])
    found = chgnet(collate([from_structures([good]), bad, broken, from_structures([good])]))
    assert found.energy.isnan().tolist() == [False, *[True] * 4, False]
    assert found.stress.isnan().all(dim=(1, 2)).tolist() == [False, *[True] * 4, False]
    assert found.forces[8:-8].isnan().all()
    alone = chgnet(from_structures([good]))
    for energy in found.energy[[0, -1]]:
        assert float(energy) == pytest.approx(float(alone.energy), abs=1e-4)
    np.testing.assert_allclose(found.forces[-8:].numpy(), alone.forces.numpy(), atol=1e-4)
    assert [found.failures[k].split()[0] for k in (1, 2, 3, 4)] == ["an", "two", "CHGNet", "coordinates"]


def test_dtype_follows_the_crystals_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    from chggen.potential.chgnet import ChgnetPotential

    potential = ChgnetPotential.load("0.3.0", name="chgnet", level="pbe")
    found = potential(from_structures([crystals()[1], isolated()], dtype=torch.float32))
    assert found.energy.dtype == found.forces.dtype == found.stress.dtype == torch.float32
    assert capfd.readouterr() == ("", "")


def test_what_needs_more_memory_than_there_is_fails_alone(chgnet: Potential, monkeypatch: pytest.MonkeyPatch) -> None:
    large = crystals()[0] * (5, 5, 5)
    monkeypatch.setattr("chggen.potential.batch_limits.free_memory", lambda device: 2**20)
    found = chgnet(from_structures([large, crystals()[1]]))
    assert found.energy.isnan().tolist() == [True, False]
    assert "GiB of memory, 0.0 GiB are free" in found.failures[0]


def test_little_memory_makes_small_batches(chgnet: Potential, monkeypatch: pytest.MonkeyPatch) -> None:
    crystals_here = from_structures(crystals())
    together = chgnet(crystals_here)
    sizes: list[int] = []
    evaluate = type(chgnet)._evaluate

    def counted(self: Any, part: Crystals, bonds: Any) -> Any:
        sizes.append(part.n_crystals)
        return evaluate(self, part, bonds)

    monkeypatch.setattr(type(chgnet), "_evaluate", counted)
    monkeypatch.setattr("chggen.potential.batch_limits.free_memory", lambda device: 2**20)
    found = chgnet(crystals_here)
    assert sizes == [1, 1, 1, 1]
    assert torch.equal(found.energy, together.energy)


def test_names_and_levels() -> None:
    assert (load_potential().name, load_potential().level) == ("chgnet", "pbe")
    assert load_potential("chgnet-r2scan").level == "r2scan"
    assert isinstance(load_potential("ase:ase.calculators.emt:EMT"), Potential)


def test_ase_calculator_is_asked_for_each_crystal() -> None:
    from ase.build import bulk
    from ase.calculators.emt import EMT
    from pymatgen.io.ase import AseAtomsAdaptor

    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=1)
    structure = AseAtomsAdaptor.get_structure(atoms)
    unknown = Structure(Lattice.cubic(3), ["U"], [[0, 0, 0]])  # EMT has no uranium
    found = load_potential("ase:ase.calculators.emt:EMT")(from_structures([unknown, structure]))
    atoms.calc = EMT()
    assert found.energy.isnan().tolist() == [True, False]
    assert float(found.energy[1]) == pytest.approx(atoms.get_potential_energy(), abs=1e-8)
    np.testing.assert_allclose(found.forces[1:].numpy(), atoms.get_forces(), atol=1e-8)
    np.testing.assert_allclose(found.stress[1].numpy(), atoms.get_stress(voigt=False), atol=1e-8)


def test_a_missing_stress_is_said_where_the_cell_is_free() -> None:
    from ase.calculators.calculator import Calculator

    class Stressless(Calculator):
        implemented_properties = ("energy", "forces")

        def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = None) -> None:
            super().calculate(atoms, properties or ["energy"], system_changes or [])
            self.results = {"energy": 0.0, "forces": np.zeros((len(atoms), 3))}

    potential = AsePotential(Stressless(), name="stressless")
    structure = Structure(Lattice.cubic(4), ["Cu"], [[0, 0, 0]])
    (free,) = relax([structure], potential=potential)
    (fixed,) = relax([structure], potential=potential, fix_cell=True)
    assert free.reason == "stressless gives no stress (relax with the cell fixed) after 0 steps"
    assert fixed.converged


def argon() -> Any:
    """The torch-sim model of Lennard-Jones argon."""
    from torch_sim.models.lennard_jones import LennardJonesModel

    return LennardJonesModel(
        sigma=3.405, epsilon=0.0104, cutoff=8.5, dtype=torch.float64, device=torch.device("cpu"), compute_stress=True
    )


def test_a_torch_sim_model_says_what_it_says_to_torch_sim() -> None:
    torch_sim = pytest.importorskip("torch_sim")
    places = np.array([[0, 0, 0], [0.5, 0.5, 0.02], [0.5, 0.03, 0.5], [0, 0.5, 0.5]])
    structure = Structure(Lattice.from_parameters(5.3, 5.4, 5.6, 80, 95, 100), ["Ar"] * 4, places)
    broken = Structure(structure.lattice, structure.species, np.full((4, 3), np.nan))
    found = load_potential(f"torch-sim:{__name__}:argon")(from_structures([structure, broken, structure]))
    own = argon()(torch_sim.io.structures_to_state([structure], torch.device("cpu"), torch.float64))
    assert found.energy.isnan().tolist() == [False, True, False]
    assert "not finite" in found.failures[1]
    for k in (0, 2):
        torch.testing.assert_close(found.energy[k : k + 1], own["energy"])
        torch.testing.assert_close(found.forces[4 * k : 4 * k + 4], own["forces"])
        torch.testing.assert_close(found.stress[k : k + 1], own["stress"])


def test_argon_relaxes_to_its_lattice_constant() -> None:
    # Lennard-Jones fcc: the sum over shells within 3 σ has its minimum at 1.5512 σ; one atom, σ = 1 Å, ε = 1 eV.
    start = Structure(Lattice([[0, 0.8, 0.8], [0.8, 0, 0.8], [0.8, 0.8, 0]]), ["Ar"], [[0, 0, 0]])
    relaxed = relax([start], potential="ase:ase.calculators.lj:LennardJones", fmax=1e-3)[0]
    assert relaxed.converged
    assert (4 * relaxed.structure.volume) ** (1 / 3) == pytest.approx(1.5512, abs=0.01)


@pytest.mark.parametrize(
    "name",
    [
        "chgnett",
        "ase:emt",
        "torch-sim:x",
        "torch-sim:no.such:thing",
        "ase:no.such.module:EMT",
        "ase:ase.calculators.emt:Nothing",
        "ase:builtins:dict",
    ],
)
def test_unknown_names_are_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(InputError, match="expected") as caught:
        load_potential(name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
