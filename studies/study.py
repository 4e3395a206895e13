"""What the studies share: the command line, where results are kept, and the tables and figures that are made of them.

    python studies/NAME.py [DATA] [--quick] [--out runs/studies]     # computes, then writes tables and figures
    python studies/NAME.py --draw                                   # tables and figures of the committed results

A full run writes studies/results/NAME.json, docs/studies/tables/*.md and docs/images/study_NAME.svg; a quick one
writes its results to OUT/quick and prints its tables. What was computed is kept in OUT, so that a run that was
stopped goes on. DATA is the folder of development data (docs/contributing.md), where a study needs known crystals.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import chggen
from chggen import Candidate, Candidates

Row = dict[str, Any]
Results = dict[str, Any]
ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "studies" / "results"
TABLES = ROOT / "docs" / "studies" / "tables"
IMAGES = ROOT / "docs" / "images"
STYLE: Any = {
    "font.size": 8, "axes.linewidth": 0.6, "legend.frameon": False, "legend.fontsize": 7, "svg.hashsalt": "chggen",
}  # fmt: skip
COLORS = ("#777777", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # grey, then Okabe and Ito's


@dataclass(frozen=True)
class Asked:
    """What a study is told: its folder, whether to be quick, and the folder of development data, if there is one."""

    out: Path
    quick: bool
    data: Path | None

    def needs_data(self) -> Path:
        """The folder of development data, or an end with what to do."""
        if self.data is None:
            raise SystemExit("this study compares with known crystals: give the folder of development data, DATA")
        return self.data


@dataclass(frozen=True)
class Study:
    """A study: how its results are computed, and the tables (name to Markdown) and the figure made of them."""

    name: str
    compute: Callable[[Asked], Results]
    tables: Callable[[Results], dict[str, str]]
    draw: Callable[[Results, Any], None] | None = None
    size: tuple[float, float] = (7.0, 2.8)

    @property
    def kept(self) -> Path:
        """The committed results."""
        return RESULTS / f"{self.name}.json"

    def pages(self) -> dict[Path, str]:
        """The tables of the committed results, by their files."""
        source = self.kept.relative_to(ROOT)
        note = f"% Made by `python studies/{self.name}.py --draw` from {source}. Do not edit.\n\n"
        made = self.tables(json.loads(self.kept.read_text()))
        return {TABLES / f"{self.name}-{name}.md": note + text for name, text in made.items()}

    def publish(self) -> None:
        """Write tables and figure of the committed results."""
        for path, text in self.pages().items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        if self.draw is not None:
            import matplotlib as mpl
            from matplotlib.figure import Figure

            with mpl.rc_context(STYLE):
                figure = Figure(figsize=self.size, layout="constrained")
                self.draw(json.loads(self.kept.read_text()), figure)
                figure.savefig(IMAGES / f"study_{self.name}.svg", metadata={"Date": None})

    def main(self, description: str | None, words: Sequence[str] | None = None) -> None:
        """The command line of the study."""
        parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("data", type=Path, nargs="?", help="folder of development data")
        parser.add_argument("--quick", action="store_true", help="a few minutes, to see that it runs")
        parser.add_argument("--draw", action="store_true", help="tables and figure of the committed results alone")
        parser.add_argument("--out", type=Path, default=Path("runs/studies"))
        args = parser.parse_args(words)
        if args.draw:
            self.publish()
            return
        folder = args.out / ("quick" if args.quick else "full")
        results = self.compute(Asked(folder / self.name, args.quick, args.data))
        if args.quick:
            write(folder / f"{self.name}.json", results)
            print("\n".join(self.tables(results).values()))
        else:
            write(self.kept, results)
            self.publish()


def write(path: Path, results: Results) -> None:
    """Write results, a list of rows with a row on each line."""
    lines = []
    for name, value in results.items():
        if isinstance(value, list):
            text = "[\n" + ",\n".join(json.dumps(row) for row in value) + "\n]"
        else:
            text = json.dumps(value)
        lines.append(f"{json.dumps(name)}: {text}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


@dataclass(frozen=True)
class Run:
    """A call of chggen that keeps its results in a folder: the name of a function, its arguments and options."""

    call: str
    words: tuple[Any, ...]
    options: dict[str, Any]

    @classmethod
    def of(cls, call: str, *words: Any, **options: Any) -> Run:
        """The call, as it is written."""
        return cls(call, words, options)


def spread(work: Callable[[Any], Any], jobs: Iterable[Any]) -> list[Any]:
    """What a function of a module makes of jobs, in their order; a process of one thread for each core."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context, initializer=_one_thread) as pool:
        return list(pool.map(work, jobs))


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")


