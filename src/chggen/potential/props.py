"""Rows that keep the products of CHGNet from being small, so that their last digits do not depend on the batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import torch
from torch import Tensor

from chggen.potential.bond_graph import BondGraph, UnitGraph

_PROPS: Final = 16  # rows; from this number on the last digits of a product do not depend on it


def propped(vectors: Tensor, graph: BondGraph, numbers: Tensor) -> tuple[Tensor, BondGraph, Tensor]:
    """Return bonds, graph and atomic numbers with a few more rows each that belong to no crystal.

    Products of matrices with few rows take kernels whose last digits differ. With these rows there are never few, and
    never none. They come behind the atoms, in front of the bonds and behind the angles of the batch.
    """
    more = torch.arange(_PROPS, device=numbers.device)
    nowhere = vectors.new_tensor([1.5, 0, 0]).expand(_PROPS, 3)
    atoms = more + len(numbers)
    propped = BondGraph(
        sender=torch.cat([atoms, graph.sender]),
        receiver=torch.cat([atoms, graph.receiver]),
        image=torch.cat([graph.image.new_zeros(_PROPS, 3), graph.image]),
        n_short=graph.n_short + _PROPS,
        center=torch.cat([graph.center, atoms]),
        one=torch.cat([graph.one + _PROPS, more]),
        two=torch.cat([graph.two + _PROPS, more]),
        sign=torch.cat([graph.sign, graph.sign.new_ones(_PROPS)]),
        unit=None if graph.unit is None else _propped_unit(graph.unit, atoms),
    )
    return torch.cat([nowhere, vectors]), propped, torch.cat([numbers, torch.ones_like(more)])


def _propped_unit(unit: UnitGraph, atoms: Tensor) -> UnitGraph:
    """Return what stands for what with the rows of `propped`, where `atoms` are theirs."""
    more = atoms - atoms[0]
    return replace(
        unit,
        receiver=torch.cat([atoms, unit.receiver]),
        sender=torch.cat([atoms, unit.sender]),
        count=torch.cat([torch.ones_like(more), unit.count]),
        arm=torch.cat([unit.arm + _PROPS, more]),
        reverse=torch.cat([more, unit.reverse + _PROPS]),
    )
