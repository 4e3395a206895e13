"""Options of the runs: what predict, generate and inpaint share, and what each has of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BeforeValidator, Field, PositiveInt, field_validator

from chggen.generation import AUTO, GuestSeeds, SamplerOptions, SeedSource
from chggen.relaxation import RelaxOptions
from chggen.settings import Options


class RunOptions(Options):
    """What all runs share. relax None: raw structures. references: files of known phases, `shipped`: the own ones."""

    seed: int = Field(default=0, ge=0)
    n: int = Field(default=8, ge=1)
    relax: RelaxOptions | None = RelaxOptions()
    references: tuple[str, ...] = ("shipped",)
    sampler: SamplerOptions = SamplerOptions()

    def resolved(self) -> dict[str, Any]:
        """A table for config.toml, in the order of the fields."""
        return {"command": self.command, **self.model_dump(mode="json", exclude_none=True)}

    @property
    def command(self) -> str:
        return COMMANDS[type(self).__name__]


def _space_group(given: Any) -> Any:
    if given in ("none", "auto"):
        return given
    text = str(given).strip()  # 225.7 and True are none, though Python would make numbers of them
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number <= 230:
        raise ValueError("expected none, auto or an international number from 1 to 230")
    return number


def _listed(given: Any) -> Any:
    """A sequence of what may be one alone, or None for nothing."""
    if given is None:
        return ()
    return tuple(given) if isinstance(given, Iterable) and not isinstance(given, (str, Mapping)) else (given,)


_Item = TypeVar("_Item")
_Several = Annotated[tuple[_Item, ...], BeforeValidator(_listed)]


class GenerateOptions(RunOptions):
    """De novo generation. volume in Å³/atom; empty formula_units: chosen by size.

    seeds: where cells come from, in turn: `bravais`, random cells of the Bravais lattices without symmetry of the
    atoms, `joint`, cells of the shape that the score model draws for the species, `space-group`, as space_group `auto`
    (with `joint` and a space_group the model draws the shapes of its Bravais class), or `prototype`, known prototypes
    by likeness; or `auto`, which shares n candidates in all between these and the cell sizes, more for what does
    better. max_atoms: of a cell, where formula_units does not say. space_group: a number or `auto`, drawn as known
    crystals have it.
    """

    formula: str = ""
    formula_units: _Several[int] = ()
    volume: float | None = Field(default=None, ge=1, le=1000)
    max_atoms: int = Field(default=20, ge=1)
    seeds: _Several[SeedSource] = Field(default=("bravais",), min_length=1)
    space_group: Annotated[Literal["none", "auto"] | int, BeforeValidator(_space_group)] = "none"

    @field_validator("seeds")
    @classmethod
    def _auto_alone(cls, seeds: tuple[SeedSource, ...]) -> tuple[SeedSource, ...]:
        if AUTO in seeds and len(seeds) > 1:
            raise ValueError("expected auto alone, since it is all sources, or sources without it")
        return seeds

    @field_validator("space_group")
    @classmethod
    def _one_source_of_groups(cls, group: str | int, info: Any) -> str | int:
        if group != "none" and "prototype" in info.data.get("seeds", ()):
            raise ValueError("expected none with seeds prototype, since prototypes have groups of their own")
        return group


class PredictOptions(GenerateOptions):
    """The whole workflow, for a formula or, sharing n candidates a formula, for all of a system up to max_atoms.

    between: two compositions of the system whose mixtures are wanted; none: all. guests empty: the most mobile species
    of the formula, if any; per_framework: fillings of each.

    symmetry `host`: guests on orbits of the framework's group; `none`: anywhere; `mixed`: a quarter of the fillings
    anywhere, since a crystal may be less symmetric than its framework. Candidates whose E_d at PBE level is below
    second_level_below, eV/atom, are relaxed again and ranked at r²SCAN level; None: none are.
    """

    seeds: _Several[SeedSource] = Field(default=(AUTO,), min_length=1)
    system: str = ""
    between: _Several[str] = ()
    guests: _Several[str] = ()
    symmetry: Literal["mixed", "host", "none"] = "mixed"
    per_framework: int = Field(default=2, ge=1)
    second_level_below: float | None = 0.1


class InpaintOptions(RunOptions):
    """Guests into a given host, which is named by the hash of its content.

    symmetry `host`: the host symmetrised, and guests on orbits of its group or a subgroup. seeds: where guests start,
    `anywhere`, on the sites of known prototypes with such a host (`prototype`), on orbits of its group without being
    held there (`orbits`), or on all in turn (`auto`).
    """

    host: str
    guests: dict[str, int]
    supercell: Annotated[tuple[PositiveInt, PositiveInt, PositiveInt], BeforeValidator(_listed)] = (1, 1, 1)
    symmetry: Literal["none", "host"] = "none"
    seeds: GuestSeeds = "auto"


COMMANDS: Final = {"GenerateOptions": "generate", "PredictOptions": "predict", "InpaintOptions": "inpaint"}
