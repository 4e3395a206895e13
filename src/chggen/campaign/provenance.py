"""What was run, written down beside the results: a line for each time that a run begins or goes on."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from chggen import __version__
from chggen.campaign.options import SHIPPED
from chggen.errors import InputError
from chggen.execution import Machine
from chggen.generation import SamplerOptions
from chggen.io import digest, digest_of_folder
from chggen.potential import digest_of_potential, refining_potential
from chggen.relaxation import RelaxOptions
from chggen.results import shown_address
from chggen.score import SHIPPED_MODEL, digest_of_model

RUNS: Final = "runs.jsonl"
"""Name of the file in a results folder."""
_PACKAGES: Final = ("ase", "chgnet", "e3nn", "numpy", "pymatgen", "pyxtal", "scipy", "spglib", "torch", "vesin")
_PACKAGE: Final = Path(__file__).parents[1]


def write_down(
    folder: Path,
    options: Mapping[str, Any],
    machine: Machine | None = None,
    digests: Mapping[str, Any] | None = None,
) -> None:
    """Add a line about a run that begins or goes on to `runs.jsonl`.

    The line holds the time, the version, the command line, the options in full, the machine, the versions of the
    packages that results depend on, and digests of the tables that come with chggen.

    Args:
        folder: The results folder.
        options: The options in full.
        machine: Where it is computed.
        digests: Digests of further files that results depend on, by what they are.
    """
    line = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "chggen": __version__,
        "command_line": [shown_address(argument) for argument in sys.argv],  # without passwords
        "working_folder": os.getcwd(),
        "options": dict(options),
        "machine": None if machine is None else machine.as_dict(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "digests": {**_tables(), **(digests or {})},
    }
    path = folder / RUNS
    with path.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # the last one was cut off
                file.write(b"\n")
        file.write(json.dumps(line, default=str).encode() + b"\n")


def digests_of(
    sampler: SamplerOptions | None,
    relax: RelaxOptions | None,
    references: Sequence[str] = (),
    judges: Sequence[str] = (),
) -> dict[str, Any]:
    """Return digests of what a run loads: score model, potentials and known phases.

    Args:
        sampler: How it samples; None where it does not.
        relax: How it relaxes; None where it does not.
        references: Files of known phases; `shipped` stands for the table of chggen, which is digested anyway.
        judges: Potentials that judge its candidates; none for the one that refines that of the run.

    Returns:
        What it is to a digest; None where there is no file to digest.
    """
    found: dict[str, Any] = {}
    if sampler is not None:
        shipped = _PACKAGE / "score" / SHIPPED_MODEL
        found["score_model"] = digest(shipped) if sampler.model is None else digest_of_model(sampler.model)
    if relax is not None:
        further: Sequence[str | None] = judges or (refining_potential(relax.potential),)
        names = [relax.potential, *further]
        found["potentials"] = {name: digest_of_potential(name) for name in names if name is not None}
    files = [name for name in references if name != SHIPPED]
    return found | ({"references": {name: digest_of_folder(Path(name)) for name in files}} if files else {})


def _tables() -> dict[str, str]:
    """Return digests of the tables that come with chggen."""
    found = {}
    for path in sorted((_PACKAGE / "data").iterdir()):
        try:
            found[path.name] = digest(path)
        except InputError:  # a folder, or a file that is not for this user
            continue
    return found


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
