"""Electrode, what a scan of contents says of an insertion electrode: steps, capacity, stability, the framework."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from chggen.errors import InputError
from chggen.results import Candidate
from chggen.stability.content_row import ContentRow
from chggen.stability.framework_unit import FrameworkUnit
from chggen.stability.voltage import (
    VALENCES,
    VoltageStep,
    height_above,
    mixing_energies,
    on_hull,
    voltage_between,
    voltage_steps,
)

if TYPE_CHECKING:
    from pymatgen.apps.battery.insertion_battery import InsertionElectrode

ELECTRODE_FILE: Final = "electrode.json"
"""File of a results folder that holds what its electrode says at each level (`Electrode.as_dict`)."""
POTENTIAL_ERROR: Final = 0.03  # eV/atom by which energies of CHGNet are off
CHANGED: Final = 0.5  # Å; a framework whose atoms moved further, root mean square, is another one
SWOLLEN: Final = 0.35  # relative change of the volume beyond which it is
_FARADAY: Final = 26_801.4814  # mAh/mol: charge of a mole of electrons
_MOLAR: Final = 0.602214076  # cm³/mol in one Å³


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Electrode:
    """An insertion electrode at one level of theory.

    Contents are ions per formula unit of the framework. Voltages are against the element of the ion, such as Li metal.
    Contents whose framework changed are left out of hull, voltages and capacity, if two or more others are left.

    Attributes:
        ion: Symbol of the working ion.
        framework: Formula of the framework, such as `FePO4`.
        candidates: All candidates of the scan, best first, failed ones last.
        level: Level of theory of all that the electrode says; `at` gives the electrode at another one.
        elements: Level of theory to energy of the ion's element, eV/atom; levels without a reference are missing.
        displacements: Id of a candidate to root mean square displacement of its framework, Å.
        host_volume: Volume of the host that was given, Å³ per formula unit; NaN where it is not known.
        limit: What limits the content, in words.
        asked: The contents that were looked for.
    """

    ion: str
    framework: str
    candidates: tuple[Candidate, ...]
    level: str
    elements: Mapping[str, float]
    displacements: Mapping[str, float] = field(default_factory=dict)
    host_volume: float = math.nan
    limit: str = ""
    asked: tuple[float, ...] = ()

    @cached_property
    def levels(self) -> tuple[str, ...]:
        """Levels of theory at which two contents or more have energies, in the order in which they were reached."""
        names = dict.fromkeys(level for c in self._good for level in c.energies)
        return tuple(level for level in names if len(self.at(level)._kept) > 1)

    def __repr__(self) -> str:
        said = "no voltage yet"
        if len(self._kept) > 1 and self.level in self.elements:
            said = f"{self.average_voltage:.2f} V on average at the level {self.level}"
        return (
            f"Electrode({self.ion} in {self.framework}: contents {', '.join(f'{x:g}' for x in self.contents)}; {said})"
        )

    def at(self, level: str) -> Electrode:
        """Return the electrode at another level of theory.

        Args:
            level: Name of the level, one of `levels`.

        Raises:
            InputError: No candidate has an energy at this level.
        """
        known = dict.fromkeys(name for c in self._good for name in c.energies)
        if known and level not in known:
            raise InputError(f"no energies at the level '{level}'; this electrode has those of {', '.join(known)}")
        return replace(self, level=level)

    @property
    def valence(self) -> int:
        """Charge of the ion, without a sign."""
        return VALENCES[self.ion]

    @property
    def contents(self) -> tuple[float, ...]:
        """Contents that hull and voltages are made of, in rising order."""
        return tuple(self._kept)

    @property
    def missing(self) -> tuple[float, ...]:
        """Contents that were looked for and of which no candidate has an energy at this level."""
        return tuple(x for x in self.asked if self.best(x) is None)

    def best(self, content: float) -> Candidate | None:
        """Return the candidate of lowest energy of a content; None where there is none.

        Args:
            content: Ions per formula unit of the framework.
        """
        return next((c for x, c in self._best.items() if math.isclose(x, content, abs_tol=1e-4)), None)

    def content_of(self, candidate: Candidate) -> float:
        """Return the content of a candidate, ions per formula unit of the framework.

        Args:
            candidate: A candidate with a structure.
        """
        return self._unit.content_of(candidate)

    @cached_property
    def energies(self) -> dict[float, float]:
        """Content to lowest energy, eV per formula unit of the framework with its ions."""
        return {x: c.energies[self.level] * self._unit.atoms(x) for x, c in self._kept.items()}

    @property
    def steps(self) -> tuple[VoltageStep, ...]:
        """Plateaus of the voltage curve, by rising content.

        Raises:
            InputError: The references have no energy of the ion's element at this level.
        """
        return voltage_steps(self.energies, self.element_energy, self.valence)

    @property
    def voltage_curve(self) -> list[tuple[float, float]]:
        """Corners of the voltage curve: pairs of content and voltage, V, by rising content."""
        return [corner for s in self.steps for corner in ((s.low, s.voltage), (s.high, s.voltage))]

    @property
    def average_voltage(self) -> float:
        """Average voltage between the emptiest and the fullest content, V.

        Raises:
            InputError: Fewer than two contents have energies, or the ion's element has none.
        """
        low, high = self._ends
        return voltage_between(self.energies, low, high, self.element_energy, self.valence)

    @property
    def voltage_error(self) -> float:
        """By how much the average voltage is off if the energies of both ends are off by 0.03 eV/atom, V."""
        low, high = self._ends
        return (
            POTENTIAL_ERROR * math.hypot(self._unit.atoms(low), self._unit.atoms(high)) / ((high - low) * self.valence)
        )

    @property
    def capacity(self) -> float:
        """Gravimetric capacity, mAh per gram of the fullest content."""
        full = self._best[self._ends[1]]
        return self._charge / self._unit.weight(full)

    @property
    def volumetric_capacity(self) -> float:
        """Volumetric capacity, mAh per cm³ of the fullest content."""
        return self._charge / (self._unit.volume(self._best[self._ends[1]]) * _MOLAR)

    @property
    def specific_energy(self) -> float:
        """Energy by mass of the fullest content, Wh/kg."""
        return self.capacity * self.average_voltage

    @property
    def energy_density(self) -> float:
        """Energy by volume of the fullest content, Wh/l."""
        return self.volumetric_capacity * self.average_voltage

    @property
    def volume_change(self) -> float:
        """Relative change of the volume from the emptiest to the fullest content."""
        low, high = self._ends
        return self._unit.volume(self._best[high]) / self._unit.volume(self._best[low]) - 1

    def table(self) -> list[ContentRow]:
        """Return a row for each content, by rising content."""
        hull = on_hull(self.energies)
        counts = [self.content_of(c) for c in self._good]
        there = [(self.content_of(c), self._topotactic(c) is False) for c in self.placed]
        rows = []
        for x, c in self._best.items():
            rows.append(
                ContentRow(
                    content=x,
                    best=c.id,
                    energy=c.energies[self.level] * self._unit.atoms(x),
                    mixing_energy=self.mixing_energy(c),
                    above_hull=height_above(self.energies, x) if x in self.energies else None,
                    e_decomposition=c.decomposition_energies.get(self.level),
                    volume=self._unit.volume(c),
                    framework_rms=self.displacements.get(c.id),
                    topotactic=self._topotactic(c),
                    n_candidates=counts.count(x),
                    n_changed=sum(changed for y, changed in there if y == x),
                    within_error=x in hull[1:-1] and self._depth(hull, x) < POTENTIAL_ERROR * self._unit.atoms(x),
                )
            )
        return rows

    def to_pymatgen(self) -> InsertionElectrode:
        """Return pymatgen's `InsertionElectrode`, with a `ComputedStructureEntry` for each that counts.

        Raises:
            InputError: pymatgen takes another charge for the ion, as for Cl; or there is no voltage.
        """
        from chggen.stability.electrode_books import insertion_electrode

        return insertion_electrode(self)

    def as_dict(self) -> dict[str, Any]:
        """Return what the electrode says at its level as plain data."""
        from chggen.stability.electrode_books import plain_data

        return plain_data(self)

    def mixing_energy(self, candidate: Candidate) -> float:
        """Return the energy of a candidate relative to a mixture of the ends, eV per formula unit.

        Args:
            candidate: One of `placed`.
        """
        content = self.content_of(candidate)
        low, high = self._ends
        first, last = self.energies[low], self.energies[high]
        line = first + (last - first) * (content - low) / (high - low)
        return candidate.energies[self.level] * self._unit.atoms(content) - line

    @cached_property
    def placed(self) -> tuple[Candidate, ...]:
        """Good candidates with an energy at this level, best first."""
        return tuple(c for c in self._good if self.level in c.energies)

    @property
    def counted(self) -> tuple[Candidate, ...]:
        """Those of `placed` that hull and voltages are made of: without those whose framework changed."""
        of_bests = {self._topotactic(c) is not False for c in self._kept.values()}
        return tuple(
            c
            for c in self.placed
            if self.content_of(c) in self._kept and (self._topotactic(c) is not False or False in of_bests)
        )

    def is_changed(self, candidate: Candidate) -> bool:
        """Return whether the framework of a candidate is another than the host's, as far as is known.

        Args:
            candidate: One of `placed`.
        """
        return self._topotactic(candidate) is False

    @cached_property
    def _good(self) -> tuple[Candidate, ...]:
        return tuple(c for c in self.candidates if c.status == "ok" and c.structure is not None and c.energies)

    @cached_property
    def _best(self) -> dict[float, Candidate]:
        """Content to its candidate of lowest energy, by rising content.

        Where the framework of some candidates changed, those count only for want of others.
        """
        found: dict[float, list[Candidate]] = {}
        for c in self.placed:
            found.setdefault(self.content_of(c), []).append(c)
        return {
            x: min(same, key=lambda c: (self._topotactic(c) is False, c.energies[self.level]))
            for x, same in sorted(found.items())
        }

    @cached_property
    def _kept(self) -> dict[float, Candidate]:
        """The same, without contents whose framework changed if two or more others are left."""
        kept = {x: c for x, c in self._best.items() if self._topotactic(c) is not False}
        return kept if len(kept) > 1 else self._best

    def _topotactic(self, candidate: Candidate) -> bool | None:
        """Return whether the framework of a candidate is still that of the host; None where that is not known."""
        moved = self.displacements.get(candidate.id)
        if moved is None or candidate.volume is None:
            return None
        swollen = abs(self._unit.volume(candidate) / self.host_volume - 1) > SWOLLEN
        return moved <= CHANGED and not (math.isfinite(self.host_volume) and swollen)

    @property
    def _ends(self) -> tuple[float, float]:
        """Emptiest and fullest content. Raises InputError where there are no two."""
        self.check_ends()
        return self.contents[0], self.contents[-1]

    def check_ends(self) -> None:
        """Check that there are two contents.

        Raises:
            InputError: There are fewer.
        """
        if len(self._kept) < 2:
            raise InputError(
                f"a voltage needs two contents of {self.framework} with energies at the level {self.level}, got "
                f"{len(self._kept)}; see `reason` of the failed candidates"
            )

    @property
    def element_energy(self) -> float:
        """Energy of the ion's element at this level, eV/atom.

        Raises:
            InputError: The references have none.
        """
        if self.level not in self.elements:
            raise InputError(
                f"the references have no energy of {self.ion} at the level {self.level}, which voltages are against; "
                "add it with `chggen references build` and --references"
            )
        return self.elements[self.level]

    @property
    def _charge(self) -> float:
        """Charge between the ends, mAh per mole of formula units."""
        low, high = self._ends
        return (high - low) * self.valence * _FARADAY

    @cached_property
    def _unit(self) -> FrameworkUnit:
        return FrameworkUnit(self.framework, self.ion)

    def _depth(self, hull: list[float], content: float) -> float:
        """Return how far a content on the hull lies below the line between its neighbours, eV per formula unit."""
        k = hull.index(content)
        return -mixing_energies({x: self.energies[x] for x in hull[k - 1 : k + 2]})[content]
