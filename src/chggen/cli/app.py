"""The command line. Every command is a few lines: it reads arguments, calls the library, and shows what came out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from chggen import __version__
from chggen.cli.late_commands import LateCommand
from chggen.cli.options import (
    Device,
    Order,
    References,
    floats,
)
from chggen.cli.output import for_people, print_lines, print_rows, printing
from chggen.cli.references import references_app
from chggen.cli.run_commands import RUN_COMMANDS, show_results

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


for _command in RUN_COMMANDS:
    app.command(cls=LateCommand)(_command)


@app.command()
@printing
def refine(
    structures: list[Path],
    symprec: Annotated[str, typer.Option(help="Tolerances to try in turn, Å.")] = "0.01,0.1",
    order: Order = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for symmetrised CIFs; default: none.")] = None,
) -> None:
    """Symmetrise structures at the first tolerance that gives a group above P1 and P-1."""
    from chggen.cli.file_commands import refine_files

    print_lines(refine_files(structures, floats(symprec, "--symprec"), out, order))


@app.command()
@printing
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
    order: Order = False,
    references: References = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda.  [default: cpu]")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for hull.txt; default: none.")] = None,
) -> None:
    """Decomposition energy against the hull of the known phases."""
    from chggen.cli.hull import Placing, hull_lines

    placing = Placing.of(
        potential=potential, fmax=fmax, max_steps=max_steps, fix_cell=fix_cell or None, order=order, device=device
    )
    print_lines(hull_lines(structures or [], formula, energy, level, without or [], references or (), placing, out))


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
    input_set: Annotated[
        str | None, typer.Option(help="Of vasp and atomate2: mp-scan or mp24.  [default: mp-scan]")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder, instead of DIR/export.")] = None,
) -> None:
    """Write the survivors of a results folder for other programs."""
    from chggen.errors import counted
    from chggen.results import export_survivors

    count, target = export_survivors(folder, to, max_e_d, out, input_set)
    typer.echo(f"{counted(count, 'structure')} in {target}")


@app.command("import-dft")
@printing
def import_dft(
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
    calculations: Annotated[
        Path | None,
        typer.Argument(help="Folders of VASP runs named by candidates, or JSON of atomate2; default: DIR/export/vasp."),
    ] = None,
    level: Annotated[
        str | None, typer.Option(help="Name of their level; default: the functional, as in r2scan-dft.")
    ] = None,
    references: References = None,
) -> None:
    """Read finished DFT calculations of candidates back into their table, as a level of its own."""
    from chggen.stability import references_of
    from chggen.workflows import import_dft

    show_results(import_dft(folder, calculations, level, references_of([*references] if references else [])), folder)


@app.command()
@printing
def report(
    folder: Annotated[Path | None, typer.Argument(metavar="DIR", help="None with --database.")] = None,
    diagram: Annotated[
        Path | None,
        typer.Option(help="Draw its phase diagram, or voltage curve, too: .html interactive, .png, .svg or .pdf."),
    ] = None,
    level: Annotated[str | None, typer.Option(help="Of the diagram; default: that of the run.")] = None,
    figures: Annotated[
        Path | None, typer.Option(help="Folder for each figure as SVG and PDF for print, with its data as CSV.")
    ] = None,
    database: Annotated[
        str | None, typer.Option(help="Address of a database that many runs share: of its candidates, with --system.")
    ] = None,
    system: Annotated[str | None, typer.Option(help="Elements whose candidates are taken, such as Li-Si.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for report.html, instead of DIR.")] = None,
) -> None:
    """Write the page of a results folder anew, or of a system in a database that many runs share."""
    from chggen.cli.report import report_of

    report_of(folder, diagram, level, figures, database, system, out)


@app.command()
@printing
def match(
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
    pattern: Annotated[Path, typer.Argument(help="Measured pattern, 2θ in degrees and intensity: .xy, .xye, .csv.")],
    wavelength: Annotated[str, typer.Option(help="CuKa, MoKa1 … as pymatgen knows them, or a number in Å.")] = "CuKa",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for match.json, instead of DIR.")] = None,
) -> None:
    """Rank the candidates of a results folder by agreement with a measured powder pattern."""
    from chggen import api
    from chggen.cli.match import match_lines
    from chggen.powder import match_rows
    from chggen.report import write_report

    found = api.match(folder, pattern, wavelength=wavelength, out=out)
    if for_people():
        print_lines(match_lines(found, out or folder))
    else:
        print_rows(match_rows(found))
    if out is None:
        write_report(folder)  # which shows the patterns


@app.command()
@printing
def analyze(
    structures: Annotated[list[Path], typer.Argument(metavar="DIR|STRUCTURES...", help="Results folders or files.")],
    against: Annotated[
        list[Path] | None,
        typer.Option(help="Results folder, file or folder of files beside them; may be repeated."),
    ] = None,
    cutoff: Annotated[float, typer.Option(help="Longest distance, Å.")] = 8.0,
    raw: Annotated[bool, typer.Option("--raw", help="Candidates as they were sampled, before relaxation.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for analysis.json and figures; default: none.")
    ] = None,
) -> None:
    """Distances, environments and angles of atoms in structures, and how far their order reaches."""
    from chggen import api
    from chggen.cli.analyze import analysis_lines, analysis_rows
    from chggen.report import save_analysis_figures

    found = api.analyze(structures, against=against, cutoff=cutoff, raw=raw, out=out)
    if out is not None:
        save_analysis_figures(found, out)
    if for_people():
        print_lines(analysis_lines(found))
    else:
        print_rows(analysis_rows(found), order=found.order_row())


@app.command()
def watch(
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
    every: Annotated[float, typer.Option(help="Least time between two versions of the page, s.")] = 10.0,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for report.html, instead of DIR.")] = None,
) -> None:
    """Show how far a run is until it ends, and write its page anew as results come."""
    from chggen.cli.watch import watch as watch_folder
    from chggen.errors import InputError
    from chggen.io import writable_folder

    if not every > 0:
        raise InputError(f"--every must be seconds above 0, got {every:g}")
    if out is not None:
        writable_folder(out)
    watch_folder(folder, out, every)


@app.command()
@printing
def merge(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the merged results.")],
) -> None:
    """Join the candidates of results folders, such as those of several machines, in one."""
    from chggen.cli.ending import writes_to
    from chggen.workflows import merge_folders

    writes_to(out)
    show_results(merge_folders(folders, out), out)


def main() -> None:
    """Run the command line, see `chggen.cli.ending`."""
    from chggen.cli.ending import run
    from chggen.execution import isolate_foreign_code

    isolate_foreign_code()
    sys.exit(run(app))


if __name__ == "__main__":
    main()
