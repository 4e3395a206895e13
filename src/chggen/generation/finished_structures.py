"""Structures that another program has finished, as a source of cells: `file:PATH`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from chggen.errors import InputError
from chggen.generation.host import Host
from chggen.generation.start import CellDrawer, Start
from chggen.io import named_candidates
from chggen.symmetry import Orbits

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from chggen.generation.sources import CellRequest


@dataclass(frozen=True, kw_only=True)
class FinishedStructure:
    """A structure that needs no sampling: it enters a run where raw structures are screened.

    Attributes:
        name: Name of its file, with its place in it.
        finished: The structure, or why it cannot be read.
        species: Element symbol to number of atoms in the cell.
    """

    name: str
    finished: Structure | str
    species: Mapping[str, int] = field(default_factory=dict)
    source: str = "file"
    de_novo: bool = True
    on_orbits: bool = False
    symmetric: bool = False
    start_sigma: None = None
    prototype_log_odds: None = None

    @classmethod
    def of(cls, structure: Structure, source: str) -> FinishedStructure:
        """Return a structure as a start.

        Args:
            structure: An ordered structure.
            source: Where it comes from.
        """
        species = {s: round(n) for s, n in structure.composition.get_el_amt_dict().items()}
        return cls(name=source, source=source, finished=structure, species=species)

    def draw(self, seed: int, cell_drawer: CellDrawer | None = None) -> tuple[Host, Orbits | None]:
        """Refuse to be sampled, since there is nothing to draw.

        Args:
            seed: Random seed of the try.
            cell_drawer: What draws cells.

        Raises:
            InputError: Always.
        """
        raise InputError(f"{self.name} is a finished structure; expected a start that can be sampled")

    def redraw(self, k: int) -> FinishedStructure:
        """Return itself.

        Args:
            k: Which redraw it is.
        """
        return self


class FinishedStructures:
    """The finished structures of a file or folder, in its order.

    Files may be CIF, POSCAR, (ext)xyz, pymatgen JSON, AIRSS `.res`, a zip archive of any of these, or the tensors
    (`.pt`) that DiffCSP writes. A structure that cannot be read becomes a failed candidate; the others go on.

    Args:
        path: The file or folder.

    Raises:
        InputError: When there is no such file, or nothing in it.
    """

    name: str = "file"
    share: float = 0.0

    def __init__(self, path: Path) -> None:
        self.path = path
        self._starts = [
            FinishedStructure(name=name, finished=found, species={} if isinstance(found, str) else _counts(found))
            for name, found in named_candidates(path).items()
        ]

    def of_formula(self, species: Mapping[str, int]) -> list[tuple[int, FinishedStructure]]:
        """Return the structures of a composition with their numbers of formula units, in the order of the file.

        Structures that cannot be read count as ones of any composition, in a cell of one formula unit.

        Args:
            species: Element symbol to number of atoms in one formula unit.
        """
        n_atoms = sum(species.values())
        found = []
        for start in self._starts:
            units = 1 if isinstance(start.finished, str) else sum(start.species.values()) // n_atoms
            if isinstance(start.finished, str) or start.species == {s: units * n for s, n in species.items()}:
                found.append((units, start))
        return found

    def compositions(self) -> str:
        """Return the formulas of all structures as a text, for messages."""
        formulas = dict.fromkeys("".join(f"{s}{n}" for s, n in start.species.items()) for start in self._starts)
        return ", ".join(f for f in list(formulas)[:5] if f) or "none"

    def available(self, species: Mapping[str, int], draws_cells: bool) -> bool:
        """Return whether the file has a structure with this content.

        Args:
            species: Element symbol to number of atoms in the cell.
            draws_cells: Whether the score model of the run can draw cells, which does not matter here.
        """
        return any(dict(start.species) == dict(species) for start in self._starts)

    def start(self, request: CellRequest) -> Start:
        """Return one of the structures with the content asked for, the one at the rank asked for.

        Args:
            request: The cell that is wanted.
        """
        return [s for s in self._starts if dict(s.species) == dict(request.species)][request.rank]


def _counts(structure: Structure) -> dict[str, int]:
    """Return element symbol to number of atoms, whatever the oxidation states."""
    counts: dict[str, int] = {}
    for site in structure:
        symbol = site.specie.symbol
        counts[symbol] = counts.get(symbol, 0) + 1
    return counts
