"""Potentials that are handed over as objects, such as ASE calculators: they get a name, which options can hold."""

from __future__ import annotations

import hashlib
from typing import Any, Protocol, runtime_checkable

from chggen.errors import InputError
from chggen.potential.given_objects import OBJECT, keep
from chggen.potential.protocol import Potential


@runtime_checkable
class Calculator(Protocol):
    """What tells an ASE calculator from other objects."""

    def get_potential_energy(self, *args: Any, **keywords: Any) -> Any:
        """Return the energy of its atoms, eV."""
        ...


PotentialLike = str | Potential | Calculator
"""A potential by its name, as an object of the protocol `Potential`, or as an ASE calculator."""


def name_of_potential(potential: object) -> str:
    """Return the name that stands for a potential in the options of a run.

    An object is kept in this process under its name, so runs that use it are computed in this process. Of a calculator
    the name tells its class and its parameters, so that a results folder is not resumed with others.

    Args:
        potential: The name of a potential, which is returned as it is; a Potential object; or an ASE calculator.

    Raises:
        InputError: For anything else.
    """
    if isinstance(potential, str):
        return potential
    made = as_potential(potential)
    name = made.name if made.name.startswith(OBJECT) else f"{OBJECT}{made.name}"
    keep(name, made)
    return name


def as_potential(potential: object) -> Potential:
    """Return a potential object as it is, and an ASE calculator as a potential.

    Args:
        potential: The object.

    Raises:
        InputError: It is neither.
    """
    from chggen.potential.ase import AsePotential

    if isinstance(potential, Calculator) and not isinstance(potential, type):
        return AsePotential(potential, name=_name_of_calculator(potential))
    if isinstance(potential, Potential) and not isinstance(potential, type):
        return potential
    raise InputError(
        f"potential: expected a name, a Potential object or an ASE calculator, got {_told(potential)}; "
        "call a class of calculators to make one"
    )


def _name_of_calculator(calculator: Any) -> str:
    """Return a name that tells a calculator's class and the parameters that it was given."""
    kind = type(calculator)
    try:
        parameters = dict(calculator.todict())
    except Exception:  # of calculators that are none of ASE's own kind; the class has to do
        parameters = dict(getattr(calculator, "parameters", None) or {})
    told = "".join(f"{key}={parameters[key]!r};" for key in sorted(parameters))
    digest = f"-{hashlib.sha256(told.encode()).hexdigest()[:8]}" if told else ""
    return f"{OBJECT}{kind.__module__}.{kind.__qualname__}{digest}"


def _told(potential: object) -> str:
    return f"the class {potential.__name__}" if isinstance(potential, type) else repr(potential)[:60]
