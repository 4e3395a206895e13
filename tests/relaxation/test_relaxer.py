"""Relaxation: ASE's minima, batch = single, what is fixed stays, failures that stay alone."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from pymatgen.core import Lattice, Structure

from chggen.errors import InputError
from chggen.potential.protocol import Potential
from chggen.potential.registry import load_potential
from chggen.relaxation.relaxer import relax
from chggen.relaxation.result import Relaxed
from chggen.symmetry.constraint import SymmetryConstraint
from chggen.symmetry.detection import space_group

EMT = "ase:ase.calculators.emt:EMT"


def rattled(structure: Structure, size: float, seed: int = 0) -> Structure:
    """Every atom moved by a normal step of this size, Å."""
    step = np.random.default_rng(seed).normal(scale=size, size=(len(structure), 3))
    frac = structure.frac_coords + structure.lattice.get_fractional_coords(step)
    return Structure(structure.lattice, structure.species, frac)


def copper(a: float = 3.8) -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), ["Cu"], [[0, 0, 0]])


def salt(a: float = 5.8) -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture(scope="module")
def chgnet() -> Potential:
    return load_potential("chgnet")


def test_copper_reaches_the_minimum_of_ase() -> None:
    from ase.calculators import emt
    from ase.filters import FrechetCellFilter
    from ase.optimize import FIRE
    from pymatgen.io.ase import AseAtomsAdaptor

    start = rattled(copper(), 0.1)
    relaxed = relax([start], potential=EMT, fmax=0.001)[0]
    atoms = AseAtomsAdaptor.get_atoms(start)
    atoms.calc = emt.EMT()
    FIRE(FrechetCellFilter(atoms), logfile=None).run(fmax=0.001, steps=1000)
    assert relaxed.converged
    assert relaxed.reason is None
    assert relaxed.energy_per_atom == pytest.approx(atoms.get_potential_energy() / 4, abs=1e-5)
    assert relaxed.structure.volume ** (1 / 3) == pytest.approx(atoms.get_volume() ** (1 / 3), abs=2e-3)
    assert relaxed.initial_energy_per_atom > relaxed.energy_per_atom
    np.testing.assert_allclose(relaxed.structure.lattice.abc, atoms.cell.lengths(), atol=5e-3)


def test_pressure_shrinks_the_cell_to_that_stress() -> None:
    free, pressed = (relax([copper(3.6)], potential=EMT, fmax=0.001, pressure=p)[0] for p in (0.0, 20.0))
    assert pressed.converged
    assert pressed.structure.volume < 0.97 * free.structure.volume
    from chggen.crystals.batch import from_structures

    stress = load_potential(EMT)(from_structures([pressed.structure])).stress[0].numpy() * 160.21766208
    np.testing.assert_allclose(stress, -20.0 * np.eye(3), atol=0.1)


def test_salt_reaches_the_energy_of_chgnets_own_optimizer(chgnet: Potential) -> None:
    from chgnet.model import StructOptimizer

    start = rattled(salt(), 0.15)
    relaxed = relax([start], potential=chgnet, fmax=0.03)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = StructOptimizer(use_device="cpu").relax(start, fmax=0.03, steps=300, verbose=False)
    assert relaxed.converged
    assert relaxed.fmax < 0.03
    assert relaxed.energy_per_atom == pytest.approx(own["trajectory"].energies[-1] / 8, abs=2e-3)


def test_batch_mates_change_nothing(chgnet: Potential) -> None:
    structures = [rattled(salt(), 0.1, seed=1), copper(3.7), rattled(copper(3.5), 0.1, seed=2)]
    together = relax(structures, potential=chgnet, batch_size=2)
    for structure, relaxed in zip(structures, together, strict=True):
        alone = relax([structure], potential=chgnet)[0]
        assert alone.converged
        assert relaxed.energy_per_atom == alone.energy_per_atom
        assert np.array_equal(relaxed.structure.frac_coords, alone.structure.frac_coords)
        assert relaxed.structure.composition == structure.composition


def test_fixed_cell_and_fixed_atoms_keep_their_bits() -> None:
    start = rattled(copper(3.65), 0.1)
    start.translate_sites([1], [0, 0, 1], to_unit_cell=False)
    mask = np.array([True, True, False, False])
    relaxed = relax([start], potential=EMT, fix_cell=True, fixed_atoms=[mask], fmax=0.01)[0]
    assert relaxed.converged
    assert np.array_equal(relaxed.structure.lattice.matrix, start.lattice.matrix)
    assert np.array_equal(relaxed.structure.frac_coords[mask], start.frac_coords[mask])
    assert not np.allclose(relaxed.structure.frac_coords[~mask], start.frac_coords[~mask])
    strained = relax([start], potential=EMT, fixed_atoms=[[True] * 4], fmax=0.01)[0]
    assert np.array_equal(strained.structure.frac_coords, start.frac_coords)
    assert strained.structure.volume != start.volume


def test_fixed_atoms_leave_of_a_symmetry_what_keeps_them() -> None:
    pair = Structure(Lattice.orthorhombic(2.6, 2.6, 3.8), ["Cu", "Cu"], [[0, 0, 0], [0.5, 0.5, 0.46]])  # alike
    free, held = (
        relax([pair], potential=EMT, fix_cell=True, fixed_atoms=[[True, False]], fix_symmetry=symprec, fmax=0.01)[0]
        for symprec in (None, 0.01)
    )
    assert held.converged
    assert held.n_steps > 0
    assert held.energy_per_atom == pytest.approx(free.energy_per_atom, abs=1e-3)
    one = copper(3.6)
    assert len(SymmetryConstraint.of(one).images) == 192  # type: ignore[union-attr]
    kept = SymmetryConstraint.of(one, free=torch.tensor([False, True, True, True]))
    assert kept is not None
    assert len(kept.images) == 48
    assert (kept.images[:, 0] == 0).all()


def test_bad_structures_are_marked_and_the_good_one_is_not_touched(chgnet: Potential) -> None:
    good = rattled(salt(), 0.1)
    overlap = Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.1 / 4, 0, 0]])
    missing = Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [np.nan, 0, 0]])
    mixed = Structure(Lattice.cubic(4), [{"Na": 0.5}, "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    far = Structure(Lattice.cubic(9), ["Ar"], [[0, 0, 0]])
    done: list[tuple[int, Relaxed]] = []
    results = relax(
        [overlap, missing, good, mixed, far], potential=chgnet, on_done=lambda k, relaxed: done.append((k, relaxed))
    )
    assert [r.converged for r in results] == [False, False, True, False, False]
    assert all(r.reason and "\n" not in r.reason and r.energy_per_atom is None for k, r in enumerate(results) if k != 2)
    assert results[0].structure == overlap
    assert results[2].energy_per_atom == pytest.approx(relax([good], potential=chgnet)[0].energy_per_atom, abs=1e-4)
    assert sorted(k for k, _ in done) == [0, 1, 2, 3, 4]
    assert all(results[k] is relaxed for k, relaxed in done)


def test_out_of_steps_gives_the_last_structure_and_says_so() -> None:
    relaxed = relax([rattled(copper(), 0.1)], potential=EMT, fmax=1e-4, max_steps=3)[0]
    assert not relaxed.converged
    assert relaxed.n_steps == 3
    assert "3 steps" in relaxed.reason
    assert relaxed.energy_per_atom < relaxed.initial_energy_per_atom


def test_an_exploding_cell_is_marked() -> None:
    relaxed = relax([copper(3.6)], potential=EMT, pressure=-500.0)[0]
    assert not relaxed.converged
    assert "volume" in relaxed.reason or "finite" in relaxed.reason
    watched = relax([copper(3.6)], potential=EMT, pressure=-500.0, trajectory=True)[0]
    assert len(watched.trajectory) >= watched.n_steps >= 1  # its way is kept, too


def test_rmsd_ignores_a_shift_of_all_atoms() -> None:
    at_minimum = relax([copper(3.6)], potential=EMT, fmax=0.001)[0].structure
    still = relax([at_minimum], potential=EMT, fmax=0.01)[0]
    assert still.n_steps == 0
    assert still.rmsd == pytest.approx(0, abs=1e-9)
    moved = at_minimum.copy()
    moved.translate_sites([0], [0.03, 0, 0])
    back = relax([moved], potential=EMT, fmax=0.001, fix_cell=True)[0]
    step = 0.03 * at_minimum.lattice.a  # one atom of four moved: the mean shift takes a quarter
    assert back.rmsd == pytest.approx(step * np.sqrt(3 / 16), rel=0.02)


def test_empty_list_and_wrong_options() -> None:
    assert relax([], potential=EMT) == []
    with pytest.raises(InputError, match="fixed_atoms"):
        relax([copper()], potential=EMT, fixed_atoms=[np.zeros(3, dtype=bool)])
    with pytest.raises(InputError, match="fixed_atoms"):
        relax([copper()], potential=EMT, fixed_atoms=[])
    with pytest.raises(InputError, match="fmax"):
        relax([copper()], potential=EMT, fmax=0.0)
    with pytest.raises(InputError, match="unknown optimizer 'bfgs'; expected one of fire, lbfgs, fire-lbfgs"):
        relax([copper()], potential=EMT, optimizer="bfgs")


@pytest.mark.parametrize("optimizer", ["fire", "lbfgs", "fire-lbfgs"])
def test_every_optimizer_finds_the_minimum(optimizer: str) -> None:
    (done,) = relax([copper()], potential=EMT, optimizer=optimizer, fmax=1e-3)
    (reference,) = relax([copper()], potential=EMT, fmax=1e-4)
    assert done.converged
    assert done.energy_per_atom == pytest.approx(reference.energy_per_atom, abs=1e-5)


def test_a_trajectory_is_kept_where_asked_for() -> None:
    start = rattled(copper(), 0.1)
    relaxed = relax([start, copper(3.7)], potential=EMT, trajectory=True)[0]
    frames = relaxed.trajectory
    assert len(frames) == relaxed.n_steps + 1
    assert np.allclose(frames[0].structure.frac_coords, start.frac_coords)
    assert frames[0].energy_per_atom == relaxed.initial_energy_per_atom
    assert frames[-1].structure == relaxed.structure
    assert frames[-1].energy_per_atom == relaxed.energy_per_atom
    assert np.linalg.norm(frames[-1].forces, axis=1).max() == pytest.approx(relaxed.fmax)
    assert all(f.stress.shape == (3, 3) for f in frames)
    assert relax([start], potential=EMT)[0].trajectory == ()


def test_results_are_the_same_bits_in_any_batch() -> None:
    structures = [rattled(copper(3.5 + 0.05 * k), 0.1, seed=k) for k in range(5)]
    alone = [relax([s], potential=EMT)[0] for s in structures]
    for size in (2, 5):
        for one, among in zip(alone, relax(structures, potential=EMT, batch_size=size), strict=True):
            assert among.n_steps == one.n_steps
            assert among.energy_per_atom == one.energy_per_atom
            assert np.array_equal(among.structure.frac_coords, one.structure.frac_coords)
            assert np.array_equal(among.structure.lattice.matrix, one.structure.lattice.matrix)


@pytest.mark.parametrize(
    ("structure", "reason"),
    [
        (Structure(Lattice.cubic(20), ["Ar"], [[0, 0, 0]]), "no neighbour within 6 Å"),
        (Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.05, 0, 0]]), "closer than 0.3 Å"),
        (Structure(Lattice.cubic(0.7), ["Na"], [[0, 0, 0]]), "less than 1.0 Å³/atom"),
        (Structure(Lattice.tetragonal(9, 0.1), ["Na"], [[0, 0, 0]]), "planes are closer than 0.3 Å"),
        (Structure(Lattice.cubic(4), ["Cm"], [[0, 0, 0]]), "up to Z = 94"),
    ],
)
def test_a_failure_says_what_is_wrong(chgnet: Potential, structure: Structure, reason: str) -> None:
    bad, good = relax([structure, salt(5.6)], potential=chgnet, max_steps=0, fix_cell=True)
    assert bad.energy_per_atom is None
    assert reason in str(bad.reason)
    assert good.energy_per_atom is not None


def test_fixed_symmetry_is_kept_where_a_free_relaxation_leaves_it() -> None:
    # bcc copper is a saddle of EMT: strained along one axis it slides to fcc, unless cubic at the tolerance.
    bcc = Structure(Lattice.tetragonal(2.84, 2.95), ["Cu", "Cu"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    free = relax([bcc], potential=EMT, fmax=0.001)[0]
    kept = relax([bcc], potential=EMT, fmax=0.001, fix_symmetry=0.2)[0]
    assert kept.converged
    assert kept.n_steps > 0
    assert kept.structure.lattice.c / kept.structure.lattice.a == pytest.approx(2.95 / 2.84, rel=1e-6)
    assert space_group(free.structure, 0.01) == 225
    assert free.energy_per_atom < kept.energy_per_atom - 0.01


def test_symmetrised_forces_and_stress_do_not_change_under_the_group() -> None:
    places = [[0, 0, 0], [0.3, 0.3, 0]]
    rutile = Structure.from_spacegroup("P4_2/mnm", Lattice.tetragonal(4.6, 2.96), ["Ti", "O"], places)
    symmetrizer = SymmetryConstraint.of(rutile)
    assert symmetrizer is not None
    assert len(symmetrizer.rotations) == 16
    rng = np.random.default_rng(0)
    forces = symmetrizer.vectors(torch.from_numpy(rng.normal(size=(6, 3))))
    stress = symmetrizer.tensor(torch.from_numpy(rng.normal(size=(3, 3))))
    assert torch.allclose(symmetrizer.vectors(forces), forces)
    assert torch.allclose(forces[:2], torch.zeros(2, 3).double(), atol=1e-12)  # Ti has no freedom
    oxygen = forces[2:].abs()
    assert torch.allclose(oxygen[:, 0], oxygen[:, 1])  # O moves along [110] only
    assert torch.allclose(oxygen[:, 2], torch.zeros(4).double(), atol=1e-12)
    assert float(oxygen.max()) > 0.01
    assert torch.allclose(stress, torch.diag(torch.stack([stress[0, 0], stress[0, 0], stress[2, 2]])), atol=1e-12)


def test_the_end_carries_what_the_potential_says_of_it_and_what_the_start_carried() -> None:
    from ase.calculators import emt
    from pymatgen.io.ase import AseAtomsAdaptor

    start = rattled(copper(), 0.1)
    start.add_site_property("guest", [True, False, False, False])
    start[0].label = "first"
    start.properties["comment"] = "kept"
    for end in relax([start], potential=EMT, max_steps=3) + relax([start], potential=EMT):
        atoms = AseAtomsAdaptor.get_atoms(end.structure, msonable=False)
        atoms.calc = emt.EMT()
        assert end.forces is not None
        assert end.stress is not None
        np.testing.assert_allclose(end.forces, atoms.get_forces(), atol=1e-9)
        np.testing.assert_allclose(end.stress, atoms.get_stress(voigt=False), atol=1e-9)
        assert end.magnetic_moments is None
        assert end.structure.site_properties["guest"] == [True, False, False, False]
        assert end.structure[0].label == "first"
        assert end.structure.properties == {"comment": "kept"}


def test_moments_of_the_potential_are_those_of_the_end(chgnet: Potential) -> None:
    from chggen.crystals import from_structures

    oxide = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.2), ["Ni", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    (end,) = relax([oxide], potential=chgnet, max_steps=2)
    moments = chgnet(from_structures([end.structure])).magnetic_moments
    assert moments is not None
    assert end.magnetic_moments is not None
    np.testing.assert_allclose(end.magnetic_moments, moments.numpy(), atol=1e-4)
    assert end.magnetic_moments[0] > 1.0 > end.magnetic_moments[4]
