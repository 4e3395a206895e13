"""Fitting a known prototype to a host: the lattice with a small strain, and host atoms near sites of their species."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Int

from chggen.crystals import lattice_from_parameters
from chggen.generation.lattice_matching import inequivalent_bases, lattice_points, log_strain, matching_bases
from chggen.generation.prototypes import Prototype
from chggen.symmetry import Setting, setting

# Log-odds that a strain costs, and a misfit of the host atoms per Å. With these, analogues are ordered best on hosts of
# the val split (docs/model).
_STRAIN: Final = 30.0
_MISFIT: Final = 10.0
_NEAR: Final = 0.35  # largest distance of a host atom from its site, in units of the edge (`Target.edge`)
_MOST_DISTANCES: Final = 2_000_000  # computed for one basis; after that, no further sites are tried for the anchor
_TIE: Final = 1e-4  # equivalent fits differ by rounding, which must not choose between them


@dataclass(frozen=True, kw_only=True)
class Analogue:
    """A prototype that fits a host, and where it puts the guests.

    Attributes:
        frac_coords: Fractional coordinates of the guests in the host's cell, of shape (guests, 3), in the order of the
            host's guests.
        log_odds: Log-odds of the prototype, divided by the number of species.
        strain: Norm of the logarithmic strain from the prototype's cell to the host's.
        rms: Root mean square distance of the host atoms from their sites, in Å.
        closeness: How likely the guests really stand there: `log_odds`, less what strain and misfit cost.
    """

    frac_coords: Float[np.ndarray, "guests 3"]
    log_odds: float
    strain: float
    rms: float
    closeness: float


@dataclass(frozen=True)
class Target:
    """A host in a reduced cell, as prototypes are fitted to it.

    Attributes:
        lattice: Reduced cell, vectors as rows, of shape (3, 3), in Å.
        frac: Fractional coordinates of the host atoms, of shape (atoms, 3).
        kinds: Species of each host atom, of shape (atoms,), as its place in a list of all species.
        edge: Cube root of the volume per atom of the filled cell, in Å.
    """

    lattice: Float[np.ndarray, "3 3"]
    frac: Float[np.ndarray, "atoms 3"]
    kinds: Int[np.ndarray, "atoms"]
    edge: float


def fit_prototype(prototype: Prototype, target: Target, species: Sequence[str], repeats: int) -> Analogue | None:
    """Fit a prototype to a host.

    The prototype is scaled to the host's volume. Every basis of its lattice that matches the host's cell is tried.

    Args:
        prototype: The prototype with species on its sites.
        target: The host.
        species: All species of the filled cell, which `Target.kinds` refers to.
        repeats: Number of primitive cells of the prototype in the host's cell.

    Returns:
        The closest fit, with the guests in the target's cell, sorted by species. None where the prototype does not fit.
    """
    group_setting = setting(prototype.number)
    primitive = group_setting.primitive @ lattice_from_parameters(np.array([1.0, *prototype.shape]))
    volume = abs(np.linalg.det(target.lattice)) / repeats
    primitive = primitive * (volume / abs(np.linalg.det(primitive))) ** (1 / 3)
    bases = matching_bases(primitive, target.lattice, repeats)
    if not len(bases):
        return None
    primitive_sites, primitive_kinds = _sites(prototype, group_setting, species)
    best = None
    for basis in inequivalent_bases(bases, group_setting.group.rotations):
        strain = log_strain(basis @ primitive, target.lattice)
        inverse = np.linalg.inv(basis)
        shifts = lattice_points(inverse, repeats)
        sites = ((primitive_sites @ inverse)[:, None] + shifts).reshape(-1, 3)
        fit = _guest_sites(target, sites, np.repeat(primitive_kinds, len(shifts)))
        if fit is None:
            continue
        guest_sites, rms = fit
        log_odds = prototype.log_odds / len(species)
        closeness = log_odds - (_STRAIN * strain + _MISFIT * rms) / len(species)
        if best is None or closeness > best.closeness + _TIE:
            best = Analogue(frac_coords=guest_sites, log_odds=log_odds, strain=strain, rms=rms, closeness=closeness)
    return best


def _sites(
    prototype: Prototype, group_setting: Setting, species: Sequence[str]
) -> tuple[Float[np.ndarray, "sites 3"], Int[np.ndarray, "sites"]]:
    """Return the fractional sites of a prototype's primitive cell, and the species of each."""
    positions = {position.letter: position for position in group_setting.positions}
    sites, kinds = [], []
    for symbol, letter, free in prototype.orbits:
        position = positions[letter]
        orbit = position.sites(group_setting.group, position.at(free)[None])[0]
        sites.append(orbit)
        kinds += [species.index(symbol)] * len(orbit)
    return np.concatenate(sites), np.array(kinds)


def _guest_sites(
    target: Target, sites: Float[np.ndarray, "sites 3"], kinds: Int[np.ndarray, "sites"]
) -> tuple[Float[np.ndarray, "guests 3"], float] | None:
    """Return the sites that the host atoms leave over, sorted by species, and the rms distance of the host atoms (Å).

    One atom of the host's rarest species is the anchor. It is put on each site of its species in turn, which shifts
    the others along. None where some host atom is too far from every site of its species, or two share a site.
    """
    if not len(target.frac):
        return sites[np.argsort(kinds, kind="stable")], 0.0
    present, counts = np.unique(target.kinds, return_counts=True)
    rarest = present[counts.argmin()]
    anchor = int(np.flatnonzero(target.kinds == rarest)[0])
    other_species = np.where(target.kinds[:, None] == kinds, 0.0, np.inf)
    best = None
    anchor_sites = sites[kinds == rarest]
    for site in anchor_sites[: max(1, _MOST_DISTANCES // other_species.size)]:
        shift = target.frac[anchor] - site
        for _ in range(2):  # first with the anchor on its site, then without the mean displacement
            off = target.frac[:, None] - sites - shift
            off -= np.round(off)
            distance = np.linalg.norm(off @ target.lattice, axis=-1) + other_species
            nearest = distance.argmin(axis=1)
            shift = shift + off[np.arange(len(off)), nearest].mean(axis=0)
        misfit = distance[np.arange(len(off)), nearest]
        if misfit.max() > _NEAR * target.edge or len(set(nearest.tolist())) < len(nearest):
            continue
        rms = float(np.sqrt((misfit**2).mean()))
        if best is None or rms < best[1] - _TIE:
            left = np.delete(np.arange(len(sites)), nearest)
            best = (sites[left[np.argsort(kinds[left], kind="stable")]] + shift, rms)
    return best
