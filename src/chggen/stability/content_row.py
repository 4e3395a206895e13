"""ContentRow, what a scan of an electrode found of one content."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ContentRow:
    """What was found of one content.

    Attributes:
        content: Ions per formula unit of the framework.
        best: Id of the candidate of lowest energy.
        energy: Its energy, eV per formula unit of the framework with its ions.
        mixing_energy: Energy relative to a mixture of the ends, eV per formula unit.
        above_hull: Energy above the hull of all contents, eV per formula unit; 0 on it. None where the framework
            changed, so that the content is left out of hull and voltages.
        e_decomposition: Decomposition energy, eV/atom; None where there is none.
        volume: Volume, Å³ per formula unit.
        framework_rms: Root mean square displacement of the framework's atoms from the host that was given, Å.
        topotactic: Whether the framework is still that of the host; None where that is not known.
        n_candidates: How many good candidates of this content there are, whatever their structures.
        n_changed: How many of them have another framework than the host, and are left out if others are there.
        within_error: Whether it is on the hull, between the ends, by less than the potential's error of 0.03 eV/atom:
            such a phase may be an artefact of the potential.
    """

    content: float
    best: str
    energy: float
    mixing_energy: float
    above_hull: float | None
    e_decomposition: float | None
    volume: float
    framework_rms: float | None
    topotactic: bool | None
    n_candidates: int
    n_changed: int
    within_error: bool
