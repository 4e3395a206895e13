"""Options of the runs: what predict, generate and inpaint share, and what each has of its own.

Functions and commands take these fields as flat keywords (`Options.keywords`); the descriptions are the help of the
command line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar

from pydantic import BeforeValidator, Field, field_validator

from chggen.crystals import plain_text, supercell_numbers
from chggen.generation import AUTO, FILE, LATTICE, SamplerOptions, cell_sources, guest_sources, ordering_sources
from chggen.io import MAX_ATOMS
from chggen.relaxation import RelaxOptions
from chggen.settings import Options

SHIPPED: Final = "shipped"
"""Name that stands for the reference phases that come with chggen."""
ORDER_HELP: Final = "In the place of a partially occupied structure take the lowest ordered one that `order` finds."
"""What the option `order` of several commands does."""
_Item = TypeVar("_Item")


def _listed(given: Any) -> Any:
    """Return a sequence of what may be one alone, or None for nothing."""
    if given is None:
        return ()
    return tuple(given) if isinstance(given, Iterable) and not isinstance(given, (str, Mapping)) else (given,)


_Several = Annotated[tuple[_Item, ...], BeforeValidator(_listed)]
_Supercell = Annotated[tuple[int, ...], BeforeValidator(supercell_numbers)]
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


def _reference_files(given: Any) -> Any:
    """Return files of known phases by their absolute paths; nothing at all means the shipped ones."""
    names = (given,) if isinstance(given, (str, os.PathLike)) else given or (SHIPPED,)
    try:
        return tuple(n if n == SHIPPED else os.path.abspath(n) for n in map(os.fspath, names))
    except TypeError:
        raise ValueError(f"expected files of known phases, or `{SHIPPED}`") from None


_NUMBER: Final = (
    "De novo candidates of each composition, all cell sizes together; with --space-group, or --cells-from other than "
    "auto, of each cell size (number of formula units). Fillings, redraws and what saddles fall to come beside."
)


class RunOptions(Options):
    """What all runs share. relax is None in a run that keeps its structures as generated."""

    unused: ClassVar[frozenset[str]] = frozenset({"pressure"})  # hulls are at none
    n: int = Field(default=8, ge=1, description=_NUMBER)
    seed: int = Field(default=0, ge=0, description="Random seed; the same seed gives the same candidates.")
    sampler: SamplerOptions = SamplerOptions()
    relax: RelaxOptions | None = RelaxOptions()
    references: Annotated[tuple[str, ...], BeforeValidator(_reference_files)] = Field(
        default=(SHIPPED,),
        description="File of known phases or of disordered structures; may be repeated; `shipped` stands for the "
        "built-in ones, the default.",
    )

    def resolved(self) -> dict[str, Any]:
        """Return the options as a table for config.toml, in the order of the fields; None is what is not given."""
        table = {"command": self.command, **self.model_dump(mode="json")}
        if not table.get("order", True):  # nothing was ordered, as in folders that are older than the option
            table["order"] = None
        return table

    @property
    def command(self) -> str:
        """Name of the command that these are options of."""
        return COMMANDS[type(self).__name__]


def _space_group(given: Any) -> Any:
    if given in ("none", AUTO):
        return given
    text = str(given).strip()  # 225.7 and True are none, though Python would make numbers of them
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number <= 230:
        raise ValueError("expected none, auto or an international number from 1 to 230")
    return number


def _without_spaces(given: Any) -> Any:
    return plain_text(given) if isinstance(given, str) else given  # candidates are named after it


def _cell_source(given: Any) -> Any:
    if given == AUTO or (isinstance(given, str) and (given in cell_sources() or given.startswith(FILE))):
        return given
    raise ValueError(f"expected {AUTO}, {', '.join(cell_sources())} or {FILE}PATH")


def _guest_source(given: Any) -> Any:
    if given == AUTO or (isinstance(given, str) and given in guest_sources()):
        return given
    raise ValueError(f"expected {AUTO}, {' or '.join(guest_sources())}")


def _ordering_source(given: Any) -> Any:
    if given in (AUTO, LATTICE) or (isinstance(given, str) and given in ordering_sources()):
        return given
    raise ValueError(f"expected {AUTO}, {LATTICE}, {', '.join(ordering_sources())}")


class GenerateOptions(RunOptions):
    """Options of de novo generation."""

    unused: ClassVar[frozenset[str]] = frozenset({"pressure", "anchor", "n_resample", "jump_length"})
    formula: Annotated[str, BeforeValidator(_without_spaces)] = Field(default="", description="Formula such as ZnP2S6.")
    formula_units: _Several[int] = Field(default=(), description="Formula units in the cell, such as 1,2.")
    max_atoms: int = Field(default=20, ge=1, description="Most atoms in a cell where formula units are not given.")
    volume: float | None = Field(
        default=None, ge=1, le=1000, description="Volume, Å³/atom; default: from a composition model."
    )
    cells_from: _Several[Annotated[str, BeforeValidator(_cell_source)]] = Field(
        default=("bravais",),
        min_length=1,
        description="Where cells come from: auto for all sources on one budget; or sources that take turns, n for "
        "each cell size: prototype (known prototypes by likelihood), space-group (drawn as known crystals have it), "
        "learned (shapes that the score model draws), bravais (random cells); or file:PATH, finished structures of "
        "another program.",
    )
    space_group: Annotated[Literal["none", "auto"] | int, BeforeValidator(_space_group)] = Field(
        default="none", description="Space group: a number, auto (drawn as known crystals have it) or none."
    )

    @field_validator("cells_from")
    @classmethod
    def _one_alone(cls, sources: tuple[str, ...]) -> tuple[str, ...]:
        alone = next((name for name in sources if name == AUTO or name.startswith(FILE)), None)
        if alone is not None and len(sources) > 1:
            what = "it is all sources" if alone == AUTO else "its structures come in their order"
            raise ValueError(f"expected {alone} alone, since {what}, or sources without it")
        return sources

    @field_validator("space_group")
    @classmethod
    def _one_source_of_groups(cls, group: str | int, info: Any) -> str | int:
        sources = info.data.get("cells_from", ())
        if group != "none" and any(name == "prototype" or name.startswith(FILE) for name in sources):
            raise ValueError(f"expected none with cells from {sources[0]}, which have groups of their own")
        return group


class PredictOptions(GenerateOptions):
    """Options of the whole workflow, for a formula or for all compositions of a system."""

    unused: ClassVar[frozenset[str]] = frozenset({"pressure"})
    cells_from: _Several[Annotated[str, BeforeValidator(_cell_source)]] = Field(
        default=(AUTO,), min_length=1, description=GenerateOptions.model_fields["cells_from"].description
    )
    system: str = Field(default="", description="All compositions of a system such as Li-Si share the budget.")
    between: _Several[str] = Field(
        default=(), description="Of a system only mixtures of two compositions, such as Li2S,P2S5."
    )
    guests: _Several[str] = Field(
        default=(), description="Species to take out and inpaint; may be repeated; default: the most mobile one."
    )
    per_framework: int = Field(default=2, ge=1, description="Fillings of each symmetrised framework.")
    symmetry: Literal["mixed", "host", "none"] = Field(
        default="mixed",
        description="Guests on orbits of the framework's group (host), anywhere (none), or a quarter of them anywhere "
        "(mixed).",
    )
    second_level_below: float | None = Field(
        default=0.1,
        description="Relax distinct candidates of a lower decomposition energy, eV/atom, once more with the potential "
        "that refines the run's, and rank by its level; none: rank by the first level.",
    )


class InpaintOptions(RunOptions):
    """Options of putting guests into a given host, which is named by the digest of its content."""

    n: int = Field(default=8, ge=1, description="Number of candidates; redraws and what saddles fall to come beside.")
    host: str
    guests: dict[str, int] = Field(description="Guests as ELEMENT=COUNT, added to what the host holds.")
    symmetry: Literal["none", "host"] = Field(
        default="none",
        description="host: symmetrise the host and hold guests on orbits of its group or a subgroup; none: do not.",
    )
    guests_from: Annotated[str, BeforeValidator(_guest_source)] = Field(
        default=AUTO,
        description="Where guests start: prototype (sites of known prototypes), orbits (of the host's group, without "
        "being held there), anywhere, or auto for all in turn, close prototypes first.",
    )
    supercell: _Supercell = _SUPERCELL
    order: bool = _ORDER


class ElectrodeOptions(RunOptions):
    """Options of scanning an insertion electrode, whose host is named by the digest of its content.

    Relaxation goes further than elsewhere: 5 meV/atom that are still to be gained are 0.04 V in an oxide of lithium.
    """

    unused: ClassVar[frozenset[str]] = frozenset({"pressure", "anchor", "n_resample", "jump_length"})
    n: int = Field(
        default=4,
        ge=1,
        description="Candidates of each content, all sources together; further ones that begin with those of other "
        "contents, and for contents that are still uncertain, come beside.",
    )
    relax: RelaxOptions | None = RelaxOptions(fmax=0.03)
    host: str
    ion: Annotated[str, BeforeValidator(_uncharged)] = Field(
        description="Working ion, such as Li. What the host holds of it counts as ions."
    )
    counts: _Several[int] = Field(default=(), description="Numbers of ions in the cell, such as 0,1,2,4.")
    contents: _Several[Annotated[float, BeforeValidator(_ratio)]] = Field(
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
    ion_sites: _Several[int] = Field(
        default=(), description="Numbers of the mobile sites, from 0, where the framework holds the same element."
    )
    supercell: _Supercell = _SUPERCELL
    second_level_best: int = Field(
        default=1,
        ge=0,
        description="So many of the lowest candidates of each content are relaxed once more with the potential that "
        "refines the run's; 0 for none.",
    )
    order: bool = _ORDER


class OrderOptions(RunOptions):
    """Options of ordering a disordered structure, which is named by the digest of its content."""

    unused: ClassVar[frozenset[str]] = frozenset({"pressure", "anchor", "n_resample", "jump_length"})
    n: int = Field(default=8, ge=1, description="Number of ordered structures.")
    structure: str
    max_atoms: int = Field(default=120, ge=1, le=MAX_ATOMS, description="Most atoms of the ordered cell.")
    tolerance: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="How far the share of a species on a kind of site may lie from its occupancy. The smallest cell "
        "within half of it is taken, else the nearest.",
    )
    composition: str | None = Field(
        default=None,
        description="Formula of the ordered structures, such as Li3YCl6; default: the nearest to occupancies.",
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
        "that refines the run's, and rank by its level; none, the default, for none.",
    )
    temperature: float = Field(
        default=300.0, gt=0, le=10_000, description="Temperature of the Boltzmann weights of the orderings, K."
    )


COMMANDS: Final = {
    "OrderOptions": "order",
    "GenerateOptions": "generate",
    "PredictOptions": "predict",
    "InpaintOptions": "inpaint",
    "ElectrodeOptions": "electrode",
}
