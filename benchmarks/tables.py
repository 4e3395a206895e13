"""Tables of the documentation, made from the committed result files, so that no number is copied by hand.

    python benchmarks/tables.py            # writes docs/benchmarks/tables/*.md
    python benchmarks/tables.py --check    # writes nothing; exit code 1 if a committed table is not what comes out

The pages under docs/benchmarks/ include these files. Source: benchmarks/results/csp.jsonl, the rows that
`python benchmarks/csp.py DATA` writes to the `rows.jsonl` of its --out folder.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

from csp import table as csp_table  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "csp.jsonl"
TABLES = ROOT / "docs" / "benchmarks" / "tables"
NOTE = "% Made by `python benchmarks/tables.py` from benchmarks/results/csp.jsonl. Do not edit.\n\n"
Row = dict[str, Any]


def rates(rows: Sequence[Row]) -> str:
    """Match rates and cost of every set and arm."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        csp_table(rows)
    return text.getvalue()


def overlap(rows: Sequence[Row]) -> str:
    """How many targets chggen and a rival find, by any of their candidates."""
    lines = [
        ("set", "targets", "rival", "both find", "chggen alone", "the rival alone", "found by the rival alone"),
        ("---",) * 7,
    ]
    for name in ("cspbench", "uspex15"):
        ours = _found(rows, name, "chggen", relaxed=True)
        for rival in ("random", "symmetric"):
            theirs = _found(rows, name, rival, relaxed=True)
            counts = (len(ours & theirs), len(ours - theirs), len(theirs - ours))
            targets = len(_of(rows, name, "chggen", relaxed=True))
            lines.append((name, targets, rival, *counts, ", ".join(sorted(theirs - ours)) or "–"))
    return _markdown(lines)


def goals(rows: Sequence[Row]) -> str:
    """The main rates against the goals that were set, with published ones beside and the same of random cells."""
    cspbench, uspex15 = (_of(rows, name, "chggen", relaxed=True) for name in ("cspbench", "uspex15"))
    mp20, holdout = (_of(rows, name, "chggen", relaxed=False) for name in ("mp20", "holdout"))
    random_ = {name: _of(rows, name, "random", relaxed=True) for name in ("cspbench", "uspex15")}
    raw = {name: _of(rows, name, "random", relaxed=False) for name in ("mp20", "holdout")}
    lines = [
        ("set", "measure", "goal", "here", "random cells", "published"),
        ("---",) * 6,
        (
            "cspbench (100)",
            "one answer of 20 candidates right",
            "72 %",
            f"**{_percent(cspbench, 'answer')}** (the lowest in energy: {_percent(cspbench, 'first')}; "
            f"standard error {_error(cspbench, 'answer')})",
            _percent(random_["cspbench"], "answer"),
            "template 68.3, EquiCSP 66.4, DiffCSP 59.2, MatterGen 57.1",
        ),
        (
            "",
            "any of 20",
            "88 %",
            f"**{_percent(cspbench, 'any')}**",
            _percent(random_["cspbench"], "any"),
            "",
        ),
        (
            "",
            "space group of the answer",
            "70 %",
            f"**{_percent(cspbench, 'space_group')}**",
            _percent(random_["cspbench"], "space_group"),
            "DiffCSP 60.8",
        ),
        (
            "uspex15",
            "loose match of any of 20",
            "14 of 15, mean RMSD 0.02",
            f"**{_loose(uspex15, 'any_rms')}, {_mean(uspex15, 'any_rms')}** (of the answers: "
            f"{_loose(uspex15, 'answer_rms')}, {_mean(uspex15, 'answer_rms')})",
            f"{_loose(random_['uspex15'], 'any_rms')}, {_mean(random_['uspex15'], 'any_rms')}",
            "USPEX 8, DiffCSP 11 (0.017)",
        ),
        (
            "",
            "answer right, RMSD < 0.1",
            "12",
            f"{_near(uspex15, 'answer_rms')} (the lowest in energy: {_near(uspex15, 'first_rms')})",
            _near(random_["uspex15"], "answer_rms"),
            "random cells + CHGNet, 8 candidates: 6 by the loose matcher",
        ),
        (
            "mp20 (500)",
            "1 sample, loose / RMSE",
            "66 % / 0.04",
            f"**{_percent(mp20, 'answer_rms')} / {_mean(mp20, 'answer_rms')}** (standard error "
            f"{_error(mp20, 'answer_rms')})",
            f"{_percent(raw['mp20'], 'answer_rms')} / {_mean(raw['mp20'], 'answer_rms')}",
            "DiffCSP 51.5 / 0.063, Crystalite 66.1 / 0.033 (all arities)",
        ),
        (
            "",
            "20 samples, loose",
            "85 %",
            f"**{_percent(mp20, 'any_rms')}**",
            _percent(raw["mp20"], "any_rms"),
            "DiffCSP 77.9",
        ),
        (
            "hold-out, 21–52 atoms (200)",
            "1 / 20 samples, loose",
            "32 / 50 %",
            f"**{_percent(holdout, 'answer_rms')} / {_percent(holdout, 'any_rms')}** (standard error "
            f"{_error(holdout, 'answer_rms')})",
            f"{_percent(raw['holdout'], 'answer_rms')} / {_percent(raw['holdout'], 'any_rms')}",
            "MPTS-52: Crystalite 31.7; DiffCSP 12 / 34",
        ),
    ]
    return _markdown(lines)


MADE: dict[str, Callable[[Sequence[Row]], str]] = {
    "composition-rates.md": rates,
    "composition-overlap.md": overlap,
    "composition-goals.md": goals,
}


def contents() -> dict[str, str]:
    """File name → the text that it has to have."""
    rows = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    return {name: NOTE + make(rows) for name, make in MADE.items()}


def _of(rows: Sequence[Row], name: str, arm: str, relaxed: bool) -> list[Row]:
    return [r for r in rows if (r["set"], r["arm"], r["relaxed"]) == (name, arm, relaxed)]


def _found(rows: Sequence[Row], name: str, arm: str, relaxed: bool) -> set[str]:
    return {r["target"] for r in _of(rows, name, arm, relaxed) if r["any"]}


def _hits(rows: Sequence[Row], key: str) -> list[bool]:
    """Whether each row counts: a truth value, or an RMSD, which is there if the loose matcher fits."""
    return [bool(r[key]) if isinstance(r[key], bool) else r[key] is not None for r in rows]


def _percent(rows: Sequence[Row], key: str) -> str:
    return f"{100 * np.mean(_hits(rows, key)):.1f}"


def _error(rows: Sequence[Row], key: str) -> str:
    """Standard error of the share, in points."""
    hits = _hits(rows, key)
    p = float(np.mean(hits))
    return f"{100 * (p * (1 - p) / len(hits)) ** 0.5:.1f}"


def _loose(rows: Sequence[Row], key: str) -> str:
    return str(sum(_hits(rows, key)))


def _mean(rows: Sequence[Row], key: str) -> str:
    found = [r[key] for r in rows if r[key] is not None]
    return f"{np.mean(found):.3f}" if found else "–"


def _near(rows: Sequence[Row], key: str) -> str:
    return str(sum(r[key] is not None and r[key] < 0.1 for r in rows))


def _markdown(lines: Sequence[Sequence[object]]) -> str:
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a table is out of date")
    args = parser.parse_args()
    stale = []
    for name, text in contents().items():
        path = TABLES / name
        if not args.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(name)
    for name in stale:
        print(f"{TABLES.name}/{name} is not what the results give; run python benchmarks/tables.py")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
