"""Fetching the structures of a chemical system from the Materials Project."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from chggen.crystals import system_elements
from chggen.errors import InputError
from chggen.io import NamedStructures, without_foreign_classes, writable_folder, write_archive, write_text

if TYPE_CHECKING:
    from pymatgen.core import Structure

log = logging.getLogger(__name__)
_KEY: Final = "MP_API_KEY"
_ENDPOINT: Final = "CHGGEN_MP_ENDPOINT"  # address of another server with the same interface


def fetch_structures(system: str, out: Path, client: Any = None) -> Path:
    """Fetch all structures of a chemical system and its subsystems from the Materials Project.

    They are written to one archive, which `chggen references build` reads. An archive that is there is used as it is if
    it can be read, and is fetched anew if not.

    Args:
        system: Elements of the system, such as `Li-Si`.
        out: Folder of the archive. It is made if it does not exist.
        client: An `MPRester` of mp-api. None makes one with the key in the environment variable `MP_API_KEY`, which
            needs the extra `chggen[mp]`.

    Returns:
        Path of the archive, such as `OUT/Li-Si.npz` with the elements in alphabetical order. Structures are named by
        their Materials Project ids.

    Raises:
        InputError: The system cannot be read, the key or the extra is missing, the server gives no answer or knows no
            structure of the system, or the folder cannot be written to.
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
    with _answering():
        client = client or _client()
        writable_folder(out)
        found = client.materials.summary.search(chemsys=wanted, deprecated=False, fields=["material_id", "structure"])
    structures = dict(_named(found))
    if not structures:
        raise InputError(f"the Materials Project holds no structures of {system}; check the elements")
    write_archive(structures, target)
    return target


def fetch_entries(system: str, functional: str, out: Path, client: Any = None) -> Path:
    """Fetch the computed entries of a chemical system from the Materials Project: DFT energies of one functional.

    `chggen references import` makes a table of the file, at a level such as `r2scan-dft`.

    Args:
        system: Elements of the system, such as `Li-Si`.
        functional: The hull that they belong to, as the Materials Project calls it: `R2SCAN`, `GGA_GGA+U` and others.
        out: Folder of the file. It is made if it does not exist.
        client: An `MPRester` of mp-api, as for `fetch_structures`.

    Returns:
        Path of the file, such as `OUT/Li-Si-r2scan.json`.

    Raises:
        InputError: As for `fetch_structures`.
    """
    from monty.json import MontyEncoder

    elements = sorted(system_elements(system))
    with _answering():
        client = client or _client()
        found = client.get_entries_in_chemsys(elements, additional_criteria={"thermo_types": [functional]})
    if not found:
        raise InputError(f"the Materials Project holds no {functional} entries of {system}; check both")
    name = re.sub(r"[^a-z0-9]+", "-", functional.lower())
    target = writable_folder(out) / f"{'-'.join(elements)}-{name}.json"
    write_text(target, json.dumps(list(found), cls=MontyEncoder))
    return target


@contextmanager
def _answering() -> Iterator[None]:
    """Turn what the server or the way to it leads to into an InputError."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # mp-api raises anything from a timeout to a refused key
        reason = str(error).split("\n")[0]
        raise InputError(f"the Materials Project gave no answer ({reason}); check the network and {_KEY}") from None


def _named(found: Iterable[Any]) -> Iterable[tuple[str, Structure]]:
    """Yield id and structure of each answer of the server, which may be a document or a dictionary."""
    from pymatgen.core import Structure

    for answer in found:
        row = answer if isinstance(answer, dict) else vars(answer)
        given = row["structure"]
        yield (
            str(row["material_id"]),
            (given if isinstance(given, Structure) else Structure.from_dict(without_foreign_classes(given))),
        )


def _client() -> Any:
    """Return an MPRester with the user's key. Raises InputError without mp-api or the key."""
    try:
        from mp_api.client import MPRester
    except ImportError:
        raise InputError("fetching from the Materials Project needs mp-api; install chggen[mp]") from None
    if not os.environ.get(_KEY):
        raise InputError(f"fetching from the Materials Project needs a key; set {_KEY} to yours")
    endpoint = os.environ.get(_ENDPOINT)  # None: mp-api's own
    return MPRester(os.environ[_KEY], endpoint=endpoint, use_document_model=False, mute_progress_bars=True)
