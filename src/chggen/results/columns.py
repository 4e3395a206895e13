"""The columns in which candidates are shown to people: in the terminal and in notebooks."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from chggen.results.candidate import Candidate
from chggen.results.likeliest import answers, probability_text
from chggen.results.summary import further_levels
from chggen.symmetry import symbol_of

ANSWER: Final = "★"
"""Stands behind the likeliest crystal of its formula."""
DOUBTFUL: Final = "!"
"""Stands behind a decomposition energy that has a warning."""


_SUBSCRIPTS: Final = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True)
class Column:
    """A column of a table of candidates.

    Attributes:
        name: What stands above it.
        text: What it shows of a candidate.
        number: Whether it holds numbers, which stand on the right.
        spared: Where not all columns fit, those of the highest number are left out first; 0: never.
    """

    name: str
    text: Callable[[Candidate], str]
    number: bool = False
    spared: int = 0


def columns_of(candidates: Sequence[Candidate]) -> tuple[Column, ...]:
    """Return the columns that show candidates.

    Args:
        candidates: The candidates of a run, good and failed ones.

    Returns:
        The columns. Structures that were given and relaxed have other ones, since nothing was found among them, and
        nothing placed on a hull.
    """
    if candidates and all(c.stage == "relax" for c in candidates):
        return _RELAXED
    likeliest = {c.id for c in answers(candidates).values()}
    further = [_further(level, placed_at(candidates, level)) for level in further_levels(candidates)]
    inserted = Column("E inserted, eV", lambda c: _number(c.e_insertion), number=True)
    return (
        Column("candidate", lambda c: f"{c.id} {ANSWER}" if c.id in likeliest else c.id),
        Column("formula", lambda c: c.formula),
        Column("atoms", _atoms, number=True, spared=3),
        Column("E, eV/atom", lambda c: _number(c.energy_per_atom), number=True, spared=4),
        Column("E_d, eV/atom", lambda c: marked(_number(c.e_decomposition), c), number=True),
        *further,
        Column("group (0.1 Å)", space_group_text),
        Column("Å³/atom", _volume, number=True, spared=1),
        Column("known as", lambda c: c.known_as or "", spared=2),
        Column("found", lambda c: str(c.n_found or ""), number=True, spared=5),
        Column("sure", sure, number=True, spared=6),
        *([inserted] if any(c.e_insertion is not None for c in candidates) else []),
    )


def space_group_text(candidate: Candidate) -> str:
    """Return symbol and number of the space group at 0.1 Å, such as `P2₁/c (14)`; nothing where it is not known.

    Args:
        candidate: A candidate.
    """
    number = candidate.space_group_loose
    if number is None:
        return ""
    symbol = re.sub(r"_(\d)", lambda screw: subscripts(screw[1]), symbol_of(number))
    return f"{symbol} ({number})"


def sure(candidate: Candidate) -> str:
    """Return how sure one may be of a candidate: its probability where it has one, else the word for its confidence.

    Args:
        candidate: A candidate.
    """
    return (candidate.confidence or "") if candidate.probability is None else probability_text(candidate.probability)


def subscripts(text: str) -> str:
    """Return a text, such as a formula, with its digits as subscripts.

    Args:
        text: The text.
    """
    return text.translate(_SUBSCRIPTS)


def marked(energy: str, candidate: Candidate) -> str:
    """Return a decomposition energy with a mark behind it where it is doubtful.

    Args:
        energy: The energy as it is shown; empty where there is none.
        candidate: The candidate that it is of.
    """
    return f"{energy} {DOUBTFUL}" if energy and candidate.hull_warning else energy


def placed_at(candidates: Sequence[Candidate], level: str) -> bool:
    """Return whether candidates have decomposition energies at a level, or energies alone, no hull being known there.

    Args:
        candidates: The candidates of a run.
        level: A further level.
    """
    reached = [c for c in candidates if level in c.energies]
    return not reached or any(level in c.decomposition_energies for c in reached)


def _further(level: str, placed: bool) -> Column:
    """Return the column of a further level."""
    if placed:
        return Column(f"E_d {level}", partial(_e_d_at, level=level), number=True)
    return Column(f"E {level}", partial(_e_at, level=level), number=True)


def _e_at(candidate: Candidate, level: str) -> str:
    return _number(candidate.energies.get(level)) or ("no energy" if candidate.unplaced_at == level else "")


def _e_d_at(candidate: Candidate, level: str) -> str:
    energy = _number(candidate.decomposition_energies.get(level))
    return marked(energy, candidate) or ("no energy" if candidate.unplaced_at == level else "")


def _atoms(candidate: Candidate) -> str:
    return "" if candidate.n_atoms is None else str(candidate.n_atoms)


def _volume(candidate: Candidate) -> str:
    return "" if candidate.volume_per_atom is None else f"{candidate.volume_per_atom:.2f}"


def _fell_by(candidate: Candidate) -> str:
    change = candidate.relax_energy_change
    return _number(None if change is None else -change)


def _number(value: float | None) -> str:
    return "" if value is None else f"{round(value, 3) + 0.0:.3f}"  # no -0.000


_RELAXED: Final = (
    Column("structure", lambda c: c.id),
    Column("formula", lambda c: c.formula),
    Column("atoms", _atoms, number=True, spared=3),
    Column("E, eV/atom", lambda c: _number(c.energy_per_atom), number=True),
    Column("fell by, eV/atom", _fell_by, number=True, spared=4),
    Column("moved by, Å", lambda c: _number(c.relax_rmsd), number=True, spared=2),
    Column("steps", lambda c: "" if c.relax_steps is None else str(c.relax_steps), number=True, spared=5),
    Column("group (0.1 Å)", space_group_text),
    Column("Å³/atom", _volume, number=True, spared=1),
)
