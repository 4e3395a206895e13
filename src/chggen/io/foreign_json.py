"""JSON of other programs in which dictionaries may name a module and a class: only known classes are ever imported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from chggen.errors import InputError
from chggen.io.text_files import read_text

_MAX_BYTES: Final = 2**29  # of JSON text, unpacked
_ENTRY_MODULES: Final = (
    "pymatgen.core.entries",
    "pymatgen.entries.computed_entries",
    "pymatgen.analysis.compatibility.computed_entries",
)
_ENTRY_CLASSES: Final = (
    "ComputedEntry", "ComputedStructureEntry", "GibbsComputedStructureEntry", "EnergyAdjustment",
    "ConstantEnergyAdjustment", "ManualEnergyAdjustment", "CompositionEnergyAdjustment", "TemperatureEnergyAdjustment",
)  # fmt: skip
_CRYSTAL_CLASSES: Final = {
    "pymatgen.core.structure": ("Structure", "IStructure"),
    "pymatgen.core.sites": ("PeriodicSite",),
    "pymatgen.core.lattice": ("Lattice",),
    "pymatgen.core.composition": ("Composition",),
    "pymatgen.core.periodic_table": ("Element", "Species", "DummySpecies"),
    "pymatgen.electronic_structure.core": ("Magmom", "Spin"),
    "numpy": ("array",),
}
_KNOWN: Final = {(module, name) for module in _ENTRY_MODULES for name in _ENTRY_CLASSES} | {
    (module, name) for module, names in _CRYSTAL_CLASSES.items() for name in names
}


def read_foreign_json(path: Path) -> Any:
    """Return the data of a JSON file, which may be packed (gzip, bzip2, xz).

    Args:
        path: The file. It must exist.

    Returns:
        The data, in which nothing names a class but those of crystals and computed entries; see
        `without_foreign_classes`.

    Raises:
        InputError: If the file cannot be read, unpacks to more than 512 MiB, is no JSON, or is nested too deeply.
    """
    try:
        return without_foreign_classes(json.loads(read_text(path, _MAX_BYTES)))
    except InputError:
        raise
    except Exception as error:  # a foreign file may be anything, and nested as deep as it likes
        raise InputError(f"{path} is no readable JSON file ({type(error).__name__}: {error!s:.80})") from None


def without_foreign_classes(value: Any) -> Any:
    """Return JSON data in which nothing names a class but those of crystals and computed entries.

    Monty, with which pymatgen decodes JSON, imports whatever module a dictionary names. A file could so have any module
    of this machine run. Dictionaries of other classes become plain ones here: their keys `@module`, `@class` and
    `@callable` are left out, and a member of an enumeration becomes its value.

    Args:
        value: What `json.loads` gave: dictionaries, lists, texts and numbers.

    Returns:
        The same data, new dictionaries and lists throughout.
    """
    if isinstance(value, list):
        return [without_foreign_classes(one) for one in value]
    if not isinstance(value, dict):
        return value
    inner = {key: without_foreign_classes(one) for key, one in value.items()}
    if "@module" not in value:
        return inner
    named = (value["@module"], value.get("@class"))
    if "@callable" not in value and all(isinstance(name, str) for name in named) and named in _KNOWN:
        return inner
    kept = {key: one for key, one in inner.items() if not key.startswith("@")}
    return kept["value"] if set(kept) == {"value"} else kept
