"""Symmetry operations of a file that names its space group only: the settings that the name can mean."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from jaxtyping import Float

from chggen.errors import InputError

_OFF: Final = 0.05  # relative; metric tensors that differ by less are equal up to rounding
_ORIGINS: Final = ("1", "2")
_SUFFIXES: Final = {"1": "1", "2": "2", "s": "1", "z": "2", "h": "h", "r": "r"}  # as written → as in the table
_SUFFIX: Final = re.compile(r"(?P<name>.+?)[:(]?(?:o|origin|originchoice)?(?P<suffix>[12szhr])\)?")
# The glide plane e had other names before 1992; the table has the old names of some groups, the new ones of others.
_OLD_NAMES: Final = {
    "abm2": "aem2", "bma2": "bme2", "b2cm": "b2em", "c2mb": "c2me", "cm2a": "cm2e", "ac2m": "ae2m", "aba2": "aea2",
    "bba2": "bbe2", "b2cb": "b2eb", "c2cb": "c2ce", "cc2a": "cc2e", "ac2a": "ae2a", "cmca": "cmce", "ccmb": "ccme",
    "abma": "aema", "acam": "aeam", "bbcm": "bbem", "bmab": "bmeb", "cmma": "cmme", "cmmb": "cmme", "abmm": "aemm",
    "acmm": "aemm", "bmcm": "bmem", "bmam": "bmem", "ccca": "ccce", "cccb": "ccce", "abaa": "aeaa", "acaa": "aeaa",
    "bbcb": "bbeb", "bbab": "bbeb",
}  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """One setting of a space group.

    Attributes:
        name: Its Hermann-Mauguin symbol with the suffix of the setting, such as `Fd-3m:2`.
        number: International number of its group.
        operations: Its operations as texts such as `-x,y+1/2,-z`.
    """

    name: str
    number: int
    operations: tuple[str, ...]

    @property
    def origin(self) -> str | None:
        """Which of two origins it has, `1` or `2`; None for groups with one."""
        suffix = self.name.partition(":")[2][:1]
        return suffix if suffix in _ORIGINS else None


def settings_of(symbol: str | None, hall: str | None, number: int | None) -> list[Setting]:
    """List the settings that the space group of a file can mean.

    Args:
        symbol: Hermann-Mauguin symbol, such as `P 21/n` or `F d -3 m :2`; None where there is none.
        hall: Hall symbol, which means one setting; None where there is none.
        number: International number; None where there is none.

    Returns:
        The settings, the usual one first; none where the file names no group.

    Raises:
        InputError: The symbol is not known, or is that of a group with another number.
    """
    tables = _tables()
    if hall is not None and (found := tables.by_hall.get(_spaced(hall))):
        return [found]
    if symbol is None:
        return [] if number is None else tables.usual.get(number, [])
    named = tables.by_name.get(_plain(symbol)) or _by_suffix(_plain(symbol))
    if not named and number is not None and len(only := tables.by_number.get(number, [])) == 1:
        return only  # an unusual name of a group that has one setting
    if not named:
        raise InputError(f"the space-group setting '{symbol}' is not known; add the symmetry operations to the file")
    if number is not None and all(setting.number != number for setting in named):
        raise InputError(f"'{symbol}' is no space group of number {number}; correct one of them")
    return named


def fits_cell(rotations: Float[np.ndarray, "operations 3 3"], lattice: Float[np.ndarray, "3 3"]) -> bool:
    """Return whether operations leave the shape of a cell as it is, up to rounding.

    Args:
        rotations: Rotation parts in fractional coordinates, of shape (operations, 3, 3).
        lattice: Lattice vectors in rows, of shape (3, 3), in Å.
    """
    metric = lattice @ lattice.T
    turned = np.einsum("gji,jk,gkl->gil", rotations, metric, rotations)
    return bool(np.abs(turned - metric).max() <= _OFF * np.diag(metric).max())


def _plain(symbol: str) -> str:
    """Return a symbol as it is looked up: without spaces and underscores, in small letters, cubic groups with -3."""
    plain = re.sub(r"[\s_'\"]", "", symbol).lower()
    return re.sub(r"(?<=[abcdmn])3", "-3", plain)


def _spaced(hall: str) -> str:
    """Return a Hall symbol as it is looked up. Its spaces stay: `P 3 2` and `P 32` are two groups."""
    return " ".join(hall.replace("_", " ").split()).lower()


def _by_suffix(plain: str) -> list[Setting]:
    """Return the settings of a symbol that ends in one of the usual ways to name origin or axes."""
    match = _SUFFIX.fullmatch(plain)
    if match is None:
        return []
    named = _tables().by_name.get(match["name"], [])
    return [s for s in named if s.name.partition(":")[2].lower()[:1] == _SUFFIXES[match["suffix"]]]


@dataclass(frozen=True)
class _Tables:
    """Settings by Hermann-Mauguin symbol, by Hall symbol, those of the standard symbol and all by number."""

    by_name: dict[str, list[Setting]]
    by_hall: dict[str, Setting]
    usual: dict[int, list[Setting]]
    by_number: dict[int, list[Setting]]


@lru_cache(maxsize=1)
def _tables() -> _Tables:
    from pymatgen.symmetry.groups import SpaceGroup

    by_name: dict[str, list[Setting]] = defaultdict(list)
    by_hall: dict[str, Setting] = {}
    usual: dict[int, list[Setting]] = defaultdict(list)
    every: dict[int, list[Setting]] = defaultdict(list)
    first: dict[int, str] = {}
    for row in SpaceGroup.SYMM_OPS:
        universal, number = "".join(row["universal_h_m"].split()), row["number"]
        setting = Setting(universal, number, tuple(row["symops"]))
        by_hall.setdefault(_spaced(row["hall"]), setting)
        names = [_plain(universal)]
        if "(" not in universal:  # those in brackets are cells that no table shows
            short = _plain(row["hermann_mauguin"])
            names += [short, _plain(row["short_h_m"])]
            every[number].append(setting)
            if first.setdefault(number, short) == short:
                usual[number].append(setting)
        for name in dict.fromkeys(names):
            by_name[name].append(setting)
    own = {name: list(found) for name, found in by_name.items()}
    for old, new in reversed(_OLD_NAMES.items()):  # of two old names for one new one the first stands for it
        by_name[old] += [setting for setting in own.get(new, []) if setting not in by_name[old]]
        by_name[new] = own.get(new, []) + [setting for setting in own.get(old, []) if setting not in own.get(new, [])]
    return _Tables({name: found for name, found in by_name.items() if found}, by_hall, dict(usual), dict(every))
