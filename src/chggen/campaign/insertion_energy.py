"""Insertion energies: of adsorbates on a slab and of defects, against the structure that was given.

E = E(candidate) − E(given) − Σ Δn μ, where Δn atoms of an element were added (or, below zero, taken out) and μ is its
chemical potential: that of the element itself unless another is stated (Zhang & Northrup, PRL 67, 2339, 1991, for
neutral defects). Guests that are molecules count as such: μ is the energy of one alone in a box, relaxed by the same
potential, unless another is stated. The given structure is relaxed by the same options, with the same atoms held.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any, Final

from chggen.campaign.evaluation import relaxed_as_asked
from chggen.campaign.inpaint_host import InpaintHost
from chggen.campaign.resources import Resources
from chggen.crystals import SYMBOLS, is_molecule, molecule_of
from chggen.errors import InputError
from chggen.io import own_text, write_text
from chggen.results import Candidate
from chggen.stability import References

FILE: Final = "given.json"
"""File of a results folder that holds the energy of the structure that was given, by which a resumed run goes on."""


@dataclass(frozen=True, kw_only=True)
class Insertion:
    """What candidates are compared with.

    Attributes:
        level: Level of theory of the energies.
        energy: Energy of the given structure, eV for the cell.
        exchanged: Element symbol, or name of a molecule, to number added, below zero for atoms taken out.
        mu: The same to chemical potential, eV/atom or eV/molecule.
    """

    level: str
    energy: float
    exchanged: Mapping[str, int]
    mu: Mapping[str, float]

    def placed(self, candidate: Candidate) -> Candidate:
        """Return a candidate with its insertion energy; itself where it has no energy at the level.

        Args:
            candidate: A candidate of the run.
        """
        energy = candidate.energies.get(self.level)
        if candidate.status != "ok" or energy is None or candidate.n_atoms is None:
            return candidate
        of_atoms = sum(count * self.mu[symbol] for symbol, count in self.exchanged.items())
        return replace(candidate, e_insertion=energy * candidate.n_atoms - self.energy - of_atoms)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"level": self.level, "energy": self.energy, "exchanged": dict(self.exchanged), "mu": dict(self.mu)}


def check_mu(mu: Mapping[str, float], asked: InpaintHost) -> None:
    """Check chemical potentials.

    Args:
        mu: Element symbol, or name of a molecule, to chemical potential, eV/atom or eV/molecule.
        asked: The host as it is asked for.

    Raises:
        InputError: A name is neither, or nothing of it is put in or taken out.
    """
    for symbol in mu:
        if symbol not in SYMBOLS and not is_molecule(symbol):
            raise InputError(
                f"--mu is for elements and molecules; got '{symbol}', expected a name as in O=-4.9 or H2O=-14.2"
            )
        if symbol not in asked.exchanged:
            there = ", ".join(asked.exchanged) or "none"
            raise InputError(f"--mu is for {symbol}, of which nothing is put in or taken out; expected {there}")


def insertion_of(
    asked: InpaintHost, mu: Mapping[str, float], resources: Resources, references: References, folder: Path | None
) -> Insertion | str:
    """Return what candidates are compared with, or why there is nothing.

    Args:
        asked: The host as it is asked for.
        mu: Element symbol, or name of a molecule, to chemical potential, eV/atom or eV/molecule, where one is stated.
        resources: How to relax, and with which potential.
        references: Known phases, among them the elements.
        folder: The results folder, in which the energy of the given structure is kept; None for none.
    """
    level = resources.potential().level
    exchanged = {s: n for s, n in asked.exchanged.items() if n}
    taken = {}
    for symbol in exchanged:
        own = mu.get(symbol)
        if own is None and is_molecule(symbol):
            own = _kept(folder, level, "mu", symbol)
            own = _of_molecule(symbol, resources) if own is None else own
        elif own is None:
            own = _of_element(symbol, level, references)
        if own is None:
            return (
                f"no insertion energies: no reference energy of {symbol} at level {level}; state it by --mu {symbol}=…"
            )
        taken[symbol] = own
    energy = _kept(folder, level, "energy")
    if energy is None:
        energy = 0.0
        for structure, end in zip(
            asked.given, relaxed_as_asked(asked.given, [None] * len(asked.given), resources), strict=True
        ):
            if end.energy_per_atom is None or not end.converged:
                return f"no insertion energies: the structure given does not relax ({end.reason})"
            energy += end.energy_per_atom * len(structure)
    found = Insertion(level=level, energy=energy, exchanged=exchanged, mu=taken)
    if folder is not None:
        write_text(folder / FILE, json.dumps(found.as_dict(), indent=1))
    return found


def _of_element(symbol: str, level: str, references: References) -> float | None:
    """Return the lowest energy of an element, eV/atom; None where it has none at the level."""
    if level not in references.levels:
        return None
    return min((entry.energy_per_atom for entry in references.system([symbol], level)), default=None)


def _of_molecule(name: str, resources: Resources) -> float | None:
    """Return the energy of a molecule alone in a box, relaxed, eV; None where it has none."""
    assert resources.relax is not None
    in_a_box = resources.relax.model_copy(update={"fix_cell": True, "free_axis": None})
    alone = molecule_of(name).alone()
    (end,) = relaxed_as_asked([alone], [None], replace(resources, relax=in_a_box))
    return end.energy_per_atom * len(alone) if end.converged and end.energy_per_atom is not None else None


def _kept(folder: Path | None, level: str, *keys: str) -> float | None:
    """Return an energy that an earlier part of the run has written; None for none."""
    try:
        kept: Any = json.loads(own_text(folder / FILE)) if folder is not None else {}
        return float(reduce(operator.getitem, keys, kept)) if kept["level"] == level else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
