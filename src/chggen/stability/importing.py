"""A reference file from computed entries of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chggen.crystals import plain_formula
from chggen.errors import InputError
from chggen.io import writable_folder
from chggen.potential import levels
from chggen.stability.references import BUILD, ReferenceEntry, references_of, write_references


def entries_table(path: Path, level: str | None, out: Path) -> Path:
    """A reference file OUT/references.npz of a pymatgen JSON of ComputedEntries, whose energies are at this level.

    Energies are the corrected ones. The level has a name of its own, such as pbe-dft, which keeps them apart from those
    that CHGNet predicts at `pbe` and `r2scan`. Raises InputError for a missing level and for one of these two, for a
    file that holds no entries, for entries of unlike functionals, and where OUT holds energies that were built, or
    imported at another level.
    """
    from monty.serialization import loadfn
    from pymatgen.entries.computed_entries import ComputedEntry

    expected = "a JSON list of pymatgen ComputedEntries"
    if not level:
        raise InputError(f"the entries of {path} need a level of theory; give one with --level, such as pbe-dft")
    if level in levels():
        raise InputError(
            f"level '{level}' is that of energies predicted by CHGNet, which others cannot be compared with; give "
            f"computed entries a level of their own, such as {level}-dft"
        )
    if (out / BUILD).exists():
        raise InputError(f"{out} holds energies of `chggen references build`; choose another --out")
    target = out / "references.npz"
    if target.exists() and (others := set(references_of([str(target)]).levels) - {*levels(), level}):
        raise InputError(f"{out} holds energies at level '{others.pop()}'; choose another --out for those at '{level}'")
    if not path.is_file():
        raise InputError(f"no file of entries at {path}; expected {expected}")
    try:
        found = loadfn(path)
        entries = list(found.values()) if isinstance(found, dict) else list(found)
    except Exception as error:  # whatever a foreign JSON file makes its reader raise
        raise InputError(f"{path} cannot be read ({error}); expected {expected}") from None
    if not entries or not all(isinstance(entry, ComputedEntry) for entry in entries):
        raise InputError(f"{path} holds something else than computed entries; expected {expected}")
    functionals = sorted({str(e.parameters.get("run_type", "")).removesuffix("+U") for e in entries} - {"", "None"})
    if len(functionals) > 1:
        raise InputError(
            f"{path} holds energies of {' and '.join(functionals)}, which cannot be compared; expected those of one "
            "functional, import each with a level of its own"
        )
    rows = [_row(k, entry, level) for k, entry in enumerate(entries)]
    writable_folder(out)
    write_references(rows, target)
    return target


def _row(k: int, entry: Any, level: str) -> ReferenceEntry:
    from chggen.symmetry import space_group

    structure = getattr(entry, "structure", None)
    return ReferenceEntry(
        id=str(entry.entry_id or f"entry-{k}"),
        formula=plain_formula(entry.composition),
        level=level,
        energy_per_atom=float(entry.energy_per_atom),
        space_group=space_group(structure, 0.1) or 0 if structure is not None and structure.is_ordered else 0,
        n_atoms=round(entry.composition.num_atoms),
    )
