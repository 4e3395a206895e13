"""SevenNet's network on one crystal or a batch: atomic energies as a function of the vectors between neighbours.

A symmetric crystal needs the features of its asymmetric unit alone. Those of any other atom are the features of the
atom of the unit that stands for it, turned by the operation that leads there, since features are equivariant under
rotations (Batzner et al., Nat. Commun. 13, 2453, 2022). SevenNet's are not under mirrors and inversion, so that only
the rotations and screws of a group are used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from chggen.symmetry import SymmetryConstraint

_LEFT_OUT: Final = ("reduce_total_enegy", "force_output")  # modules of SevenNet; sums and gradients are taken elsewhere


@dataclass(frozen=True, kw_only=True)
class Unit:
    """The asymmetric unit of one crystal under rotations.

    Attributes:
        symmetry: The rotations and screws of its group.
        atoms: Atoms of the unit, of shape (unit,).
        orbit: For each atom of the crystal the place in `atoms` of the one that stands for it, of shape (atoms,).
        place: For each atom of the crystal its place in `atoms`, −1 where it is not of the unit, of shape (atoms,).
        turns: For each degree l the matrices that turn features of the atom of the unit, as rows, into those of each
            atom, of shape (atoms, 2l + 1, 2l + 1).
    """

    symmetry: SymmetryConstraint
    atoms: Int[Tensor, "unit"]
    orbit: Int[Tensor, "atoms"]
    place: Int[Tensor, "atoms"]
    turns: tuple[Tensor, ...]


class SevenNetNetwork:
    """The network of a SevenNet model.

    Args:
        model: The model (`sevenn.nn.sequential.AtomGraphSequential`), of which it takes hold.
        modality: Which of its heads gives the energies, such as `R2SCAN`; None where it has one only.
        device: `cpu` or `cuda`.

    Attributes:
        cutoff: Distance within which atoms are neighbours, in Å.
        known: Atomic numbers of the elements that it knows.
    """

    def __init__(self, model: Any, modality: str | None, device: str) -> None:
        for module in _LEFT_OUT:
            model.delete_module_by_key(module)
        model.set_is_batch_data(True)
        self._model = model.eval().requires_grad_(False).to(device)
        self._modality = None if modality is None else int(model.modal_map[modality])
        self.cutoff = float(model.cutoff)
        self.known = frozenset(model.type_map)
        rows = torch.randn(64, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).to(device)
        self._rows = rows / rows.norm(dim=-1, keepdim=True)

    def energies(
        self,
        numbers: Int[Tensor, "atoms"],
        owner: Int[Tensor, "atoms"],
        n_crystals: int,
        vectors: Float[Tensor, "edges 3"],
        receiver: Int[Tensor, "edges"],
        sender: Int[Tensor, "edges"],
        unit: Unit | None = None,
    ) -> Float[Tensor, "rows"]:
        """Return the energy of each atom, eV; with a unit, of each atom of that.

        Args:
            numbers: Atomic numbers.
            owner: The crystal of each atom.
            n_crystals: Number of crystals.
            vectors: Vectors from receivers to senders, in Å.
            receiver: Atom that each vector starts from; an atom of the unit, if there is one.
            sender: Atom that each vector points to.
            unit: The unit of the crystal, if it is one and symmetric.
        """
        import sevenn._keys as key

        if unit is not None:
            numbers, owner, receiver = numbers[unit.atoms], owner[unit.atoms], unit.place[receiver]
        data: dict[str, Any] = {
            key.NODE_FEATURE: self._model._atomic_numbers_to_onehot(numbers),
            key.ATOMIC_NUMBERS: numbers,
            key.EDGE_VEC: vectors,
            key.EDGE_IDX: torch.stack([receiver, sender]),
            key.BATCH: owner,
        }
        if self._modality is not None:
            data[key.MODAL_TYPE] = torch.full((n_crystals,), self._modality, device=numbers.device)
        for name, module in self._model.named_children():
            if unit is not None and name.endswith("_convolution"):
                irreps = module.convolution_kwargs["irreps_in1"]
                data[key.NODE_FEATURE] = _turned(data[key.NODE_FEATURE], irreps, unit)
                data = module(data)
                data[key.NODE_FEATURE] = data[key.NODE_FEATURE][: len(numbers)]
            else:
                data = module(data)
        energies: Tensor = data[key.ATOMIC_ENERGY][:, 0]
        return energies

    def unit(self, symmetry: SymmetryConstraint) -> Unit | None:
        """Return the asymmetric unit under the rotations of a group; None where that saves nothing.

        Args:
            symmetry: The symmetry of a crystal.
        """
        proper = torch.linalg.det(symmetry.rotations) > 0
        rotations = SymmetryConstraint(
            symmetry.rotations[proper],
            symmetry.images[proper],
            symmetry.fractional[proper],
            symmetry.translations[proper],
        )
        if rotations.unit is None or rotations.share == 1:
            return None
        place = torch.full_like(rotations.unit.orbit, -1)
        place[rotations.unit.atoms] = torch.arange(len(rotations.unit.atoms), device=place.device)
        turns = tuple(turn[rotations.unit.into] for turn in self._turns(rotations.rotations))
        return Unit(
            symmetry=rotations, atoms=rotations.unit.atoms, orbit=rotations.unit.orbit, place=place, turns=turns
        )

    def _turns(self, rotations: Float[Tensor, "operations 3 3"]) -> list[Tensor]:
        """Return for each degree the matrices of rotations, found from how they turn the spherical harmonics."""
        spherical = self._model.edge_embedding.spherical
        before = spherical(self._rows)
        after = spherical((self._rows @ rotations.to(self._rows).transpose(1, 2)).reshape(-1, 3))
        after = after.view(len(rotations), len(self._rows), -1)
        found = []
        for degree in range(spherical.lmax + 1):
            own = slice(degree**2, (degree + 1) ** 2)
            # rows y of harmonics turn as y(Rv) = y(v) Dᵀ; what an operation takes to the unit turns back by D
            found.append((torch.linalg.pinv(before[:, own]) @ after[..., own]).transpose(1, 2).float())
        return found


def _turned(features: Float[Tensor, "unit features"], irreps: Any, unit: Unit) -> Float[Tensor, "atoms features"]:
    """Return the features of all atoms of a crystal from those of its unit."""
    of_orbit = features[unit.orbit]
    columns, begin = [], 0
    for number, irrep in irreps:
        width = number * irrep.dim
        block = of_orbit[:, begin : begin + width]
        if irrep.l:
            block = (block.reshape(len(block), number, irrep.dim) @ unit.turns[irrep.l]).reshape(len(block), width)
        columns.append(block)
        begin += width
    return torch.cat(columns, dim=1)
