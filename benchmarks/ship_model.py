"""Put a trained model into the package, or elsewhere, its provenance completed.

python benchmarks/ship_model.py runs/training/model.pt [benchmarks/weights/NAME.pt] [--history TEXT]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from chggen.score import SHIPPED_MODEL, read_checkpoint, save_atomically

SOURCE = (
    "Materials Project, CC BY 4.0: train split of MP-20 and rows marked may_train, at most 40 atoms, < 0.15 eV/atom"
)
TARGET = Path(__file__).parent.parent / "src" / "chggen" / "score" / SHIPPED_MODEL


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("target", type=Path, nargs="?", default=TARGET)
    parser.add_argument("--history", default="", help="how it was trained, where the last run's options do not tell")
    args = parser.parse_args()
    content = read_checkpoint(args.model)
    provenance = {**content["provenance"], "data": SOURCE, "history": args.history}
    provenance["options"] = provenance["options"].replace(".local/", "data/")
    target = args.target
    save_atomically(target, {**content, "provenance": provenance})
    print(f"{target.name}: {target.stat().st_size / 2**20:.1f} MiB, {provenance['steps']} steps")


if __name__ == "__main__":
    main()
