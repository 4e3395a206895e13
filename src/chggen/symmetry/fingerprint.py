"""Structure fingerprints: a hash that is the same for two structures of one kind, whatever their cell and strain."""

from __future__ import annotations

import hashlib
import importlib
import sys
import warnings
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Final

from chggen.symmetry.detection import space_group

if TYPE_CHECKING:
    from pymatgen.core import Structure

FINGERPRINT_SYMPREC: Final = 0.1
"""Tolerance in Å at which the symmetry of a structure is found for its fingerprint."""
_DIGITS: Final = 16


def structure_fingerprint(structure: Structure) -> str | None:
    """Return the fingerprint of a structure: its protostructure label, hashed.

    The label names formula type, Pearson symbol, space group, the occupied Wyckoff positions and the elements on them
    (Goodall et al., Science Advances 8, eabn4117, 2022). It does not depend on the cell that was chosen, on lengths or
    on free coordinates, so different structures can share it. Compare energies as well.

    Args:
        structure: Any structure. Oxidation states, magnetic moments and other properties make no difference.

    Returns:
        The first 16 hexadecimal digits of the SHA-256 of the label. None for a structure that has no label, such as a
        disordered or empty one.
    """
    from pymatgen.core import Structure

    try:
        if not len(structure) or not structure.is_ordered or space_group(structure, FINGERPRINT_SYMPREC) is None:
            return None
        plain = Structure(structure.lattice, [site.specie.symbol for site in structure], structure.frac_coords)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            label = _prototypes().get_protostructure_label(
                plain, "spglib", raise_errors=True, init_symprec=FINGERPRINT_SYMPREC
            )
    except Exception:  # a label is a help, and what pymatgen and spglib raise for odd structures is of any kind
        return None
    return hashlib.sha256(label.encode()).hexdigest()[:_DIGITS] if label else None


@cache
def _prototypes() -> ModuleType:
    """Return pymatgen's module of prototypes, without its library of AFLOW structures where that is not loaded yet.

    The module decodes that library when it is imported, which takes 3 s of a core, and labels do not need it. The
    module that lacks it is nobody else's: a later import by other code gets a whole one.
    """
    import monty.serialization
    import pymatgen.analysis

    name = "pymatgen.analysis.prototypes"
    if name in sys.modules:
        return sys.modules[name]
    loadfn = monty.serialization.loadfn
    monty.serialization.loadfn = lambda path, *args, **kwargs: (
        [] if "aflow" in str(path) else loadfn(path, *args, **kwargs)
    )
    try:
        return importlib.import_module(name)
    finally:
        monty.serialization.loadfn = loadfn
        for module in [m for m in sys.modules if m == name or m.startswith(f"{name}.")]:
            del sys.modules[module]
        vars(pymatgen.analysis).pop("prototypes", None)
