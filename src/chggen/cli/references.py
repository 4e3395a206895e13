"""The commands below `chggen references`: known phases, shown, built, imported and fetched."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from chggen.cli.options import Device, Executor, References, Workers, words
from chggen.cli.output import print_lines, printing

references_app = typer.Typer(help="Reference energies that hulls are made of.", no_args_is_help=True)


@references_app.command("build")
def references_build(
    structures: list[Path],
    levels: Annotated[str | None, typer.Option(help="Levels to compute; default: pbe,r2scan, those of CHGNet.")] = None,
    potential: Annotated[
        str | None, typer.Option(help="Potentials whose levels to compute, such as sevennet-l3i5, instead of --levels.")
    ] = None,
    within: Annotated[
        float,
        typer.Option(help="Relax those on a hull and those at most this above, eV/atom; inf: all, negative: none."),
    ] = math.inf,
    first: Annotated[list[str] | None, typer.Option(help="System to relax first, such as Zn-P-S; repeatable.")] = None,
    sample: Annotated[int, typer.Option(help="Of the others relax so many, which tell what static ones lack.")] = 500,
    fmax: Annotated[float, typer.Option(help="Largest force of a relaxed phase, eV/Å.")] = 0.1,
    device: Device = "cpu",
    workers: Workers = 0,
    executor: Executor = "local",
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for references.npz; resumed.")] = Path("references"),
) -> None:
    """Evaluate known phases, relax those wanted, and write their energies as a reference file."""
    from chggen.api import terminal_bars
    from chggen.errors import InputError
    from chggen.potential import default_levels, level_of
    from chggen.stability import Wanted, build_references

    if levels is not None and potential is not None:
        raise InputError("--levels and --potential both say what to compute; give one of them")
    asked = list(default_levels()) if levels is None else words(levels)
    if potential is not None:
        asked = [level_of(name).name for name in words(potential)]
    wanted = Wanted(within=within, first=first or (), sample=sample)
    with terminal_bars() as progress:
        path = build_references(
            structures,
            asked,
            fmax,
            device,
            workers,
            out,
            progress,
            wanted,
            executor,
        )
    typer.echo(f"reference energies in {path}")


@references_app.command("import")
def references_import(
    entries: Annotated[Path, typer.Argument(help="pymatgen JSON of ComputedEntries.")],
    level: Annotated[str | None, typer.Option(help="Level of theory of their energies, such as pbe-dft.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for references.npz.")] = Path("references"),
) -> None:
    """Make a reference file of computed entries and their energies."""
    from chggen.stability import entries_table

    typer.echo(f"reference energies in {entries_table(entries, level, out)}")


@references_app.command("fetch")
def references_fetch(
    system: str,
    entries: Annotated[
        str | None,
        typer.Option(help="Computed entries of this functional, such as R2SCAN, for references import."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the structures.")] = Path("references"),
) -> None:
    """Fetch the structures of a system from the Materials Project, for references build."""
    from chggen.stability import fetch_entries, fetch_structures

    if entries is not None:
        typer.echo(f"entries in {fetch_entries(system, entries, out)}")
        return
    typer.echo(f"structures in {fetch_structures(system, out)}")


@references_app.command("show")
@printing
def references_show(
    system: str,
    level: Annotated[str | None, typer.Option(help="pbe (default), r2scan or one of your own.")] = None,
    references: References = None,
    diagram: Annotated[Path | None, typer.Option(help="Draw it: .html interactive, .png, .svg or .pdf.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for SYSTEM.txt; default: none.")] = None,
) -> None:
    """List the reference phases of a system such as Zn-P-S with their energies above the hull."""
    from chggen.cli.reference_table import reference_lines
    from chggen.potential import DEFAULT_LEVEL

    print_lines(reference_lines(system, level or DEFAULT_LEVEL, references or (), diagram, out))
