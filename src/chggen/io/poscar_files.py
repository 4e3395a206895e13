"""Reading POSCAR and CONTCAR files, with what VASP reads and pymatgen does not."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Final

from chggen.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Structure

_EXPONENT: Final = re.compile(r"(?<=[\d.])[dD](?=[+-]?\d)")  # as Fortran writes double precision
_GLUED: Final = re.compile(r"(?<=[\d.])-(?=\d*\.)")  # a column that its number fills
_REMARK: Final = re.compile(r"[!#].*")
_NAMELESS: Final = "Elements in POSCAR cannot be determined"  # as pymatgen warns
_HEAD: Final = 5  # lines before those of the elements


def structure_of_poscar(text: str, where: str) -> tuple[Structure, list[str]]:
    """Read a POSCAR of VASP 4, 5 or 6.

    Beyond what pymatgen reads, these are understood: three scaling factors, one for each Cartesian component; Fortran's
    exponents such as `1.0D0`, and columns without a space between them; flags such as `.TRUE.`; remarks after `!`; any
    number of lines for the elements' names and counts; elements named in the comment alone, as VASP 4 has them.

    Args:
        text: The text of the file.
        where: What the file is called in messages.

    Returns:
        The structure, and a note where the comment names its elements. Flags of selective dynamics and velocities are
        site properties, the comment is a property.

    Raises:
        InputError: It claims more atoms than it has lines, or names no elements.
        Exception: Whatever pymatgen raises for text that it cannot read.
    """
    comment, *others = text.split("\n")
    lines = [comment, *(_REMARK.sub("", line) for line in others)]
    if len(lines) <= _HEAD + 2:
        raise InputError(f"{where} is too short for a POSCAR; expected a cell, elements, counts and positions")
    begin = _first_of_counts(lines)
    claimed = sum(_counts(lines[begin:]))
    if claimed > len(lines):
        raise InputError(f"{where} claims {claimed} atoms but has {len(lines)} lines; expected a line for each atom")
    numbers = [_GLUED.sub(" -", _EXPONENT.sub("e", line)) for line in lines]
    lines = [comment, *numbers[1:_HEAD], *lines[_HEAD:begin], *numbers[begin:]]
    held, cartesian, first = _kinds(lines, begin)
    _unscaled(lines, first if cartesian else len(lines), claimed)
    if held:
        for k in range(first, min(first + claimed, len(lines))):
            lines[k] = _plain_flags(lines[k])
    structure, notes = _read_by_pymatgen(lines, begin, where)
    if comment.strip():
        structure.properties["comment"] = comment.strip()
    return structure, notes


def _read_by_pymatgen(lines: list[str], begin: int, where: str) -> tuple[Structure, list[str]]:
    """Return what pymatgen reads, and a note where it had to be told the elements that the comment names."""
    from pymatgen.io.vasp import Poscar

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", _NAMELESS)  # it invents some
            return Poscar.from_str("\n".join(lines)).structure, []
    except UserWarning as warning:
        if not str(warning).startswith(_NAMELESS):
            raise
    names = _elements_of_comment(lines, begin)
    if not names:
        raise InputError(f"{where} names no elements; put them in a line above the counts") from None
    named = [*lines[:_HEAD], " ".join(names), *lines[begin:]]
    return Poscar.from_str("\n".join(named)).structure, [f"took the elements {' '.join(names)} from the comment line"]


def _elements_of_comment(lines: list[str], begin: int) -> list[str]:
    """Return the elements that the comment is made of, one for each count; none where it says anything else.

    Words such as In, As and I are symbols too, so a sentence is not searched for them.
    """
    from pymatgen.core import Element

    names = lines[0].split()
    return names if len(names) == len(_counts(lines[begin:])) and all(map(Element.is_valid_symbol, names)) else []


def _first_of_counts(lines: list[str]) -> int:
    """Return the first line of the counts of atoms: the first after the cell that begins with a whole number."""
    for k in range(_HEAD, min(len(lines), _HEAD + 40)):
        words = lines[k].split()
        if words and words[0].isdigit():
            return k
    return min(_HEAD + 1, len(lines))


def _counts(lines: list[str]) -> list[int]:
    """Return how many atoms of each element the lines of counts claim."""
    counts = []
    for line in lines:
        words = line.split()
        if not words or not words[0].isdigit():
            break
        for word in words:
            if not word.isdigit():
                break
            counts.append(int(word))
    return counts


def _kinds(lines: list[str], begin: int) -> tuple[bool, bool, int]:
    """Return whether flags follow the positions, whether these are Cartesian, and the first line of positions."""
    k = begin
    while k < len(lines) and lines[k].split() and lines[k].split()[0].isdigit():
        k += 1
    held = k < len(lines) and lines[k].strip()[:1] in ("s", "S")
    k += held
    cartesian = k < len(lines) and lines[k].strip()[:1] in tuple("cCkK")
    return held, cartesian, k + 1


def _unscaled(lines: list[str], first: int, n_atoms: int) -> None:
    """Apply three scaling factors to the cell, and to Cartesian positions from line `first` on, in place."""
    factors = lines[1].split()
    if len(factors) != 3:
        return
    numbers = [float(factor) for factor in factors]
    for k in (*range(2, _HEAD), *range(first, min(first + n_atoms, len(lines)))):
        words = lines[k].split()
        scaled = [f"{float(word) * by:.16g}" for word, by in zip(words[:3], numbers, strict=True)]
        lines[k] = " ".join([*scaled, *words[3:]])
    lines[1] = "1.0"


def _plain_flags(line: str) -> str:
    """Return a line of a position and flags with flags as T and F."""
    words = line.split()
    flags = ["T" if word.strip(".").upper().startswith("T") else "F" for word in words[3:6]]
    return " ".join([*words[:3], *flags, *words[6:]])
