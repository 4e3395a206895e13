"""Candidate: one record of what was made, how, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One candidate with its lineage. Energies in eV/atom, lengths in Å; None: not computed (see reason or the log).

    stage: what made it, `generate` or `inpaint`; status: `ok` or `failed`; failed_at: `sample`, `screen`, `relax`,
    `refine` or `hull`. raw is the structure as generated, structure the latest one (relaxed and refined when that
    was reached). space_group is at symprec 0.01 Å, space_group_loose at 0.1 Å (international numbers). framework_* and
    refined_*: tolerance, rms and largest displacement of symmetrising the host before and the candidate after.
    seed_log_odds: of the prototype that it began as (prototypes.Prototype). n_found, found_by, prototype_log_odds: how
    many candidates are this structure, which seed sources they came from, and the greatest seed_log_odds of those whose
    relaxation led to no other structure than they began as.
    """

    id: str
    stage: str
    formula: str
    seed: int
    parent: str | None = None
    status: str = "ok"
    failed_at: str | None = None
    reason: str | None = None
    seed_source: str | None = None
    seed_log_odds: float | None = None
    structure: Structure | None = None
    raw: Structure | None = None
    space_group: int | None = None
    space_group_loose: int | None = None
    framework_symprec: float | None = None
    framework_rms: float | None = None
    framework_max: float | None = None
    refined_symprec: float | None = None
    refined_rms: float | None = None
    refined_max: float | None = None
    energy_per_atom: float | None = None
    level: str | None = None
    e_decomposition: float | None = None
    decomposition_products: str | None = None
    energy_per_atom_r2scan: float | None = None
    e_decomposition_r2scan: float | None = None
    known_as: str | None = None
    relax_energy_change: float | None = None
    relax_rmsd: float | None = None
    relax_steps: int | None = None
    converged: bool | None = None
    duplicate_of: str | None = None
    n_found: int | None = None
    found_by: str | None = None
    prototype_log_odds: float | None = None

    @property
    def n_atoms(self) -> int | None:
        shown = self.structure if self.structure is not None else self.raw
        return None if shown is None else len(shown)

    @property
    def deciding_e_d(self) -> float | None:
        """The decomposition energy that candidates are judged by, eV/atom: at r²SCAN level where there is one."""
        return self.e_decomposition if self.e_decomposition_r2scan is None else self.e_decomposition_r2scan

    @property
    def confidence(self) -> str | None:
        """How sure one may be that a search found what there is: `high`, `medium`, `low`; None for a duplicate.

        High where it was found three times or more, by two or more seed sources; low where it was found once.
        """
        if self.n_found is None:
            return None
        sources = (self.found_by or "").count(",") + 1
        return "low" if self.n_found == 1 else "high" if self.n_found >= 3 and sources > 1 else "medium"

    @property
    def volume_per_atom(self) -> float | None:
        """Å³/atom."""
        shown = self.structure if self.structure is not None else self.raw
        return None if shown is None else float(shown.volume / len(shown))

    def summary_row(self) -> dict[str, Any]:
        """The candidate's row of summary.csv, columns in the contract's order."""
        return {column: getattr(self, column) for column in SUMMARY_COLUMNS}


def failed(candidate: Candidate, stage: str, reason: str) -> Candidate:
    """The candidate as a failed row."""
    return replace(candidate, status="failed", failed_at=stage, reason=reason)


SUMMARY_COLUMNS: Final = (
    "id", "parent", "stage", "status", "failed_at", "reason", "formula", "n_atoms", "seed", "seed_source",
    "space_group", "space_group_loose", "framework_symprec", "framework_rms", "framework_max", "energy_per_atom",
    "level", "e_decomposition", "decomposition_products", "energy_per_atom_r2scan", "e_decomposition_r2scan",
    "known_as", "volume_per_atom", "relax_energy_change", "relax_rmsd", "relax_steps", "converged", "duplicate_of",
    "n_found",
)  # fmt: skip
SCALAR_FIELDS: Final = tuple(f.name for f in fields(Candidate) if f.name not in ("structure", "raw"))
