"""What an interface says: its energies per area, the reaction of its crystals, and the layer between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from chggen.campaign.evaluation import single_points
from chggen.campaign.interface_jobs import Interfaces
from chggen.campaign.interface_layer import InterfaceLayer, LayerOfInterface
from chggen.campaign.resources import Resources
from chggen.results import Candidate
from chggen.stability import InterfaceReaction, References, reaction_of_crystals

if TYPE_CHECKING:
    from pymatgen.core import Structure

INTERFACE_FILE: Final = "interface.json"
"""File of a results folder that holds what its interface says (`answer_of_interface`)."""
_J_PER_M2: Final = 16.02176634  # of 1 eV/Å², CODATA 2018


def answer_of_interface(
    interfaces: Interfaces,
    crystals: tuple[Structure, Structure],
    candidates: Sequence[Candidate],
    resources: Resources,
    references: References,
) -> dict[str, Any]:
    """Return what an interface says, as plain data.

    Args:
        interfaces: The interface.
        crystals: The two crystals.
        candidates: Its finished candidates.
        resources: How they were relaxed, and with which potential.
        references: Known phases.

    Returns:
        `area` in Å², `strain`, `gap` in Å, `atoms`, `terminations`, `reaction` (`InterfaceReaction.as_dict`, or why
        there is none) and `candidates`, for each good one that is no duplicate: `interface_energy`,
        `work_of_adhesion` and `work_of_separation` in J/m², None where unknown, `of_products`, the new bonds that a
        product of the reaction has, and what `InterfaceLayer.as_dict` says of its layer.
    """
    cell, options = interfaces.cell, interfaces.options
    formulas = [crystal.composition.reduced_formula for crystal in crystals]
    reaction = reaction_of_crystals(formulas[0], formulas[1], resources.potential().level, references)
    layers = LayerOfInterface(cell, crystals, options.move_within)
    good = [c for c in candidates if c.status == "ok" and c.duplicate_of is None and c.energy_per_atom is not None]
    return {
        "area": cell.area,
        "strain": cell.strain,
        "gap": list(cell.gap),
        "atoms": len(cell.structure),
        "terminations": [list(pair) for pair in cell.terminations],
        "reaction": reaction if isinstance(reaction, str) else reaction.as_dict(),
        "candidates": [_row(c, interfaces, layers, reaction, resources) for c in good],
    }


def _row(
    candidate: Candidate, interfaces: Interfaces, layers: LayerOfInterface, reaction: InterfaceReaction | str,
    resources: Resources,
) -> dict[str, Any]:  # fmt: skip
    """Return what one candidate says."""
    area = interfaces.cell.area
    energy = None if candidate.e_insertion is None else candidate.e_insertion / area * _J_PER_M2
    apart = work_of_separation(candidate, interfaces, resources)
    layer = layers.of(cast("Structure", candidate.raw), cast("Structure", candidate.structure))
    return {
        "id": candidate.id,
        "interface_energy": energy,
        "work_of_adhesion": None if energy is None or interfaces.asked.guests else -energy,
        "work_of_separation": None if apart is None else apart / area * _J_PER_M2,
        "of_products": _of_products(layer, reaction),
        **({} if layer is None else layer.as_dict()),
    }


def work_of_separation(candidate: Candidate, interfaces: Interfaces, resources: Resources) -> float | None:
    """Return the energy that it takes to pull a candidate apart as it stands, eV for the cell.

    What was put into the gap stays with the crystal from which it is harder to part. No atom moves meanwhile.

    Args:
        candidate: A relaxed candidate.
        interfaces: The interface.
        resources: The potential.
    """
    whole = cast("Structure", candidate.structure)
    of_b = interfaces.cell.of_b
    put_in = len(whole) - len(of_b)
    ways = [np.concatenate([of_b, np.full(put_in, with_b)]) for with_b in ((False, True) if put_in else (False,))]
    halves = [_half(whole, second == which) for second in ways for which in (False, True)]
    ends = single_points(halves, resources)
    if any(end.energy_per_atom is None for end in ends):
        return None
    energies = np.array([end.energy_or_inf * len(half) for end, half in zip(ends, halves, strict=True)])
    return float(energies.reshape(-1, 2).sum(1).min() - cast(float, candidate.energy_per_atom) * len(whole))


def _half(whole: Structure, kept: np.ndarray) -> Structure:
    half = whole.copy()
    half.remove_sites(np.flatnonzero(~kept).tolist())
    return half


def _of_products(layer: InterfaceLayer | None, reaction: InterfaceReaction | str) -> list[str]:
    """Return the new bonds of a layer that a product of the reaction has."""
    if layer is None or isinstance(reaction, str):
        return []
    return [label for label in layer.new_bonds if reaction.has_bond(*label.split("-"))]
