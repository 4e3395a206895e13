"""What is said of files that cannot be used: one sentence for all, and a line for each before it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chggen.errors import InputError
from chggen.io.names import listed, shortened
from chggen.io.notes import say

if TYPE_CHECKING:
    from pymatgen.core import Structure

ORDER_FIRST: Final = "order it first with `chggen order`"
"""What refusals of partially occupied structures tell to do."""
ORDER_FIRST_OR_HERE: Final = f"{ORDER_FIRST}, or give --order"
"""The same, of what can order them itself."""
_LONGEST: Final = 300  # characters of a refusal
_SITES: Final = 3  # sites that are named


def check_ordered(structures: Sequence[Structure], where: str, remedy: str = ORDER_FIRST) -> None:
    """Check that no site of some structures is partially occupied.

    Args:
        structures: The structures of a file.
        where: What the file is called in messages.
        remedy: What the refusal tells to do.

    Raises:
        InputError: For the first structure that has such sites. It names them by number and by what sits on them.
    """
    for k, structure in enumerate(structures):
        sites = [f"{i + 1} ({site.species_string})" for i, site in enumerate(structure) if not site.is_ordered]
        if sites:
            more = f" and {len(sites) - _SITES} more" if len(sites) > _SITES else ""
            frame = f"structure {k} of {where}" if len(structures) > 1 else where
            raise InputError(f"{frame} has partially occupied sites: {', '.join(sites[:_SITES])}{more}; {remedy}")


def refusal(failed: Sequence[tuple[Path, InputError]], n_files: int) -> InputError:
    """Return the one error that stands for all files that cannot be read. Several are first told of in a line each.

    Args:
        failed: The files, at least one, and what is wrong with each.
        n_files: Number of all files that were looked at.

    Returns:
        The error of the only file, or a sentence of at most 300 characters that names the first two.
    """
    first, wrong = failed[0]
    if len(failed) == 1:
        return wrong
    say([str(error) for _, error in failed])
    names = listed([Path(file.name) for file, _ in failed], 2)
    reason = str(wrong).replace(str(first), shortened(Path(first.name)))
    said = f"{len(failed):,} of {n_files:,} files cannot be read, so nothing was computed: {names}; the first: {reason}"
    return InputError(said if len(said) <= _LONGEST else f"{said[: _LONGEST - 1]}…")
