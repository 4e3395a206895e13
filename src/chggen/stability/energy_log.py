"""Energies of known phases as they are computed, in a file that grows."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from chggen.errors import InputError
from chggen.io import write_text
from chggen.stability.references import ReferenceEntry


class EnergyLog:
    """What is known of each phase at each level, in a file that grows by lines; later lines add to earlier ones.

    Fields: formula, space_group, n_atoms, static (eV/atom as given), relaxed (eV/atom), failed (why it is not),
    sampled (where it was relaxed to stand for the static ones). A last line that a kill cut short is taken out of the
    file; raises InputError for any other that cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[tuple[str, str], dict[str, Any]] = {}
        text = path.read_text(errors="replace") if path.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            write_text(path, whole)
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                self._learn([json.loads(line)])
            except (ValueError, TypeError, KeyError, AttributeError):
                raise InputError(
                    f"line {number} of {path} cannot be read; expected a row of energies; delete the line to have its "
                    "phase computed again"
                ) from None

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        with self._path.open("a") as handle:
            handle.writelines(json.dumps(row) + "\n" for row in rows)
        self._learn(rows)

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self._known}

    def of(self, name: str, level: str) -> dict[str, Any]:
        """What is known of a phase at a level; empty before anything was tried."""
        return self._known.get((name, level), {})

    def tried(self, name: str, level: str) -> bool:
        """Whether its relaxation was tried, or is hopeless as it has no energy."""
        known = self.of(name, level)
        return "relaxed" in known or "failed" in known

    def entries(self) -> list[ReferenceEntry]:
        """Every phase that has an energy, relaxed where there is such a one; none whose relaxation failed.

        The potential knows no phase near those, and a static one must not stay on a hull.
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
                drop=row["static"] - row["relaxed"] if "sampled" in row and "relaxed" in row else math.nan,
            )
            for (name, level), row in self._known.items()
            if "static" in row and "failed" not in row
        ]

    def _learn(self, rows: Iterable[dict[str, Any]]) -> None:
        for row in rows:
            key = row["id"], row["level"]
            self._known[key] = self._known.get(key, {}) | {k: v for k, v in row.items() if k not in ("id", "level")}
