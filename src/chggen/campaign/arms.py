"""Arms of a budget: each is a formula, a number of formula units and a source of cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chggen.campaign.options import GenerateOptions, PredictOptions
from chggen.crystals import compositions, parse_formula, reduced, system_elements
from chggen.errors import InputError, counted
from chggen.io import MAX_ATOMS

_MOST_COMPOSITIONS: Final = 5_000  # of a system: 4,845 of four elements in 20 atoms take 10 s to list
_MOST_MIXTURES: Final = 2_000_000  # that are tried out


@dataclass(frozen=True)
class Arm:
    """One of the alternatives that share the budget of a run: cells of one size, of one formula, from one source.

    The name is that of the multi-armed bandit, the problem of sharing tries among alternatives of unknown worth.

    Attributes:
        formula: The formula.
        units: Number of formula units in the cell.
        source: Name of the source that the cells come from.
    """

    formula: str
    units: int
    source: str


def formulas_of(options: GenerateOptions) -> tuple[str, ...]:
    """Return the formulas that a run makes candidates of.

    Args:
        options: Options of the run.

    Returns:
        The formula or the formulas asked for, or all compositions of the system asked for, smallest first.

    Raises:
        InputError: The system has no composition small enough.
    """
    if isinstance(options, PredictOptions) and options.formulas:
        return options.formulas
    if not isinstance(options, PredictOptions) or not options.system:
        return (options.formula,)
    elements = system_elements(options.system)
    ends = [reduced(parse_formula(end)) for end in options.between]
    _check_number(options, len(elements), [sum(end.values()) for end in ends])
    found = compositions(elements, options.max_atoms, ends)
    if not found:
        where = f" between {' and '.join(options.between)}" if options.between else ""
        raise InputError(
            f"no composition of {options.system}{where} has at most {options.max_atoms} atoms; expected one, so raise "
            "--max-atoms"
        )
    return tuple("".join(f"{s}{n if n > 1 else ''}" for s, n in counts.items()) for counts in found)


def _check_number(options: PredictOptions, n_elements: int, ends: Sequence[int]) -> None:
    """Raise InputError where a system has more compositions than can be listed or searched.

    ends: numbers of atoms of the two compositions that are mixed, if there are such.
    """
    most = options.max_atoms
    tried = most**2 * math.prod(ends) if ends else math.comb(most, n_elements)  # of which most are reduced formulas
    limit = _MOST_MIXTURES if ends else _MOST_COMPOSITIONS
    if tried > limit:
        what = f"{options.system} in cells of up to {most} atoms has up to {tried:.3g} compositions"
        remedy = "lower --max-atoms" if ends else "lower --max-atoms, or search --between two of them"
        raise InputError(f"{what}; expected at most {limit}, so {remedy}")


def formula_units(n_atoms: int, asked: Sequence[int], most_atoms: int) -> tuple[int, ...]:
    """Return the numbers of formula units that cells are made of.

    Args:
        n_atoms: Number of atoms in one formula unit.
        asked: Numbers that the user named; empty for all that fit.
        most_atoms: Largest number of atoms in a cell where nothing was named. One formula unit is always allowed.

    Returns:
        Distinct numbers of formula units.

    Raises:
        InputError: A cell would be empty or too large.
    """
    for z in asked or (1,):
        if z < 1 or z * n_atoms > MAX_ATOMS:
            made = f"{counted(z, 'formula unit')} {'gives' if z == 1 else 'give'} {z * n_atoms} atoms"
            raise InputError(f"{made}; expected cells of 1 to {MAX_ATOMS} atoms")
    return tuple(dict.fromkeys(asked)) or tuple(range(1, max(1, min(most_atoms, MAX_ATOMS) // n_atoms) + 1))
