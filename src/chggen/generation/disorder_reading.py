"""Reading of disorder: from a structure with partial occupancies to its sublattices, clashes and oxidation states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from chggen.errors import InputError
from chggen.generation.contacts import CLOSEST
from chggen.generation.disorder import VACANT, Disorder, Sublattice, average_symmetry
from chggen.generation.oxidation_states import oxidation_states

if TYPE_CHECKING:
    from pymatgen.core import Structure

_ROUNDED: Final = 0.02  # by which occupancies of a site may miss 1, as those that are written with two digits do
_OVERFULL: Final = 0.05  # by which they may go beyond it
_TRACE: Final = 0.005  # occupancies below this are left out
_SAME_PLACE: Final = 0.1  # Å between sites that are one site, written once for each of its species
_MOST_REDUCED: Final = 400  # sites up to which a smaller cell is looked for
_WHOLE: Final = 0.005  # by which axes of the cell given may miss whole numbers of those of the primitive one


def read_disorder(structure: Structure) -> Disorder:
    """Return what a structure says of its disorder.

    Ions and isotopes count as their element. Sites within 0.1 Å are one site. Occupancies that miss 1 by up to 0.02
    fill the site; a little more than 1 is scaled down.

    Args:
        structure: The structure, with or without disorder.

    Raises:
        InputError: Occupancies of a site add up to more than 1, or sites that are always filled overlap.
    """
    from pymatgen.core import Structure

    places, held = _places(structure)
    notes: list[str] = []
    filled = [_filled(site, k, notes) for k, site in enumerate(held)]
    kept = [k for k, site in enumerate(filled) if set(site) != {VACANT}]
    species = [{s: share for s, share in filled[k].items() if s != VACANT} for k in kept]
    states = _states(structure, species)
    cleaned = Structure(structure.lattice, species, places[kept])
    smallest = cleaned.get_primitive_structure(_SAME_PLACE) if len(cleaned) <= _MOST_REDUCED else cleaned
    occupancies = [
        _filled({e.symbol: float(x) for e, x in site.species.items()}, k, []) for k, site in enumerate(smallest)
    ]
    frac = smallest.frac_coords % 1.0
    return Disorder(
        lattice=np.asarray(smallest.lattice.matrix),
        frac=frac,
        sublattices=tuple(
            replace(own, label=_label(structure, smallest, own.sites[0]))
            for own in _sublattices(smallest, frac, occupancies)
        ),
        clashes=_clashes(smallest, frac, occupancies),
        states=states,
        notes=tuple(dict.fromkeys(notes)),
        given=_in_terms_of(np.asarray(smallest.lattice.matrix), np.asarray(structure.lattice.matrix)),
    )


def _in_terms_of(lattice: np.ndarray, supercell: np.ndarray) -> np.ndarray | None:
    """Return the axes of a supercell in terms of those of a lattice, right-handed; None where they are not whole."""
    matrix = supercell @ np.linalg.inv(lattice)
    whole = matrix.round().astype(int)
    if np.abs(matrix - whole).max() > _WHOLE:
        return None
    return whole if np.linalg.det(whole) > 0 else -whole


def _places(structure: Structure) -> tuple[np.ndarray, list[dict[str, float]]]:
    """Return sites and what each holds, those within 0.1 Å of each other as one."""
    places: list[np.ndarray] = []
    held: list[dict[str, float]] = []
    for site in structure:
        own: dict[str, float] = {}
        for specie, share in site.species.items():
            own[specie.symbol] = own.get(specie.symbol, 0.0) + float(share)
        near = None
        if places and not (site.is_ordered and sum(own.values()) > 1 - _TRACE):
            distance = structure.lattice.get_all_distances(site.frac_coords[None], np.array(places))[0]
            near = int(distance.argmin()) if distance.min() < _SAME_PLACE else None
        if near is None or sum(held[near].values()) + sum(own.values()) > 1 + _OVERFULL:
            places.append(np.asarray(site.frac_coords))
            held.append(own)
            continue
        for symbol, share in own.items():
            held[near][symbol] = held[near].get(symbol, 0.0) + share
    return np.array(places), held


def _filled(site: Mapping[str, float], number: int, notes: list[str]) -> dict[str, float]:
    """Return the occupancies of a site, which sum to 1 with its vacancies."""
    kept = {symbol: share for symbol, share in site.items() if share >= _TRACE}
    total = sum(kept.values())
    said = ", ".join(f"{symbol} {share:g}" for symbol, share in site.items())
    if len(kept) < len(site):
        notes.append(f"left out species of which a site holds less than {_TRACE:g}")
    if total > 1 + _OVERFULL:
        raise InputError(
            f"site {number} holds {total:.3g} atoms ({said}); occupancies of a site add up to at most 1, so mend them"
        )
    if abs(total - 1) > 1e-6 and total > 1 - _ROUNDED:
        notes.append("took occupancies of a site that add up to nearly 1 as 1")
        kept = {symbol: share / total for symbol, share in kept.items()}
        total = 1.0
    if total < 1 - 1e-6:
        kept[VACANT] = 1 - total
    return dict(sorted(kept.items(), key=lambda item: (item[0] == VACANT, item[0])))


def _sublattices(
    structure: Structure, frac: np.ndarray, occupancies: Sequence[Mapping[str, float]]
) -> tuple[Sublattice, ...]:
    """Return the orbits of sites with equal occupancies under the symmetry of the average structure."""
    rounded = [tuple((symbol, round(share, 3)) for symbol, share in site.items()) for site in occupancies]
    kinds = {key: k for k, key in enumerate(dict.fromkeys(rounded))}
    constraint = average_symmetry(np.asarray(structure.lattice.matrix), frac, [kinds[key] for key in rounded])
    orbit = np.arange(len(frac)) if constraint is None else constraint.images.min(dim=0).values.numpy()
    found: dict[tuple[int, int], list[int]] = {}
    for k, key in enumerate(rounded):
        found.setdefault((kinds[key], int(orbit[k])), []).append(k)
    return tuple(Sublattice(tuple(sites), dict(occupancies[sites[0]])) for sites in found.values())


def _label(structure: Structure, smallest: Structure, site: int) -> str:
    """Return what a structure calls the site of its primitive cell: its label there, or its number."""
    off = smallest.lattice.get_fractional_coords(structure.cart_coords - smallest[site].coords)
    apart = np.linalg.norm((off - np.round(off)) @ smallest.lattice.matrix, axis=1)
    own = structure[int(apart.argmin())]
    return f"site {int(apart.argmin())}" if own.label == own.species_string else str(own.label)


def _clashes(structure: Structure, frac: np.ndarray, occupancies: Sequence[Mapping[str, float]]) -> np.ndarray:
    """Return the pairs of sites that cannot be filled together."""
    from ase.data import covalent_radii
    from pymatgen.core import Element, Structure

    radii = np.array([min(covalent_radii[Element(s).Z] for s in site if s != VACANT) for site in occupancies])
    proxy = Structure(structure.lattice, ["H"] * len(frac), frac)
    first, second, image, distance = proxy.get_neighbor_list(2 * CLOSEST * float(radii.max()))
    close = distance < CLOSEST * (radii[first] + radii[second])
    pairs = np.column_stack([first, second, image.round().astype(int)])[close].astype(int)
    for a, b, *_ in pairs.tolist():
        if VACANT not in occupancies[a] and VACANT not in occupancies[b]:
            raise InputError(
                f"sites {a} ({_said(occupancies[a])}) and {b} ({_said(occupancies[b])}) are always filled and lie too "
                "close together; expected one of them to be empty at times"
            )
    return np.asarray(pairs.reshape(-1, 5))


def _said(site: Mapping[str, float]) -> str:
    return "/".join(symbol for symbol in site if symbol != VACANT)


def _states(structure: Structure, occupancies: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the oxidation states that the structure gives, averaged over sites, or a guess; empty for neither."""
    given: dict[str, list[tuple[float, float]]] = {}
    for site in structure:
        for specie, share in site.species.items():
            state = getattr(specie, "oxi_state", None)
            given.setdefault(specie.symbol, []).append((float("nan") if state is None else float(state), float(share)))
    amounts = _amounts(occupancies)
    means = {symbol: _mean(given[symbol]) for symbol in amounts}
    if all(np.isfinite(mean) for mean in means.values()) and any(means.values()):
        return means
    return oxidation_states(amounts)


def _mean(weighted: Sequence[tuple[float, float]]) -> float:
    """Return the mean of values with their weights; equal values stay exactly what they are."""
    values = {value for value, _ in weighted}
    return values.pop() if len(values) == 1 else sum(v * w for v, w in weighted) / sum(w for _, w in weighted)


def _amounts(occupancies: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return how many atoms of each element the sites hold on average."""
    total: dict[str, float] = {}
    for site in occupancies:
        for symbol, share in site.items():
            if symbol != VACANT:
                total[symbol] = total.get(symbol, 0.0) + share
    return total
