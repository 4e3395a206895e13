"""Options of the runs that begin with a structure: inpaint, electrode, order."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BeforeValidator, Field

from chggen.campaign.help_texts import ORDER_HELP
from chggen.campaign.options import RunOptions, Several
from chggen.generation import AUTO, LATTICE, guest_sources, ordering_sources
from chggen.io import MAX_ATOMS
from chggen.relaxation import RelaxOptions


def _supercell_numbers(given: Any) -> Any:
    from chggen.crystals import supercell_numbers  # where it is asked for: the help needs no arrays

    return supercell_numbers(given)


_Supercell = Annotated[tuple[int, ...], BeforeValidator(_supercell_numbers)]
_SUPERCELL: Final = Field(
    default=(1, 1, 1),
    description="Repeat the host: multiples of its axes such as 1,1,2, or a matrix by rows such as 1,1,0,-1,1,0,0,0,1; "
    "counts are of the whole.",
)
_ORDER: Final = Field(default=False, description=ORDER_HELP)


def _ratio(given: Any) -> Any:
    """Return the number that a text such as 1/3 stands for."""
    try:
        return float(Fraction(given)) if isinstance(given, str) else given
    except (ValueError, ZeroDivisionError):
        raise ValueError("expected a number or a fraction such as 1/3") from None


def _uncharged(given: Any) -> Any:
    """Return the symbol of an ion that was given with its charge or in small letters, such as Li+, Mg2+ or li."""
    symbol = re.fullmatch(r"\s*([A-Za-z][a-z]?)(\d?[+-])?\s*", given) if isinstance(given, str) else None
    return symbol[1].capitalize() if symbol else given


def _guest_source(given: Any) -> Any:
    if given == AUTO or (isinstance(given, str) and given in guest_sources()):
        return given
    raise ValueError(f"expected {AUTO}, {' or '.join(guest_sources())}")


def _ordering_source(given: Any) -> Any:
    if given in (AUTO, LATTICE) or (isinstance(given, str) and given in ordering_sources()):
        return given
    raise ValueError(f"expected {AUTO}, {LATTICE}, {', '.join(ordering_sources())}")


class InpaintOptions(RunOptions):
    """Options of putting guests into a given host, which is named by the digest of its content."""

    n: int = Field(default=8, ge=1, description="Number of candidates; redraws and what saddles fall to come beside.")
    host: str
    guests: dict[str, int] = Field(
        default={},
        description="Guests as ELEMENT=COUNT, or whole molecules such as H2O=2, added to what the host holds; default: "
        "what --remove takes out.",
    )
    region: Several[str] = Field(
        default=(),
        description="Where guests go, such as 'z 12 17' (Å along the normal), 'sphere 0.5 0.5 0.5 4' (fractional "
        "centre, Å) or 'Li: near O 2.5' (for one species); default: anywhere, for a slab outside its vacuum.",
    )
    fill: str | None = Field(
        default=None,
        description="Fill the region with as many formula units as fit, such as Li2O, instead of counts of guests.",
    )
    remove: Several[str] = Field(
        default=(),
        description="Take atoms out first: symbols, numbers from 0 or a region, such as 'Li,4-7' or 'O and z 10 15'; "
        "guests then go where a region was emptied.",
    )
    hold: Several[str] = Field(
        default=(), description="Atoms held in place when candidates are relaxed: symbols, numbers from 0 or a region."
    )
    mu: dict[str, float] = Field(
        default={},
        description="Chemical potentials as ELEMENT=ENERGY, eV/atom, or MOLECULE=ENERGY, eV each, for the insertion "
        "energy of guests in a region or on a slab; default: of the elements, and of a molecule alone in a box.",
    )
    move_within: float | None = Field(
        default=None, gt=0, description="Hold the atoms of the host that are farther than so many Å from the region."
    )
    host_sigma: float = Field(
        default=0.0,
        ge=0,
        le=0.5,
        description="Let host atoms near the region give way while guests are sampled, by noise of so many Å; 0: they "
        "stay. Near is 4 Å, or what move_within says.",
    )
    symmetry: Literal["none", "host"] = Field(
        default="none",
        description="host: symmetrise the host and hold guests on orbits of its group or a subgroup; none: do not.",
    )
    guests_from: Annotated[str, BeforeValidator(_guest_source)] = Field(
        default=AUTO,
        description="Where guests start: prototype (sites of known prototypes), orbits (of the host's group, without "
        "being held there), pattern (where the host's own pattern goes on into a region), anywhere, or auto for all in "
        "turn, close prototypes first.",
    )
    supercell: _Supercell = _SUPERCELL
    order: bool = _ORDER


_HOLD: Any = Field(
    default=(), description="Elements whose atoms are held in place when candidates are relaxed, such as Fe,P,O."
)


class ElectrodeOptions(RunOptions):
    """Options of scanning an insertion electrode, whose host is named by the digest of its content.

    Relaxation goes further than elsewhere: 5 meV/atom that are still to be gained are 0.04 V in an oxide of lithium.
    """

    unused: ClassVar[frozenset[str]] = frozenset(
        {"pressure", "free_axis", "anchor", "n_resample", "jump_length", "shard", "judge_by", "judge_within"}
    )
    n: int = Field(
        default=4,
        ge=1,
        description="Candidates of each content, all sources together; further ones that begin with those of other "
        "contents, for contents that are still uncertain, and the lowest pushed and relaxed once more, come beside.",
    )
    relax: RelaxOptions | None = RelaxOptions(fmax=0.03)
    host: str
    ion: Annotated[str, BeforeValidator(_uncharged)] = Field(
        description="Working ion, such as Li. What the host holds of it counts as ions."
    )
    counts: Several[int] = Field(default=(), description="Numbers of ions in the cell, such as 0,1,2,4.")
    contents: Several[Annotated[float, BeforeValidator(_ratio)]] = Field(
        default=(),
        description="Ions per formula unit of the framework, such as 0,1/3,1, in the smallest supercells that hold "
        "them; default: from empty to full in the cell as it is.",
    )
    max_content: float | None = Field(
        default=None,
        gt=0,
        description="Largest content, ions per formula unit; default: what the host came with, else what oxidation "
        "states and sites allow.",
    )
    ion_sites: Several[int] = Field(
        default=(), description="Numbers of the mobile sites, from 0, where the framework holds the same element."
    )
    supercell: _Supercell = _SUPERCELL
    second_level_best: int = Field(
        default=1,
        ge=0,
        description="So many of the lowest candidates of each content are relaxed once more with the potential that "
        "refines the run's; 0 for none.",
    )
    hold: Several[str] = _HOLD
    order: bool = _ORDER

    @property
    def held_elements(self) -> tuple[str, ...]:
        """Elements whose atoms are held."""
        return tuple(self.hold)


class OrderOptions(RunOptions):
    """Options of ordering a disordered structure, which is named by the digest of its content."""

    unused: ClassVar[frozenset[str]] = frozenset(
        {"pressure", "free_axis", "anchor", "n_resample", "jump_length", "shard"}
    )
    n: int = Field(default=8, ge=1, description="Number of orderings that are relaxed; some may turn out equal.")
    structure: str
    max_atoms: int = Field(default=120, ge=1, le=MAX_ATOMS, description="Largest number of atoms of an ordered cell.")
    tolerance: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="How far the share of a species on a kind of site may lie from its occupancy. The smallest cell "
        "within half of it is taken, else the nearest within it; where there is none, the structure is refused.",
    )
    composition: str | None = Field(
        default=None,
        description="Formula of the ordered structures, such as Li3YCl6, however far from the occupancies; default: "
        "the nearest to them.",
    )
    orderings_from: Annotated[str, BeforeValidator(_ordering_source)] = Field(
        default=AUTO,
        description="Where orderings come from: enumeration (all ways to fill the cell, where they are few), symmetric "
        "(those that keep a subgroup of the average structure), swaps (replica exchange, where they are many), guests "
        "(the mobile species sampled from its sites, which it may leave); lattice: all but guests; auto: all on one "
        "budget.",
    )
    second_level_below: float | None = Field(
        default=None,
        description="Relax distinct orderings of a lower decomposition energy, eV/atom, once more with the potential "
        "that refines the run's (r²SCAN for CHGNet), and rank by its level; none, the default, for none.",
    )
    temperature: float = Field(
        default=300.0, gt=0, le=10_000, description="Temperature of the Boltzmann weights of the orderings, K."
    )
    hold: Several[str] = _HOLD

    @property
    def held_elements(self) -> tuple[str, ...]:
        """Elements whose atoms are held."""
        return tuple(self.hold)
