"""What is made from two crystals: `interface`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Literal

from chggen.api.arguments import Files, Judge, Optimizer, Quality, ShownProgress, machine_of, with_arguments
from chggen.api.progress_bar import shown_progress
from chggen.campaign import InterfaceOptions
from chggen.execution import TIME_LIMIT
from chggen.io import as_structure, fingerprint, kept_notes
from chggen.potential import DEFAULT, PotentialLike, name_of_potential
from chggen.results import Candidates, Results
from chggen.workflows import results_of, run_interface

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

Plane = str | Sequence[int]


# fmt: off
@with_arguments(InterfaceOptions)
def interface(
    a: Structure | Atoms | Files, b: Structure | Atoms | Files, guests: Mapping[str, int] | None = None, *,
    miller_a: Plane = "001", miller_b: Plane = "001", n: int = 8, seed: int = 0, gap: float = 2.0,
    thickness: float = 8.0, vacuum: float = 12.0, max_area: float = 200.0, max_strain: float = 0.05,
    strain_on: Literal["a", "b", "both"] = "b", termination: int = 0, move_within: float = 4.0,
    mu: Mapping[str, float] | None = None, model: Files | None = None, quality: Quality = "best",
    levels: int | None = None, best_of: int | None = None, judge: Judge = "auto", potential: PotentialLike = DEFAULT,
    dispersion: Literal["d3"] | None = None,
    fmax: float = 0.1, max_steps: int = 500, optimizer: Optimizer = "fire-lbfgs",
    references: Sequence[Files] | Files | None = ("shipped",), device: str = "cpu", workers: int = 0,
    batch_size: int = 8, time_limit: float = TIME_LIMIT, executor: Executor | str | None = None,
    out: Files | Results | None = None,
    database: str | None = None, progress: ShownProgress = True,
) -> Candidates:
    """Put two crystals face to face, shift one along the other, and fill the gap between them.

    Each candidate has its interface energy in `e_insertion`, in eV for the cell: against the two strained slabs alone
    and the chemical potentials of the guests. `interface.json` of the results folder has it in J/m².

    Args:
        a: The crystal below: pymatgen Structure, ASE Atoms or a file.
        b: The crystal above.
        guests: Atoms for the gap, element symbol to number. None: none.

    Returns:
        The candidates, best first, failed ones last.

    Raises:
        InputError: For input that cannot be used, in one sentence.

    Example:
        >>> chggen.interface("Li3PS4.cif", "LiCoO2.cif", miller_b="104", gap=4, guests={"Li": 6})  # doctest: +SKIP
    """
    given = {**locals(), "potential": name_of_potential(potential)}
    with kept_notes() as notes:
        crystals = {"a": as_structure(a), "b": as_structure(b)}
    given |= {"host": fingerprint(crystals["a"]), "other": fingerprint(crystals["b"])}
    given |= {"guests": guests or {}, "mu": mu or {}}
    options = InterfaceOptions.of_keywords(given)
    machine = machine_of(given)
    results = results_of(out, options, crystals, notes, machine, database)
    with shown_progress(progress) as told:
        return Candidates(run_interface(crystals["a"], crystals["b"], options, machine, results, told))
# fmt: on
