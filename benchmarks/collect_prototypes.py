"""Collect the prototypes of known crystals: writes src/chggen/data/prototypes.npz.

    python benchmarks/collect_prototypes.py DATA

DATA holds mp20.npz, mp_structures.npz and mp_table.csv.gz (Materials Project, CC BY 4.0). Crystals of rows that may be
trained on, reduced to their primitive cells at symprec 0.1 Å, are alike when space group, atoms on each site and the
distances between the sites agree at one volume. What is alike is a prototype: space group, Wyckoff positions, and the
mean of axis ratios and free coordinates over the crystals near one of them; what one composition alone has, up to 40
atoms. Beside it stand the elements that fill it, how far above the hull the lowest of its crystals is, and how well
elements stand in for one another. About half an hour on two cores.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import groupby, islice, permutations, product
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import spglib
from count_space_groups import SOURCE, SYMPREC, training_cells
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure
from scipy.optimize import linear_sum_assignment

from chggen.generation.prototypes import FORMAT, TABLE
from chggen.symmetry import hall_number, setting

ALIKE = 0.3  # largest difference of two fingerprints of one prototype; of such pairs 9 in 10 match by StructureMatcher
NEAR = 0.05  # largest difference of free coordinates whose mean is taken
RATIO = 0.1  # largest relative difference of their axis ratios
ANGLE = 5.0  # ° and of their angles
ON_SITE = 0.05  # fractional; how far from its position an atom may be: symprec in a small cell
REACH = 2.6  # of distances in a fingerprint, in units of the cube root of the volume of an atom
WIDTH = 0.06
BINS = np.arange(0.35, REACH, WIDTH)
LARGEST = 40  # atoms of a prototype that one composition alone has: the table's size goes with them


@dataclass
class Crystal:
    """A crystal in the standard primitive cell of its space group; slots: its elements, the fewest first.

    above_hull: eV/atom, NaN where it is not known.
    """

    number: int
    counts: tuple[int, ...]
    elements: tuple[int, ...]
    shape: np.ndarray  # b/a, c/a, α, β, γ of the conventional cell
    orbits: list[tuple[int, str, np.ndarray]]  # slot, letter, every set of free coordinates that describes it
    fingerprint: np.ndarray  # slots × slots × bins
    above_hull: float

    @property
    def formula(self) -> tuple[tuple[int, int], ...]:
        units = math.gcd(*self.counts)
        return tuple(sorted((z, n // units) for z, n in zip(self.elements, self.counts, strict=True)))


def described(row) -> Crystal | str:
    """The crystal of a cell as spglib takes it and its energy above hull, or why it has no description."""
    try:
        return _described(*row)
    except Exception as error:  # spglib's own errors for cells it cannot read
        return f"left out: {error}"


def _described(cell, above_hull: float) -> Crystal | str:
    dataset = spglib.get_symmetry_dataset(cell, symprec=SYMPREC)
    if dataset is None:
        return "left out: no space group"
    if dataset.hall_number != hall_number(dataset.number):
        dataset = spglib.get_symmetry_dataset(cell, symprec=SYMPREC, hall_number=hall_number(dataset.number))
    found = setting(int(dataset.number))
    primitive_atoms = np.unique(dataset.mapping_to_primitive, return_index=True)[1]
    held = Counter(int(z) for z in cell[2][primitive_atoms])
    slots = sorted(held, key=lambda z: (held[z], z))
    positions = {p.letter: p for p in found.positions}
    _, first = np.unique(dataset.crystallographic_orbits, return_index=True)
    orbits, sites, slot_of = [], [], []
    for i in first:
        standard = dataset.transformation_matrix @ cell[1][i] + dataset.origin_shift
        position = positions[dataset.wyckoffs[i]]
        free = position.parameters(found.group, standard @ np.linalg.inv(found.primitive), ON_SITE)
        if not len(free):
            return f"left out: an atom is not on position {position.letter} of group {found.number}"
        slot = slots.index(int(cell[2][i]))
        orbits.append((slot, position.letter, free))
        points = position.point + free[:1] @ position.directions.reshape(-1, 3)
        sites.append(position.sites(found.group, points)[0])
        slot_of.append(slot)
    counts = tuple(held[z] for z in slots)
    if Counter(np.repeat(slot_of, [len(s) for s in sites]).tolist()) != dict(enumerate(counts)):
        return "left out: the orbits do not hold its atoms"
    p = Lattice(dataset.std_lattice).parameters
    lattice = found.primitive @ dataset.std_lattice
    return Crystal(
        number=found.number,
        counts=counts,
        elements=tuple(slots),
        shape=np.array([p[1] / p[0], p[2] / p[0], *p[3:]]),
        orbits=orbits,
        fingerprint=_fingerprint(lattice, sites, slot_of, len(slots)),
        above_hull=above_hull,
    )


def _fingerprint(lattice, sites, slot_of, n_slots) -> np.ndarray:
    """Distances from the atoms of each slot to those of each other, smeared, weighed by their inverse square."""
    frac = np.concatenate(sites)
    each = np.array([len(s) for s in sites])
    unit = lattice * (len(frac) / abs(np.linalg.det(lattice))) ** (1 / 3)
    structure = Structure(unit, ["H"] * len(frac), frac)
    start = np.concatenate([[0], np.cumsum(each)[:-1]])
    centre, other, _, distance = structure.get_neighbor_list(REACH, sites=[structure[k] for k in start])
    real = distance > 1e-3  # an atom is not its own neighbour
    centre, other, distance = centre[real], other[real], distance[real]
    smeared = np.exp(-((distance[:, None] - BINS) ** 2) / (2 * WIDTH**2))
    weight = each[centre] / len(frac) / distance**2
    found = np.zeros((n_slots, n_slots, len(BINS)))
    slots = np.array(slot_of)
    np.add.at(found, (slots[centre], np.repeat(slots, each)[other]), smeared * weight[:, None])
    return found.astype(np.float32)


def slot_orders(counts) -> list[tuple[int, ...]]:
    """Every order of the slots that keeps their counts, at most 120."""
    runs = [len(list(same)) for _, same in groupby(counts)]
    orders = []
    for parts in product(*(permutations(range(n)) for n in runs)):
        starts = np.concatenate([[0], np.cumsum(runs)[:-1]])
        orders.append(tuple(int(s + k) for s, part in zip(starts, parts, strict=True) for k in part))
        if len(orders) == 120:
            break
    return orders


def alike(crystals: list[Crystal]) -> list[list[tuple[Crystal, tuple[int, ...]]]]:
    """Groups of alike crystals of the same group and counts, each with the order of its slots in the group."""
    groups: list[list[tuple[Crystal, tuple[int, ...]]]] = []
    centres = np.zeros((0, crystals[0].fingerprint.size), np.float32)
    orders = slot_orders(crystals[0].counts)
    for crystal in crystals:
        f = crystal.fingerprint
        turned = np.stack([f[np.ix_(order, order)].ravel() for order in orders])
        if len(groups):
            own, others = float((f**2).sum()), (centres**2).sum(axis=1)
            off = np.maximum(own + others - 2 * turned @ centres.T, 0) / np.sqrt(own * others)
            a, g = np.unravel_index(off.argmin(), off.shape)
            if off[a, g] < ALIKE**2:
                groups[g].append((crystal, orders[a]))
                continue
        centres = np.concatenate([centres, turned[:1]])
        groups.append([(crystal, orders[0])])
    return groups


def prototype(group):
    """Mean shape and orbits of those in a group that are near one of them, with all their elements, and the lowest
    energy above hull of the group.

    First of those described by the same letters, as most are, then of any, mapped on one another by StructureMatcher;
    where no two compositions are near each other, those of the first crystal.
    """
    letters = Counter(_letters(crystal, order) for crystal, order in group).most_common(1)[0][0]
    same = [(c, order) for c, order in group if _letters(c, order) == letters]
    two = min(2, len(compositions(group)))
    for relative, members, least in ((_relative, same, two), (_mapped, group[:8], 2), (_relative, same[:1], 1)):
        for reference, order in members[:3]:
            near = [found for c, o in members if (found := relative(c, o, reference, order)) is not None]
            if len({formula for formula, _, _ in near}) >= least:
                shape = np.mean([s for _, s, _ in near], axis=0)
                free = [np.mean(every, axis=0) % 1 for every in zip(*(f for _, _, f in near), strict=True)]
                elements = sorted({tuple(c.elements[k] for k in o) for c, o in group})
                slots = [order.index(slot) for slot, _, _ in reference.orbits]
                names = [letter for _, letter, _ in reference.orbits]
                orbits = list(zip(slots, names, free, strict=True))
                above_hull = np.fmin.reduce([c.above_hull for c, _ in group])
                return reference.number, reference.counts, shape, orbits, elements, _swaps(group[0]), above_hull
    raise AssertionError("a crystal is not near itself")


def compositions(group) -> set:
    return {crystal.formula for crystal, _ in group}


def _swaps(member) -> list[tuple[int, ...]]:
    """Orders of the slots, other than their own, that leave a prototype what it is: either atom of NaCl may be Na."""
    crystal, order = member
    f = crystal.fingerprint[np.ix_(order, order)]
    norm = float((f**2).sum())
    others = slot_orders(crystal.counts)[1:]
    return [o for o in others if float(((f[np.ix_(o, o)] - f) ** 2).sum()) < ALIKE**2 * norm]


def _letters(crystal, order):
    return tuple(sorted((order.index(slot), letter) for slot, letter, _ in crystal.orbits))


def _relative(crystal, order, reference, reference_order):
    """Formula, shape and free coordinates of a crystal in the order and near those of the reference; None: not near."""
    if not _shapes_near(crystal.shape, reference.shape):
        return None
    free = [np.zeros(0)] * len(reference.orbits)
    kinds = defaultdict(lambda: ([], []))
    for side, (c, o) in enumerate(((reference, reference_order), (crystal, order))):
        for k, (slot, letter, _) in enumerate(c.orbits):
            kinds[o.index(slot), letter][side].append(k)
    for ours, theirs in kinds.values():
        nearest = [[_nearest(reference.orbits[r][2][0], crystal.orbits[c][2]) for c in theirs] for r in ours]
        rows, columns = linear_sum_assignment([[off for off, _ in row] for row in nearest])
        for r, c in zip(rows, columns, strict=True):
            off, coordinates = nearest[r][c]
            if off > NEAR:
                return None
            free[ours[r]] = coordinates
    return crystal.formula, crystal.shape, free


def _mapped(crystal, order, reference, reference_order):
    """The same as _relative by the best mapping of all atoms, whatever origin and axes they are described by."""
    found = setting(reference.number)
    matcher = StructureMatcher(ltol=0.2, stol=0.3, angle_tol=5, primitive_cell=False)
    moved = matcher.get_s2_like_s1(_structure(reference, reference_order), _structure(crystal, order))
    if moved is None:
        return None
    p = Lattice(np.linalg.inv(found.primitive) @ moved.lattice.matrix).parameters
    shape = np.array([p[1] / p[0], p[2] / p[0], *p[3:]])
    if not _shapes_near(shape, reference.shape):
        return None
    positions = {position.letter: position for position in found.positions}
    free, start = [], 0
    for _, letter, own in reference.orbits:
        images = positions[letter].parameters(found.group, moved.frac_coords[start], ON_SITE)
        start += positions[letter].multiplicity
        if not len(images):
            return None
        off, coordinates = _nearest(own[0], images)
        if off > NEAR:
            return None
        free.append(coordinates)
    return crystal.formula, shape, free


def _structure(crystal, order) -> Structure:
    """The primitive cell at unit volume, an element for each slot, orbit after orbit."""
    found = setting(crystal.number)
    positions = {position.letter: position for position in found.positions}
    sites, numbers = [], []
    for slot, letter, free in crystal.orbits:
        position = positions[letter]
        points = position.point + free[:1] @ position.directions.reshape(-1, 3)
        sites.append(position.sites(found.group, points)[0])
        numbers += [order.index(slot) + 1] * len(sites[-1])
    lattice = found.primitive @ Lattice.from_parameters(1, *crystal.shape).matrix
    lattice *= (len(numbers) / abs(np.linalg.det(lattice))) ** (1 / 3)
    return Structure(lattice, numbers, np.concatenate(sites))


def _shapes_near(shape, reference) -> bool:
    near = np.abs(shape[:2] / reference[:2] - 1).max() <= RATIO
    return bool(near and np.abs(shape[2:] - reference[2:]).max() <= ANGLE)


def _nearest(reference, described_by):
    """Of several descriptions of an orbit the one nearest to the reference, not wrapped, and its largest difference."""
    off = described_by - reference
    off -= np.round(off)
    if not off.shape[1]:
        return 0.0, reference
    largest = np.abs(off).max(axis=1)
    k = int(largest.argmin())
    return float(largest[k]), reference + off[k]


def similarity(groups) -> np.ndarray:
    """Log-odds that two elements fill the same slot of alike crystals, all other slots being equal, against chance."""
    pairs = np.zeros((119, 119))
    for group in groups:
        fill = defaultdict(set)
        for crystal, order in group:
            elements = tuple(crystal.elements[k] for k in order)
            for slot, z in enumerate(elements):
                fill[slot, elements[:slot] + elements[slot + 1 :]].add(z)
        for found in fill.values():
            for a, b in permutations(sorted(found), 2):
                pairs[a, b] += 1 / (len(found) - 1)
    share = pairs.sum(axis=1)
    chance = np.outer(share, share) / share.sum()
    prior = 3.0 * np.minimum(chance, 1) + 0.05  # pairs seldom met are neither like nor unlike
    odds = np.clip(np.log((pairs + prior) / (chance + prior)), -4, 4)
    np.fill_diagonal(odds, 4.0)
    return odds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--limit", type=int, help="crystals to look at, for a trial", default=None)
    args = parser.parse_args()
    by_kind = defaultdict(list)
    left_out: Counter[str] = Counter()
    total = 0
    with Pool(2) as pool:
        rows = islice(training_cells(args.data), args.limit)
        for found in pool.imap(described, rows, chunksize=200):
            if isinstance(found, str):
                left_out[found.split(" of group")[0]] += 1
                continue
            total += 1
            by_kind[found.number, found.counts, len(found.orbits)].append(found)
    groups = [group for kind in sorted(by_kind) for group in alike(by_kind[kind])]
    odds = similarity(groups)
    wanted = [g for g in groups if len(compositions(g)) > 1 or sum(g[0][0].counts) <= LARGEST]
    with Pool(2) as pool:
        kept = list(pool.imap(prototype, wanted, chunksize=20))
    write(kept, odds, total)
    shared = sum(len(compositions(g)) > 1 for g in groups)
    print(f"{total} crystals, {len(groups)} kinds, {shared} of two or more compositions, {len(kept)} kept")
    print(f"{TABLE.stat().st_size / 1024:.0f} KiB; {dict(left_out)}")


def write(kept, odds, total) -> None:
    """The table as flat arrays: what belongs to prototype i lies between starts[i] and starts[i + 1]."""
    kept.sort(key=lambda row: (row[1], row[0], [(s, w) for s, w, _ in row[3]]))
    orbits = [orbit for row in kept for orbit in row[3]]
    free = np.zeros((len(orbits), 3))
    for k, (_, _, coordinates) in enumerate(orbits):
        free[k, : len(coordinates)] = coordinates
    np.savez_compressed(
        TABLE,
        format=FORMAT,
        source=SOURCE,
        crystals=total,
        number=np.array([row[0] for row in kept], np.uint8),
        shape=np.array([row[2] for row in kept], np.float32).round(4),
        slot_start=_starts(len(row[1]) for row in kept),
        slot_count=np.array([n for row in kept for n in row[1]], np.uint16),
        orbit_start=_starts(len(row[3]) for row in kept),
        orbit_slot=np.array([slot for slot, _, _ in orbits], np.uint8),
        orbit_letter=np.array([ord(letter) for _, letter, _ in orbits], np.uint8),
        orbit_free=np.array(free * 10_000).round().astype(np.uint16),
        filling_start=_starts(len(row[4]) * len(row[1]) for row in kept),
        filling=np.array([z for row in kept for elements in row[4] for z in elements], np.uint8),
        swap_start=_starts(len(row[5]) * len(row[1]) for row in kept),
        swap=np.array([k for row in kept for order in row[5] for k in order], np.uint8),
        above_hull=np.array([row[6] for row in kept], np.float16).round(3),
        similarity=odds.astype(np.float16).round(2),
    )


def _starts(lengths) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(list(lengths))]).astype(np.int32)


if __name__ == "__main__":
    main()
