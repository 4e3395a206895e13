"""Named structures: files and archives, read when asked for."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from chggen.errors import InputError
from chggen.io.structure_archive import NamedStructures


def structures() -> list[Structure]:
    skewed = Structure(Lattice.from_parameters(3, 4, 5, 80, 95, 110), ["Li", "O"], [[0.1, 0.2, 0.3], [0.5, 0.6, 0.7]])
    return [skewed, Structure(Lattice.cubic(3.5), ["Li"], [[0, 0, 0]])]


def archive(path: Path, **other: np.ndarray) -> Path:
    given = structures()
    arrays = {
        "ids": np.array(["one", "two"]),
        "cell": np.array([s.lattice.parameters for s in given], np.float32),
        "offsets": np.array([0, 2, 3]),
        "Z": np.concatenate([s.atomic_numbers for s in given]),
        "frac": np.concatenate([s.frac_coords for s in given]).astype(np.float32),
    }
    np.savez(path, **{k: v for k, v in (arrays | other).items() if v is not None})
    return path


def test_an_archive_gives_back_its_structures(tmp_path: Path) -> None:
    found = NamedStructures((archive(tmp_path / "all.npz"),))
    assert found.names == ["one", "two"]
    for name, expected in zip(found.names, structures(), strict=True):
        assert found.n_atoms(name) == len(expected)
        assert found.structure(name).species == expected.species
        np.testing.assert_allclose(found.structure(name).distance_matrix, expected.distance_matrix, atol=1e-5)


def test_files_and_archives_together_and_pickled_as_paths(tmp_path: Path) -> None:
    structures()[1].to(str(tmp_path / "three.cif"))
    both = NamedStructures((archive(tmp_path / "all.npz"), tmp_path / "three.cif"))
    assert sorted(both.names) == ["one", "three", "two"]
    again = pickle.loads(pickle.dumps(both))
    assert again.structure("three").formula == "Li1"
    assert len(pickle.dumps(both)) < 1000


def test_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    structures()[1].to(str(tmp_path / "two.cif"))
    with pytest.raises(InputError, match="two structures are named two"):
        _ = NamedStructures((archive(tmp_path / "all.npz"), tmp_path / "two.cif")).names


@pytest.mark.parametrize(
    "wrong", [{"Z": None}, {"offsets": np.array([0, 3])}, {"cell": np.ones((2, 3))}, {"Z": np.array([3, 3])}]
)
def test_what_is_no_archive_is_refused(tmp_path: Path, wrong: dict[str, np.ndarray]) -> None:
    with pytest.raises(InputError, match=r"is no archive of structures .*expected the arrays ids, cell, offsets, Z"):
        _ = NamedStructures((archive(tmp_path / "all.npz", **wrong),)).names
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(InputError, match="is no archive of structures"):
        _ = NamedStructures((tmp_path / "text.npz",)).names


def test_a_crystal_that_cannot_be_is_refused_by_name(tmp_path: Path) -> None:
    flat = NamedStructures((archive(tmp_path / "all.npz", cell=np.full((2, 6), [1.0, 1, 1, 90, 90, 90])),))
    with pytest.raises(InputError, match=r"one of .*all.npz has a cell of volume 1 "):
        flat.structure("one")
