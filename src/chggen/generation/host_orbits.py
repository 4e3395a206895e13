"""Guests on orbits of a host's space group: finding the group, and planning the orbits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import Float

from chggen.errors import InputError
from chggen.generation.host import Host
from chggen.regions import region_for
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

SYMPREC: Final = 0.1  # Å, at which the group of a given host is looked for
_POINTS: Final = 200  # of a region, by which an operation is seen to keep it
_KEPT: Final = 0.95  # of these points, which stay inside
_MOST_OPERATIONS: Final = 200  # of a host with regions; subgroups of more take long to find


def symmetrised(framework: Structure) -> Refined:
    """Symmetrise a framework at symprec 0.1 Å.

    Args:
        framework: An ordered structure.

    Returns:
        The symmetrised framework, with the tolerance and the displacements.

    Raises:
        InputError: The framework has no symmetry above P1 and P-1.
    """
    found = refine(framework, SYMPREC)
    if found is None or not above_trivial(found.space_group):
        name = {1: "P1", 2: "P-1"}.get(found.space_group if found else 1, "no space group")
        raise InputError(
            f"the host has {name} at symprec {SYMPREC:g} Å; expected a group above P1 and P-1, so use symmetry none, "
            "or symmetrise it first with `chggen refine --symprec`"
        )
    return found


def on_orbits(host: Host, order: int | None = None) -> Host:
    """Put the guests of a host on orbits of its space group, or of a subgroup if their counts do not fit the group.

    The largest subgroups that hold the guests are taken; each draw of orbits chooses one of them.

    Args:
        host: A host whose framework is symmetrised (see `symmetrised`).
        order: If given, half of the draws use smaller subgroups with exactly this many operations, provided that there
            are any which hold the guests.

    Returns:
        The host with a plan of orbits.

    Raises:
        InputError: The host has no symmetry above P1 and P-1, or no subgroup above these holds the guests in this
            cell. The message names nearby counts that do fit.
    """
    group, positions = _group(host)
    around = free_volume_of(host)
    plan = plan_orbits(around, group, positions)
    if plan is None:
        near = [counts_text(host, counts) for counts in nearest_counts(around, group, positions)]
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
    """Make guest sites symmetric that are nearly so.

    Only those operations of the host's group are used that take the sites nearly onto each other.

    Args:
        host: A host whose framework is symmetrised.
        sites: Fractional coordinates of the guests, of shape (guests, 3), in the order of the host's guests.

    Returns:
        The symmetric sites, of shape (guests, 3), and the orbits of all atoms. None where the sites keep nothing of the
        group above P1 and P-1.

    Raises:
        InputError: The host has no symmetry above P1 and P-1.
    """
    return orbits_of_sites(free_volume_of(host), _group(host)[0], sites)


def lowered(host: Host) -> Host:
    """Put the guests of a host on orbits of smaller subgroups than now.

    Args:
        host: A host whose framework is symmetrised.

    Returns:
        The host with a plan for the largest of the smaller subgroups that hold the guests. The same host where there
        are none, or where its guests are on no orbits.
    """
    if host.orbits is None:
        return host
    group, positions = _group(host)
    order = len(host.orbits.choices[0].members)
    plan = plan_orbits(free_volume_of(host), group, positions, (m for m in group.subgroups() if len(m) < order))
    return host if plan is None else replace(host, orbits=plan)


def _group(host: Host) -> tuple[Group, tuple[WyckoffPosition, ...]]:
    """Return the group of a symmetrised framework, with its regions where it has any, and its Wyckoff positions.

    Raises InputError where the group is not above P1 and P-1, or where a region keeps too many operations.
    """
    group = _group_with_regions(host) if host.regions else group_of(host.framework)
    if group is None or group.trivial:
        raise InputError("the host has no symmetry above P-1; use symmetry none")
    return group, positions_of(group, *standard_setting(group))


def _group_with_regions(host: Host) -> Group | None:
    """Return the group of the operations of a host that keep its regions, but for edges that are rounded.

    None where an operation does not permute the atoms. Raises InputError where there are too many operations.
    """
    lattice = host.framework.lattice
    rng = np.random.default_rng(0)
    drawn = [(r, lattice.get_fractional_coords(r.draw(_POINTS, rng))) for r in (host.regions or {}).values()]

    def kept(rotations: np.ndarray, translations: np.ndarray) -> np.ndarray:
        """Return the share of the regions that each operation takes into them, of shape (operations,)."""
        share = np.ones(len(rotations))
        for region, points in drawn:
            moved = np.einsum("gij,pj->gpi", rotations, points) + translations[:, None]
            held = region.contains((moved.reshape(-1, 3) % 1.0) @ lattice.matrix)
            share = np.minimum(share, held.reshape(len(rotations), -1).mean(1))
        return share

    group = group_of(host.framework, among=lambda r, t: kept(r, t) >= _KEPT)
    if group is None:
        return None
    if len(group) > _MOST_OPERATIONS:
        raise InputError(f"the host and its regions have {len(group)} operations; expected at most {_MOST_OPERATIONS}")
    share = kept(group.rotations, group.translations)
    smaller = (group.only(np.flatnonzero(share >= least)) for least in np.unique(share))
    return next((each for each in smaller if each.closed), None)


def free_volume_of(host: Host) -> FreeVolume:
    """Return the room that a host leaves for its guests, as the planning of orbits takes it.

    Args:
        host: The host.

    Returns:
        The lattice, the host atoms, and the guests by atomic number.
    """
    from pymatgen.core import Element

    regions = {symbol: region_for(host.regions, symbol) for symbol in host.guests}
    return FreeVolume(
        lattice=host.framework.lattice.matrix,
        frac=np.asarray(host.framework.frac_coords).reshape(-1, 3),
        numbers=np.array([site.specie.Z for site in host.framework], dtype=int),
        guests={Element(symbol).Z: count for symbol, count in host.guests.items()},
        inside={Element(symbol).Z: region.contains for symbol, region in regions.items() if region is not None},
    )


def counts_text(host: Host, counts: Iterable[int]) -> str:
    """Return guest counts as messages name them.

    Args:
        host: The host whose guests they are.
        counts: A count for each guest element, in the order of the host's guests. They need not be the host's own.

    Returns:
        A text such as `Li=4, Na=2`.
    """
    return ", ".join(f"{symbol}={n}" for symbol, n in zip(host.guests, counts, strict=True))
