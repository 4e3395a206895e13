"""Orbits of a host's group for its guests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import Float

from chggen.errors import InputError
from chggen.generation.host import Host
from chggen.symmetry import (
    FreeVolume,
    Group,
    Orbits,
    Refined,
    WyckoffPosition,
    above_trivial,
    group_of,
    nearest_counts,
    orbits_of_sites,
    plan_orbits,
    positions_of,
    refine,
    standard_setting,
)

if TYPE_CHECKING:
    from pymatgen.core import Structure

SYMPREC: Final = 0.1  # Å; at which a given host's group is looked for


def symmetrised(framework: Structure) -> Refined:
    """A given host, symmetrised. Raises InputError where it has no symmetry above P-1."""
    found = refine(framework, SYMPREC)
    if found is None or not above_trivial(found.space_group):
        name = {1: "P1", 2: "P-1"}.get(found.space_group if found else 1, "no space group")
        raise InputError(
            f"the host has {name} at symprec {SYMPREC:g} Å; expected a group above P1 and P-1, so use symmetry none, "
            "or symmetrise it first with `chggen refine --symprec`"
        )
    return found


def on_orbits(host: Host, order: int | None = None) -> Host:
    """The host with its guests on orbits of its group, or of the first subgroup that their counts fit.

    The framework has to be symmetrised. order: half of the draws are from smaller subgroups of so many operations,
    where any hold the guests. Raises InputError, naming counts that fit, where no subgroup above P1 and P-1 holds them
    in this cell.
    """
    group, positions = _group(host)
    around = free_volume_of(host)
    plan = plan_orbits(around, group, positions)
    if plan is None:
        near = [counts_text(host, found) for found in nearest_counts(around, group, positions)]
        remedy = f"nearest counts that fit: {' or '.join(near)}" if near else "no counts near these fit"
        where = f"the {len(host.framework)}-atom cell of the host"
        groups = f"space group {standard_setting(group)[0]} or its subgroups above P1 and P-1"
        raise InputError(
            f"{counts_text(host, host.guests.values())} in {where} fit no orbits of {groups}; {remedy}; "
            "or use a supercell or symmetry none"
        )
    if order is not None and order < len(plan.choices[0].members):
        smaller = plan_orbits(around, group, positions, (m for m in group.subgroups() if len(m) == order))
        if smaller is not None:
            plan = replace(plan, choices=(*plan.choices, *smaller.choices))
    return replace(host, orbits=plan)


def kept_orbits(host: Host, sites: Float[np.ndarray, "guests 3"]) -> tuple[np.ndarray, Orbits] | None:
    """The sites made symmetric, and the orbits of all atoms, by what of a symmetrised host's group the sites keep.

    None where that is P1 or P-1.
    """
    return orbits_of_sites(free_volume_of(host), _group(host)[0], sites)


def lowered(host: Host) -> Host:
    """The host with its guests on orbits of smaller subgroups; the same where there are none that hold them."""
    if host.orbits is None:
        return host
    group, positions = _group(host)
    order = len(host.orbits.choices[0].members)
    plan = plan_orbits(free_volume_of(host), group, positions, (m for m in group.subgroups() if len(m) < order))
    return host if plan is None else replace(host, orbits=plan)


def _group(host: Host) -> tuple[Group, tuple[WyckoffPosition, ...]]:
    """The group of a symmetrised framework and its positions. Raises InputError where it has none above P-1."""
    group = group_of(host.framework)
    if group is None or group.trivial:
        raise InputError("the host has no symmetry above P-1; use symmetry none")
    return group, positions_of(group, *standard_setting(group))


def free_volume_of(host: Host) -> FreeVolume:
    from pymatgen.core import Element

    return FreeVolume(
        lattice=host.framework.lattice.matrix,
        frac=np.asarray(host.framework.frac_coords).reshape(-1, 3),
        numbers=np.array([site.specie.Z for site in host.framework], dtype=int),
        guests={Element(symbol).Z: count for symbol, count in host.guests.items()},
    )


def counts_text(host: Host, counts: Iterable[int]) -> str:
    """Guests with these counts, in the order of the host's, as messages name them: `Li=4, Na=2`."""
    return ", ".join(f"{symbol}={n}" for symbol, n in zip(host.guests, counts, strict=True))
