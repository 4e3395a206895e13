"""What workers compute when reference energies are built: rows of the energy log for a batch of phases."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from chggen.crystals import plain_formula
from chggen.errors import InputError
from chggen.io import NamedStructures
from chggen.potential import Potential, load_potential
from chggen.relaxation import RelaxOptions


@dataclass(frozen=True)
class Relaxation:
    """How workers evaluate and relax phases.

    Attributes:
        options: The potential, and when a structure counts as relaxed.
        device: `cpu` or `cuda`.
    """

    options: RelaxOptions
    device: str

    def potential(self) -> Potential:
        """Return the potential, loaded when this process first asks for it."""
        return load_potential(self.options.potential, self.device)

    def unloaded(self) -> Relaxation:
        """Return itself, which is what is sent to workers: it holds no models."""
        return self


def static_rows(structures: NamedStructures, names: Sequence[str], relaxation: Relaxation) -> list[dict[str, Any]]:
    """Evaluate structures as they are.

    Args:
        structures: All structures.
        names: Names of those to evaluate.
        relaxation: The potential that gives the energies.

    Returns:
        Rows of the energy log (`EnergyLog`) with formula, space group at 0.1 Å, number of atoms, fingerprint and static
        energy in eV/atom, or the reason why there is none. Structures that cannot be read come first.
    """
    from chggen.crystals import from_structures
    from chggen.potential import UsesSymmetry, energies_of
    from chggen.symmetry import SymmetryConstraint, space_group, structure_fingerprint

    level = relaxation.potential().level
    rows: list[dict[str, Any]] = []
    given = {}
    for name in names:
        try:
            given[name] = structures.structure(name)
        except InputError as error:
            rows.append({"id": name, "level": level, "failed": str(error)})
    if not given:
        return rows
    potential = relaxation.potential()
    symmetries: list[SymmetryConstraint | None] = []
    if isinstance(potential, UsesSymmetry) and getattr(potential, "one_at_a_time", False):  # slow: symmetry pays
        symmetries = [SymmetryConstraint.sparing(structure) for structure in given.values()]
    found = energies_of(potential, from_structures(list(given.values())), symmetries)
    for k, ((name, structure), energy) in enumerate(zip(given.items(), found.energy.tolist(), strict=True)):
        row = {
            "id": name,
            "level": level,
            "formula": plain_formula(structure.composition),
            "space_group": space_group(structure, 0.1) or 0,
            "n_atoms": len(structure),
            "fingerprint": structure_fingerprint(structure) or "",
        }
        known = {"static": round(energy / len(structure), 6)}
        rows.append(row | (known if math.isfinite(energy) else {"failed": found.failures.get(k, "no energy")}))
    return rows


def relaxed_rows(structures: NamedStructures, names: Sequence[str], relaxation: Relaxation) -> list[dict[str, Any]]:
    """Relax structures.

    Args:
        structures: All structures.
        names: Names of those to relax.
        relaxation: How to relax, and with which potential.

    Returns:
        Rows of the energy log (`EnergyLog`) with relaxed energy in eV/atom, space group at 0.1 Å and fingerprint, or
        the reason why there is none.
    """
    from chggen.relaxation import relax
    from chggen.symmetry import space_group, structure_fingerprint

    level, given = relaxation.potential().level, [structures.structure(name) for name in names]
    options = relaxation.options
    rows: list[dict[str, Any]] = []
    done = relax(
        given,
        potential=relaxation.potential(),
        fmax=options.fmax,
        max_steps=options.max_steps,
        device=relaxation.device,
    )
    for name, relaxed in zip(names, done, strict=True):
        row: dict[str, Any] = {"id": name, "level": level}
        if relaxed.energy_per_atom is None or not relaxed.converged:
            rows.append(row | {"failed": relaxed.reason or "not converged"})
            continue
        energy = round(relaxed.energy_per_atom, 6)
        row |= {"relaxed": energy, "space_group": space_group(relaxed.structure, 0.1) or 0}
        rows.append(row | {"fingerprint": structure_fingerprint(relaxed.structure) or ""})
    return rows


def sampled_rows(structures: NamedStructures, names: Sequence[str], relaxation: Relaxation) -> list[dict[str, Any]]:
    """Relax structures that are a sample of the static ones.

    Args:
        structures: All structures.
        names: Names of those to relax.
        relaxation: How to relax, and with which potential.

    Returns:
        Rows as of `relaxed_rows`, marked as sampled.
    """
    return [row | {"sampled": True} for row in relaxed_rows(structures, names, relaxation)]


ROWS: Final = {"static": static_rows, "relaxed": relaxed_rows, "sampled": sampled_rows}
"""Kind of row to what computes such rows: (structures, names, relaxation) → rows."""
