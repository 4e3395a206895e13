"""FrameworkUnit: the formula unit of a framework that contents, energies and volumes of an electrode are given for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from chggen.results import Candidate

if TYPE_CHECKING:
    from pymatgen.core import Composition

_DIGITS: Final = 6  # of contents, which are ratios of whole numbers


@dataclass(frozen=True)
class FrameworkUnit:
    """The formula unit of a framework, into which ions go.

    Attributes:
        formula: Formula of the framework, such as `FePO4`.
        ion: Symbol of the working ion.
    """

    formula: str
    ion: str

    def content_of(self, candidate: Candidate) -> float:
        """Return the content of a candidate, ions per formula unit.

        Args:
            candidate: A candidate with a structure.
        """
        own = float(self._composition[self.ion])
        return round(float(composition_of(candidate)[self.ion]) / self.units(candidate) - own, _DIGITS)

    def units(self, candidate: Candidate) -> float:
        """Return the number of formula units in the cell of a candidate.

        Args:
            candidate: A candidate with a structure.
        """
        symbol = next(s for s in self._composition.get_el_amt_dict() if s != self.ion)
        return float(composition_of(candidate)[symbol] / self._composition[symbol])

    def atoms(self, content: float) -> float:
        """Return the number of atoms of a formula unit with its ions.

        Args:
            content: Ions per formula unit.
        """
        return float(self._composition.num_atoms) + content

    def volume(self, candidate: Candidate) -> float:
        """Return the volume of a candidate, Å³ per formula unit.

        Args:
            candidate: A candidate with a structure.
        """
        assert candidate.volume is not None
        return candidate.volume / self.units(candidate)

    def weight(self, candidate: Candidate) -> float:
        """Return the mass of a candidate, g per mole of formula units.

        Args:
            candidate: A candidate with a structure.
        """
        return float(composition_of(candidate).weight) / self.units(candidate)

    @cached_property
    def _composition(self) -> Composition:
        from pymatgen.core import Composition

        return Composition(self.formula)


def composition_of(candidate: Candidate) -> Composition:
    """Return the elements of a candidate's cell.

    Args:
        candidate: A candidate with a structure.
    """
    assert candidate.structure is not None
    return candidate.structure.composition.element_composition
