"""Options of making interfaces of two crystals."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from chggen.campaign.options import RunOptions
from chggen.relaxation import RelaxOptions


def _plane(given: Any) -> Any:
    """Return Miller indices as text, from text such as 104, 1-10 or `1 0 4`, or from three whole numbers."""
    if isinstance(given, str):
        close = re.fullmatch(r"\s*(-?\d)(-?\d)(-?\d)\s*", given)
        parts: list[Any] = list(close.groups()) if close else re.split(r"[\s,]+", given.strip())
    else:
        parts = list(given) if isinstance(given, Iterable) else [given]
    try:
        indices = [int(part) for part in parts]
        whole = all(float(part) == index for part, index in zip(parts, indices, strict=True))
    except (TypeError, ValueError):
        indices, whole = [], False
    if len(indices) != 3 or not any(indices) or not whole:
        raise ValueError("expected Miller indices, three whole numbers that are not all 0, such as 104 or 1,-1,0")
    return " ".join(map(str, indices))


class InterfaceOptions(RunOptions):
    """Options of an interface of two crystals, which are named by the digests of their contents."""

    unused: ClassVar[frozenset[str]] = frozenset(
        {
            "pressure", "anchor", "n_resample", "jump_length", "fix_cell", "free_axis", "fix_symmetry", "shard",
            "judge_by", "judge_within",
        }
    )  # fmt: skip
    n: int = Field(default=8, ge=1, description="Number of candidates: lateral shifts, and fillings of the gap.")
    relax: RelaxOptions | None = RelaxOptions(fix_cell=True)
    host: str
    other: str
    guests: dict[str, int] = Field(default={}, description="Atoms for the gap as ELEMENT=COUNT; default: none.")
    miller_a: Annotated[str, BeforeValidator(_plane)] = Field(
        default="001", validate_default=True, description="Plane of the first crystal, such as 104 or 1,-1,0."
    )
    miller_b: Annotated[str, BeforeValidator(_plane)] = Field(
        default="001", validate_default=True, description="Plane of the second crystal."
    )
    gap: float = Field(default=2.0, gt=0, le=50, description="Distance between the outermost atoms of both, Å.")
    thickness: float = Field(default=8.0, ge=4, le=100, description="Least thickness of each slab, Å.")
    vacuum: float = Field(default=12.0, ge=10, le=100, description="Empty height above the second crystal, Å.")
    max_area: float = Field(default=200.0, gt=0, description="Largest area of the common net, Å².")
    max_strain: float = Field(default=0.05, gt=0, le=0.3, description="Largest strain of a side of the net.")
    strain_on: Literal["a", "b", "both"] = Field(
        default="b", description="The crystal that is strained to the net of the other; both share it."
    )
    termination: int = Field(default=0, ge=0, description="Number of the pair of terminations; the log lists them.")
    move_within: float = Field(
        default=4.0,
        gt=0,
        description="Hold atoms of the first crystal that are farther than so many Å from the gap; the second moves.",
    )
    mu: dict[str, float] = Field(
        default={},
        description="Chemical potentials of guests as ELEMENT=ENERGY, eV/atom; default: of the elements.",
    )

    @property
    def planes(self) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """Miller indices of both planes."""
        (h, k, l), (u, v, w) = (map(int, text.split()) for text in (self.miller_a, self.miller_b))  # noqa: E741
        return (h, k, l), (u, v, w)
