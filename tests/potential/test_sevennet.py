"""SevenNet: what its own calculator says, batch = single to the bit, failures that stay alone, a level each."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor
from tests.potential.test_potential import crystals, isolated, overlapping, parts

from chggen.campaign.resources import check_potential
from chggen.crystals.batch import from_structures
from chggen.errors import InputError
from chggen.potential import registered_potential
from chggen.potential.mp2020 import correction_of
from chggen.potential.protocol import CheapEnergies, Potential, UsesSymmetry
from chggen.potential.registry import digest_of_potential, level_of, load_potential, potentials
from chggen.relaxation.relaxer import relax
from chggen.symmetry.constraint import SymmetryConstraint

NAMES = {
    "sevennet-0": ("7net-0", None),
    "sevennet-l3i5": ("7net-l3i5", None),
    "sevennet-mf-0-pbe": ("7net-mf-0", "PBE"),
    "sevennet-mf-0-r2scan": ("7net-mf-0", "R2SCAN"),
}
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def smallest() -> Potential:
    pytest.importorskip("sevenn")
    return load_potential("sevennet-0")


@pytest.mark.parametrize("name", list(NAMES))
def test_gives_what_its_own_calculator_gives(name: str) -> None:
    calculator = pytest.importorskip("sevenn.calculator")
    weights, modality = NAMES[name]
    own = calculator.SevenNetCalculator(weights, modal=modality, device="cpu")
    structures = crystals()
    found = load_potential(name)(from_structures(structures))
    counts = [len(s) for s in structures]
    for structure, (energy, forces, stress) in zip(structures, parts(found, counts), strict=True):
        atoms = AseAtomsAdaptor.get_atoms(structure)
        atoms.calc = own
        shift = 0.0 if modality == "R2SCAN" else correction_of(structure)
        assert energy - shift == pytest.approx(atoms.get_potential_energy(), abs=1e-5 * len(structure))
        np.testing.assert_allclose(forces, atoms.get_forces(), atol=1e-5)
        np.testing.assert_allclose(stress, atoms.get_stress(voigt=False), atol=1e-5)


def test_batch_is_single_to_the_last_bit(smallest: Potential) -> None:
    structures = crystals()
    together = parts(smallest(from_structures(structures)), [len(s) for s in structures])
    for structure, (energy, forces, stress) in zip(structures, together, strict=True):
        ((alone, pull, strain),) = parts(smallest(from_structures([structure])), [len(structure)])
        assert energy == alone
        assert np.array_equal(forces, pull)
        assert np.array_equal(stress, strain)


@pytest.mark.parametrize("name", ["sevennet-0", "sevennet-mf-0-r2scan"])
def test_asymmetric_units_give_what_whole_crystals_give(name: str) -> None:
    pytest.importorskip("sevenn")
    potential = load_potential(name)
    assert isinstance(potential, UsesSymmetry)
    structures = [
        Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.5), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
        Structure.from_spacegroup(
            "P3_221", Lattice.hexagonal(4.9, 5.4), ["Si", "O"], [[0.47, 0, 2 / 3], [0.41, 0.27, 0.79]]
        ),
        Structure.from_spacegroup("P4_2/mnm", Lattice.tetragonal(4.6, 2.96), ["Ti", "O"], [[0, 0, 0], [0.31, 0.31, 0]]),
        crystals()[0],  # without symmetry
    ]
    symmetries = [SymmetryConstraint.of(s) for s in structures]
    batch = from_structures(structures)
    plain, by_units = potential(batch), potential.of_symmetric(batch, symmetries)
    counts = [len(s) for s in structures]
    for symmetry, (energy, forces, stress), (other, pull, strain) in zip(
        symmetries, parts(plain, counts), parts(by_units, counts), strict=True
    ):
        assert other == pytest.approx(energy, abs=1e-5)
        np.testing.assert_allclose(pull, forces, atol=2e-5)
        np.testing.assert_allclose(strain, stress, atol=1e-6)
        assert symmetry is not None
    assert potential.energies_of_symmetric(batch, symmetries).energy.tolist() == by_units.energy.tolist()
    assert isinstance(potential, CheapEnergies)
    assert potential.energies(batch).energy.tolist() == plain.energy.tolist()
    moved = [s.copy() for s in structures]
    for s in moved:
        s.translate_sites([0], [0.01, 0.02, 0.0])
    off = from_structures(moved)  # a symmetry that they lack is not used
    assert potential.of_symmetric(off, symmetries).energy.tolist() == potential(off).energy.tolist()


def test_what_cannot_be_computed_fails_alone(smallest: Potential) -> None:
    polonium = Structure(Lattice.cubic(3.35), ["Po"], [[0, 0, 0]])
    heavy = Structure(Lattice.cubic(4), ["Cm"], [[0, 0, 0]])
    good = crystals()[0]
    found = smallest(from_structures([isolated(), good, overlapping(), polonium, heavy]))
    assert found.failures == {
        0: "an atom has no neighbour within 5 Å",
        2: "two atoms are closer than 0.3 Å",
        3: "SevenNet does not know the element Z = 84",
        4: "SevenNet knows elements up to Z = 94 only",
    }
    assert found.energy.isnan().tolist() == [True, False, True, True, True]
    assert found.energy[1] == smallest(from_structures([good])).energy[0]


def test_relaxes_rock_salt_to_its_lattice(smallest: Potential) -> None:
    squeezed = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.3), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    (relaxed,) = relax([squeezed], potential=smallest, fmax=0.02)
    assert relaxed.converged
    assert relaxed.structure.lattice.a == pytest.approx(5.69, abs=0.05)  # PBE


def test_each_has_a_level_that_no_other_shares() -> None:
    levels = [one.level.name for one in potentials().values()]
    assert len(levels) == len(set(levels))
    assert all(level_of(name).name == name for name in NAMES)


def test_weights_are_written_down() -> None:
    pytest.importorskip("sevenn")
    digests = [digest_of_potential(name) for name in ("sevennet-0", "sevennet-l3i5", "sevennet-mf-0-pbe")]
    assert None not in digests
    assert len(set(digests)) == 3


def test_without_the_package_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registered_potential, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r'run `pip install "chggen\[sevennet\]"`'):
        load_potential("sevennet-0")
    with pytest.raises(InputError, match="needs the package sevenn, which is not installed"):
        check_potential("sevennet-l3i5")
