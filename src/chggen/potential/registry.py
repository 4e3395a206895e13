"""The registry of potentials: their names, their levels of theory, and how they are loaded."""

from __future__ import annotations

import functools
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chggen.errors import InputError
from chggen.io import digest
from chggen.potential.built_in import BUILT_IN, DEFAULT
from chggen.potential.dispersed import SUFFIX, dispersed_level, with_dispersion
from chggen.potential.given_objects import OBJECT, given_potential
from chggen.potential.level import Level, own_level
from chggen.potential.registered_potential import RegisteredPotential

if TYPE_CHECKING:
    import torch

    from chggen.potential.protocol import Potential

ENTRY_POINTS: Final = "chggen.potentials"
"""Group of entry points by which other packages add potentials; each names a `RegisteredPotential`."""


@functools.cache
def potentials() -> dict[str, RegisteredPotential]:
    """Return all registered potentials by name: the built-in ones, then those of other packages.

    Returns:
        Name to potential, in the order of registration.

    Raises:
        InputError: When another package registers something else, or takes a name or level that is taken.
    """
    found = {one.name: one for one in BUILT_IN}
    for point in entry_points(group=ENTRY_POINTS):
        added = point.load()
        if not isinstance(added, RegisteredPotential):
            raise InputError(
                f"entry point {point.name} of {ENTRY_POINTS} is a {type(added).__name__}; expected a "
                f"RegisteredPotential; mend {point.value} or uninstall its package"
            )
        if added.name in found or added.level.name in {one.level.name for one in found.values()}:
            raise InputError(
                f"{point.value} registers potential '{added.name}' at level '{added.level.name}', and one of the two "
                "names is taken; two potentials never share a level, so rename it"
            )
        found[added.name] = added
    return found


def registered(name: str) -> RegisteredPotential | None:
    """Return the registered potential of a name, `NAME+d3` being one with dispersion; None where it is none of these.

    Args:
        name: Name of a potential.

    Raises:
        InputError: Dispersion is asked for with a potential whose functional is not known.
    """
    if not name.endswith(SUFFIX):
        return potentials().get(name)
    base = potentials().get(name.removesuffix(SUFFIX))
    if base is None or base.functional is None:
        known = ", ".join(one.name for one in potentials().values() if one.functional is not None)
        raise InputError(
            f"potential '{name}' asks for dispersion, which needs a potential of a known functional; expected {known} "
            f"with {SUFFIX}"
        )
    return with_dispersion(base)


def levels() -> dict[str, Level]:
    """Return the levels of theory of all registered potentials by name, in the order of registration."""
    return {one.level.name: one.level for one in potentials().values()}


def default_levels() -> tuple[str, ...]:
    """Return the names of the levels of the default potential and of the one that refines it, those of the program."""
    finer = refining_potential(DEFAULT)
    return tuple(level_of(name).name for name in (DEFAULT, finer) if name is not None)


def digest_of_potential(name: str) -> str | None:
    """Return what stands for the weights of a potential.

    Args:
        name: Name of a registered potential, or `SCHEME:module:factory`.

    Returns:
        A digest of the files of its weights, or of the module of its factory; None where there are no such files.
    """
    if (known := registered(name)) is not None:
        files = list(known.weights())
    elif name.startswith(OBJECT):
        return None
    else:
        try:
            found = find_spec(name.split(":")[1])
        except (ImportError, ValueError, IndexError):
            found = None
        files = [Path(found.origin)] if found is not None and found.has_location and found.origin else []
    digests = [digest(file) for file in files if file.is_file()]
    return ", ".join(digests) or None


def level_named(name: str) -> Level:
    """Return a level by name; one that no potential registered, such as that of imported entries, is taken as it is.

    Args:
        name: Name of the level.
    """
    base = levels().get(name.removesuffix(SUFFIX))
    return own_level(name) if base is None else dispersed_level(base) if name.endswith(SUFFIX) else base


def level_of(potential: str) -> Level:
    """Return the level of theory of a potential by the potential's name, without loading it.

    Args:
        potential: Name of a registered potential, or `ase:module:factory` or `torch-sim:module:factory`.
    """
    if (known := registered(potential)) is not None:
        return known.level
    given = given_potential(potential)
    return own_level(potential) if given is None else level_named(given.level)


def potential_of(level: str) -> str | None:
    """Return the name of the potential that gives energies at a level; None where none does.

    Args:
        level: Name of a level. A potential that is not registered names its level like itself.
    """
    by_level = {one.level.name: one.name for one in potentials().values()}
    if level.endswith(SUFFIX) and (base := by_level.get(level.removesuffix(SUFFIX))) is not None:
        return f"{base}{SUFFIX}"
    return by_level.get(level, level if level.startswith(_SCHEMES) else None)


def refining_potential(name: str) -> str | None:
    """Return the name of the potential that decides among the survivors of a run with this one; None: there is none.

    Args:
        name: Name of the potential of the run.
    """
    return None if (known := registered(name)) is None else known.refined_by


def refining_levels() -> tuple[str, ...]:
    """Return the names of the levels at which survivors of any run may be ranked, in the order of registration."""
    finer = {one.refined_by for one in potentials().values()}
    return tuple(one.level.name for one in potentials().values() if one.name in finer)


def load_potential(name: str = DEFAULT, device: str | torch.device = "cpu") -> Potential:
    """Return the potential of a name.

    Args:
        name: A registered name, with `+d3` behind it where dispersion is wanted; `ase:module:factory` for an ASE
            calculator, such as `ase:ase.calculators.emt:EMT`, or `torch-sim:module:factory` for a torch-sim model; the
            factory is called without arguments. Or what `name_of_potential` returned for an object.
        device: Where it runs. What a factory makes runs where it runs, whatever the device.

    Raises:
        InputError: For an unknown name, and for a factory that cannot be imported or called.
    """
    if (known := registered(name)) is not None:
        known.check()
        return known.load(str(device))
    if (given := given_potential(name)) is not None:
        return given
    for scheme, load in _SCHEMES_LOADED.items():
        if name.startswith(scheme):
            return load(name)
    raise InputError(
        f"unknown potential '{name}'; expected {', '.join(potentials())}, ase:module:factory or "
        "torch-sim:module:factory; pass one of these, or a Potential object"
    )


def _ase(name: str) -> Potential:
    from chggen.potential.ase import AsePotential

    return AsePotential.from_name(name)


def _torch_sim(name: str) -> Potential:
    from chggen.potential.torch_sim import TorchSimPotential

    return TorchSimPotential.from_name(name)


_SCHEMES_LOADED: Final = {"ase:": _ase, "torch-sim:": _torch_sim}
_SCHEMES: Final = tuple(_SCHEMES_LOADED)
