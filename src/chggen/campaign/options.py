"""Options of the runs: what all share, and what those that begin with a composition have of their own.

Functions and commands take these fields as flat keywords (`Options.keywords`); the descriptions are the help of the
command line.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar

from pydantic import BeforeValidator, Field, field_validator

from chggen.campaign.formulas import read_formulas
from chggen.campaign.shards import SHARD, Shard, ShardOption
from chggen.crystals import plain_text
from chggen.generation import AUTO, FILE, SamplerOptions, cell_sources
from chggen.potential import dispersed_name
from chggen.relaxation import RelaxOptions
from chggen.settings import Options

SHIPPED: Final = "shipped"
"""Name that stands for the reference phases that come with chggen."""

_Item = TypeVar("_Item")


def _listed(given: Any) -> Any:
    """Return a sequence of what may be one alone, or None for nothing."""
    if given is None:
        return ()
    return tuple(given) if isinstance(given, Iterable) and not isinstance(given, (str, Mapping)) else (given,)


def _words(given: Any) -> Any:
    """Return names of which several may stand in one text, between commas."""
    names = _listed(given)
    if not all(isinstance(name, str) for name in names):
        raise ValueError("expected names of potentials")
    return tuple(dict.fromkeys(word for name in names for part in name.split(",") if (word := part.strip())))


Several = Annotated[tuple[_Item, ...], BeforeValidator(_listed)]
"""Several of a kind, of which one may be given alone."""


def _reference_files(given: Any) -> Any:
    """Return files of known phases by their absolute paths; nothing at all means the shipped ones."""
    names = (given,) if isinstance(given, (str, os.PathLike)) else given or (SHIPPED,)
    try:
        return tuple(n if n == SHIPPED else os.path.abspath(n) for n in map(os.fspath, names))
    except TypeError:
        raise ValueError(f"expected files of known phases, or `{SHIPPED}`") from None


_LATER: Final = ("order", "region", "remove", "hold", "mu", "host_sigma", "shard", "formulas", "judge_by")
"""Options that older folders do not know: not given is what stands for nothing."""
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

    judge_by: Annotated[tuple[str, ...], BeforeValidator(_words)] = Field(
        default=(),
        description="Potentials that relax the promising distinct candidates once more, such as sevennet-l3i5, several "
        "by commas; the last one ranks them. They stand in the place of the second level.",
    )
    judge_within: float = Field(
        default=0.1,
        gt=0,
        le=2,
        description="Promising is what lies at most this far, eV/atom, above the lowest of its formula, or has a "
        "prototype so likely that it may be the crystal all the same.",
    )
    shard: ShardOption = SHARD

    @field_validator("judge_by")
    @classmethod
    def _with_dispersion(cls, judges: tuple[str, ...], info: Any) -> tuple[str, ...]:
        relax = info.data.get("relax")
        return judges if relax is None or relax.dispersion is None else tuple(map(dispersed_name, judges))

    def resolved(self) -> dict[str, Any]:
        """Return the options as a table for config.toml, in the order of the fields; None is what is not given."""
        table = {"command": self.command, **self.model_dump(mode="json")}
        for name in _LATER:
            if not table.get(name, True):
                table[name] = None
        if not self.judge_by:
            table["judge_within"] = None
        return table

    @property
    def part(self) -> Shard:
        """The part of the run that is made: all of it unless asked otherwise."""
        return Shard.of(self.shard)

    @property
    def held_elements(self) -> tuple[str, ...]:
        """Elements whose atoms are held in place when candidates are relaxed."""
        return ()

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


class GenerateOptions(RunOptions):
    """Options of de novo generation."""

    unused: ClassVar[frozenset[str]] = frozenset({"pressure", "free_axis", "n_resample", "jump_length"})
    formula: Annotated[str, BeforeValidator(_without_spaces)] = Field(default="", description="Formula such as ZnP2S6.")
    formula_units: Several[int] = Field(default=(), description="Formula units in the cell, such as 1,2.")
    max_atoms: int = Field(default=20, ge=1, description="Most atoms in a cell where formula units are not given.")
    volume: float | None = Field(
        default=None, ge=1, le=1000, description="Volume, Å³/atom; default: from a composition model."
    )
    cells_from: Several[Annotated[str, BeforeValidator(_cell_source)]] = Field(
        default=("bravais",),
        min_length=1,
        description="Where cells come from: auto for all sources on one budget; or sources that take turns, n for "
        "each cell size: prototype (known prototypes by likelihood), space-group (drawn as known crystals have it), "
        "learned (shapes that the score model draws), bravais (random cells), evolve (changes of the lowest so far); "
        "or file:PATH, finished structures of another program.",
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
    """Options of the whole workflow, for a formula, for several, or for all compositions of a system."""

    unused: ClassVar[frozenset[str]] = frozenset({"pressure", "free_axis"})
    cells_from: Several[Annotated[str, BeforeValidator(_cell_source)]] = Field(
        default=(AUTO,), min_length=1, description=GenerateOptions.model_fields["cells_from"].description
    )
    system: str = Field(default="", description="All compositions of a system such as Li-Si share the budget.")
    formulas: Annotated[tuple[str, ...], BeforeValidator(read_formulas)] = Field(
        default=(),
        description="File of formulas that share the budget: one a line, or a table with a column called formula.",
    )
    between: Several[str] = Field(
        default=(), description="Of a system only mixtures of two compositions, such as Li2S,P2S5."
    )
    guests: Several[str] = Field(
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


COMMANDS: Final = {
    "OrderOptions": "order",
    "GenerateOptions": "generate",
    "PredictOptions": "predict",
    "InpaintOptions": "inpaint",
    "ElectrodeOptions": "electrode",
    "InterfaceOptions": "interface",
}
