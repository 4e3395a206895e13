"""The commands that make or relax structures and write a results folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chggen import campaign, relaxation
from chggen.cli.late_commands import with_options
from chggen.cli.options import (
    TIME_LIMIT,
    Device,
    Executor,
    Hold,
    Order,
    TimeLimit,
    Workers,
    integers,
    results_folder,
)
from chggen.cli.output import for_people, print_lines, print_rows, say

if TYPE_CHECKING:
    from chggen.results import Candidate


@with_options(lambda: campaign.PredictOptions)
def predict(
    formula: Annotated[str, typer.Argument(help="Such as ZnP2S6; none with --system or --formulas.")] = "",
    out: Annotated[Path | None, results_folder("runs/FORMULA, or runs/SYSTEM or runs/FILE")] = None,
    **values: Any,
) -> None:
    """Predict crystals of a formula, of several or of a system: de novo, host, guests, relaxation, hull."""
    from chggen import api
    from chggen.crystals import plain_text

    folder = out or Path("runs") / plain_text(formula or values["system"] or Path(",".join(values["formulas"])).stem)
    with _watched(folder) as progress:
        found = api.predict(
            formula,
            **values,
            out=folder,
            progress=progress,
        )
    show_results(found, folder)


@with_options(lambda: campaign.GenerateOptions, "max_atoms", "formula_units")
def generate(
    formula: str,
    formula_units: Annotated[
        str | None, typer.Option(help="Formula units in the cell, such as 1,2; default: 1, or by --max-atoms.")
    ] = None,
    max_atoms: Annotated[int | None, typer.Option(help="Cells of all formula units with so many atoms.")] = None,
    no_relax: Annotated[bool, typer.Option("--no-relax", help="Keep the structures as generated.")] = False,
    out: Annotated[Path | None, results_folder("runs/FORMULA")] = None,
    **values: Any,
) -> None:
    """Generate crystals of a formula de novo."""
    from chggen import api
    from chggen.crystals import plain_text

    folder = out or Path("runs") / plain_text(formula)
    units = None if formula_units is None else integers(formula_units, "--formula-units")
    with _watched(folder) as progress:
        found = api.generate(
            formula, **values, formula_units=units, max_atoms=max_atoms, relax=not no_relax, out=folder,
            progress=progress,
        )  # fmt: skip
    show_results(found, folder)


@with_options(lambda: campaign.InpaintOptions, "host")
def inpaint(
    host: Path,
    no_relax: Annotated[bool, typer.Option("--no-relax", help="Keep the structures as generated.")] = False,
    out: Annotated[Path | None, results_folder("runs/ and the name of the host's file")] = None,
    **values: Any,
) -> None:
    """Put guest atoms into a given host."""
    from chggen import api

    folder = out or Path("runs") / host.stem
    with _watched(folder) as progress:
        found = api.inpaint(
            host,
            **values,
            relax=not no_relax,
            out=folder,
            progress=progress,
        )
    show_results(found, folder)


@with_options(lambda: campaign.ElectrodeOptions, "host")
def electrode(
    host: Path,
    out: Annotated[Path | None, results_folder("runs/ and the name of the host's file")] = None,
    **values: Any,
) -> None:
    """Find contents, sites and voltages of an insertion electrode."""
    from chggen import api
    from chggen.cli.electrode import electrode_lines

    folder = out or Path("runs") / host.stem
    with _watched(folder) as progress:
        found = api.electrode(
            host,
            **values,
            out=folder,
            progress=progress,
        )
    levels = [found.at(level).as_dict() for level in found.levels]
    show_results(found.candidates, folder, electrode_lines(found), electrode=levels)


@with_options(lambda: campaign.OrderOptions, "structure")
def order(
    structure: Path,
    out: Annotated[Path | None, results_folder("runs/ and the name of the structure's file")] = None,
    **values: Any,
) -> None:
    """Find the lowest ordered structures of a partially occupied one."""
    from chggen import api
    from chggen.cli.order import order_lines
    from chggen.report import read_order

    folder = out or Path("runs") / structure.stem
    with _watched(folder) as progress:
        found = api.order(
            structure,
            **values,
            out=folder,
            progress=progress,
        )
    said = read_order(folder)
    show_results(found, folder, order_lines(said) if said else (), order=said)


@with_options(lambda: campaign.InterfaceOptions, "host", "other")
def interface(
    a: Annotated[Path, typer.Argument(help="Crystal below.")],
    b: Annotated[Path, typer.Argument(help="Crystal above.")],
    out: Annotated[Path | None, results_folder("runs/A-B, by the names of the files")] = None,
    **values: Any,
) -> None:
    """Put two crystals face to face and fill the gap between them."""
    from chggen import api
    from chggen.cli.interface import interface_lines, read_interface

    folder = out or Path("runs") / f"{a.stem}-{b.stem}"
    with _watched(folder) as progress:
        found = api.interface(
            a,
            b,
            **values,
            out=folder,
            progress=progress,
        )
    said = read_interface(folder)
    show_results(found, folder, interface_lines(said) if said else (), interface=said)


@with_options(lambda: relaxation.RelaxOptions)
def relax(
    structures: list[Path],
    trajectory: Annotated[bool, typer.Option("--trajectory", help="Write every step, an extxyz a structure.")] = False,
    order: Order = False,
    hold: Hold = None,
    shard: Annotated[str | None, typer.Option(help="Relax one part of the structures, such as 3/16.")] = None,
    device: Device = "cpu",
    workers: Workers = 0,
    time_limit: TimeLimit = TIME_LIMIT,
    executor: Executor = "local",
    out: Annotated[Path | None, results_folder("runs/relax")] = None,
    **values: Any,
) -> None:
    """Relax structures with a potential."""
    from chggen.workflows import relax_files

    folder = out or Path("runs") / "relax"
    with _watched(folder) as progress:
        found = relax_files(
            structures,
            values,
            device,
            workers,
            folder,
            progress,
            trajectory,
            time_limit,
            order,
            hold or (),
            executor,
            shard,
        )  # fmt: skip
    show_results(found, folder)


RUN_COMMANDS = (predict, generate, inpaint, electrode, order, interface, relax)


@contextmanager
def _watched(folder: Path) -> Iterator[Callable[[str, int, int, int], None]]:
    """Show stage, counts, failures and time left while a run goes on that writes to a folder."""
    from chggen.api import terminal_bars
    from chggen.cli.ending import writes_to

    writes_to(folder)
    with terminal_bars() as progress:
        yield progress


def show_results(candidates: Sequence[Candidate], folder: Path, lines: Iterable[str] = (), **further: Any) -> None:
    """Write the page beside the results, and show them: a ranked table, or what --json or --csv asks for.

    Args:
        candidates: The candidates of a run.
        folder: Its results folder.
        lines: What the table does not say, for people.
        **further: The same for --json.
    """
    from chggen.cli.display import show
    from chggen.report import write_report

    if not candidates:  # as in the last parts of a run that has more parts than candidates
        say(f"no candidate of the run is made here; {folder} is empty")
        return
    write_report(folder)
    if not for_people():
        print_candidates(candidates, folder, **further)
        return
    show(candidates, folder)
    print_lines(lines)


def print_candidates(candidates: Sequence[Candidate], folder: Path, **further: Any) -> None:
    """Print candidates for other programs: the rows of summary.csv, as --json or --csv asks.

    Args:
        candidates: The candidates of a run.
        folder: Its results folder.
        **further: What else the results say, for --json.
    """
    from chggen.results import summary_rows

    print_rows(summary_rows(candidates), folder=str(folder), **further)
