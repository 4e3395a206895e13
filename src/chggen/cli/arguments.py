"""Arguments that commands share, with their help, and how the text of one becomes values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

_Number = TypeVar("_Number", int, float)
Seed = Annotated[int, typer.Option(help="Seed of the run; the same seed gives the same candidates.")]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
Workers = Annotated[int, typer.Option(help="Processes; 0: one for each core.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the results; resumed if it is there.")]
Number = Annotated[int, typer.Option("-n", help="Candidates of each composition; without --seeds auto of each size.")]
MaxAtoms = Annotated[int, typer.Option(help="Atoms of a cell where --formula-units does not say.")]
Seeds = Annotated[
    str, typer.Option(help="Sources of cells: auto, or in turn prototype, space-group, joint, bravais; a,b.")
]
GuestSeedsName = Annotated[
    str,
    typer.Option(
        "--seeds", help="Where guests start: prototype (sites of known crystals), orbits, anywhere, or auto: all."
    ),
]
Model = Annotated[Path | None, typer.Option(help="Checkpoint of a score model; default: the shipped one.")]
PotentialName = Annotated[str, typer.Option(help="chgnet, chgnet-r2scan, ase:… or torch-sim:module:factory.")]
Fmax = Annotated[float, typer.Option(help="Largest force of a relaxed structure, eV/Å.")]
Units = Annotated[str, typer.Option(help="Formula units in the cell, such as 1,2.")]
Volume = Annotated[float | None, typer.Option(help="Volume, Å³/atom; default: from a composition model.")]
NoRelax = Annotated[bool, typer.Option("--no-relax", help="Keep the structures as generated.")]
SymmetryName = Annotated[str, typer.Option(help="host: guests on orbits of the host's group. none: anywhere.")]
AnchorName = Annotated[str, typer.Option(help="How the host is held: clamp, renoise or paper.")]
Quality = Annotated[str, typer.Option(help="fast: 50 evaluations of the score network a candidate; best: 160.")]
Levels = Annotated[int | None, typer.Option(help="Noise levels of a try.")]
Resample = Annotated[int | None, typer.Option(help="How often each stretch of levels is walked.")]
Jump = Annotated[int | None, typer.Option(help="Levels in a stretch.")]
BestOf = Annotated[int | None, typer.Option(help="Tries for each candidate, of which the judge keeps one.")]
JudgeName = Annotated[
    str, typer.Option(help="Of the tries: score, by the network; energy, by the potential; auto: energy where relaxed.")
]
ReferenceFiles = Annotated[
    list[str] | None,
    typer.Option(help="File of known phases; may be repeated, shipped being the built-in one that is the default."),
]


def words(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def integers(text: str, option: str) -> tuple[int, ...]:
    return tuple(_parts(text, option, int))


def floats(text: str, option: str) -> tuple[float, ...]:
    return tuple(_parts(text, option, float))


def _parts(text: str, option: str, kind: Callable[[str], _Number]) -> list[_Number]:
    from chggen.errors import InputError

    try:
        return [kind(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise InputError(f"{option} must be numbers separated by commas, got '{text}'") from None


def guest_counts(texts: list[str]) -> dict[str, int]:
    from chggen.errors import InputError

    guests: dict[str, int] = {}
    for text in texts:
        symbol, _, count = text.partition("=")
        if not count.strip().lstrip("-").isdecimal():
            raise InputError(f"--guest must be ELEMENT=COUNT such as Li=4, got '{text}'")
        guests[symbol.strip()] = guests.get(symbol.strip(), 0) + int(count)
    return guests
