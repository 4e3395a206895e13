"""The command line. Every command is a few lines: it reads arguments, calls the library, and shows what came out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from chggen import __version__
from chggen.campaign import ElectrodeOptions, GenerateOptions, InpaintOptions, OrderOptions, PredictOptions
from chggen.cli.options import (
    TIME_LIMIT,
    Device,
    References,
    TimeLimit,
    Workers,
    floats,
    integers,
    results_folder,
    with_options,
)
from chggen.cli.references import references_app
from chggen.relaxation import RelaxOptions

app = typer.Typer(
    name="chggen",
    help="Crystal structure prediction by host-guided inpainting.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(references_app, name="references")


def _print_version(wanted: bool | None) -> None:
    if wanted:
        typer.echo(f"chggen {__version__}")
        raise typer.Exit


@app.callback()
def chggen(
    version: Annotated[
        bool | None,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and leave."),
    ] = None,
) -> None:
    """Crystal structure prediction by host-guided inpainting."""


@app.command()
@with_options(PredictOptions)
def predict(
    formula: Annotated[str, typer.Argument(help="Such as ZnP2S6; none with --system.")] = "",
    device: Device = "cpu",
    workers: Workers = 0,
    time_limit: TimeLimit = TIME_LIMIT,
    out: Annotated[Path | None, results_folder("runs/FORMULA, or runs/SYSTEM")] = None,
    **values: Any,
) -> None:
    """Predict crystals of a formula or a system: de novo, host, guests, relaxation, hull."""
    from chggen import api
    from chggen.crystals import plain_text

    folder = out or Path("runs") / plain_text(formula or values["system"])
    with _watched(folder) as progress:
        found = api.predict(
            formula, **values, device=device, workers=workers, time_limit=time_limit, out=folder, progress=progress
        )
    _show(found, folder)


@app.command()
@with_options(GenerateOptions, "max_atoms", "formula_units")
def generate(
    formula: str,
    formula_units: Annotated[
        str | None, typer.Option(help="Formula units in the cell, such as 1,2; default: 1, or by --max-atoms.")
    ] = None,
    max_atoms: Annotated[int | None, typer.Option(help="Cells of all formula units with so many atoms.")] = None,
    no_relax: Annotated[bool, typer.Option("--no-relax", help="Keep the structures as generated.")] = False,
    device: Device = "cpu",
    workers: Workers = 0,
    time_limit: TimeLimit = TIME_LIMIT,
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
            formula, **values, formula_units=units, max_atoms=max_atoms, relax=not no_relax, device=device,
            workers=workers, time_limit=time_limit, out=folder, progress=progress,
        )  # fmt: skip
    _show(found, folder)


@app.command()
@with_options(InpaintOptions, "host")
def inpaint(
    host: Path,
    no_relax: Annotated[bool, typer.Option("--no-relax", help="Keep the structures as generated.")] = False,
    device: Device = "cpu",
    workers: Workers = 0,
    time_limit: TimeLimit = TIME_LIMIT,
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
            device=device,
            workers=workers,
            time_limit=time_limit,
            out=folder,
            progress=progress,
        )
    _show(found, folder)


@app.command()
@with_options(ElectrodeOptions, "host")
def electrode(
    host: Path,
    device: Device = "cpu",
    workers: Workers = 0,
    time_limit: TimeLimit = TIME_LIMIT,
    out: Annotated[Path | None, results_folder("runs/ and the name of the host's file")] = None,
    **values: Any,
) -> None:
    """Find contents, sites and voltages of an insertion electrode."""
    from chggen import api
    from chggen.cli.electrode import electrode_lines

    folder = out or Path("runs") / host.stem
    with _watched(folder) as progress:
        found = api.electrode(
            host, **values, device=device, workers=workers, time_limit=time_limit, out=folder, progress=progress
        )
    _show(list(found.candidates), folder)
    for line in electrode_lines(found):
        typer.echo(line)


@app.command()
@with_options(OrderOptions, "structure")
def order(
    structure: Path,
    device: Device = "cpu",
    workers: Workers = 0,
    time_limit: TimeLimit = TIME_LIMIT,
    out: Annotated[Path | None, results_folder("runs/ and the name of the structure's file")] = None,
    **values: Any,
) -> None:
    """Find the lowest ordered structures of a partially occupied one."""
    from chggen import api

    folder = out or Path("runs") / structure.stem
    with _watched(folder) as progress:
        found = api.order(
            structure, **values, device=device, workers=workers, time_limit=time_limit, out=folder, progress=progress
        )
    _show(found, folder)


@app.command()
@with_options(RelaxOptions)
def relax(
    structures: list[Path],
    trajectory: Annotated[bool, typer.Option("--trajectory", help="Write every step, an extxyz a structure.")] = False,
    device: Device = "cpu",
    workers: Workers = 0,
    time_limit: TimeLimit = TIME_LIMIT,
    out: Annotated[Path | None, results_folder("runs/relax")] = None,
    **values: Any,
) -> None:
    """Relax structures with a potential."""
    from chggen.workflows import relax_files

    folder = out or Path("runs") / "relax"
    with _watched(folder) as progress:
        found = relax_files(structures, values, device, workers, folder, progress, trajectory, time_limit)
    _show(found, folder)


@app.command()
def refine(
    structures: list[Path],
    symprec: Annotated[str, typer.Option(help="Tolerances to try in turn, Å.")] = "0.01,0.1",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for symmetrised CIFs; default: none.")] = None,
) -> None:
    """Symmetrise structures at the first tolerance that gives a group above P1 and P-1."""
    from chggen.cli.file_commands import refine_files

    for line in refine_files(structures, floats(symprec, "--symprec"), out):
        typer.echo(line)


@app.command()
def hull(
    structures: Annotated[list[Path] | None, typer.Argument(help="Structures to relax and place.")] = None,
    formula: Annotated[str | None, typer.Option(help="Instead of structures, with --energy.")] = None,
    energy: Annotated[float | None, typer.Option(help="eV/atom at the level.")] = None,
    level: Annotated[
        str | None,
        typer.Option(help="pbe (default), r2scan or one of your own references; that of --potential if given."),
    ] = None,
    without: Annotated[list[str] | None, typer.Option(help="Reference id to leave out; may be repeated.")] = None,
    potential: Annotated[
        str | None, typer.Option(help="Potential that relaxes structures; default: the one of the level.")
    ] = None,
    fmax: Annotated[
        float | None, typer.Option(help="Largest force of a relaxed structure, eV/Å.  [default: 0.1]")
    ] = None,
    max_steps: Annotated[int | None, typer.Option(help="Most steps of a relaxation.  [default: 1000]")] = None,
    fix_cell: Annotated[bool, typer.Option("--fix-cell", help="Keep the cell; relax the positions only.")] = False,
    references: References = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda.  [default: cpu]")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for hull.txt; default: none.")] = None,
) -> None:
    """Decomposition energy against the hull of the known phases."""
    from chggen.cli.hull import Placing, hull_lines

    placing = Placing.of(potential=potential, fmax=fmax, max_steps=max_steps, fix_cell=fix_cell or None, device=device)
    for line in hull_lines(structures or [], formula, energy, level, without or [], references or (), placing, out):
        typer.echo(line)


@app.command()
def train(
    config: Path,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the configuration's folder.")] = False,
    start_from: Annotated[Path | None, typer.Option("--from", help="Fine-tune this checkpoint.")] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the configuration's.")] = None,
    device: Device = "cpu",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder, instead of the configuration's.")] = None,
) -> None:
    """Train a score model by a TOML configuration."""
    from chggen.cli.file_commands import train_from

    path = train_from(config, resume, start_from, seed, device, out, typer.echo)
    typer.echo(f"score model in {path}")


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
    to: Annotated[str, typer.Option(help="vasp, atomate2 (needs chggen[dft]), cif or extxyz.")] = "vasp",
    max_e_d: Annotated[float | None, typer.Option(help="Largest decomposition energy, eV/atom.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder, instead of DIR/export.")] = None,
) -> None:
    """Write the survivors of a results folder for other programs."""
    from chggen.errors import counted
    from chggen.results import export_survivors

    count, target = export_survivors(folder, to, max_e_d, out)
    typer.echo(f"{counted(count, 'structure')} in {target}")


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
    diagram: Annotated[
        Path | None,
        typer.Option(help="Draw its phase diagram, or voltage curve, too: .html interactive, .png, .svg or .pdf."),
    ] = None,
    level: Annotated[str | None, typer.Option(help="Of the diagram; default: that of the run.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for report.html, instead of DIR.")] = None,
) -> None:
    """Write the page of a results folder anew."""
    from chggen.errors import InputError
    from chggen.io import writable_folder
    from chggen.report import draw_candidates, write_report

    if level is not None and diagram is None:
        raise InputError("--level is that of a phase diagram, which is not asked for; add --diagram or leave it out")
    if out is not None:
        writable_folder(out)
    if diagram is not None:  # first, since it may be refused
        draw_candidates(folder, level, diagram)
        typer.echo(f"diagram in {diagram}")
    typer.echo(f"report in {write_report(folder, out)}")


@app.command()
def merge(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the merged results.")],
) -> None:
    """Join the candidates of results folders, such as those of several machines, in one."""
    from chggen.cli.ending import writes_to
    from chggen.workflows import merge_folders

    writes_to(out)
    _show(merge_folders(folders, out), out)


@contextmanager
def _watched(folder: Path) -> Iterator[Callable[[str, int, int, int], None]]:
    """Show stage, counts, failures and time left while a run goes on that writes to a folder."""
    from chggen.cli.display import watched
    from chggen.cli.ending import writes_to

    writes_to(folder)
    with watched() as progress:
        yield progress


def _show(candidates: list[Any], folder: Path) -> None:
    """Show the ranked table, and write the page beside the results."""
    from chggen.cli.display import show
    from chggen.report import write_report

    write_report(folder)
    show(candidates, folder)


def main() -> None:
    """Run the command line, see `chggen.cli.ending`."""
    from chggen.cli.ending import run
    from chggen.execution import isolate_foreign_code

    isolate_foreign_code()
    sys.exit(run(app))


if __name__ == "__main__":
    main()
