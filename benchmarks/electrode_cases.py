"""The pairs of the electrode benchmark, read from the development data by the ids of benchmarks/ids/electrodes.json."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hosts import IDS, structures
from pymatgen.core import Structure


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
    path = data / "mp_structures.npz"
    wanted = {entry[name] for entry in listed for name in ("filled", "empty")}
    found = structures(path, lambda numbers, key: True, np.isin(np.load(path)["ids"], list(wanted)))
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
