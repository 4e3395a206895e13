"""A log of the energies of known phases: a file that grows as they are computed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from chggen.errors import InputError
from chggen.io import write_text
from chggen.stability.reference_entry import ReferenceEntry


class EnergyLog:
    """What is known of each phase at each level of theory, kept in a file of JSON lines.

    A phase is named by its id. Each line holds what was learnt at one time, and later lines add to earlier ones. A run
    that was killed can therefore go on where it stopped.

    Fields of a line, besides `id` and `level`:

    - `formula`, `space_group` (international number), `n_atoms` and `fingerprint` of the phase,
    - `static`: energy of the structure as it was given, in eV/atom,
    - `relaxed`: energy after relaxation, in eV/atom,
    - `failed`: why there is no energy, or why the relaxation failed,
    - `sampled`: present if the phase was relaxed as a sample of the static ones.
    """

    def __init__(self, path: Path) -> None:
        """Read the log. A last line that was cut short by a kill is taken out of the file.

        Args:
            path: File of the log. It need not exist yet.

        Raises:
            InputError: Another line of the file cannot be read.
        """
        self._path = path
        self._known: dict[tuple[str, str], dict[str, Any]] = {}
        text = path.read_text(errors="replace") if path.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            write_text(path, whole)
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                row = json.loads(line)
                _check(row)
                self._learn([row])
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                raise InputError(
                    f"line {number} of {path} cannot be read; expected a row of energies; delete the line to have its "
                    "phase computed again"
                ) from None

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add what was computed, and write it to the file at once.

        Args:
            rows: Lines with `id`, `level` and any of the other fields.
        """
        with self._path.open("a") as handle:
            handle.writelines(json.dumps(row) + "\n" for row in rows)
        self._learn(rows)

    @property
    def names(self) -> set[str]:
        """Ids of all phases in the log."""
        return {name for name, _ in self._known}

    def of(self, name: str, level: str) -> dict[str, Any]:
        """Return what is known of a phase at a level of theory.

        Args:
            name: Id of the phase.
            level: Level of theory.

        Returns:
            Its fields, none before anything was tried.
        """
        return self._known.get((name, level), {})

    def tried(self, name: str, level: str) -> bool:
        """Return whether a phase needs no relaxation any more.

        Args:
            name: Id of the phase.
            level: Level of theory.

        Returns:
            True if its relaxation was tried, or is hopeless because the structure has no energy.
        """
        known = self.of(name, level)
        return "relaxed" in known or "failed" in known

    def entries(self) -> list[ReferenceEntry]:
        """Return every phase that has an energy, as reference entries.

        The relaxed energy is taken where there is one, else the static one. Phases whose relaxation failed are left
        out: the potential knows no phase near them, and a static energy in its place must not stay on a hull.

        Returns:
            One entry for each phase and level.
        """
        return [
            ReferenceEntry(
                id=name,
                level=level,
                formula=row["formula"],
                energy_per_atom=row["relaxed"] if "relaxed" in row else row["static"],
                relaxed="relaxed" in row,
                space_group=row["space_group"],
                n_atoms=row["n_atoms"],
                fingerprint=row.get("fingerprint") or "",  # earlier versions wrote none
                drop=row["static"] - row["relaxed"] if "sampled" in row and "relaxed" in row else math.nan,
            )
            for (name, level), row in self._known.items()
            if "static" in row and "failed" not in row
        ]

    def _learn(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add the fields of these lines to what is known."""
        for row in rows:
            key = row["id"], row["level"]
            self._known[key] = self._known.get(key, {}) | {k: v for k, v in row.items() if k not in ("id", "level")}


def _check(row: dict[str, Any]) -> None:
    """Raise ValueError, TypeError, KeyError or AttributeError for a line that `EnergyLog` has not written."""
    if not all(isinstance(row[name], str) for name in ("id", "level")):
        raise ValueError("id and level are names")
    if not all(math.isfinite(row[name]) for name in ("static", "relaxed") if name in row):
        raise ValueError("energies are finite")
    if "static" in row and not (isinstance(row["formula"], str) and row["space_group"] >= 0 and row["n_atoms"] >= 1):
        raise ValueError("a phase has a formula, a space group and atoms")
