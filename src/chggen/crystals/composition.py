"""Reading formulas into counts of each element, writing them back, and listing compositions of a chemical system."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Final

from chggen.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Composition


def plain_formula(composition: Composition) -> str:
    """Return the reduced formula without brackets, so that it can be part of a file name.

    Args:
        composition: Any pymatgen composition.

    Returns:
        The formula, such as ZnP2S6 for Zn(PS3)2. Elements stand in the order of their electronegativities. One atom
        alone is no molecule: H, while more of them are H2.
    """
    if composition.num_atoms == 1 and len(composition) == 1:
        return str(composition.elements[0].symbol)
    return re.sub(r"(?<=[A-Za-z])1(?= |$)", "", composition.reduced_composition.formula).replace(" ", "")


SYMBOLS: Final = (
    "H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne", "Na", "Mg", "Al", "Si", "P", "S", "Cl", "Ar", "K",
    "Ca", "Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As", "Se", "Br", "Kr", "Rb",
    "Sr", "Y", "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In", "Sn", "Sb", "Te", "I", "Xe", "Cs",
    "Ba", "La", "Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu", "Hf", "Ta",
    "W", "Re", "Os", "Ir", "Pt", "Au", "Hg", "Tl", "Pb", "Bi", "Po", "At", "Rn", "Fr", "Ra", "Ac", "Th", "Pa",
    "U", "Np", "Pu", "Am", "Cm", "Bk", "Cf", "Es", "Fm", "Md", "No", "Lr", "Rf", "Db", "Sg", "Bh", "Hs", "Mt",
    "Ds", "Rg", "Cn", "Nh", "Fl", "Mc", "Lv", "Ts", "Og",
)  # fmt: skip
"""Element symbols in order of atomic number; `SYMBOLS[0]` is hydrogen."""
MAX_ATOMS_IN_FORMULA: Final = 10_000
"""Largest number of atoms that a formula may hold."""
_TOKEN: Final = re.compile(r"(?P<symbol>[A-Z][a-z]?)|(?P<open>[(\[])|(?P<close>[)\]])")
_COUNT: Final = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
_KNOWN: Final = frozenset(SYMBOLS)


def system_elements(system: str) -> list[str]:
    """Read the name of a chemical system.

    Args:
        system: Element symbols joined by hyphens, such as Zn-P-S.

    Returns:
        The symbols in the order given.

    Raises:
        InputError: A part is no element symbol, or an element occurs twice.
    """
    elements = [part.strip() for part in system.split("-")]
    if not set(elements) <= _KNOWN or len(set(elements)) < len(elements):
        raise InputError(f"'{system}' is no chemical system; expected element symbols such as Zn-P-S")
    return elements


def plain_text(formula: str) -> str:
    """Return a formula as it is typed without spaces and subscripts: `Na₂ S` as `Na2S`.

    Args:
        formula: Any text.
    """
    return "".join(unicodedata.normalize("NFKC", formula).split())


def parse_formula(text: str) -> dict[str, int]:
    """Read a formula as typed, without reducing it.

    Args:
        text: The formula. Round and square brackets may nest. Spaces and subscript digits are accepted.

    Returns:
        The count of each element, in order of first appearance.

    Raises:
        InputError: The formula is empty or cannot be read, names an unknown element, has a zero, negative or
            fractional count, or holds more than 10,000 atoms.

    Example:
        >>> parse_formula("Zn2(PS3)4")
        {'Zn': 2, 'P': 4, 'S': 12}
    """
    if not isinstance(text, str):
        raise InputError(f"expected a formula such as ZnP2S6, got {text!r}; give it as text")
    formula = plain_text(text)
    if not formula:
        raise InputError("the formula is empty; expected something like ZnP2S6")
    stack: list[tuple[str, dict[str, int]]] = [("", {})]  # open bracket and what it has gathered so far
    position = 0
    while position < len(formula):
        token = _TOKEN.match(formula, position)
        if token is None:
            raise InputError(_unreadable(text, formula, position))
        position = token.end()
        if token["open"]:
            stack.append((token["open"], {}))
            continue
        if token["symbol"]:
            if token["symbol"] not in _KNOWN:
                raise InputError(f"unknown element '{token['symbol']}' in formula {text!r}")
            gathered = {token["symbol"]: 1}
        else:
            bracket, gathered = stack.pop()
            if bracket + token["close"] not in ("()", "[]") or not gathered:
                raise InputError(f"unmatched or empty bracket before '{token['close']}' in formula {text!r}")
        count, position = _count(text, formula, position)
        for symbol, n in gathered.items():
            stack[-1][1][symbol] = stack[-1][1].get(symbol, 0) + n * count
        if sum(stack[-1][1].values()) > MAX_ATOMS_IN_FORMULA:
            raise InputError(f"formula {text[:40]!r} holds more than {MAX_ATOMS_IN_FORMULA} atoms; give fewer")
    if len(stack) > 1:
        raise InputError(f"bracket '{stack[-1][0]}' is never closed in formula {text!r}")
    return stack[0][1]


def _count(text: str, formula: str, position: int) -> tuple[int, int]:
    """Return the count that starts at a position, 1 where there is none, and the position after it."""
    match = _COUNT.match(formula, position)
    if match is None:
        return 1, position
    digits = match[0]
    if "." in digits:
        raise InputError(f"count '{digits[:20]}' in formula {text!r} is fractional; multiply up to whole numbers")
    if not digits.strip("0"):
        raise InputError(f"count '{digits[:20]}' in formula {text!r} is zero; leave the element out")
    if len(digits) > 9:  # Python itself refuses to convert thousands of digits
        raise InputError(f"formula {text[:40]!r} holds more than {MAX_ATOMS_IN_FORMULA} atoms; give fewer")
    return int(digits), match.end()


def _unreadable(text: str, formula: str, position: int) -> str:
    """Return the error message for a character that cannot start a symbol or bracket."""
    at = formula[position]
    if at == "-":
        return f"formula {text!r} has a '-'; counts must be positive whole numbers and charges are not written"
    hint = "; element symbols start with a capital letter" if at.islower() else ""
    return f"cannot read formula {text!r} at '{at}'; expected something like ZnP2S6 or Ca(OH)2{hint}"


def reduced(species: Mapping[str, int]) -> dict[str, int]:
    """Divide counts by their greatest common divisor.

    Args:
        species: Counts by element symbol.

    Returns:
        The reduced counts, symbols in alphabetical order.
    """
    divisor = math.gcd(*species.values()) or 1
    return {symbol: species[symbol] // divisor for symbol in sorted(species)}


def compositions(
    elements: Sequence[str], most_atoms: int, ends: Sequence[Mapping[str, int]] = ()
) -> list[dict[str, int]]:
    """List the reduced compositions that hold all elements of a system.

    Args:
        elements: Element symbols.
        most_atoms: Largest number of atoms in a composition.
        ends: Two reduced compositions, such as Li2S and P2S5. Only mixtures of the two are listed then, without the
            two themselves.

    Returns:
        Counts by element symbol, the smallest number of atoms first.

    Raises:
        InputError: `ends` are not two different compositions that together hold exactly these elements.

    Example:
        >>> compositions(["Na", "Cl"], 3)
        [{'Na': 1, 'Cl': 1}, {'Na': 1, 'Cl': 2}, {'Na': 2, 'Cl': 1}]
    """
    if not ends:
        fit = [counts for counts in _counts(len(elements), most_atoms) if math.gcd(*counts) == 1]
    else:
        if len(ends) != 2 or ends[0] == ends[1] or set().union(*ends) != set(elements):
            raise InputError(
                f"--between expects two different compositions that hold {'-'.join(elements)} together, such as "
                f"Li2S,P2S5 for Li-P-S; got {len(ends)} that are not"
            )
        first, second = ([end.get(e, 0) for e in elements] for end in ends)
        mixed = {
            tuple(n // math.gcd(*total) for n in total)
            for a, b in product(range(1, most_atoms * sum(second) + 1), range(1, most_atoms * sum(first) + 1))
            if math.gcd(a, b) == 1
            for total in [[a * one + b * other for one, other in zip(first, second, strict=True)]]
        }
        fit = [counts for counts in mixed if sum(counts) <= most_atoms]
    return [dict(zip(elements, counts, strict=True)) for counts in sorted(fit, key=lambda c: (sum(c), c))]


def _counts(n: int, most: int) -> Iterator[tuple[int, ...]]:
    """Yield all tuples of n positive whole numbers whose sum is at most `most`."""
    if n == 0:
        yield ()
        return
    for first in range(1, most - n + 2):
        yield from ((first, *others) for others in _counts(n - 1, most - first))
