"""Architectures at equal training time on one core: validation loss by band of σ, raw hits, and random placement.

    python benchmarks/architectures.py DATA [--train data/train.npz] [--minutes 6] [--only l2 painn] [--rate 2e-3]

Each is trained from scratch for as many minutes of one thread at a constant learning rate; the averaged weights are
measured (raw hits of one sample, 50 evaluations, first 100 hosts). All see the same crystals and tasks. With --workers
2 two train side by side. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from arms import rate, run_arm

from chggen.io import from_table, read_toml
from chggen.sampling import recipe
from chggen.score import load_score_model, read_checkpoint
from chggen.training import NoiseOptions, TrainingOptions, read_dataset, train, validation_loss

_NEQUIP: dict[str, Any] = {
    "architecture": "nequip",
    "hidden": "96x0e+48x1o+16x2e",
    "layers": 3,
    "cutoff": 5.5,
    "l_max": 2,
    "n_basis": 24,
    "radial_mlp": [32, 8],
}
MODELS: dict[str, dict[str, Any]] = {
    "l1": _NEQUIP | {"hidden": "96x0e+48x1o", "l_max": 1},
    "l2": _NEQUIP,
    "l2-lengths": _NEQUIP | {"lengths": True},
    "l3": _NEQUIP | {"hidden": "96x0e+48x1o+16x2e+8x3o", "l_max": 3},
    "l2-wide": _NEQUIP | {"hidden": "128x0e+64x1o+32x2e"},
    "l2-deep": _NEQUIP | {"layers": 4},
    "painn": {"architecture": "painn", "features": 128, "layers": 4, "cutoff": 5.5},
    "paper": read_toml(Path(__file__).parent.parent / "configs" / "paper.toml")["model"],
}
_JOINT = {"species_share": 0.0, "partial_share": 0.0, "atoms_share": 0.0}  # all that a network blind to σ can learn


def measured(name: str, data: Path, crystals: str, minutes: float, learning_rate: float) -> str:
    """The table's line of one architecture."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        options = from_table(
            TrainingOptions,
            {
                "data": {"train": [crystals], "validation": [crystals], "max_atoms": 40},
                "model": MODELS[name],
                "noise": _JOINT if name == "paper" else {},
                "optimizer": {"steps": 10**6, "decay_share": 1e-9, "learning_rate": learning_rate},
                "run": {"out": folder, "max_minutes": minutes, "validate_every": 0},
            },
            "architectures",
        )
        path = train(options)
        found = read_checkpoint(path)
        bands = validation_of(path, options)
        sampler = "renoise" if name == "paper" else "clamp"
        hits = [
            run_arm(
                "model", row, data, hosts=100, samples=1, how=recipe(sampler, quality="fast", best_of=1), model=path
            ).hits(False, False)
            for row in ("li-small", "any-species")
        ]
    weights = sum(w.numel() for w in found["weights"].values())
    cells = [name, f"{weights / 1e6:.2f}", str(found["provenance"]["steps"]), *bands, *(rate(h) for h in hits)]
    return "| " + " | ".join(cells) + " |"


def validation_of(path: Path, options: TrainingOptions) -> list[str]:
    """Loss by band of σ over the same crystals, noise and host/guest tasks for every architecture."""
    held_out = read_dataset(options.data.validation, "val", options.data.max_atoms)
    noise = options.noise if options.model.get("sigma_input") == "none" else NoiseOptions()
    loss = validation_loss(load_score_model(path), held_out, replace(options, noise=noise), "cpu")
    return [f"{loss[band]:.3f}" for band in BANDS]


BANDS = ("loss", "loss 0.02-0.05", "loss 0.1-0.2", "loss 0.2-0.5", "loss 0.5-1", "loss 1-2")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--train", default="data/train.npz")
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--only", nargs="+", choices=tuple(MODELS), default=list(MODELS))
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    head = ["network", "M weights", "steps", *(b.replace("loss ", "") for b in BANDS), "Li, %", "any species, %"]
    print("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|", flush=True)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(args.workers, mp_context=context, max_tasks_per_child=1) as pool:
        waiting = [pool.submit(measured, n, args.data, args.train, args.minutes, args.rate) for n in args.only]
        for future in waiting:
            print(future.result(), flush=True)
    beside = [
        run_arm("random", row, args.data, hosts=100, samples=1, how=recipe("clamp")).hits(False, False)
        for row in ("li-small", "any-species")
    ]
    print("| random placement" + " | " * len(BANDS) + " | | | " + " | ".join(rate(h) for h in beside) + " |")


if __name__ == "__main__":
    main()
