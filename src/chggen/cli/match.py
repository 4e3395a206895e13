"""What `chggen match` prints: candidates by their agreement with a powder pattern."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from chggen.errors import counted
from chggen.powder import MATCH_FILE, PowderMatch
from chggen.symmetry import symbol_of

_MOST_ROWS: Final = 20
_ALIKE: Final = 0.01  # of the agreement; closer ones the pattern hardly tells apart


def match_lines(matches: Sequence[PowderMatch], folder: Path) -> list[str]:
    """Return the lines of a table of the best twenty matches, and what is to be said of them.

    Args:
        matches: Matches, the best first.
        folder: Folder that holds match.json.
    """
    return [*_table(matches[:_MOST_ROWS]), *_remarks(matches), f"all rows in {folder / MATCH_FILE}"]


def _table(matches: Sequence[PowderMatch]) -> list[str]:
    """Return the lines of a table of 80 columns at most, but for long ids."""
    width = max(9, *(len(match.id) for match in matches))
    heads = (("candidate", "group", "agreement", "R_wp", "volume", "zero", "width", "E_d"),
             ("", "", "", "%", "×", "°", "°", "eV/atom"))  # fmt: skip
    lines = [f"{a:{width}}  {b:8}  {c:>9}  {d:>5}  {e:>7}  {f:>7}  {g:>7}  {h:>7}" for a, b, c, d, e, f, g, h in heads]
    for match in matches:
        c, e_d = match.candidate, match.candidate.deciding_e_d
        group = "" if c.space_group_loose is None else symbol_of(c.space_group_loose)
        lines.append(
            f"{c.id:{width}}  {group:8}  {match.agreement:9.3f}  {match.r_wp:5.1f}  {match.volume_factor:7.3f}  "
            f"{match.zero_shift + 0.0:+7.3f}  {match.fwhm:7.3f}  {'' if e_d is None else f'{e_d:+7.3f}'}".rstrip()
        )
    return lines


def _remarks(matches: Sequence[PowderMatch]) -> list[str]:
    """Return what is to be known about the order."""
    best = matches[0]
    alike = [match.id for match in matches[1:] if best.agreement - match.agreement < _ALIKE]
    lines = []
    if len(matches) > _MOST_ROWS:
        lines.append(f"and {counted(len(matches) - _MOST_ROWS, 'candidate')} more")
    if alike:
        named = ", ".join(alike[:3]) + (" …" if len(alike) > 3 else "")
        lines.append(f"the pattern hardly tells {best.id} from {named}: agreements within {_ALIKE:g}")
    return lines
