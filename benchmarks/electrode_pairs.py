"""Find pairs of crystals with one framework, with and without a working ion: benchmarks/ids/electrodes.json.

    OMP_NUM_THREADS=1 python benchmarks/electrode_pairs.py DATA

DATA holds mp_structures.npz, mp_table.csv.gz, hull_mp2019.csv.gz and mp20.npz (Materials Project, CC BY 4.0). The list
names crystals by id; benchmarks/electrode_cases.py reads them. What makes a pair:

- The filled crystal has at most 40 atoms, at most 12 of them the ion (Li, Na, K, Mg, Ca, Zn); the empty one has at most
  30. Of the framework, one element is an anion and one a metal that is found in several oxidation states (`REDOX`).
- With the ions taken out the two are one framework: StructureMatcher on primitive cells, brought to one volume, without
  supercells (edges within 20 %, angles within 5°), then sites at most 0.15 apart in the root mean square and 0.45 at
  most, in units of the cube root of the volume per atom of the framework (0.15 is about 0.35 Å), and volumes within
  30 %. Layers that glide and bonds that break do not pass; lattices that breathe and polyhedra that tilt do.
- The cell of the filled crystal holds the cell of the empty one a whole number of times (`matrix`).

All crystals of one filled formula that share a framework make one pair, that of the lowest known energies above hull,
so that of several arrangements of the ions the filled one is the lowest known.

Voltages are averages, V = -(E_full - E_empty - n E_metal) / (n z), from raw PBE or PBE+U energies (`e_raw_mpf2021`, and
the lowest of the metal); corrections of anions and of metals with U are the same on both sides. Where one energy is
missing they are from formation energies under the MP 2019 corrections (`eform_mp2019`, or the energy of the hull and
`ehull_mp2019`, which is the same number). `energies` says which; `voltage` is null where neither is known for both.
Pairs whose voltage lies outside -0.5 … 6 V are left out.

`filled_in_training` tells whether the reduced formula of the filled crystal occurs in a training row: the `train` split
of mp20.npz and the rows with `may_train` of mp_table.csv.gz. All pairs are kept whose formula does not, and `MORE`
others that have a voltage. Both are in turn over ions and anions, at random within, so that the first ones of either
are a fair sample.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from math import gcd
from pathlib import Path

import numpy as np
import pandas as pd
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Composition, Element, Lattice, Structure

LIST = Path(__file__).parent / "ids" / "electrodes.json"
CHARGE = {"Li": 1, "Na": 1, "K": 1, "Mg": 2, "Ca": 2, "Zn": 2}
ANIONS = frozenset(["O", "S", "Se", "Te", "F", "Cl", "Br", "I", "N", "P", "As"])
# Transition metals of groups 4 to 11, and the heavy metals and f elements with two states that solids are known for.
REDOX = {
    *("Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag"),
    *("Hf", "Ta", "W", "Re", "Os", "Ir", "Pt", "Au"),
    *("Ce", "Pr", "Sm", "Eu", "Tb", "Yb", "U", "Np", "Pu", "In", "Tl", "Sn", "Pb", "Sb", "Bi"),
}
POLYANIONS = ("S", "Si", "B", "C", "N", "As", "Se", "Te", "Cl", "Br", "I", "Ge")
MOST_FILLED, MOST_IONS, MOST_EMPTY = 40, 12, 30
RMS, FARTHEST, VOLUME = 0.15, 0.45, 1.3
VOLTS = (-0.5, 6.0)
MORE = 300
SEED = 29
Formula = tuple[tuple[int, int], ...]
Shares = frozenset[tuple[str, float]]


@dataclass(frozen=True)
class Match:
    """A filled and an empty crystal, by their rows, that have one framework."""

    ion: str
    filled: int
    empty: int
    voltage: float | None
    energies: str | None


class Crystals:
    """The crystals of DATA with their energies, by row."""

    def __init__(self, folder: Path) -> None:
        self.data = dict(np.load(folder / "mp_structures.npz"))
        self.ids: list[str] = [str(key) for key in self.data["ids"]]
        self.sizes = np.diff(self.data["offsets"])
        self.formulas = [reduced(self.numbers(i)) for i in range(len(self.ids))]
        table = pd.read_csv(folder / "mp_table.csv.gz", keep_default_na=False, na_values=[""])
        if list(table["material_id"]) != self.ids:
            raise SystemExit(f"{folder}: the rows of mp_table.csv.gz are not those of mp_structures.npz")
        self.raw = table["e_raw_mpf2021"].to_numpy()
        hull = _hull(folder)
        on_hull = np.array([hull.get(_shares(formula), np.nan) for formula in self.formulas])
        self.formation = table["eform_mp2019"].fillna(pd.Series(on_hull) + table["ehull_mp2019"]).to_numpy()
        self.above = table["ehull_mp2019"].fillna(table["ehull_best"]).fillna(np.inf).to_numpy()
        small = dict(np.load(folder / "mp20.npz"))
        edges = small["offsets"]
        self.trained = {self.formulas[i] for i in np.flatnonzero(table["may_train"].to_numpy(dtype=bool))}
        self.trained |= {
            reduced(small["Z"][edges[i] : edges[i + 1]]) for i in np.flatnonzero(small["split"] == "train")
        }
        self.metals = {ion: self._metal(ion) for ion in CHARGE}

    def numbers(self, i: int) -> np.ndarray:
        return self.data["Z"][self.data["offsets"][i] : self.data["offsets"][i + 1]]

    def structure(self, i: int, without: str | None = None) -> Structure:
        atoms = slice(self.data["offsets"][i], self.data["offsets"][i + 1])
        crystal = Structure(
            Lattice.from_parameters(*self.data["cell"][i].astype(float)),
            [Element.from_Z(int(z)) for z in self.data["Z"][atoms]],
            self.data["frac"][atoms].astype(float),
        )
        if without:
            crystal.remove_species([without])
        return crystal

    def voltage(self, ion: str, filled: int, empty: int) -> tuple[float | None, str | None]:
        """Average voltage of a pair and the energies it is from."""
        n = int((self.numbers(filled) == Element(ion).Z).sum())
        per_empty = (self.sizes[filled] - n) / self.sizes[empty]
        for name, energies, metal in (("raw", self.raw, self.metals[ion]), ("mp2019", self.formation, 0.0)):
            full, bare = energies[filled] * self.sizes[filled], energies[empty] * self.sizes[empty] * per_empty
            if np.isfinite(full + bare):
                return round(float(-(full - bare - n * metal) / (n * CHARGE[ion])), 4), name
        return None, None

    def _metal(self, ion: str) -> float:
        return float(np.nanmin([self.raw[i] for i, f in enumerate(self.formulas) if f == ((Element(ion).Z, 1),)]))


def _hull(folder: Path) -> dict[Shares, float]:
    """Energy of the hull at each composition, eV/atom under the MP 2019 corrections."""
    table = pd.read_csv(folder / "hull_mp2019.csv.gz", keep_default_na=False)
    parts = ([part.split(":") for part in text.split()] for text in table["composition_fractions"])
    keys = (frozenset((symbol, round(float(share), 5)) for symbol, share in one) for one in parts)
    return dict(zip(keys, table["hull_eV_per_atom"].astype(float), strict=True))


def _shares(formula: Formula) -> Shares:
    total = sum(n for _, n in formula)
    return frozenset((Element.from_Z(z).symbol, round(n / total, 5)) for z, n in formula)


def reduced(numbers: np.ndarray) -> Formula:
    """Atomic numbers and counts of the smallest formula."""
    kinds, counts = np.unique(numbers, return_counts=True)
    divisor = gcd(*counts.tolist())
    return tuple((int(z), int(n) // divisor) for z, n in zip(kinds, counts, strict=True))


def candidates(crystals: Crystals) -> Iterator[tuple[str, int, int]]:
    """Ion, filled and empty crystal wherever formulas and sizes fit; trained formulas only where voltages are known."""
    empties: dict[Formula, list[int]] = defaultdict(list)
    for i in np.flatnonzero(crystals.sizes <= MOST_EMPTY):
        empties[crystals.formulas[i]].append(int(i))
    for ion in CHARGE:
        z = Element(ion).Z
        for i, formula in enumerate(crystals.formulas):
            ions = int((crystals.numbers(i) == z).sum())
            framework = crystals.numbers(i)[crystals.numbers(i) != z]
            if not 0 < ions <= MOST_IONS or not len(framework) or crystals.sizes[i] > MOST_FILLED:
                continue
            host = reduced(framework)
            symbols = {Element.from_Z(k).symbol for k, _ in host}
            if not symbols & ANIONS or not symbols & REDOX:
                continue
            for j in empties[host]:
                fits = len(framework) % crystals.sizes[j] == 0
                if fits and (formula not in crystals.trained or crystals.voltage(ion, i, j)[1]):
                    yield ion, i, j


def matches(crystals: Crystals) -> Iterator[Match]:
    """The candidates that have one framework and a voltage that makes sense."""
    matcher = _matcher()
    cells: dict[tuple[int, str | None], Structure] = {}

    def cell(i: int, without: str | None) -> Structure:
        if (i, without) not in cells:
            cells[i, without] = crystals.structure(i, without).get_primitive_structure().get_reduced_structure()
        return cells[i, without]

    for ion, i, j in candidates(crystals):
        bare, empty = cell(i, ion), cell(j, None)
        voltage, energies = crystals.voltage(ion, i, j)
        if len(bare) != len(empty) or not 1 / VOLUME <= empty.volume / bare.volume <= VOLUME:
            continue
        if voltage is not None and not VOLTS[0] <= voltage <= VOLTS[1]:
            continue
        apart = matcher.get_rms_dist(bare, empty)
        if apart is not None and apart[0] <= RMS and apart[1] <= FARTHEST:
            yield Match(ion, i, j, voltage, energies)


def one_each(crystals: Crystals, found: Iterable[Match]) -> list[Match]:
    """Of the matches of a filled formula that share crystals, that is a framework, the one of lowest energies."""
    frameworks: dict[tuple[str, Formula], list[list[Match]]] = defaultdict(list)
    for match in found:
        groups = frameworks[match.ion, crystals.formulas[match.filled]]
        joined = [g for g in groups if any(match.filled == m.filled or match.empty == m.empty for m in g)]
        groups[:] = [g for g in groups if g not in joined] + [[*chain.from_iterable(joined), match]]
    above = crystals.above
    return [
        min(group, key=lambda m: (above[m.filled], above[m.empty], m.voltage is None, m.filled, m.empty))
        for groups in frameworks.values()
        for group in groups
    ]


def placed(crystals: Crystals, match: Match) -> np.ndarray | None:
    """Matrix that makes the cell of the empty crystal like that of the filled one, if there is one."""
    framework, empty = crystals.structure(match.filled, match.ion), crystals.structure(match.empty)
    found = _matcher(supercell=True).get_transformation(framework, empty)
    if found is None:
        return None
    matrix = np.rint(found[0]).astype(int)
    alike = _matcher().fit(framework, empty.make_supercell(matrix, in_place=False))
    return matrix if alike else None


def _matcher(*, supercell: bool = False) -> StructureMatcher:
    return StructureMatcher(
        ltol=0.2, stol=0.3, angle_tol=5, primitive_cell=False, scale=True, attempt_supercell=supercell
    )


def anion_class(framework: Composition) -> str:
    """oxide, phosphate, polyanion (oxygen with another of the nonmetals), oxyhalide, fluoride, halide, …"""
    symbols = set(framework.as_dict())
    if "O" in symbols and "P" in symbols:
        return "phosphate"
    if "O" in symbols and symbols & {"F", "Cl", "Br", "I"} and not symbols & set(POLYANIONS[:5]):
        return "oxyhalide"
    if "O" in symbols:
        return "polyanion" if symbols & set(POLYANIONS) else "oxide"
    for name, kinds in (("fluoride", "F"), ("halide", "Cl Br I"), ("chalcogenide", "S Se Te")):
        if symbols & set(kinds.split()):
            return name
    return "pnictide"


def in_turn(entries: Sequence[dict[str, object]], rng: np.random.Generator) -> list[dict[str, object]]:
    """The entries, ions and anion classes in turn and at random within each."""
    strata: dict[tuple[object, object], list[dict[str, object]]] = defaultdict(list)
    for k in rng.permutation(len(entries)):
        strata[entries[k]["ion"], entries[k]["anion"]].append(entries[k])
    rows = zip_longest(*(strata[key] for key in sorted(strata, key=str)))
    return [entry for row in rows for entry in row if entry is not None]


def entry_of(crystals: Crystals, match: Match) -> dict[str, object] | None:
    matrix = placed(crystals, match)
    if matrix is None:
        return None
    numbers = crystals.numbers(match.filled)
    framework = crystals.structure(match.filled, match.ion).composition
    return {
        "filled": crystals.ids[match.filled],
        "empty": crystals.ids[match.empty],
        "formula": crystals.structure(match.filled).composition.reduced_formula,
        "ion": match.ion,
        "ions": int((numbers == Element(match.ion).Z).sum()),
        "anion": anion_class(framework),
        "multiplicity": round(abs(np.linalg.det(matrix))),
        "matrix": matrix.tolist(),
        "voltage": match.voltage,
        "energies": match.energies,
        "filled_in_training": crystals.formulas[match.filled] in crystals.trained,
    }


def main() -> None:
    warnings.simplefilter("ignore")
    crystals = Crystals(Path(sys.argv[1]))
    found = one_each(crystals, matches(crystals))
    entries = [entry for match in found if (entry := entry_of(crystals, match)) is not None]
    rng = np.random.default_rng(SEED)
    apart = in_turn([e for e in entries if not e["filled_in_training"]], rng)
    others = in_turn([e for e in entries if e["filled_in_training"] and e["voltage"] is not None], rng)[:MORE]
    lines = ",\n".join(json.dumps(entry) for entry in [*apart, *others])
    LIST.write_text(f'{{"source": "Materials Project, CC BY 4.0", "seed": {SEED}, "cases": [\n{lines}\n]}}\n')
    for name, listed in (("filled formula in no training row", apart), ("filled formula in training", others)):
        known = sum(e["voltage"] is not None for e in listed)
        print(f"{name}: {len(listed)} pairs, {known} with a voltage, {len({e['formula'] for e in listed})} formulas")
        for key in ("ion", "anion", "energies", "multiplicity"):
            print(f"  {key}: {dict(Counter(str(e[key]) for e in listed))}")


if __name__ == "__main__":
    main()
