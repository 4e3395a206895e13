"""An evolutionary search of crystals by the operators of ase-ga, as its tutorial on bulk crystals sets them up.

The rival that learns: a first generation of random cells, then children of the lowest distinct crystals by cut and
splice (4 of 10), soft mutation (3) and strain (3), and where there is more than one element an exchange of atoms in one
of the strain's shares. `pip install ase-ga`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from ase import Atoms
from ase_ga.cutandsplicepairing import CutAndSplicePairing
from ase_ga.ofp_comparator import OFPComparator
from ase_ga.soft_mutation import SoftMutation
from ase_ga.standardmutations import PermutationMutation, StrainMutation
from ase_ga.utilities import CellBounds, closest_distances_generator
from pymatgen.core import Structure
from pymatgen.io.ase import AseAtomsAdaptor

PARENTS = 20
CHILDREN = 10
Found = list[tuple[Structure, float] | None]
BOUNDS = {"phi": [35, 145], "chi": [35, 145], "psi": [35, 145]}


class Evolution:
    """A search that goes on for as long as its generations are asked for.

    Args:
        relax: Relaxes structures: each with its energy in eV/atom, or None where it failed.
        first: The structures of the first generation.
        seed: Random seed.
    """

    def __init__(self, relax: Callable[[list[Structure]], Found], first: list[Structure], seed: int) -> None:
        self._relax, self._rng, self._count = relax, np.random.RandomState(seed), 0
        self._first = first
        numbers = sorted(first[0].atomic_numbers)
        n, volume = len(numbers), first[0].volume
        blmin = closest_distances_generator(sorted(set(numbers)), 0.5)
        longest = max(3 * volume ** (1 / 3), 12.0)
        bounds = CellBounds({**BOUNDS, **{axis: [1.5, longest] for axis in "abc"}})
        slab = Atoms("", cell=np.eye(3), pbc=True)
        variable: dict[str, Any] = {"number_of_variable_cell_vectors": 3, "cellbounds": bounds, "rng": self._rng}
        strain = StrainMutation(blmin, stddev=0.7, **variable)
        strain.scaling_volume = volume
        pairing = CutAndSplicePairing(slab, n, blmin, p1=1, p2=0, minfrac=0.15, **variable)
        pairing.scaling_volume = volume
        soft = SoftMutation(blmin, bounds=[2, 5], used_modes_file=None)
        exchange = PermutationMutation(n, probability=0.33, blmin=blmin, rng=self._rng)
        mixed = len(set(numbers)) > 1
        self._operators = [(pairing, 4), (soft, 3), (strain, 2 if mixed else 3), *([(exchange, 1)] if mixed else [])]
        self._alike = OFPComparator(n_top=n, dE=1.0, cos_dist_max=1e-3, rcut=10.0, binwidth=0.05, pbc=[True] * 3,
                                    sigma=0.05, nsigma=4, recalculate=False)  # fmt: skip
        self._parents: list[Atoms] = []
        self._scaled = (pairing, strain)

    def generations(self) -> Iterator[Found]:
        """The relaxed crystals of each generation."""
        warnings.simplefilter("ignore")
        made = self._first
        while True:
            found = self._relax(made)
            self._select(found)
            yield found
            made = [self._child() for _ in range(CHILDREN)] if self._parents else self._first

    def _select(self, found: Found) -> None:
        """Keep the lowest distinct ones."""
        new = []
        for one in found:
            if one is not None:
                atoms = AseAtomsAdaptor.get_atoms(one[0].get_sorted_structure(key=lambda site: site.specie.Z))
                self._count += 1
                score = {"raw_score": -one[1] * len(atoms), "extinct": 0}
                atoms = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True,
                              info={"confid": self._count, "key_value_pairs": score, "data": {}})  # fmt: skip
                new.append(atoms)
        kept: list[Atoms] = []
        for atoms in sorted([*self._parents, *new], key=lambda a: -a.info["key_value_pairs"]["raw_score"]):
            if len(kept) < PARENTS and not any(self._looks_like(atoms, other) for other in kept):
                kept.append(atoms)
        self._parents = kept
        for operator in self._scaled if kept else ():
            operator.update_scaling_volume(kept, w_adapt=0.5, n_adapt=4)

    def _looks_like(self, a: Atoms, b: Atoms) -> bool:
        near = abs(a.info["key_value_pairs"]["raw_score"] - b.info["key_value_pairs"]["raw_score"]) < 0.05 * len(a)
        return near and bool(self._alike.looks_like(a, b))

    def _child(self) -> Structure:
        """A child of parents, the lower ones likelier; where no operator gives one, a first structure changed."""
        weights = np.array([w for _, w in self._operators], dtype=float)
        chances = np.linspace(1.0, 0.1, len(self._parents))
        for _ in range(30):
            operator = self._operators[self._rng.choice(len(weights), p=weights / weights.sum())][0]
            many = min(2, len(self._parents)) if isinstance(operator, CutAndSplicePairing) else 1
            if isinstance(operator, CutAndSplicePairing) and many < 2:
                continue
            chosen = self._rng.choice(len(self._parents), many, replace=False, p=chances / chances.sum())
            child, _ = operator.get_new_individual([self._parents[k].copy() for k in chosen])
            if child is not None:
                return AseAtomsAdaptor.get_structure(Atoms(child.numbers, child.positions, cell=child.cell, pbc=True))
        return self._first[self._rng.randint(len(self._first))].copy().perturb(0.3)
