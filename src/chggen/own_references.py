"""Known phases of one's own: from computed entries with their energies, or from the Materials Project as structures."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from chggen.composition import system_elements
from chggen.config import InputError
from chggen.files import plain_formula
from chggen.named_structures import NamedStructures, write_archive
from chggen.references import BUILD, LEVELS, ReferenceEntry, references_of, write_references
from chggen.store import writable_folder

if TYPE_CHECKING:
    from pymatgen.core import Structure

log = logging.getLogger(__name__)
_KEY: Final = "MP_API_KEY"
_ENDPOINT: Final = "CHGGEN_MP_ENDPOINT"  # address of another server of the same interface


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
    if level in LEVELS:
        raise InputError(
            f"level '{level}' is that of energies predicted by CHGNet, which others cannot be compared with; give "
            f"computed entries a level of their own, such as {level}-dft"
        )
    if (out / BUILD).exists():
        raise InputError(f"{out} holds energies of `chggen references build`; choose another --out")
    target = out / "references.npz"
    if target.exists() and (others := set(references_of([str(target)]).levels) - {*LEVELS, level}):
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


def fetch_structures(system: str, out: Path, client: Any = None) -> Path:
    """All structures of a system such as Li-Si, its subsystems included, from the Materials Project: an archive.

    Written to OUT/SYSTEM.npz for `chggen references build`; one that is there and can be read is used as it is, one
    that cannot is fetched anew. client: an MPRester; None: one with the key in MP_API_KEY (needs chggen[mp]). Raises
    InputError without the key or the extra, and when the server cannot be asked or knows nothing of the system.
    """
    elements = system_elements(system)
    target = out / f"{'-'.join(sorted(elements))}.npz"
    if target.exists():
        try:
            if NamedStructures((target,)).names:
                return target
        except InputError as error:
            log.warning("%s; fetched anew", error)
    wanted = ["-".join(part) for n in range(1, len(elements) + 1) for part in combinations(sorted(elements), n)]
    try:
        client = client or _client()
        writable_folder(out)
        found = client.materials.summary.search(chemsys=wanted, deprecated=False, fields=["material_id", "structure"])
    except InputError:
        raise
    except Exception as error:  # mp-api raises anything from a timeout to a refused key
        reason = str(error).split("\n")[0]
        raise InputError(f"the Materials Project gave no answer ({reason}); check the network and {_KEY}") from None
    structures = dict(_named(found))
    if not structures:
        raise InputError(f"the Materials Project holds no structures of {system}; check the elements")
    write_archive(structures, target)
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


def _named(found: Iterable[Any]) -> Iterable[tuple[str, Structure]]:
    """Id and structure of what the server gave, documents or dictionaries."""
    from pymatgen.core import Structure

    for one in found:
        row = one if isinstance(one, dict) else vars(one)
        given = row["structure"]
        yield str(row["material_id"]), given if isinstance(given, Structure) else Structure.from_dict(given)


def _client() -> Any:
    try:
        from mp_api.client import MPRester
    except ImportError:
        raise InputError("fetching from the Materials Project needs mp-api; install chggen[mp]") from None
    if not os.environ.get(_KEY):
        raise InputError(f"fetching from the Materials Project needs a key; set {_KEY} to yours")
    endpoint = os.environ.get(_ENDPOINT)  # None: mp-api's own
    return MPRester(os.environ[_KEY], endpoint=endpoint, use_document_model=False, mute_progress_bars=True)
