"""Put a trained model into the package, or elsewhere, its provenance completed.

python benchmarks/ship_model.py runs/training/model.pt [benchmarks/weights/NAME.pt]
"""

from __future__ import annotations

import sys
from pathlib import Path

from chggen.score import checkpoint

SOURCE = (
    "Materials Project, CC BY 4.0: train split of MP-20 and rows marked may_train, at most 40 atoms, < 0.15 eV/atom"
)
TARGET = Path(__file__).parent.parent / "src" / "chggen" / "score" / checkpoint.SHIPPED


def main() -> None:
    content = checkpoint.read(Path(sys.argv[1]))
    provenance = {**content["provenance"], "data": SOURCE}
    provenance["options"] = provenance["options"].replace(".local/", "data/")
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else TARGET
    checkpoint.write_atomically(target, {**content, "provenance": provenance})
    print(f"{target.name}: {target.stat().st_size / 2**20:.1f} MiB, {provenance['steps']} steps")


if __name__ == "__main__":
    main()
