"""200 textbook compounds against the shipped hull: is each there, and does its known ground state lie on the hull?

    OMP_NUM_THREADS=1 python benchmarks/textbook.py --out docs/benchmarks/tables/textbook.md

benchmarks/data/textbook.csv names the compounds, chosen from textbooks of inorganic chemistry and materials science
without a look at the table, each with the space group of its known ground state (that of the lowest temperature where
it is known, else of room temperature). All are stable compounds. The entry of a compound is the lowest one of its
formula in that space group. `why_missed` says why CHGNet puts some of them far from the hull.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chggen.potential import default_levels
from chggen.stability import References, hull
from chggen.stability.reference_entry import ReferenceEntry

LIST = Path(__file__).parent / "data" / "textbook.csv"
NOTE = "% Made by `python benchmarks/textbook.py --out docs/benchmarks/tables/textbook.md`. Do not edit.\n\n"
NEAR = 0.03  # eV/atom
# Space groups that are mirror images of each other: quartz is either, and tables name one.
MIRRORED = [{76, 78}, {91, 95}, {92, 96}, {144, 145}, {151, 153}, {152, 154}, {169, 170}, {171, 172}, {178, 179},
            {180, 181}, {212, 213}]  # fmt: skip


@dataclass(frozen=True)
class Placed:
    """A textbook compound and where it stands, energies in eV/atom; None for what is not there."""

    compound: dict[str, str]
    entry: ReferenceEntry | None = None
    lowest: ReferenceEntry | None = None
    above: float | None = None
    without_itself: float | None = None

    @property
    def found(self) -> bool:
        """Whether any phase of the formula is in the table."""
        return self.lowest is not None

    @property
    def near(self) -> bool:
        """Whether the known ground state lies on the hull or at most 30 meV/atom above it."""
        return self.above is not None and self.above <= NEAR


def compounds() -> list[dict[str, str]]:
    """The list: formula, name, space_group, class, stability."""
    with LIST.open(encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def placed(table: References, level: str) -> list[Placed]:
    """Where each compound of the list stands."""
    return [_placed(compound, table, level) for compound in compounds()]


def _placed(compound: dict[str, str], table: References, level: str) -> Placed:
    formula = compound["formula"]
    known = table.same_formula(formula, level)
    if not known:
        return Placed(compound)
    group = int(compound["space_group"])
    alike = next((pair for pair in MIRRORED if group in pair), {group})
    entry = next((one for one in known if one.space_group in alike), None)
    if entry is None:
        return Placed(compound, lowest=known[0])
    energy = entry.energy_per_atom
    position = hull(formula, energy, level=level, references=table)
    apart = hull(formula, energy, level=level, references=table, without=[entry.id])
    return Placed(compound, entry, known[0], position.e_decomposition, apart.e_decomposition)


def table_of(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Markdown of a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def meV(energy: float | None) -> str:  # noqa: N802
    return "–" if energy is None else f"{1000 * energy:+.0f}"


def rates(every: Mapping[str, Sequence[Placed]]) -> str:
    """How many compounds are there and near the hull, a row a level."""
    head = ("level", "compounds", "in the table", "in the known space group", "within 30 meV/atom of the hull",
            "mean E_d, meV/atom", "below all that is known without it")  # fmt: skip
    rows = []
    for level, found in every.items():
        above = [p.above for p in found if p.above is not None]
        near = sum(p.near for p in found)
        numbers = (len(found), sum(p.found for p in found), len(above), f"{near} ({100 * near / len(found):.1f} %)")
        below = sum(p.without_itself is not None and p.without_itself < 0 for p in found)
        rows.append((level, *numbers, f"{1000 * np.mean(above):.1f}", below))
    return table_of(head, rows)


def classes(every: Mapping[str, Sequence[Placed]]) -> str:
    """How many compounds of each class are near the hull at each level."""
    kinds = Counter(compound["class"] for compound in compounds())
    rows = [
        (kind, n, *(sum(p.near for p in found if p.compound["class"] == kind) for found in every.values()))
        for kind, n in kinds.items()
    ]
    return table_of(("class", "compounds", *(f"within 30 meV/atom, {level}" for level in every)), rows)


def misses(every: Mapping[str, Sequence[Placed]]) -> str:
    """The compounds that are not near the hull, and why."""
    head = ("compound, space group", "level", "E_d, meV/atom", "lowest of the formula, space group", "why")
    rows = []
    for level, found in every.items():
        for p in found:
            if not p.near:
                c = p.compound
                lowest = f"{p.lowest.id}, {p.lowest.space_group}" if p.lowest else "none"
                name = f"{c['formula']} ({c['name']}), {c['space_group']}"
                rows.append((name, level, meV(p.above), lowest, c["why_missed"]))
    return table_of(head, sorted(rows))


def all_placed(table: References) -> dict[str, list[Placed]]:
    """Level → where each compound of the list stands."""
    return {level: placed(table, level) for level in default_levels()}


def text_of(every: Mapping[str, Sequence[Placed]]) -> str:
    """The tables of the documentation."""
    return NOTE + "\n".join((rates(every), classes(every), misses(every)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--references", type=Path, default=None, help="default: the shipped table")
    parser.add_argument("--out", type=Path, default=None, help="file to write; default: printed")
    args = parser.parse_args()
    text = text_of(all_placed(References.load(args.references)))
    if args.out is None:
        print(text)
    else:
        args.out.write_text(text)


if __name__ == "__main__":
    main()
