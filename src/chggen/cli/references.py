"""The commands below `chggen references`: known phases, shown, built, imported and fetched."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from chggen.cli.arguments import Device, Fmax, Out, ReferenceFiles, Seed, Workers

references_app = typer.Typer(help="Reference energies that hulls are made of.", no_args_is_help=True)


@references_app.command("build")
def references_build(
    structures: list[Path],
    levels: Annotated[str, typer.Option(help="Levels to compute.")] = "pbe,r2scan",
    within: Annotated[
        float,
        typer.Option(help="Relax those on a hull and those at most this above, eV/atom; inf: all, negative: none."),
    ] = math.inf,
    first: Annotated[list[str] | None, typer.Option(help="System to relax first, such as Zn-P-S; repeatable.")] = None,
    sample: Annotated[int, typer.Option(help="Of the others relax so many, which tell what static ones lack.")] = 500,
    fmax: Fmax = 0.1,
    seed: Seed = 0,
    device: Device = "cpu",
    workers: Workers = 0,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for references.npz; resumed.")] = Path("references"),
) -> None:
    """Evaluate known phases, relax those wanted, and write their energies as a reference file."""
    from chggen.cli.display import watched
    from chggen.stability import Wanted, build_references

    wanted = Wanted(within=within, first=first or (), sample=sample)
    with watched() as progress:
        path = build_references(
            structures, [level.strip() for level in levels.split(",")], fmax, device, workers, out, progress, wanted
        )
    typer.echo(f"reference energies in {path}")


@references_app.command("import")
def references_import(
    entries: Annotated[Path, typer.Argument(help="pymatgen JSON of ComputedEntries.")],
    level: Annotated[str | None, typer.Option(help="Level of theory of their energies, such as pbe-dft.")] = None,
    seed: Seed = 0,
    device: Device = "cpu",
    workers: Workers = 0,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for references.npz.")] = Path("references"),
) -> None:
    """Make a reference file of computed entries and their energies."""
    from chggen.stability import entries_table

    typer.echo(f"reference energies in {entries_table(entries, level, out)}")


@references_app.command("fetch")
def references_fetch(
    system: str,
    seed: Seed = 0,
    device: Device = "cpu",
    workers: Workers = 0,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the structures.")] = Path("references"),
) -> None:
    """Fetch the structures of a system from the Materials Project, for references build."""
    from chggen.stability import fetch_structures

    typer.echo(f"structures in {fetch_structures(system, out)}")


@references_app.command("show")
def references_show(
    system: str,
    level: Annotated[str, typer.Option(help="pbe, r2scan or one of your own.")] = "pbe",
    references: ReferenceFiles = None,
    diagram: Annotated[Path | None, typer.Option(help="Draw it: .html interactive, .png, .svg or .pdf.")] = None,
    seed: Seed = 0,
    device: Device = "cpu",
    workers: Workers = 0,
    out: Out = None,
) -> None:
    """List the reference phases of a system such as Zn-P-S with their energies above the hull."""
    from chggen.cli.hull import reference_lines

    for line in reference_lines(system, level, references or (), diagram, out):
        typer.echo(line)
