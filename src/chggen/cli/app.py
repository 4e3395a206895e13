"""The command line. Every command is a few lines: it reads arguments, calls the library, and shows what came out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from chggen.cli.arguments import (
    AnchorName,
    BestOf,
    Device,
    Fmax,
    GuestSeedsName,
    JudgeName,
    Jump,
    Levels,
    MaxAtoms,
    Model,
    NoRelax,
    Number,
    Out,
    PotentialName,
    Quality,
    ReferenceFiles,
    Resample,
    Seed,
    Seeds,
    SymmetryName,
    Units,
    Volume,
    Workers,
    floats,
    guest_counts,
    integers,
    words,
)
from chggen.cli.references import references_app

app = typer.Typer(
    name="chggen",
    help="Crystal structure prediction by host-guided inpainting.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(references_app, name="references")


@app.command()
def predict(
    formula: Annotated[str, typer.Argument(help="Such as ZnP2S6; none with --system.")] = "",
    guest: Annotated[list[str] | None, typer.Option(help="Guest species; may be repeated.")] = None,
    n: Number = 8,
    system: Annotated[str, typer.Option(help="All compositions of a system such as Li-Si share the budget.")] = "",
    between: Annotated[str, typer.Option(help="Of a system only mixtures of two compositions: Li2S,P2S5.")] = "",
    formula_units: Units = "",
    max_atoms: MaxAtoms = 20,
    volume: Volume = None,
    seeds: Seeds = "auto",
    per_framework: Annotated[int, typer.Option(help="Fillings of each symmetrised framework.")] = 2,
    symmetry: Annotated[str, typer.Option(help="Guests on orbits: mixed, host (all) or none.")] = "mixed",
    r2scan_below: Annotated[
        float,
        typer.Option(help="Relax again at r2scan level, and rank by it, what has a lower E_d, eV/atom; -1: none."),
    ] = 0.1,
    model: Model = None,
    anchor: AnchorName = "clamp",
    quality: Quality = "best",
    levels: Levels = None,
    n_resample: Resample = None,
    jump_length: Jump = None,
    best_of: BestOf = None,
    judge: JudgeName = "auto",
    potential: PotentialName = "chgnet",
    fmax: Fmax = 0.1,
    references: ReferenceFiles = None,
    seed: Seed = 0,
    device: Device = "cpu",
    workers: Workers = 0,
    out: Out = None,
) -> None:
    """Predict crystals of a formula or a system: de novo, host, guests, relaxation, hull."""
    from chggen import api

    folder = out or Path("runs") / (formula or system)
    with _watched() as progress:
        found = api.predict(
            formula, guest or (), system=system, between=words(between), n=n, seed=seed,
            formula_units=integers(formula_units, "--formula-units"), max_atoms=max_atoms,
            volume=volume, seeds=words(seeds), per_framework=per_framework, symmetry=symmetry,
            second_level_below=r2scan_below,
            out=folder, progress=progress, model=model, anchor=anchor, quality=quality, levels=levels,
            n_resample=n_resample, jump_length=jump_length, best_of=best_of, judge=judge, potential=potential,
            fmax=fmax, references=references, device=device, workers=workers,
        )  # fmt: skip
    _show(found, folder)


@app.command()
def generate(
    formula: str,
    n: Number = 8,
    formula_units: Annotated[str, typer.Option(help="In the cell, such as 1,2; default: 1, or by --max-atoms.")] = "",
    max_atoms: Annotated[int | None, typer.Option(help="Cells of all formula units with so many atoms.")] = None,
    volume: Volume = None,
    seeds: Seeds = "bravais",
    space_group: Annotated[str, typer.Option(help="Number, auto (as known crystals have it) or none.")] = "none",
    no_relax: NoRelax = False,
    model: Model = None,
    quality: Quality = "best",
    levels: Levels = None,
    best_of: BestOf = None,
    judge: JudgeName = "auto",
    potential: PotentialName = "chgnet",
    fmax: Fmax = 0.1,
    references: ReferenceFiles = None,
    seed: Seed = 0,
    device: Device = "cpu",
    workers: Workers = 0,
    out: Out = None,
) -> None:
    """Generate crystals of a formula de novo."""
    from chggen import api

    folder = out or Path("runs") / formula
    with _watched() as progress:
        found = api.generate(
            formula, n=n, seed=seed, formula_units=integers(formula_units, "--formula-units") or None,
            max_atoms=max_atoms, volume=volume, seeds=words(seeds), space_group=space_group, relax=not no_relax,
            out=folder, progress=progress, model=model, quality=quality, levels=levels, best_of=best_of, judge=judge,
            potential=potential, fmax=fmax, references=references, device=device, workers=workers,
        )  # fmt: skip
    _show(found, folder)


@app.command()
def inpaint(
    host: Path,
    guest: Annotated[list[str], typer.Option(help="ELEMENT=COUNT, added to what the host holds; may be repeated.")],
    n: Number = 8,
    anchor: AnchorName = "clamp",
    symmetry: SymmetryName = "none",
    seeds: GuestSeedsName = "auto",
    supercell: Annotated[str, typer.Option(help="Repeat the host, such as 1,1,2; counts are of the whole.")] = "1,1,1",
    no_relax: NoRelax = False,
    model: Model = None,
    quality: Quality = "best",
    levels: Levels = None,
    n_resample: Resample = None,
    jump_length: Jump = None,
    best_of: BestOf = None,
    judge: JudgeName = "auto",
    potential: PotentialName = "chgnet",
    fmax: Fmax = 0.1,
    references: ReferenceFiles = None,
    seed: Seed = 0,
    device: Device = "cpu",
    workers: Workers = 0,
    out: Out = None,
) -> None:
    """Put guest atoms into a given host."""
    from chggen import api

    folder = out or Path("runs") / host.stem
    with _watched() as progress:
        found = api.inpaint(
            host, guest_counts(guest), n=n, seed=seed, anchor=anchor, symmetry=symmetry, seeds=seeds,
            supercell=integers(supercell, "--supercell"), relax=not no_relax, out=folder, progress=progress,
            model=model, quality=quality, levels=levels, n_resample=n_resample, jump_length=jump_length,
            best_of=best_of, judge=judge, potential=potential, fmax=fmax, references=references, device=device,
            workers=workers,
        )  # fmt: skip
    _show(found, folder)


@app.command()
def relax(
    structures: list[Path],
    fix_cell: Annotated[bool, typer.Option("--fix-cell", help="Relax positions only.")] = False,
    pressure: Annotated[float, typer.Option(help="Target pressure, GPa.")] = 0.0,
    potential: PotentialName = "chgnet",
    fmax: Fmax = 0.1,
    max_steps: Annotated[int, typer.Option(help="Most steps for a structure.")] = 500,
    fix_symmetry: Annotated[float | None, typer.Option(help="Keep the group found at this symprec, Å.")] = None,
    optimizer: Annotated[str, typer.Option(help="fire-lbfgs, lbfgs or fire.")] = "fire-lbfgs",
    trajectory: Annotated[bool, typer.Option("--trajectory", help="Write every step, an extxyz a structure.")] = False,
    seed: Seed = 0,
    device: Device = "cpu",
    workers: Workers = 0,
    out: Out = None,
) -> None:
    """Relax structures with a potential."""
    from chggen.workflows import relax_files

    options = {
        "potential": potential, "fmax": fmax, "max_steps": max_steps, "fix_cell": fix_cell, "pressure": pressure,
        "fix_symmetry": fix_symmetry, "optimizer": optimizer,
    }  # fmt: skip
    folder = out or Path("runs") / "relax"
    with _watched() as progress:
        found = relax_files(structures, options, device, workers, folder, progress, trajectory)
    _show(found, folder)


@app.command()
def refine(
    structures: list[Path],
    symprec: Annotated[str, typer.Option(help="Tolerances to try in turn, Å.")] = "0.01,0.1",
    seed: Seed = 0,
    device: Device = "cpu",
    workers: Workers = 0,
    out: Out = None,
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
        str | None, typer.Option(help="chgnet or chgnet-r2scan; default: the one of the level.")
    ] = None,
    fmax: Fmax = 0.1,
    references: ReferenceFiles = None,
    seed: Seed = 0,
    device: Device = "cpu",
    workers: Workers = 0,
    out: Out = None,
) -> None:
    """Decomposition energy against the hull of the known phases."""
    from chggen.cli.hull import hull_lines, level_of

    for line in hull_lines(
        structures or [],
        formula,
        energy,
        level_of(level, potential),
        without or [],
        references or (),
        fmax,
        device,
        out,
    ):
        typer.echo(line)


@app.command()
def train(
    config: Path,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the configuration's folder.")] = False,
    start_from: Annotated[Path | None, typer.Option("--from", help="Fine-tune this checkpoint.")] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the configuration's.")] = None,
    device: Device = "cpu",
    workers: Workers = 0,
    out: Out = None,
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
    seed: Seed = 0,
    device: Device = "cpu",
    workers: Workers = 0,
    out: Out = None,
) -> None:
    """Write the survivors of a results folder for other programs."""
    from chggen.results import export_survivors

    count, target = export_survivors(folder, to, max_e_d, out)
    typer.echo(f"{count} structures in {target}")


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
    diagram: Annotated[
        Path | None, typer.Option(help="Draw its phase diagram too: .html interactive, .png, .svg or .pdf.")
    ] = None,
    level: Annotated[str, typer.Option(help="Of the diagram.")] = "pbe",
    seed: Seed = 0,
    device: Device = "cpu",
    workers: Workers = 0,
    out: Out = None,
) -> None:
    """Write the page of a results folder anew."""
    from chggen.io import writable_folder
    from chggen.report import draw_candidates, write_report

    if out is not None:
        writable_folder(out)
    if diagram is not None:  # first, since it may be refused
        draw_candidates(folder, level, diagram)
        typer.echo(f"phase diagram in {diagram}")
    typer.echo(f"report in {write_report(folder, out)}")


@contextmanager
def _watched() -> Iterator[Callable[[str, int, int, int], None]]:
    """A progress display of stage, counts, failures and time left."""
    from chggen.cli.display import watched

    with watched() as progress:
        yield progress


def _show(candidates: list[Any], folder: Path) -> None:
    """The ranked table, and the page beside the results."""
    from chggen.cli.display import show
    from chggen.report import write_report

    write_report(folder)
    show(candidates, folder)


def main() -> None:
    """Entry point: input that cannot be used is one sentence on stderr and exit code 2."""
    try:
        app()
    except Exception as error:
        if type(error).__name__ != "InputError":
            raise
        print(f"chggen: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
