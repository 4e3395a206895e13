"""Data sets of crystals to learn from, and batches of crystals of similar size, in an order that the seed fixes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch

from chggen.crystals import Crystals, lattice_from_parameters
from chggen.errors import InputError
from chggen.io import FARTHEST, LAST, LONGEST, check_unpacked_size

_ARRAYS: Final = ("cell", "offsets", "Z", "frac")
_MAX_BYTES: Final = 2**33  # of arrays, unpacked: a hundred million atoms
_MIN_VOLUME: Final = 1e-2  # Å³
_POOL = 64  # batches drawn together and sorted by size, so that padding stays small


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Many crystals as flat arrays.

    Attributes:
        lattice: Lattice vectors in Å as rows, shape (crystals, 3, 3).
        offsets: The atoms of crystal i are those from offsets[i] up to offsets[i + 1], shape (crystals + 1,).
        atomic_numbers: Atomic numbers, shape (atoms,).
        frac_coords: Fractional coordinates, shape (atoms, 3).
    """

    lattice: np.ndarray
    offsets: np.ndarray
    atomic_numbers: np.ndarray
    frac_coords: np.ndarray

    def __len__(self) -> int:
        return len(self.lattice)

    @property
    def n_atoms(self) -> np.ndarray:
        """Number of atoms of each crystal, shape (crystals,)."""
        return np.diff(self.offsets)

    def take(self, indices: Sequence[int] | np.ndarray) -> Crystals:
        """Return some of the crystals as one batch.

        Args:
            indices: Numbers of the crystals, shape (batch,).

        Returns:
            The crystals on the CPU in float32, every atom a guest.
        """
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
        """Return the data set of some of the crystals.

        Args:
            keep: True for the crystals to keep, shape (crystals,).

        Returns:
            The kept crystals in the same order.
        """
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
    """Read a data set from files.

    Args:
        paths: Files `.npz`, `.extxyz`, or `.csv` with a column `cif`.
        split: Of an archive `.npz` with the key `split`, the rows with this value are taken; `train` or `val`. From
            other files all crystals are taken.
        max_atoms: Crystals with more atoms are left out.

    Returns:
        The crystals of all files.

    Raises:
        InputError: If a file is missing, cannot be read, lacks an array, holds no structures or partially occupied
            sites, or if no crystal is left.
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
    """The crystals of one file. Raises InputError."""
    if not path.is_file():
        raise InputError(f"no training data at {path}; give an .npz, .extxyz or .csv file")
    if path.suffix != ".npz":
        return _from_structures(path)
    check_unpacked_size(path, "an archive of arrays with cell, offsets, Z and frac", _MAX_BYTES)
    try:
        with np.load(path, allow_pickle=False) as data:
            arrays = {name: data[name] for name in (*_ARRAYS, "split") if name in data.files}
    except Exception as error:  # numpy raises anything from BadZipFile to EOFError for a foreign file
        raise InputError(
            f"{path} is no archive of arrays ({error!s:.80}); expected cell, offsets, Z and frac"
        ) from None
    if missing := [name for name in _ARRAYS if name not in arrays]:
        raise InputError(f"{path} lacks the array '{missing[0]}'; expected cell, offsets, Z and frac")
    try:
        whole = _of_arrays(arrays)
        return whole.select(arrays["split"] == split) if "split" in arrays else whole
    except (ValueError, TypeError, IndexError) as error:
        raise InputError(
            f"{path} holds no crystals ({error!s:.120}); expected those of `chggen train`'s page"
        ) from None


def _of_arrays(arrays: Mapping[str, np.ndarray]) -> Dataset:
    """The crystals of an archive. Raises ValueError or TypeError for arrays that describe none."""
    cell, frac = (np.asarray(arrays[name], dtype=float) for name in ("cell", "frac"))
    offsets, numbers = (np.asarray(arrays[name]).astype(int) for name in ("offsets", "Z"))
    n = len(offsets) - 1
    if cell.shape != (n, 6) or frac.shape != (len(numbers), 3) or numbers.ndim != 1:
        raise ValueError(f"shapes cell {cell.shape}, offsets {offsets.shape}, Z {numbers.shape}, frac {frac.shape}")
    if n < 1 or offsets[0] != 0 or offsets[-1] != len(numbers) or (np.diff(offsets) < 0).any():
        raise ValueError("offsets do not rise from 0 to the number of atoms")
    if ((numbers < 1) | (numbers > LAST)).any():
        raise ValueError(f"atomic numbers outside 1 to {LAST}")
    if not (np.isfinite(frac).all() and np.abs(frac).max(initial=0) < FARTHEST):
        raise ValueError(f"coordinates that are not finite or above {FARTHEST:g}")
    lengths, angles = cell[:, :3], cell[:, 3:]
    if not ((lengths > 0) & (lengths < LONGEST) & (angles > 1) & (angles < 179)).all():
        raise ValueError("cells with edges or angles that no crystal has")
    lattice = lattice_from_parameters(cell)
    if not (np.linalg.det(lattice) > _MIN_VOLUME).all():
        raise ValueError("cells without volume")
    return Dataset(lattice=lattice, offsets=offsets, atomic_numbers=numbers, frac_coords=frac)


def _from_structures(path: Path) -> Dataset:
    """The crystals of a file that pymatgen reads. Raises InputError."""
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
    """Return the batches of one pass over the data, in random order.

    The crystals of a batch are of similar size. So are the batches of a row of `together` in sequence, because
    processes that wait for each other should have the same work. Batches that make no full row are left out of the
    pass.

    Args:
        n_atoms: Number of atoms of each crystal, shape (crystals,).
        seed: Seed of the run.
        epoch: Number of the pass, from 0. Each pass has an order of its own.
        atoms_per_batch: Most atoms of a batch. A single larger crystal makes a batch by itself.
        crystals_per_batch: Most crystals of a batch.
        together: Number of processes that work at the same time.

    Returns:
        Indices of crystals, an array for each batch.
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
    """Cut a sequence of crystals into batches within the two limits."""
    start = 0
    atoms = 0
    for k, crystal in enumerate(order):
        if k > start and (atoms + n_atoms[crystal] > most_atoms or k - start == most_crystals):
            yield order[start:k]
            start, atoms = k, 0
        atoms += n_atoms[crystal]
    if start < len(order):
        yield order[start:]
