"""A reference file made from computed entries, such as one's own DFT results."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from chggen.crystals import SYMBOLS, plain_formula
from chggen.errors import InputError
from chggen.io import read_foreign_json, writable_folder
from chggen.potential import levels
from chggen.stability.joined_references import references_of
from chggen.stability.reference_entry import ReferenceEntry
from chggen.stability.references import BUILD, write_references

_MAX_ENERGY: Final = 1e3  # eV/atom
_MAX_ATOMS: Final = 1e5  # of an entry
_MAX_LEVEL: Final = 40  # letters


def entries_table(path: Path, level: str | None, out: Path) -> Path:
    """Write a reference file from computed entries.

    The energies taken are the corrected ones. Their level needs a name of its own, such as `pbe-dft`. This keeps them
    apart from the energies that CHGNet predicts at `pbe` and `r2scan`, with which they cannot be compared.

    Args:
        path: JSON file with a list of pymatgen ComputedEntries.
        level: Level of theory of their energies; None where the user gave none, which is refused.
        out: Folder to write into.

    Returns:
        The reference file, OUT/references.npz.

    Raises:
        InputError: The level is missing or belongs to a potential. The file holds no entries, or entries of different
            functionals. The folder holds energies that were built, or imported at another level.
    """
    if not level:
        raise InputError(f"the entries of {path} need a level of theory; give one with --level, such as pbe-dft")
    if not level.isprintable() or level != level.strip() or len(level) > _MAX_LEVEL:
        raise InputError(f"level {level!r:.60} is no name; expected up to {_MAX_LEVEL} letters, such as pbe-dft")
    if level in levels():
        raise InputError(
            f"level '{level}' is that of energies predicted by a potential, which others cannot be compared with; give "
            f"computed entries a level of their own, such as {level}-dft"
        )
    if (out / BUILD).exists():
        raise InputError(f"{out} holds energies of `chggen references build`; choose another --out")
    target = out / "references.npz"
    if target.exists() and (others := set(references_of([str(target)]).levels) - {*levels(), level}):
        raise InputError(f"{out} holds energies at level '{others.pop()}'; choose another --out for those at '{level}'")
    rows = [_row(k, entry, level) for k, entry in enumerate(_entries_of(path))]
    writable_folder(out)
    write_references(rows, target)
    return target


def _entries_of(path: Path) -> list[Any]:
    """Return the computed entries of a file. Raises InputError where there are none, or ones of unlike functionals."""
    from monty.json import MontyDecoder
    from pymatgen.entries.computed_entries import ComputedEntry

    expected = "a JSON list of pymatgen ComputedEntries"
    if not path.is_file():
        raise InputError(f"no file of entries at {path}; expected {expected}")
    try:
        found = MontyDecoder().process_decoded(read_foreign_json(path))
        entries = list(found.values()) if isinstance(found, dict) else list(found)
    except Exception as error:  # whatever foreign values make the classes of entries raise
        raise InputError(f"{path} cannot be read ({error!s:.120}); expected {expected}") from None
    if not entries or not all(isinstance(entry, ComputedEntry) for entry in entries):
        raise InputError(f"{path} holds something else than computed entries; expected {expected}")
    for entry in entries:
        _check_entry(entry, path)
    functionals = sorted({str(e.parameters.get("run_type", "")).removesuffix("+U") for e in entries} - {"", "None"})
    if len(functionals) > 1:
        raise InputError(
            f"{path} holds energies of {' and '.join(functionals)}, which cannot be compared; expected those of one "
            "functional, import each with a level of its own"
        )
    return entries


def _check_entry(entry: Any, path: Path) -> None:
    """Raise InputError for an entry without a finite energy, without atoms, or of what is no element."""
    name = f"{entry.entry_id!s:.40}"
    try:
        amounts = entry.composition.get_el_amt_dict()
        known = bool(amounts) and all(element in SYMBOLS or element in ("D", "T") for element in amounts)
        energy, n_atoms = float(entry.energy_per_atom), float(entry.composition.num_atoms)
        fits = known and abs(energy) < _MAX_ENERGY and 0 < n_atoms < _MAX_ATOMS and isinstance(entry.parameters, dict)
    except Exception:  # pymatgen takes any value for an energy or a correction, and fails when asked for the sum
        fits = False
    if not fits:
        raise InputError(f"entry {name} of {path} cannot be used; expected elements and a finite energy in eV")


def _row(k: int, entry: Any, level: str) -> ReferenceEntry:
    """Return the reference entry of the k-th computed entry."""
    from chggen.symmetry import space_group, structure_fingerprint

    structure: Any = getattr(entry, "structure", None)
    known = structure is not None and structure.is_ordered
    return ReferenceEntry(
        id=str(entry.entry_id or f"entry-{k}"),
        formula=plain_formula(entry.composition),
        level=level,
        energy_per_atom=float(entry.energy_per_atom),
        space_group=space_group(structure, 0.1) or 0 if known else 0,
        n_atoms=round(entry.composition.num_atoms),
        fingerprint=structure_fingerprint(structure) or "" if known else "",
    )
