"""The crystals of the electrode benchmark, read from the development data by committed ids.

Pairs with and without the ion are those of benchmarks/ids/electrodes.json, which benchmarks/electrode_pairs.py found;
textbook electrodes are those of benchmarks/data/electrodes_textbook.csv.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hosts import IDS, structures
from pymatgen.core import Composition, Structure

TEXTBOOK = Path(__file__).parent / "data" / "electrodes_textbook.csv"


@dataclass(frozen=True)
class Pair:
    """An empty crystal and the crystal that it is with the ions in.

    Args:
        ids: Of the filled and the empty crystal.
        ion: Symbol of the working ion.
        n_ions: Ions that the cell of the host holds when it is full.
        host: The empty crystal itself, never the framework of the filled one, whose positions would tell where the
            ions sit; in a cell with as many framework atoms as the filled crystal has.
        full: The filled crystal.
        anion: Its class of chemistry: oxide, phosphate, polyanion, oxyhalide, fluoride, halide, chalcogenide, pnictide.
        voltage_dft: Average voltage between the two by PBE or PBE+U against the metal, V; None where it is not known.
        energies: What the voltage is from: `raw` energies or formation energies under the `mp2019` corrections.
        filled_in_training: Whether the formula of the filled crystal occurs in a training row.
    """

    ids: tuple[str, str]
    ion: str
    n_ions: int
    host: Structure
    full: Structure
    anion: str
    voltage_dft: float | None
    energies: str | None
    filled_in_training: bool


def pairs(data: Path, *, trained: bool = False, most: int | None = None) -> list[Pair]:
    """The committed pairs whose filled formula is in no training row, or with `trained` the others.

    Args:
        data: Folder of the development data.
        trained: Whether to read the pairs whose filled formula is in training.
        most: How many pairs at most; ions and anions come in turn, so that the first ones are a fair sample.
    """
    every = json.loads((IDS / "electrodes.json").read_text())["cases"]
    listed = [entry for entry in every if entry["filled_in_training"] == trained][:most]
    found = _by_id(data, {entry[name] for entry in listed for name in ("filled", "empty")})
    return [_pair(entry, found) for entry in listed]


def _pair(entry: dict[str, object], found: dict[str, Structure]) -> Pair:
    filled, empty = str(entry["filled"]), str(entry["empty"])
    host = found[empty].make_supercell(entry["matrix"], in_place=False)
    n_ions = entry["ions"]
    full = found[filled]
    if len(full) - len(host) != n_ions:
        raise ValueError(f"{filled}, {empty}: {len(host)} atoms and {n_ions} ions do not make {len(full)}")
    return Pair(
        ids=(filled, empty),
        ion=str(entry["ion"]),
        n_ions=int(n_ions),
        host=host,
        full=full,
        anion=str(entry["anion"]),
        voltage_dft=entry["voltage"],
        energies=entry["energies"],
        filled_in_training=bool(entry["filled_in_training"]),
    )


@dataclass(frozen=True)
class Textbook:
    """An electrode of the textbooks with the voltage that is measured, from benchmarks/data/electrodes_textbook.csv.

    Args:
        name: Formula of the filled crystal.
        ion: Symbol of the working ion.
        formula: The host's, the unit of the contents.
        contents: Ions for a formula of the host, between which the voltage is the average.
        counts: The same as ions in the cell of the host.
        voltage: Measured average against the metal, V.
        stated: The same as it is told, with the range or "about".
        host: The empty crystal.
        full: The filled crystal, None where the development data has none.
        source: Who measured it.
    """

    name: str
    ion: str
    formula: str
    contents: tuple[float, float]
    counts: tuple[int, int]
    voltage: float
    stated: str
    host: Structure
    full: Structure | None
    source: str


def textbook(data: Path) -> list[Textbook]:
    """The textbook electrodes with their crystals, read by id from the development data."""
    with TEXTBOOK.open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    found = _by_id(data, {row[name] for row in rows for name in ("host_id", "filled_id")})
    return [_electrode(row, found) for row in rows]


def _electrode(row: dict[str, str], found: dict[str, Structure]) -> Textbook:
    host = found[row["host_id"]]
    formulas = host.composition.num_atoms / Composition(row["host"]).num_atoms
    contents = float(row["from"]), float(row["to"])
    low, high = (round(x * formulas) for x in contents)
    if host.composition != Composition(row["host"]) * formulas or (low, high) != tuple(x * formulas for x in contents):
        raise ValueError(f"{row['name']}: {host.composition.formula} does not hold these contents of {row['ion']}")
    return Textbook(
        name=row["name"],
        ion=row["ion"],
        formula=row["host"],
        contents=contents,
        counts=(low, high),
        voltage=float(row["voltage"]),
        stated=row["stated"],
        host=host,
        full=found.get(row["filled_id"]),
        source=row["source"],
    )


def _by_id(data: Path, wanted: set[str]) -> dict[str, Structure]:
    path = data / "mp_structures.npz"
    return structures(path, lambda numbers, key: True, np.isin(np.load(path)["ids"], list(wanted)))
