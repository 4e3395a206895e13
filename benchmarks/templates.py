"""How often a drawn space group with its Wyckoff positions is the crystal's: the program's draws and a network's.

    python benchmarks/templates.py DATA NETWORK.pt [--n 200] [--temperature 1.0]

For the crystals of benchmarks/ids/unknown.json (no known prototype) and the 15 compared with USPEX, from composition
and number of atoms: each draw gives a group, and element, multiplicity and site symmetry of each orbit, which is right
or not. Table: the share of crystals for which any of 20 and any of 100 draws is right, reckoned from the share p of n
draws as the mean of 1 - (1 - p)^20; *both*: half of the draws each.
"""

from __future__ import annotations

import argparse
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from csp import counts_of
from pymatgen.core import Element, Structure
from train_wyckoff import read_cell
from unknown import crystals
from wyckoff_network import Positions, WyckoffNetwork, drawn, ordered

from chggen.errors import InputError
from chggen.generation import volume_per_atom
from chggen.generation.symmetric_cells import symmetric_cell

DRAWS = (20, 100)


def read(path: Path) -> WyckoffNetwork:
    """The network of a file of train_wyckoff.py."""
    held = torch.load(path, weights_only=True)
    table = {k: v.numpy() if isinstance(v, torch.Tensor) else tuple(v) for k, v in held["positions"].items()}
    network = WyckoffNetwork(Positions(**table), **held["options"])
    network.load_state_dict({name: value.float() for name, value in held["weights"].items()})
    return network


def template(positions: Positions, structure: Structure) -> Any:
    """Group and sites of a crystal."""
    found = read_cell((structure.lattice.matrix, structure.frac_coords, np.array(structure.atomic_numbers)))
    if found is None:
        return None
    number, counts, letters = found
    species = ordered(counts)
    orbits = [(s, positions.letters[number].find(w)) for s, z in enumerate(species) for w in letters[z]]
    return positions.template(number, species, orbits)


def programs(positions: Positions, counts: dict[str, int], n: int) -> list[Any]:
    """What the program draws."""
    volume, found = sum(counts.values()) * volume_per_atom(counts), []
    for seed in range(n):
        try:
            host = symmetric_cell(counts, volume, np.random.default_rng(seed))
            frac = host.orbits.draw(seed).frac
        except InputError:
            continue
        symbols = [symbol for symbol, k in host.guests.items() for _ in range(k)]
        found.append(template(positions, Structure(host.framework.lattice, symbols, frac)))
    return found


def main() -> None:
    """Draw and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("network", type=Path)
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--temperature", type=float, default=1.0)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    network = read(args.network)
    positions = network.positions
    print("| set | crystals | draws | " + " | ".join(f"group, any of {n}" for n in DRAWS), end=" | ")
    print(" | ".join(f"all sites, any of {n}" for n in DRAWS), "|\n|" + "---|" * (3 + 2 * len(DRAWS)))
    for name in ("U1", "U2", "U4"):
        rates: dict[str, list[tuple[float, float]]] = {"program": [], "network": [], "both": []}
        for _, crystal in crystals(name, args.data):
            true, counts = template(positions, crystal), counts_of(crystal)
            numbers = {Element(s).Z: n for s, n in counts.items()}
            of = drawn(network, numbers, args.n, np.random.default_rng(0), args.temperature)
            species = ordered(numbers)
            every = {"program": programs(positions, counts, args.n)}
            every["network"] = [positions.template(number, species, orbits) for number, orbits in of]
            for arm, found in every.items():
                hits = Counter((one == true, one is not None and one[0] == true[0]) for one in found)
                group = sum(k for (_, same), k in hits.items() if same)
                rates[arm].append((group / args.n, sum(k for (right, _), k in hits.items() if right) / args.n))
            rates["both"].append(tuple(np.mean([rates["program"][-1], rates["network"][-1]], axis=0)))
        for arm, found in rates.items():
            cells = [f"{100 * np.mean(1 - (1 - np.array(found)[:, k]) ** n):.0f} %" for k in (0, 1) for n in DRAWS]
            print(f"| {name} | {len(found)} | {arm} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
