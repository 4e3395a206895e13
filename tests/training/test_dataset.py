"""Reading crystals to learn from, and the order in which they are drawn."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from chggen.crystals.batch import to_structures
from chggen.errors import InputError
from chggen.io.structure_output import cif_text, write_extxyz
from chggen.training.dataset import epoch_batches, read_dataset


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Four crystals of 2, 1, 3 and 2 atoms; the last one held out."""
    rng = np.random.default_rng(0)
    path = tmp_path / "crystals.npz"
    np.savez(
        path,
        cell=np.array([[3, 4, 5, 90, 90, 90], [3, 3, 3, 60, 60, 60], [4, 4, 6, 90, 90, 120], [5, 5, 5, 80, 80, 80.0]]),
        offsets=np.array([0, 2, 3, 6, 8]),
        Z=np.array([11, 17, 14, 3, 8, 8, 30, 16]),
        frac=np.concatenate([rng.random((6, 3)), [[-0.25, 1.5, 1.0], [0, 0, 0]]]),
        split=np.array(["train", "train", "train", "val"]),
    )
    return path


def test_the_crystals_of_a_split(archive: Path) -> None:
    train, held_out = (read_dataset([str(archive)], split, 50) for split in ("train", "val"))
    assert train.n_atoms.tolist() == [2, 1, 3]
    assert held_out.atomic_numbers.tolist() == [30, 16]
    assert np.allclose(Lattice(train.lattice[2]).parameters, [4, 4, 6, 90, 90, 120])
    assert len(read_dataset([str(archive), str(archive)], "train", 50)) == 6
    assert read_dataset([str(archive)], "train", 2).atomic_numbers.tolist() == [11, 17, 14]


def test_taken_crystals_are_wrapped_and_in_the_order_asked_for(archive: Path) -> None:
    data = read_dataset([str(archive)], "train", 50)
    taken = data.take([2, 0])
    assert taken.atomic_numbers.tolist() == [3, 8, 8, 11, 17]
    assert taken.crystal_index.tolist() == [0, 0, 0, 1, 1]
    assert np.allclose(taken.frac_coords.numpy(), np.concatenate([data.frac_coords[3:6], data.frac_coords[0:2]]))
    assert np.allclose(taken.lattice.numpy(), data.lattice[[2, 0]])
    held_out = read_dataset([str(archive)], "val", 50).take([0])
    assert held_out.frac_coords.tolist() == [[0.75, 0.5, 0.0], [0.0, 0.0, 0.0]]


def test_data_that_cannot_be_used_are_refused(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no training data at"):
        read_dataset([str(tmp_path / "absent.npz")], "train", 50)
    with pytest.raises(InputError, match="no crystal of split 'test' with at most 50 atoms"):
        read_dataset([str(archive)], "test", 50)
    np.savez(tmp_path / "odd.npz", cell=np.zeros((1, 6)), Z=np.zeros(1), frac=np.zeros((1, 3)))
    (tmp_path / "noise.npz").write_text("no arrays")
    with pytest.raises(InputError, match=r"noise\.npz is not an archive of arrays"):
        read_dataset([str(tmp_path / "noise.npz")], "train", 50)
    with pytest.raises(InputError, match="lacks the array 'offsets'"):
        read_dataset([str(tmp_path / "odd.npz")], "train", 50)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"cell": np.full((1, 6), np.nan)}, "edges or angles that no crystal has"),
        ({"cell": np.zeros((1, 6))}, "edges or angles that no crystal has"),
        ({"cell": np.array([[4.0, 4, 4, 60, 60, 150]])}, "cells without volume"),
        ({"cell": np.array([[1e11, 4, 4, 90, 90, 90]])}, "edges or angles that no crystal has"),
        ({"frac": np.full((2, 3), 1e308)}, "coordinates"),
        ({"Z": np.array([1, 0])}, "atomic numbers"),
        ({"offsets": np.array([0, 10**9])}, "offsets do not rise"),
        ({"offsets": np.array([], dtype=int)}, "shapes"),
        ({"frac": np.zeros((2, 2))}, "shapes"),
        ({"Z": np.array(["Na", "Cl"])}, "holds no crystals"),
        ({"cell": np.array([print], dtype=object)}, "no archive of arrays"),
    ],
)
def test_arrays_that_describe_no_crystals_are_refused(
    tmp_path: Path, changes: dict[str, np.ndarray], told: str
) -> None:
    good = {
        "cell": np.array([[4.0, 4, 4, 90, 90, 90]]), "offsets": np.array([0, 2]), "Z": np.array([11, 17]),
        "frac": np.array([[0, 0, 0], [0.5, 0.5, 0.5]]),
    }  # fmt: skip
    np.savez(tmp_path / "good.npz", **good)
    assert len(read_dataset([str(tmp_path / "good.npz")], "train", 50)) == 1
    np.savez(tmp_path / "bad.npz", **(good | changes))
    with pytest.raises(InputError, match=told):
        read_dataset([str(tmp_path / "bad.npz")], "train", 50)


