"""The reaction of two crystals where they meet: what a mixture of both falls apart into, by the known phases."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from chggen.crystals import parse_formula, reduced
from chggen.stability.known_system import lowest_of_each
from chggen.stability.reaction import STATIC, phase_label
from chggen.stability.references import References

_NOTHING: Final = -1e-6  # eV/atom; no mixture that gains less counts as reacting


@dataclass(frozen=True, kw_only=True)
class InterfaceReaction:
    """The mixture of two crystals that gains most energy per atom when it reacts.

    Attributes:
        level: Level of theory of the energies.
        share: Share of the atoms of the mixture that are of the first crystal; 0 where nothing reacts.
        energy: Reaction energy, eV/atom of the mixture, 0 or below.
        equation: The balanced reaction; empty where nothing reacts.
        products: Formulas of the products.
    """

    level: str
    share: float
    energy: float
    equation: str
    products: tuple[str, ...]

    def has_bond(self, one: str, other: str) -> bool:
        """Return whether a product joins two elements: one that holds both, or the element itself for two alike.

        Args:
            one: Element symbol.
            other: Element symbol.
        """
        held = [set(parse_formula(formula.removesuffix(f" {STATIC}"))) for formula in self.products]
        return any(own == {one} if one == other else {one, other} <= own for own in held)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "level": self.level,
            "share": self.share,
            "energy": self.energy,
            "equation": self.equation,
            "products": list(self.products),
        }


def reaction_of_crystals(first: str, second: str, level: str, references: References) -> InterfaceReaction | str:
    """Return how two crystals react where they meet, or why that cannot be told.

    Each crystal has the lowest energy that its formula has among the references; where it has none, that of what it
    falls apart into. Source: Richards et al., Chem. Mater. 28, 266 (2016); pymatgen's `InterfacialReactivity`.

    Args:
        first: Formula of the first crystal.
        second: Formula of the second.
        level: Level of theory of the references.
        references: Known phases.
    """
    from pymatgen.analysis.interface_reactions import InterfacialReactivity
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core.composition import Composition

    ends = [reduced(parse_formula(formula)) for formula in (first, second)]
    if ends[0] == ends[1]:
        return f"no reaction of {phase_label(ends[0])} with itself"
    if level not in references.levels:
        return f"no reaction energy: the references have no energies at level {level}"
    elements = sorted({*ends[0], *ends[1]})
    lowest = lowest_of_each(references.system(elements, level))
    if missing := [symbol for symbol in elements if ((symbol, 1),) not in lowest]:
        return f"no reaction energy: the references have no energy of {', '.join(missing)} at level {level}"
    phases = [(Composition(dict(key)), entry) for key, entry in lowest.items()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        diagram = PhaseDiagram([PDEntry(formula, e.energy_per_atom * formula.num_atoms) for formula, e in phases])
        made = InterfacialReactivity(Composition(ends[0]), Composition(ends[1]), diagram, norm=True)
        _, share, energy, equation, _ = min(made.get_kinks(), key=lambda kink: kink[2])
    if energy > _NOTHING:
        return InterfaceReaction(level=level, share=0.0, energy=0.0, equation="", products=())
    static = {key for key, entry in lowest.items() if not entry.relaxed}
    made_of = [reduced({str(s): round(n) for s, n in formula.items()}) for formula in equation.products]
    return InterfaceReaction(
        level=level,
        share=float(share),
        energy=float(energy),
        equation=str(equation),
        products=tuple(_label(counts, tuple(sorted(counts.items())) in static) for counts in made_of),
    )


def _label(counts: Mapping[str, int], is_static: bool) -> str:
    """Return the formula of a product, marked where it was not relaxed with the potential."""
    return f"{phase_label(counts)} {STATIC}" if is_static else phase_label(counts)