def made(out: Path, runs: Mapping[str, Run]) -> dict[str, tuple[Candidates, float]]:
    """The candidates of runs, by name, and the CPU seconds of each; a process of one thread for each core.

    A run that was stopped goes on in its folder, and its parts are timed together.
    """
    out.mkdir(parents=True, exist_ok=True)
    seconds = spread(_timed, [(out / name, run) for name, run in runs.items()])
    return {name: (chggen.open(out / name), spent) for name, spent in zip(runs, seconds, strict=True)}


def _timed(job: tuple[Path, Run]) -> float:
    folder, run = job
    file = folder.parent / f"{folder.name}.seconds"
    before = float(file.read_text()) if file.exists() else 0.0
    if not (folder / "summary.csv").exists():
        began = time.process_time()
        try:
            getattr(chggen, run.call)(*run.words, **run.options, workers=1, out=folder)
        finally:
            before += time.process_time() - began
            file.write_text(str(before))
    return before


def asked_for(candidates: Iterable[Candidate]) -> list[Candidate]:
    """What became of each structure that was asked for: the lowest of its draws, or how the last of them failed.

    A draw that failed is made anew under the same id with `-r1`, `-r2` …; what a saddle fell to (`-low`) is no draw.
    """
    ends: dict[str, Candidate] = {}
    for c in sorted(candidates, key=lambda c: c.id):
        name = re.sub(r"-r\d+$", "", c.id)
        if c.id.endswith("-low"):
            continue
        best = ends.get(name)
        if best is None or _height(c) <= _height(best):
            ends[name] = c
    return list(ends.values())


def _height(c: Candidate) -> float:
    return c.energy_per_atom if c.status == "ok" and c.energy_per_atom is not None else float("inf")


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table; None is a dash."""
    lines = [list(heads), ["---"] * len(heads), *([("–" if x is None else str(x)) for x in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def signed(value: float | None, digits: int = 3) -> str | None:
    """A number with its sign; None of None."""
    return None if value is None else f"{value:+.{digits}f}"


def levels_apart(rows: Iterable[Row], levels: Sequence[str], bounds: Sequence[tuple[float, float]]) -> str:
    """A table of how much higher E_d is at other levels than at `pbe`, median in meV/atom, by E_d at `pbe`."""
    both = [r["e_d"] for r in rows if "pbe" in r.get("e_d", {})]
    lines = []
    for low, high in bounds:
        line = [f"{low:g} to {high:g}"]
        for level in levels:
            apart = [1000 * (e[level] - e["pbe"]) for e in both if level in e and low <= e["pbe"] < high]
            line.append(f"{np.median(apart):+.0f} ({len(apart)})" if apart else "–")
        lines.append(line)
    return table(("E_d by CHGNet, eV/atom", *levels), lines)


def bars(
    figure: Any, names: Sequence[str], shares: Mapping[str, Sequence[float]], of: str, seconds: Sequence[float]
) -> None:
    """Draw two shares of each name, the second within the first, and beside them what each costs.

    shares: label to %, the wider bar first; of: what they are shares of; seconds: CPU seconds for one of these.
    """
    first, second = figure.subplots(1, 2)
    places = range(len(names))
    for (label, values), width, color in zip(shares.items(), (0.8, 0.4), (COLORS[6], COLORS[2]), strict=True):
        first.barh(places, values, width, color=color, label=label)
    first.set(yticks=places, yticklabels=names, xlabel=f"the crystal found, % of {of}s")
    first.legend()
    second.barh(places, seconds, 0.8, color=COLORS[0])
    second.set(yticks=places, yticklabels=[], xlabel=f"CPU s a {of}", xscale="log")
    for ax in (first, second):
        ax.invert_yaxis()
