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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

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
