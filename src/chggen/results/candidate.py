"""Candidate: one record of what was made, how, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from chggen.errors import InputError
from chggen.results.packing import PackedStructure, Unpacking, UnpackingTable, packed
from chggen.symmetry import symbol_of

if TYPE_CHECKING:
    from pymatgen.core import Structure

_STRUCTURE: Final[Any] = Unpacking()
_RAW: Final[Any] = Unpacking()
_FORCES: Final[Any] = UnpackingTable()


@dataclass(frozen=True, kw_only=True, repr=False)
class Candidate:
    """One candidate of a run with its lineage: what was made, how, and what became of it.

    Energies are in eV/atom and lengths in Å. None means that something was not computed; `reason` or the log says why.
    Structures may be kept packed, and are built when they are asked for: change a copy of one, not what is here.

    Attributes:
        id: Name of the candidate, unique in its run.
        stage: What made it: `generate`, `inpaint`, `electrode`, `order`, `interface` or `relax`.
        formula: Its reduced formula.
        seed: Its own random seed, drawn from the run's seed and its index.
        parent: Id of the candidate that it was made from.
        status: `ok` or `failed`.
        failed_at: The stage that failed: `draw`, `sample`, `screen`, `relax`, `refine` or `hull`.
        reason: Why it failed.
        seed_source: Where its cell or its guests came from, such as `prototype` or `bravais`.
        seed_log_odds: Log-odds of the prototype that it began as (`generation.prototypes.Prototype`).
        structure: The latest structure: refined if that was reached, else relaxed, else raw.
        raw: The structure as generated.
        space_group: International number of the space group at symprec 0.01 Å.
        space_group_loose: The same at 0.1 Å.
        framework_symprec: Tolerance at which the host was symmetrised before guests were put in.
        framework_rms: Root-mean-square displacement of the host's atoms by that.
        framework_max: Largest displacement of a host atom by that.
        refined_symprec: Tolerance at which the relaxed structure was symmetrised.
        refined_rms: Root-mean-square displacement of the atoms by that.
        refined_max: Largest displacement of an atom by that.
        forces: Forces on the atoms of `structure`, of shape (atoms, 3), in eV/Å, at the level of the run.
        stress: Its stress, in eV/Å³, in ASE's order (xx, yy, zz, yz, xz, xy) and sign: positive where the crystal is
            stretched and pulls inwards. External pressure is not part of it.
        magnetic_moments: Sizes of the magnetic moments of its atoms, of shape (atoms,), in μ_B, where the potential
            gives them. Their directions are not known.
        level: Level of theory of the run, at which candidates are relaxed and first placed on the hull.
        energies: Level of theory to energy, eV/atom. Levels stand in the order in which they were reached: that of the
            run first, those at which survivors were relaxed once more after it.
        decomposition_energies: Level of theory to decomposition energy E_d, eV/atom, in the same order.
        unplaced_at: Further level at which the candidate was relaxed once more and got no energy, mostly since that
            relaxation did not converge.
        decomposition_products: Phases that it decomposes into at the level of the run, as a balanced reaction of one
            formula unit.
        hull_warning: What makes its decomposition energies doubtful, with the remedy; None where nothing does.
        known_as: Id of the reference entry that it is, by structure and energy. `same group and energy as ID` where the
            entry has no fingerprint to tell the structure by. `ordering of ID` for an ordering of a disordered phase.
        e_insertion: Of guests in a region or on a slab: energy of the whole, eV, against the structure that was given
            and the chemical potentials of what was added and taken out. It is the adsorption energy of all guests on
            a slab, and the formation energy of a neutral defect.
        relax_energy_change: Energy of the relaxed, symmetrised structure minus that of the raw one.
        relax_rmsd: Root-mean-square displacement of the atoms by relaxation, minimum image, mean shift removed.
        relax_steps: Steps of the relaxation.
        converged: Whether the relaxation converged.
        duplicate_of: Id of the candidate of the same structure that stands for all of its group.
        n_found: Of the one that stands for a group: how many candidates are this structure.
        found_by: Of the one that stands for a group: the sources that the group came from.
        prototype_log_odds: Of the one that stands for a group: the greatest `seed_log_odds` of those of the group
            whose relaxation led to no other structure than they began as.
        probability: Of the one that stands for a group, where a composition was searched: how probable it is that this
            is its crystal (`results.probabilities`).
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
    structure: Structure | None = _STRUCTURE
    raw: Structure | None = _RAW
    space_group: int | None = None
    space_group_loose: int | None = None
    framework_symprec: float | None = None
    framework_rms: float | None = None
    framework_max: float | None = None
    refined_symprec: float | None = None
    refined_rms: float | None = None
    refined_max: float | None = None
    forces: tuple[tuple[float, ...], ...] | None = _FORCES
    stress: tuple[float, ...] | None = None
    magnetic_moments: tuple[float, ...] | None = None
    level: str | None = None
    energies: Mapping[str, float] = field(default_factory=dict)
    decomposition_energies: Mapping[str, float] = field(default_factory=dict)
    unplaced_at: str | None = None
    decomposition_products: str | None = None
    hull_warning: str | None = None
    known_as: str | None = None
    e_insertion: float | None = None
    relax_energy_change: float | None = None
    relax_rmsd: float | None = None
    relax_steps: int | None = None
    converged: bool | None = None
    duplicate_of: str | None = None
    n_found: int | None = None
    found_by: str | None = None
    prototype_log_odds: float | None = None
    probability: float | None = None

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        theirs = other.__dict__
        same = (own is theirs[name] or own == theirs[name] for name, own in self.__dict__.items() if name != "forces")
        return all(same) and (self.__dict__["forces"] is theirs["forces"] or self.forces == other.forces)

    def __repr__(self) -> str:
        said = [f"failed at {self.failed_at}: {self.reason}" if self.status == "failed" else self.status]
        if self.space_group_loose is not None:
            said.append(symbol_of(self.space_group_loose))
        if self.energy_per_atom is not None:
            said.append(f"{self.energy_per_atom:.4f} eV/atom at the level {self.level}")
        if self.e_decomposition is not None:
            said.append(f"E_d {self.e_decomposition + 0.0:.4f}")
        if self.duplicate_of is not None:
            said.append(f"same as {self.duplicate_of}")
        return f"Candidate({self.id}: {self.formula}, {', '.join(said)})"

    def _repr_html_(self) -> str:
        from chggen.results.html import candidate_html

        return candidate_html(self)

    def view(self, viewer: str | None = None) -> Any:
        """Show the structure, see `chggen.view`.

        Args:
            viewer: `py3Dmol`, `weas`, `nglview` or `ase`; None: what there is.

        Raises:
            InputError: The candidate has no structure, or the viewer is unknown or not installed.
        """
        from chggen.results.view import view_structure

        shown = self.structure if self.structure is not None else self.raw
        if shown is None:
            raise InputError(f"{self.id} has no structure to look at: it failed at {self.failed_at} ({self.reason})")
        return view_structure(shown, viewer)

    @property
    def _shown(self) -> Structure | PackedStructure | None:
        """The latest structure, packed if it is."""
        structure: Structure | PackedStructure | None = self.__dict__["structure"]
        return structure if structure is not None else self.__dict__["raw"]

    @property
    def energy_per_atom(self) -> float | None:
        """Energy at the level of the run, eV/atom."""
        return None if self.level is None else self.energies.get(self.level)

    @property
    def e_decomposition(self) -> float | None:
        """Decomposition energy at the level of the run, eV/atom; negative where the candidate breaks the hull."""
        return None if self.level is None else self.decomposition_energies.get(self.level)

    @property
    def deciding_level(self) -> str | None:
        """The level that the candidate is judged by: the last one at which it has a decomposition energy."""
        return next(reversed(list(self.decomposition_energies)), None)

    @property
    def deciding_e_d(self) -> float | None:
        """The decomposition energy that the candidate is judged by, eV/atom."""
        level = self.deciding_level
        return None if level is None else self.decomposition_energies[level]

    @property
    def stable(self) -> bool:
        """Whether the candidate breaks the hull or lies on it at the level it is judged by, and nothing is doubtful."""
        e_d = self.deciding_e_d
        return e_d is not None and e_d <= 0 and self.hull_warning is None

    @property
    def n_atoms(self) -> int | None:
        """Number of atoms in the cell."""
        return None if (shown := self._shown) is None else len(shown)

    @property
    def volume_per_atom(self) -> float | None:
        """Volume of the cell, Å³/atom."""
        return None if (shown := self._shown) is None else float(shown.volume / len(shown))

    @property
    def volume(self) -> float | None:
        """Volume of the cell, Å³."""
        return None if (shown := self._shown) is None else float(shown.volume)

    @property
    def density(self) -> float | None:
        """Mass density, g/cm³."""
        return None if (shown := self._shown) is None else float(shown.density)

    @property
    def space_group_symbol(self) -> str | None:
        """Hermann-Mauguin symbol of `space_group`."""
        return None if self.space_group is None else symbol_of(self.space_group)

    @property
    def confidence(self) -> str | None:
        """How sure one may be that a search found what there is: `high`, `medium`, `low`; None for a duplicate.

        High where the structure was found three times or more, by two or more sources; low where it was found once.
        """
        if self.n_found is None:
            return None
        sources = (self.found_by or "").count(",") + 1
        return "low" if self.n_found == 1 else "high" if self.n_found >= 3 and sources > 1 else "medium"

    def changed(self, **values: Any) -> Candidate:
        """Return the candidate with other values of some fields, as `dataclasses.replace` does, which would unpack it.

        Args:
            **values: Name of a field to its value. Structures may be packed (`PackedStructure`).

        Raises:
            TypeError: There is no such field.
        """
        if unknown := values.keys() - self.__dict__.keys():
            raise TypeError(f"a candidate has no {', '.join(sorted(unknown))}")
        made = object.__new__(type(self))
        object.__setattr__(made, "__dict__", {**self.__dict__, **values})  # half the size of one that has grown
        return made

    def packed(self) -> Candidate:
        """Return the candidate with its structures and forces packed, where they can be."""
        kept = {name: self.__dict__[name] for name in (*_STRUCTURES, "forces")}
        small: dict[str, Any] = {name: packed(kept[name]) for name in _STRUCTURES}
        small["forces"] = np.array(kept["forces"], dtype=float) if isinstance(kept["forces"], tuple) else kept["forces"]
        if all(small[name] is structure for name, structure in kept.items()):
            return self
        if kept["raw"] is kept["structure"]:
            small["raw"] = small["structure"]
        return self.changed(**small)

    def with_energy(self, level: str, energy_per_atom: float, e_decomposition: float | None = None) -> Candidate:
        """Return the candidate with its energy at a level, which becomes the last level it has reached.

        Args:
            level: Name of the level of theory.
            energy_per_atom: Energy at that level, eV/atom.
            e_decomposition: Decomposition energy at that level, eV/atom; None where there is no hull.
        """
        others = {name: value for name, value in self.decomposition_energies.items() if name != level}
        placed = others if e_decomposition is None else {**others, level: e_decomposition}
        return self.changed(energies={**self.energies, level: energy_per_atom}, decomposition_energies=placed)

    def at_level_of_run(self) -> Candidate:
        """Return the candidate with what is known at the level of the run alone, as before survivors were chosen."""
        return self.changed(
            energies={k: v for k, v in self.energies.items() if k == self.level},
            decomposition_energies={k: v for k, v in self.decomposition_energies.items() if k == self.level},
            unplaced_at=None,
        )


def failed(candidate: Candidate, stage: str, reason: str) -> Candidate:
    """Return the candidate as a failed row.

    Args:
        candidate: The candidate as far as it came.
        stage: The stage that failed: `draw`, `sample`, `screen`, `relax`, `refine` or `hull`.
        reason: Why, in one sentence.
    """
    return candidate.changed(status="failed", failed_at=stage, reason=reason)


_STRUCTURES: Final = ("structure", "raw")
SCALAR_FIELDS: Final = tuple(f.name for f in fields(Candidate) if f.name not in _STRUCTURES)
"""The fields that hold no structure."""