def test_an_epoch_takes_every_crystal_once_within_the_limits() -> None:
    n_atoms = np.random.default_rng(0).integers(1, 40, 500)
    batches = epoch_batches(n_atoms, seed=3, epoch=0, atoms_per_batch=64, crystals_per_batch=8)
    assert sorted(np.concatenate(batches).tolist()) == list(range(500))
    assert max(n_atoms[b].sum() for b in batches) <= 64
    assert max(len(b) for b in batches) <= 8
    spread = np.mean([np.ptp(n_atoms[b]) for b in batches])
    assert spread < 3  # crystals of like size together


def test_a_crystal_above_the_limit_makes_a_batch_alone() -> None:
    batches = epoch_batches(np.array([100, 3, 3]), seed=0, epoch=0, atoms_per_batch=10, crystals_per_batch=8)
    assert sorted(sorted(b.tolist()) for b in batches) == [[0], [1, 2]]


def test_processes_that_wait_for_each_other_get_batches_of_similar_size() -> None:
    n_atoms = np.random.default_rng(0).integers(1, 30, 400)
    batches = epoch_batches(n_atoms, 0, 0, 60, 8, together=2)
    sizes = np.array([n_atoms[b].mean() for b in batches]).reshape(-1, 2)
    assert np.abs(sizes[:, 0] - sizes[:, 1]).mean() < 0.2 * sizes.std()


def test_an_epoch_is_never_empty_however_many_share_it() -> None:
    batches = epoch_batches(np.array([4, 4]), 0, 0, 60, 8, together=3)
    assert [sorted(b.tolist()) for b in batches] == [[0, 1]]


def test_order_follows_from_seed_and_epoch() -> None:
    n_atoms = np.random.default_rng(0).integers(1, 40, 200)

    def drawn(seed: int, epoch: int) -> list[int]:
        return np.concatenate(epoch_batches(n_atoms, seed, epoch, 64, 8)).tolist()

    assert drawn(0, 1) == drawn(0, 1)
    assert drawn(0, 1) != drawn(0, 2)
    assert drawn(0, 1) != drawn(1, 1)


def test_extxyz_and_tables_of_cifs_hold_the_same_crystals(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    structures = [
        Structure(np.eye(3) * (4 + k) + 0.3 * rng.random((3, 3)), ["Li", "O", "O"][: k + 1], rng.random((k + 1, 3)))
        for k in range(3)
    ]
    write_extxyz(structures, tmp_path / "data.extxyz")
    with (tmp_path / "data.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, ["id", "cif"])
        writer.writeheader()
        for k, structure in enumerate(structures):
            text = cif_text(structure, None)
            if k == 1:  # a path beside the table instead of the text
                (tmp_path / "one.cif").write_text(text)
                text = "one.cif"
            writer.writerow({"id": k, "cif": text})
    for name in ("data.extxyz", "data.csv"):
        data = read_dataset([str(tmp_path / name)], "train", 20)
        assert data.n_atoms.tolist() == [1, 2, 3]
        for k, structure in enumerate(structures):
            found = to_structures(data.take([k]))[0]
            assert found.species == structure.species
            assert np.allclose(found.distance_matrix, structure.distance_matrix, atol=1e-3)
            assert found.volume == pytest.approx(structure.volume, rel=1e-4)


def test_structures_that_cannot_be_learnt_from_are_refused(tmp_path: Path) -> None:
    mixed = Structure(np.eye(3) * 4, [{"Li": 0.5, "Na": 0.5}, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    mixed.to(str(tmp_path / "mixed.cif"))
    (tmp_path / "mixed.csv").write_text("id,cif\n1,mixed.cif\n")
    (tmp_path / "empty.csv").write_text("id,cif\n")
    for name, told in (("mixed", "has partially occupied sites in .*; order it"), ("empty", "holds no structures")):
        with pytest.raises(InputError, match=told):
            read_dataset([str(tmp_path / f"{name}.csv")], "train", 20)


def test_a_broken_row_of_a_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("id,cif\n1,data_nothing\n")
    with pytest.raises(InputError, match="line 2"):
        read_dataset([str(tmp_path / "data.csv")], "train", 20)
