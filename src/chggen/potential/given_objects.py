"""The potentials that this process was handed over as objects, by the names that stand for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chggen.errors import InputError

if TYPE_CHECKING:
    from chggen.potential.protocol import Potential

OBJECT: Final = "object:"
"""What the names of such potentials begin with."""
_GIVEN: Final[dict[str, Potential]] = {}


def keep(name: str, potential: Potential) -> None:
    """Keep a potential under a name.

    Args:
        name: The name, which begins with `object:`.
        potential: The potential.
    """
    _GIVEN[name] = potential


def given_potential(name: str) -> Potential | None:
    """Return the potential that was handed over to this process as an object; None where the name stands for no such.

    Args:
        name: Name of a potential.

    Raises:
        InputError: The name is that of an object, but none of this process.
    """
    if name.startswith(OBJECT) and name not in _GIVEN:
        raise InputError(
            f"potential '{name}' is an object of another process; hand it over again, or name a function that makes it "
            "as ase:module:function"
        )
    return _GIVEN.get(name)
