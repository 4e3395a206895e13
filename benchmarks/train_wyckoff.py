"""Train the network of wyckoff_network.py on the crystals that may be trained on.

    python benchmarks/train_wyckoff.py DATA OUT.pt [--epochs 12] [--width 96] [--layers 3] [--dropout 0.15]
        [--power 0.5]

Each crystal counts by the inverse power of how many share its prototype, so that known prototypes, which are a source
of their own, do not rule. Prints the loss (nats: group, positions) on crystals of `val`, and on those of them whose
prototype no training crystal has. Rows are read once and kept beside OUT. About a minute of CPU an epoch.
"""

from __future__ import annotations

import argparse
import math
import pickle
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from count_space_groups import SOURCE, sites, training_cells
from pymatgen.core import Element, Lattice
from torch import nn
from wyckoff_network import Assigned, Positions, WyckoffNetwork, batch_of

MOST_IN_CELL = 160  # atoms of a cell that is read
BATCH = 256


Read = tuple[int, dict[int, int], dict[int, str]]


def read_cell(cell: Any) -> Read | None:
    """Group, counts and letters by atomic number of a cell; None where spglib finds no group."""
    found = sites(cell)
    if found is None:
        return None
    dataset, counts, letters = found
    of = {symbol: Element(symbol).Z for symbol in counts}
    return int(dataset.number), {of[s]: n for s, n in counts.items()}, {of[s]: w for s, w in letters.items()}


def rows(cells: Any) -> list[Read]:
    """What is read of cells that are not too large."""
    found = []
    for cell in cells:
        try:
            one = read_cell(cell) if len(cell[2]) <= MOST_IN_CELL else None
        except Exception as error:  # spglib's own errors for cells it cannot read
            print(f"left out: {error}")
            continue
        if one is not None:
            found.append(one)
    return found


def validation_cells(data: Path, skip: set[str]) -> Any:
    """Cells of the split val, without those of some ids."""
    arrays = dict(np.load(data / "mp20.npz"))
    for i in np.flatnonzero(arrays["split"] == "val"):
        if str(arrays["ids"][i]) not in skip:
            part = slice(arrays["offsets"][i], arrays["offsets"][i + 1])
            lattice = Lattice.from_parameters(*arrays["cell"][i].astype(float)).matrix
            yield lattice, arrays["frac"][part].astype(float), arrays["Z"][part].astype(int)


def prototype(crystal: Assigned) -> tuple[Any, ...]:
    """What crystals share that have one prototype."""
    of = [tuple(k for s, k in crystal.orbits if s == species) for species in range(len(crystal.species))]
    return crystal.number, tuple(sorted(zip(crystal.counts, of, strict=True)))


def losses(network: WyckoffNetwork, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the group and of the positions of each crystal, nats."""
    groups, positions = network(batch)
    of_group = nn.functional.cross_entropy(groups, batch["number"], reduction="none")
    flat, wanted = positions.flatten(0, 1), batch["position"].flatten()
    of_orbits = nn.functional.cross_entropy(flat, wanted.clamp(min=0), reduction="none").where(wanted >= 0, 0.0)
    return of_group, of_orbits.reshape(batch["position"].shape).sum(dim=1)


@torch.no_grad()
def told(network: WyckoffNetwork, crystals: list[Assigned]) -> str:
    """Mean losses."""
    network.eval()
    parts = [losses(network, batch_of(network.positions, crystals[k : k + 500])) for k in range(0, len(crystals), 500)]
    network.train()
    return " + ".join(f"{torch.cat(part).mean():.3f}" for part in zip(*parts, strict=True))


def save(network: WyckoffNetwork, options: dict[str, Any], path: Path) -> None:
    """Write weights in half precision, the table of positions and where both are from."""
    weights = {name: value.half() for name, value in network.state_dict().items()}
    table = {k: torch.tensor(v) if isinstance(v, np.ndarray) else list(v) for k, v in vars(network.positions).items()}
    torch.save({"options": options, "positions": table, "weights": weights, "source": SOURCE}, path)


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--width", type=int, default=96)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--dropout", type=float, default=0.15)
    parser.add_argument("--power", type=float, default=0.5)
    args = parser.parse_args()
    kept = args.out.with_suffix(".rows")
    if not kept.exists():
        from choose_hosts import IDS  # the sets to be tested on are not looked at

        skip = set((IDS / "unknown.json").read_text().split('"'))
        train = rows(cell for cell, _ in training_cells(args.data))
        kept.write_bytes(pickle.dumps((Positions.of_all_groups(), train, rows(validation_cells(args.data, skip)))))
    positions, train, val = pickle.loads(kept.read_bytes())
    train, val = ([c for row in of if (c := Assigned.of(positions, *row)) is not None] for of in (train, val))
    known = Counter(map(prototype, train))
    weight = np.array([known[prototype(c)] ** -args.power for c in train])
    weight /= weight.mean()
    novel = [c for c in val if prototype(c) not in known]
    print(f"{len(train)} crystals, {len(known)} prototypes; val {len(val)}, of these new {len(novel)}")
    torch.manual_seed(0)
    options = {"width": args.width, "layers": args.layers, "dropout": args.dropout}
    network = WyckoffNetwork(positions, **options)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.02)
    rng, steps, began = np.random.default_rng(0), args.epochs * (len(train) // BATCH), time.process_time()
    step = 0
    for epoch in range(args.epochs):
        order = rng.permutation(len(train))
        order = order[np.argsort([len(train[i].orbits) + 2 * rng.random() for i in order], kind="stable")]
        batches = [order[k : k + BATCH] for k in range(0, len(order) - BATCH + 1, BATCH)]
        rng.shuffle(batches)
        for chosen in batches:
            rate = 1e-3 * min(1, (step + 1) / 300) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
            optimizer.param_groups[0]["lr"] = rate
            own = losses(network, batch_of(positions, [train[i] for i in chosen]))
            loss = (sum(own) * torch.tensor(weight[chosen], dtype=torch.float32)).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            step += 1
        seconds = time.process_time() - began
        print(f"{epoch + 1}: val {told(network, val)}, new {told(network, novel)}, {seconds:.0f} s", flush=True)
        save(network, options, args.out)


if __name__ == "__main__":
    main()
