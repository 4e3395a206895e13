"""Reading POSCAR and CONTCAR files, with what VASP reads and pymatgen does not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from chggen.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Structure

_EXPONENT: Final = re.compile(r"(?<=[\d.])[dD](?=[+-]?\d)")  # as Fortran writes double precision
_GLUED: Final = re.compile(r"(?<=[\d.])-(?=\d*\.)")  # a column that its number fills
_REMARK: Final = re.compile(r"[!#].*")
_HEAD: Final = 5  # lines before those of the elements


def structure_of_poscar(text: str, where: str) -> Structure:
    """Read a POSCAR of VASP 4, 5 or 6.

    Beyond what pymatgen reads, these are understood: three scaling factors, one for each Cartesian component; Fortran's
    exponents such as `1.0D0`, and columns without a space between them; flags such as `.TRUE.`; remarks after `!`; any
    number of lines for the elements' names and counts.

    Args:
        text: The text of the file.
        where: What the file is called in messages.

    Returns:
        The structure. Flags of selective dynamics and velocities are site properties, the comment is a property.

    Raises:
        InputError: It claims more atoms than it has lines.
        Exception: Whatever pymatgen raises for text that it cannot read.
    """
    from pymatgen.io.vasp import Poscar

    comment, *others = text.split("\n")
    lines = [comment, *(_REMARK.sub("", line) for line in others)]
    if len(lines) <= _HEAD + 2:
        raise InputError(f"{where} is too short for a POSCAR; expected a cell, elements, counts and positions")
    begin = _first_of_counts(lines)
    claimed = _claimed(lines[begin:])
    if claimed > len(lines):
        raise InputError(f"{where} claims {claimed} atoms but has {len(lines)} lines; expected a line for each atom")
    numbers = [_GLUED.sub(" -", _EXPONENT.sub("e", line)) for line in lines]
    lines = [comment, *numbers[1:_HEAD], *lines[_HEAD:begin], *numbers[begin:]]
    held, cartesian, first = _kinds(lines, begin)
    _unscaled(lines, first if cartesian else len(lines), claimed)
    if held:
        for k in range(first, min(first + claimed, len(lines))):
            lines[k] = _plain_flags(lines[k])
    poscar = Poscar.from_str("\n".join(lines))
    structure = poscar.structure
    if comment.strip():
        structure.properties["comment"] = comment.strip()
    return structure


def _first_of_counts(lines: list[str]) -> int:
    """Return the first line of the counts of atoms: the first after the cell that begins with a whole number."""
    for k in range(_HEAD, min(len(lines), _HEAD + 40)):
        words = lines[k].split()
        if words and words[0].isdigit():
            return k
    return min(_HEAD + 1, len(lines))


def _claimed(lines: list[str]) -> int:
    """Return how many atoms the lines of counts claim."""
    total = 0
    for line in lines:
        words = line.split()
        if not words or not words[0].isdigit():
            break
        for word in words:
            if not word.isdigit():
                break
            total += int(word)
    return total


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
