"""The same seed makes the same candidates, to the last bit, whatever the batch size and the number of workers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.reliability.folders import rows
from tests.reliability.trials import Trial


def same_seed(inputs: Path, work: Path, short: bool) -> Iterator[Trial]:
    """Run with several batch sizes and with two workers, and compare rows and summaries.

    Args:
        inputs: Folder of `make_inputs`.
        work: Folder for what is written.
        short: Run one case with one other batch size.

    Yields:
        A trial for each way but the first.
    """
    import chggen

    quick: dict[str, Any] = {"quality": "fast", "workers": 1}
    runs: dict[str, Any] = {
        "inpaint Li2O": lambda **m: chggen.inpaint(inputs / "host.cif", {"Li": 2}, n=4, seed=0, **quick | m),
        "generate ZnO": lambda **m: chggen.generate("ZnO", n=4, seed=3, cells_from=["bravais"], levels=8, **quick | m),
        "generate CaF2, space groups": lambda **m: chggen.generate(
            "CaF2", n=3, seed=1, space_group="auto", levels=6, best_of=4, **quick | m
        ),
        "predict NaCl": lambda **m: chggen.predict(
            "NaCl", n=3, seed=2, formula_units=[1, 2], per_framework=1, **quick | m
        ),
    }
    ways: list[dict[str, int]] = [{"batch_size": k} for k in (1, 2, 3, 8)] + [{"workers": 2}]
    for name, run in list(runs.items())[: 1 if short else None]:
        first: tuple[dict[str, Any], str] | None = None
        for way in ways[:3:2] if short else ways:
            began = time.monotonic()
            folder = work / f"{name.split(',')[0].replace(' ', '-')}-{'-'.join(map(str, way.values()))}-{len(way)}"
            run(out=folder, **way)
            found = rows(folder), (folder / "summary.csv").read_text()
            if first is None:
                first = found
                continue
            faults = [f"row {k} differs" for k in first[0] if json.dumps(first[0][k]) != json.dumps(found[0].get(k))]
            faults += ["other rows"] if set(first[0]) != set(found[0]) else []
            faults += ["summary.csv differs"] if first[1] != found[1] else []
            told = f"{name}: {way} against {ways[0]}"
            yield Trial(told, f"{len(found[0])} rows", tuple(faults), time.monotonic() - began)
