"""What is registered of a potential: its name, its level of theory, and how it is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from chggen.errors import InputError
from chggen.potential.level import Level

if TYPE_CHECKING:
    from chggen.potential.protocol import Potential


@dataclass(frozen=True, kw_only=True)
class RegisteredPotential:
    """A potential that can be asked for by name.

    Attributes:
        name: Its name in options, such as `chgnet`.
        level: The level of theory of its energies, which no other potential shares.
        load: Called with a device (`cpu` or `cuda`), returns the potential. Heavy imports belong in here.
        refined_by: Name of the potential at whose level the survivors of a run are relaxed once more and ranked;
            None where there is none.
        weights: Returns the files of its weights, whose digest is written down with each run.
        needs: Module that it needs and that may be missing to the name of the extra of chggen that installs it.
        functional: Functional of its energies, `pbe` or `r2scan`, by which dispersion can be added to them; None where
            it is another one, or they have dispersion already.
    """

    name: str
    level: Level
    load: Callable[[str], Potential]
    refined_by: str | None = None
    weights: Callable[[], Sequence[Path]] = field(default_factory=lambda: tuple)
    needs: Mapping[str, str] = field(default_factory=dict)
    functional: str | None = None

    def check(self) -> None:
        """Check that the packages that the potential needs are there, without loading them.

        Raises:
            InputError: One is not.
        """
        for module, extra in self.needs.items():
            if find_spec(module) is None:
                raise InputError(
                    f"potential '{self.name}' needs the package {module}, which is not installed; run "
                    f'`pip install "chggen[{extra}]"`, or name another potential'
                )
