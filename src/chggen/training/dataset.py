"""Crystals to learn from, and batches of similar size drawn from them in an order fixed by the seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from chggen.crystals import Crystals, lattice_from_parameters
from chggen.errors import InputError

_POOL = 64  # batches drawn together and sorted by size, so that padding stays small


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Crystals as flat arrays: atoms of crystal i are offsets[i]:offsets[i+1]; lattice in Å."""

    lattice: np.ndarray  # (crystals, 3, 3)
    offsets: np.ndarray  # (crystals + 1,)
    atomic_numbers: np.ndarray  # (atoms,)
    frac_coords: np.ndarray  # (atoms, 3)

    def __len__(self) -> int:
        return len(self.lattice)

    @property
    def n_atoms(self) -> np.ndarray:
        return np.diff(self.offsets)

    def take(self, indices: Sequence[int] | np.ndarray) -> Crystals:
        """The crystals at these indices as one float32 batch, all atoms guests."""
        rows = [np.arange(self.offsets[i], self.offsets[i + 1]) for i in indices]
        atoms = np.concatenate(rows)
        index = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
        frac = torch.from_numpy(self.frac_coords[atoms].astype(np.float32))
        frac = frac - torch.floor(frac)
        return Crystals(
            frac_coords=torch.where(frac >= 1, torch.zeros_like(frac), frac),
            lattice=torch.from_numpy(self.lattice[np.asarray(indices)].astype(np.float32)),
            atomic_numbers=torch.from_numpy(self.atomic_numbers[atoms].astype(np.int64)),
            crystal_index=torch.from_numpy(index),
            guest=torch.ones(len(atoms), dtype=torch.bool),
        )

    def select(self, keep: np.ndarray) -> Dataset:
        """The crystals where keep (crystals,) is True."""
        chosen = np.flatnonzero(keep)
        atoms = [np.arange(self.offsets[i], self.offsets[i + 1]) for i in chosen]
        flat = np.concatenate(atoms) if atoms else np.zeros(0, dtype=int)
        return Dataset(
            lattice=self.lattice[chosen],
            offsets=np.concatenate([[0], np.cumsum([len(a) for a in atoms])]).astype(int),
            atomic_numbers=self.atomic_numbers[flat],
            frac_coords=self.frac_coords[flat],
        )


def read_dataset(paths: Sequence[str], split: str, max_atoms: int) -> Dataset:
    """The crystals of all files with at most max_atoms atoms; of an .npz with a `split` key, those of that split.

    Raises InputError for a file that cannot be read or when nothing is left.
    """
    parts = [_read(Path(p), split) for p in paths]
    joined = Dataset(
        lattice=np.concatenate([p.lattice for p in parts]),
        offsets=np.concatenate([[0], np.cumsum(np.concatenate([p.n_atoms for p in parts]))]),
        atomic_numbers=np.concatenate([p.atomic_numbers for p in parts]),
        frac_coords=np.concatenate([p.frac_coords for p in parts]),
    )
    chosen = joined.select((joined.n_atoms > 0) & (joined.n_atoms <= max_atoms))
    if not len(chosen):
        raise InputError(f"no crystal of split '{split}' with at most {max_atoms} atoms in {', '.join(paths)}")
    return chosen


def _read(path: Path, split: str) -> Dataset:
    if not path.is_file():
        raise InputError(f"no training data at {path}; give an .npz, .extxyz or .csv file")
    if path.suffix != ".npz":
        return _from_structures(path)
    try:
        archive = np.load(path)
    except Exception as error:  # numpy raises anything from BadZipFile to EOFError for a foreign file
        raise InputError(f"{path} is no archive of arrays ({error}); expected cell, offsets, Z and frac") from None
    with archive as data:
        missing = {"cell", "offsets", "Z", "frac"} - set(data.files)
        if missing:
            raise InputError(f"{path} lacks the array '{sorted(missing)[0]}'; expected cell, offsets, Z and frac")
        whole = Dataset(
            lattice=lattice_from_parameters(data["cell"]),
            offsets=data["offsets"].astype(int),
            atomic_numbers=data["Z"],
            frac_coords=data["frac"],
        )
        return whole.select(data["split"] == split) if "split" in data.files else whole


def _from_structures(path: Path) -> Dataset:
    from chggen.io import read_training_structures

    structures = read_training_structures(path)
    if not structures:
        raise InputError(f"{path} holds no structures; expected at least one to learn from")
    if disordered := next((s for s in structures if not s.is_ordered), None):
        raise InputError(f"{path} has partially occupied sites in {disordered.composition.formula}; order it first")
    return Dataset(
        lattice=np.array([s.lattice.matrix for s in structures]).reshape(-1, 3, 3),
        offsets=np.concatenate([[0], np.cumsum([len(s) for s in structures])]).astype(int),
        atomic_numbers=np.concatenate([[site.specie.Z for site in s] for s in structures]),
        frac_coords=np.concatenate([s.frac_coords for s in structures]),
    )


def epoch_batches(
    n_atoms: np.ndarray, seed: int, epoch: int, atoms_per_batch: int, crystals_per_batch: int, together: int = 1
) -> list[np.ndarray]:
    """Index arrays of one pass over the data, each of similar-sized crystals within the two limits.

    From the first on, every `together` batches in a row are of similar size as well: processes that wait for each
    other have the same to do. Batches left over from the last full row are left out of this pass.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(n_atoms))
    pool = _POOL * crystals_per_batch
    batches: list[np.ndarray] = []
    for start in range(0, len(order), pool):
        chunk = order[start : start + pool]
        batches.extend(
            _cut(chunk[np.argsort(n_atoms[chunk], kind="stable")], n_atoms, atoms_per_batch, crystals_per_batch)
        )
    together = min(together, len(batches))  # more processes than batches: an epoch must not be empty
    starts = range(0, len(batches) - together + 1, together)
    return [batch for k in rng.permutation(len(starts)) for batch in batches[starts[k] : starts[k] + together]]


def _cut(order: np.ndarray, n_atoms: np.ndarray, most_atoms: int, most_crystals: int) -> Iterator[np.ndarray]:
    start = 0
    atoms = 0
    for k, crystal in enumerate(order):
        if k > start and (atoms + n_atoms[crystal] > most_atoms or k - start == most_crystals):
            yield order[start:k]
            start, atoms = k, 0
        atoms += n_atoms[crystal]
    if start < len(order):
        yield order[start:]
