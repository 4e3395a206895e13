"""CHGNet as a Potential, batched in and out.

Graphs are built for the whole batch by tensor operations on chggen's own edges, and energy is differentiated once for
forces and stress together; both give chgnet's own predictions, several times faster than its converter does.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from typing import Any, Final

import torch
from torch import Tensor

from chggen.crystals import Crystals, batch
from chggen.graph import Edges, edges_within
from chggen.lattice import inverse_spacings, volume
from chggen.potential import EnergyForcesStress, Potential

_LOG = logging.getLogger(__name__)
_OVERLAP: Final = 0.3  # Å; closer than any two nuclei, where the network's answer means nothing
_FLATTEST: Final = 0.3  # Å between lattice planes; below it the images within the cutoff grow without bound
_SMALLEST: Final = 0.5  # Å³/atom, ten times denser than diamond
_HEAVIEST: Final = 94  # Pu, the last element CHGNet embeds


class ChgnetPotential(Potential):
    """A CHGNet model on a device; batch_size crystals go through the network at once, which bounds its memory."""

    def __init__(self, model: Any, *, name: str, level: str, device: str = "cpu", batch_size: int = 16) -> None:
        self.model = model.eval().requires_grad_(False)
        self.name = name
        self.level = level
        self.device = device
        self.batch_size = batch_size

    @classmethod
    def load(cls, weights: str, *, name: str, level: str, device: str = "cpu") -> ChgnetPotential:
        """Weights from chgnet's wheel: `0.3.0` or `r2scan`."""
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            from chgnet.model.model import CHGNet

            model = CHGNet.load(model_name=weights, use_device=device, verbose=False)
        return cls(model, name=name, level=level, device=device)

    def __call__(self, crystals: Crystals) -> EnergyForcesStress:
        parts = crystals.to(self.device, torch.float64).split()
        energy = torch.full((len(parts),), torch.nan, dtype=torch.float64, device=self.device)
        stress = energy[:, None, None].repeat(1, 3, 3)
        forces = [torch.full_like(c.frac_coords, torch.nan) for c in parts]
        sane = [k for k, c in enumerate(parts) if _is_sane(c)]
        for start in range(0, len(sane), self.batch_size):
            chunk = sane[start : start + self.batch_size]
            graphs = _graphs(batch([parts[k] for k in chunk]), self.model.graph_converter)
            usable = [(k, g) for k, g in zip(chunk, graphs, strict=True) if g is not None]
            if usable:
                found = self._evaluate([g for _, g in usable])
                for (k, _), e, f, s in zip(usable, *found, strict=True):
                    energy[k], forces[k], stress[k] = e, f, s
        like = crystals.frac_coords
        return EnergyForcesStress(energy=energy.to(like), forces=torch.cat(forces).to(like), stress=stress.to(like))

    @torch.enable_grad()
    def _evaluate(self, graphs: list[Any]) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Energies (eV), forces (eV/Å) and stresses (eV/Å³) by one backward pass through all graphs."""
        lattices = [g.lattice for g in graphs]
        strains = [torch.zeros_like(lattice, requires_grad=True) for lattice in lattices]
        for g, lattice, strain in zip(graphs, lattices, strains, strict=True):
            g.lattice = lattice + lattice @ strain
            g.atom_frac_coord.requires_grad_(True)
        fracs = [g.atom_frac_coord for g in graphs]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            energy = self.model(graphs, task="e")["e"]
        if self.model.is_intensive:
            energy = energy * torch.tensor([len(f) for f in fracs], device=energy.device)
        gradients = torch.autograd.grad(energy.sum(), [*fracs, *strains])
        cells = [lattice.double() for lattice in lattices]
        by_frac, by_strain = gradients[: len(graphs)], gradients[len(graphs) :]
        return (
            list(energy.detach().double()),
            [-torch.linalg.solve(cell, g.double().T).T for cell, g in zip(cells, by_frac, strict=True)],
            [g.double() / volume(cell) for cell, g in zip(cells, by_strain, strict=True)],
        )


def _is_sane(crystal: Crystals) -> bool:
    """Whether a neighbour search is possible at all, and every element known to CHGNet."""
    lattice, numbers = crystal.lattice, crystal.atomic_numbers
    if len(numbers) == 0 or not (crystal.frac_coords.isfinite().all() and lattice.isfinite().all()):
        return False
    if float(volume(lattice)) < _SMALLEST * len(numbers) or bool((inverse_spacings(lattice) > 1 / _FLATTEST).any()):
        return False
    return int(numbers.min()) >= 1 and int(numbers.max()) <= _HEAVIEST


def _graphs(crystals: Crystals, converter: Any) -> list[Any | None]:
    """One chgnet CrystalGraph for each crystal; None where an atom is isolated or two overlap."""
    from chgnet.graph.crystalgraph import CrystalGraph

    edges, undirected, first = _paired(edges_within(crystals, float(converter.atom_graph_cutoff)))
    length = edges.vectors(crystals).norm(dim=-1)
    angles = _angles(edges.receiver, length, undirected, float(converter.bond_graph_cutoff))
    owner = crystals.crystal_index
    n, counts = crystals.n_crystals, crystals.n_atoms.tolist()
    of_edge, of_bond = owner[edges.receiver], owner[edges.receiver[first]]
    n_edges, n_bonds = (torch.bincount(o, minlength=n).tolist() for o in (of_edge, of_bond))
    n_angles = torch.bincount(owner[angles[:, 0]], minlength=n).tolist()
    connected = torch.bincount(edges.receiver, minlength=len(owner)) > 0
    bad = torch.bincount(owner[~connected], minlength=n) + torch.bincount(of_edge[length < _OVERLAP], minlength=n)

    # chgnet counts atoms, directed edges and undirected bonds from zero in each graph
    shifts = torch.tensor([[0, 0, 0], *zip(counts, n_edges, n_bonds, strict=True)], device=owner.device).cumsum(0)
    pairs = torch.stack([edges.receiver, edges.sender], dim=1) - shifts[of_edge, :1]
    shifted = angles - shifts[owner[angles[:, 0]]][:, [0, 2, 1, 2, 1]]
    columns = zip(
        bad.tolist(),
        crystals.atomic_numbers.int().split(counts),
        crystals.frac_coords.float().split(counts),
        crystals.lattice.float(),
        pairs.int().split(n_edges),
        edges.image.float().split(n_edges),
        (undirected - shifts[of_edge, 2]).int().split(n_edges),
        (first - shifts[of_bond, 1]).int().split(n_bonds),
        shifted.int().split(n_angles),
        strict=True,
    )
    return [
        None
        if wrong
        else CrystalGraph(
            atomic_number=numbers,
            atom_frac_coord=frac.clone(),
            atom_graph=pair,
            atom_graph_cutoff=converter.atom_graph_cutoff,
            neighbor_image=image,
            directed2undirected=to_bond,
            undirected2directed=to_edge,
            bond_graph=angle,
            bond_graph_cutoff=converter.bond_graph_cutoff,
            lattice=lattice,
        )
        for wrong, numbers, frac, lattice, pair, image, to_bond, to_edge, angle in columns
    ]


def _paired(edges: Edges) -> tuple[Edges, Tensor, Tensor]:
    """Edges by receiver that have their reverse, the undirected bond of each, and the first edge of each bond.

    Rounding may leave one direction of an edge outside the cutoff; its weight there is zero, so it is dropped.
    """
    order = torch.argsort(edges.receiver, stable=True)  # splitting by crystal below relies on it
    edges = Edges(sender=edges.sender[order], receiver=edges.receiver[order], image=edges.image[order])
    image = edges.image.long()
    reach = int(image.abs().max()) if len(image) else 0
    base, atoms = 2 * reach + 1, int(edges.receiver.max()) + 1 if len(image) else 1
    powers = torch.tensor([base * base, base, 1], device=image.device)
    ahead = (edges.receiver * atoms + edges.sender) * base**3 + ((image + reach) * powers).sum(-1)
    back = (edges.sender * atoms + edges.receiver) * base**3 + ((reach - image) * powers).sum(-1)
    _, bond, size = torch.minimum(ahead, back).unique(return_inverse=True, return_counts=True)
    if bool((size != 2).any()):
        whole = size[bond] == 2
        edges = Edges(sender=edges.sender[whole], receiver=edges.receiver[whole], image=edges.image[whole])
        bond = bond[whole].unique(return_inverse=True)[1]
    first = torch.argsort(bond, stable=True)[::2]
    return edges, bond, first


def _angles(receiver: Tensor, length: Tensor, undirected: Tensor, cutoff: float) -> Tensor:
    """Every ordered pair of short edges at one atom: atom, bond and edge of the first, bond and edge of the second."""
    short = torch.nonzero(length < cutoff).squeeze(-1)
    atom = receiver[short]
    degree = torch.bincount(atom, minlength=1)
    starts = torch.cumsum(degree, 0) - degree
    repeats = degree[atom]
    first = torch.repeat_interleave(torch.arange(len(short), device=short.device), repeats)
    within = torch.arange(len(first), device=short.device) - (torch.cumsum(repeats, 0) - repeats)[first]
    second = starts[atom[first]] + within
    different = first != second
    one, two = short[first[different]], short[second[different]]
    return torch.stack([receiver[one], undirected[one], one, undirected[two], two], dim=1)
