"""The Python interface: the commands as functions that take and return structures and candidates.

Keywords are those of the option models (`campaign.options`), whose descriptions are the command line's help as well.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from chggen.campaign import GenerateOptions, InpaintOptions, PredictOptions
from chggen.errors import InputError
from chggen.execution import Machine, Progress, silent
from chggen.io import as_structure, fingerprint
from chggen.relaxation import Relaxed
from chggen.relaxation import relax as relax_structures
from chggen.results import Candidate, Results
from chggen.workflows import results_of, run_generate, run_inpaint, run_predict

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

    from chggen.potential import Potential

Files = Path | str
Quality = Literal["fast", "best"]
Judge = Literal["auto", "score", "energy"]
Optimizer = Literal["fire-lbfgs", "lbfgs", "fire"]


def predict(
    formula: str = "",
    guests: Sequence[str] | str | None = (),
    *,
    system: str = "",
    between: Sequence[str] | str | None = (),
    n: int = 8,
    seed: int = 0,
    formula_units: Sequence[int] | int | None = (),
    max_atoms: int = 20,
    volume: float | None = None,
    cells_from: Sequence[str] | str = ("auto",),
    space_group: int | str = "none",
    per_framework: int = 2,
    symmetry: Literal["mixed", "host", "none"] = "mixed",
    second_level_below: float | None = 0.1,
    model: Files | None = None,
    anchor: str = "clamp",
    quality: Quality = "best",
    levels: int | None = None,
    n_resample: int | None = None,
    jump_length: int | None = None,
    best_of: int | None = None,
    judge: Judge = "auto",
    potential: str = "chgnet",
    fmax: float = 0.1,
    max_steps: int = 500,
    fix_cell: bool = False,
    fix_symmetry: float | None = None,
    optimizer: Optimizer = "fire-lbfgs",
    references: Sequence[Files] | Files | None = ("shipped",),
    device: str = "cpu",
    workers: int = 0,
    batch_size: int = 8,
    executor: Executor | None = None,
    out: Files | Results | None = None,
    progress: Progress = silent,
) -> list[Candidate]:
    """Predict crystals of a formula, or of all compositions of a system, by the whole workflow.

    De novo crystals are relaxed, their guests taken out, the framework that is left symmetrised, and guests put in
    again. Candidates are placed on the hull of the known phases; survivors are relaxed once more at a second level.

    Args:
        formula: Formula such as `ZnP2S6`; empty with `system`.
        guests: Species to take out and inpaint. Empty: the most mobile species of the formula, if any.
        system: Elements such as `Li-Si`, whose compositions of at most `max_atoms` atoms share the budget.
        between: Two compositions of the system, whose mixtures alone are looked at.
        n: Number of de novo candidates of each composition; where `cells_from` names sources, of each cell size.
        seed: Random seed. The same seed gives the same candidates on any number of workers.
        formula_units: Formula units in the cell. Empty: chosen by size.
        max_atoms: Most atoms in a cell where `formula_units` does not say.
        volume: Volume, Å³/atom. None: from a composition model, then from the best candidates.
        cells_from: Sources of cells: `auto` for all on one budget; `prototype`, `space-group`, `learned` and `bravais`
            in turn; or `file:PATH`, finished structures of another program.
        space_group: International number, `auto` for drawn groups, or `none`.
        per_framework: Number of fillings of each symmetrised framework.
        symmetry: Guests on orbits of the framework's group (`host`), anywhere (`none`), or some anywhere (`mixed`).
        second_level_below: Decomposition energy, eV/atom, below which distinct candidates are relaxed at the second
            level and ranked by it. None: there is no second level.
        model: Score model: a checkpoint, `module:factory` or a registered name. None: the shipped one.
        anchor: How a host is held: clean (`clamp`), noised anew at each level (`renoise`), with
            the paper's settings (`paper`), or by a registered recipe.
        quality: Evaluations of the score network for a candidate: 50 (`fast`) or 160 (`best`).
        levels: Number of noise levels of a try. None: the recipe's own.
        n_resample: How often each stretch of levels is walked. None: the recipe's own.
        jump_length: Number of levels in a stretch. None: the recipe's own.
        best_of: Number of tries for each candidate, of which `judge` keeps one. None: the recipe's own.
        judge: What chooses among tries: `score`, `energy`, or `auto`, which is `energy` in runs that relax.
        potential: Name of the potential, such as `chgnet`, `chgnet-r2scan` or `ase:module:factory`.
        fmax: Largest force of a relaxed structure, eV/Å.
        max_steps: Most steps that a structure may take.
        fix_cell: Whether the cell is kept.
        fix_symmetry: Symprec, Å, at which the space group of a structure is found and kept. None: none is kept.
        optimizer: FIRE, L-BFGS, or the first and then the second.
        references: Files of known phases; `shipped` stands for the built-in ones.
        device: `cpu` or `cuda`.
        workers: Number of local processes; 0: one for each core.
        batch_size: Most candidates that a process makes at once.
        executor: Any executor with the interface of `concurrent.futures.Executor`, instead of local processes.
        out: Results folder, resumed if it is there; or an object of the protocol `Results`. None: nothing is written.
        progress: Called with stage, candidates done, candidates in all, and how many of them failed.

    Returns:
        The candidates, best first, failed ones last.

    Raises:
        InputError: For input that cannot be used, in one sentence.

    Example:
        >>> found = chggen.predict("ZnP2S6", guests=["Zn"], n=8, out="runs/znps")  # doctest: +SKIP
        >>> found[0].structure, found[0].e_decomposition  # doctest: +SKIP
    """
    given = locals()
    if formula and system:
        raise InputError(f"expected a formula or a system, got both {formula} and {system}; leave one out")
    options = PredictOptions.of_keywords(given)
    if options.between and not system:
        raise InputError(f"between {' and '.join(options.between)} expects a system that they are of, got none; add it")
    return run_predict(options, _machine(given), results_of(out, options), progress, executor)


def generate(
    formula: str,
    *,
    n: int = 8,
    seed: int = 0,
    formula_units: Sequence[int] | int | None = None,
    max_atoms: int | None = None,
    volume: float | None = None,
    cells_from: Sequence[str] | str = ("bravais",),
    space_group: int | str = "none",
    relax: bool = True,
    model: Files | None = None,
    quality: Quality = "best",
    levels: int | None = None,
    best_of: int | None = None,
    judge: Judge = "auto",
    potential: str = "chgnet",
    fmax: float = 0.1,
    max_steps: int = 500,
    fix_cell: bool = False,
    fix_symmetry: float | None = None,
    optimizer: Optimizer = "fire-lbfgs",
    references: Sequence[Files] | Files | None = ("shipped",),
    device: str = "cpu",
    workers: int = 0,
    batch_size: int = 8,
    executor: Executor | None = None,
    out: Files | Results | None = None,
    progress: Progress = silent,
) -> list[Candidate]:
    """Generate crystals of a formula from nothing but the composition.

    Args:
        formula: Formula such as `ZnP2S6`.
        n: Number of candidates; where `cells_from` names sources, of each cell size.
        seed: Random seed. The same seed gives the same candidates on any number of workers.
        formula_units: Formula units in the (primitive) cell. None: 1, or all up to `max_atoms` where that is given.
        max_atoms: Most atoms in a cell where `formula_units` does not say.
        volume: Volume, Å³/atom. None: from a composition model.
        cells_from: Sources of cells, as for `predict`.
        space_group: International number, `auto` for groups and Wyckoff positions drawn as known crystals have them,
            or `none`.
        relax: Whether candidates are relaxed. Without it the options of relaxation have no effect and are refused.
        model: Score model, as for `predict`.
        quality: Evaluations of the score network for a candidate: 50 (`fast`) or 160 (`best`).
        levels: Number of noise levels of a try. None: the recipe's own.
        best_of: Number of tries for each candidate, of which `judge` keeps one. None: the recipe's own.
        judge: What chooses among tries: `score`, `energy`, or `auto`, which is `energy` in runs that relax.
        potential: Name of the potential, such as `chgnet`, `chgnet-r2scan` or `ase:module:factory`.
        fmax: Largest force of a relaxed structure, eV/Å.
        max_steps: Most steps that a structure may take.
        fix_cell: Whether the cell is kept.
        fix_symmetry: Symprec, Å, at which the space group of a structure is found and kept. None: none is kept.
        optimizer: FIRE, L-BFGS, or the first and then the second.
        references: Files of known phases; `shipped` stands for the built-in ones.
        device: `cpu` or `cuda`.
        workers: Number of local processes; 0: one for each core.
        batch_size: Most candidates that a process makes at once.
        executor: Any executor with the interface of `concurrent.futures.Executor`, instead of local processes.
        out: Results folder, resumed if it is there; or an object of the protocol `Results`. None: nothing is written.
        progress: Called with stage, candidates done, candidates in all, and how many of them failed.

    Returns:
        The candidates, best first, failed ones last.

    Raises:
        InputError: For input that cannot be used, in one sentence.

    Example:
        >>> chggen.generate("NaCl", n=20, seed=0, space_group="auto")  # doctest: +SKIP
    """
    given = locals()
    if formula_units is None:
        given["formula_units"] = (1,) if max_atoms is None else ()
    if max_atoms is None:
        del given["max_atoms"]
    options = GenerateOptions.of_keywords(given, without=() if relax else ("relax",))
    return run_generate(options, _machine(given), results_of(out, options), progress, executor)


def inpaint(
    host: Structure | Atoms | Files,
    guests: Mapping[str, int],
    *,
    n: int = 8,
    seed: int = 0,
    anchor: str = "clamp",
    symmetry: Literal["none", "host"] = "none",
    guests_from: str = "auto",
    supercell: Sequence[int] = (1, 1, 1),
    relax: bool = True,
    model: Files | None = None,
    quality: Quality = "best",
    levels: int | None = None,
    n_resample: int | None = None,
    jump_length: int | None = None,
    best_of: int | None = None,
    judge: Judge = "auto",
    potential: str = "chgnet",
    fmax: float = 0.1,
    max_steps: int = 500,
    fix_cell: bool = False,
    fix_symmetry: float | None = None,
    optimizer: Optimizer = "fire-lbfgs",
    references: Sequence[Files] | Files | None = ("shipped",),
    device: str = "cpu",
    workers: int = 0,
    batch_size: int = 8,
    executor: Executor | None = None,
    out: Files | Results | None = None,
    progress: Progress = silent,
) -> list[Candidate]:
    """Put guest atoms into a given host.

    Args:
        host: pymatgen Structure, ASE Atoms or a file.
        guests: Element symbol to number of atoms, which are added to what the host holds.
        n: Number of candidates.
        seed: Random seed. The same seed gives the same candidates on any number of workers.
        anchor: How the host is held: clean (`clamp`), noised anew at each level (`renoise`), with
            the paper's settings (`paper`), or by a registered recipe.
        symmetry: `host`: the host is symmetrised and guests are held on orbits of its group, or of a subgroup that
            their counts fit. `none`: without symmetry.
        guests_from: Source of guests: sites of known prototypes (`prototype`), orbits of the host's group without
            being held there (`orbits`), `anywhere`, or all in turn, close prototypes first (`auto`).
        supercell: How often the host is repeated along each lattice vector; counts are of the whole.
        relax: Whether candidates are relaxed. Without it the options of relaxation have no effect and are refused.
        model: Score model, as for `predict`.
        quality: Evaluations of the score network for a candidate: 50 (`fast`) or 160 (`best`).
        levels: Number of noise levels of a try. None: the recipe's own.
        n_resample: How often each stretch of levels is walked. None: the recipe's own.
        jump_length: Number of levels in a stretch. None: the recipe's own.
        best_of: Number of tries for each candidate, of which `judge` keeps one. None: the recipe's own.
        judge: What chooses among tries: `score`, `energy`, or `auto`, which is `energy` in runs that relax.
        potential: Name of the potential, such as `chgnet`, `chgnet-r2scan` or `ase:module:factory`.
        fmax: Largest force of a relaxed structure, eV/Å.
        max_steps: Most steps that a structure may take.
        fix_cell: Whether the cell is kept.
        fix_symmetry: Symprec, Å, at which the space group of a structure is found and kept. None: none is kept.
        optimizer: FIRE, L-BFGS, or the first and then the second.
        references: Files of known phases; `shipped` stands for the built-in ones.
        device: `cpu` or `cuda`.
        workers: Number of local processes; 0: one for each core.
        batch_size: Most candidates that a process makes at once.
        executor: Any executor with the interface of `concurrent.futures.Executor`, instead of local processes.
        out: Results folder, resumed if it is there; or an object of the protocol `Results`. None: nothing is written.
        progress: Called with stage, candidates done, candidates in all, and how many of them failed.

    Returns:
        The candidates, best first, failed ones last.

    Raises:
        InputError: For input that cannot be used, in one sentence.

    Example:
        >>> chggen.inpaint("FePO4.cif", {"Li": 4}, n=3, seed=0, relax=False)  # doctest: +SKIP
    """
    given = locals()
    structure = as_structure(host)
    options = InpaintOptions.of_keywords({**given, "host": fingerprint(structure)}, without=() if relax else ("relax",))
    results = results_of(out, options, {"host": structure})
    return run_inpaint(structure, options, _machine(given), results, progress, executor)


def relax(
    structures: Sequence[Structure | Atoms | Files],
    *,
    potential: str | Potential = "chgnet",
    fix_cell: bool = False,
    fix_symmetry: float | None = None,
    fixed_atoms: Sequence[Sequence[bool] | None] | None = None,
    fmax: float = 0.1,
    pressure: float = 0.0,
    max_steps: int = 500,
    optimizer: Optimizer = "fire-lbfgs",
    device: str = "cpu",
    trajectory: bool = False,
) -> list[Relaxed]:
    """Relax structures with a potential, all in one batch.

    Args:
        structures: pymatgen Structures, ASE Atoms or files.
        potential: Name of a potential, or a Potential object.
        fix_cell: Whether the cells are kept.
        fix_symmetry: Symprec, Å, at which the space group of a structure is found and kept. None: none is kept.
        fixed_atoms: For each structure which of its atoms are held, or None.
        fmax: Largest force at the end, eV/Å.
        pressure: External pressure, GPa.
        max_steps: Most steps of a structure.
        optimizer: FIRE, L-BFGS, or the first and then the second.
        device: `cpu` or `cuda`.
        trajectory: Whether every step is kept.

    Returns:
        What became of each structure, in the order given. One that did not converge says why.

    Raises:
        InputError: For input that cannot be used, in one sentence.

    Example:
        >>> chggen.relax(structures, potential="chgnet", fix_cell=True, fmax=0.1)  # doctest: +SKIP
    """
    if isinstance(structures, (str, os.PathLike)) or not isinstance(structures, Iterable):
        raise InputError(f"expected a list of structures or files to relax, got {structures!r}; put it in brackets")
    return relax_structures(
        [as_structure(s) for s in structures],
        potential=potential,
        fix_cell=fix_cell,
        fix_symmetry=fix_symmetry,
        fixed_atoms=fixed_atoms,
        fmax=fmax,
        pressure=pressure,
        max_steps=max_steps,
        optimizer=optimizer,
        device=device,
        trajectory=trajectory,
    )


def _machine(given: Mapping[str, Any]) -> Machine:
    return Machine(device=given["device"], workers=given["workers"], batch_size=given["batch_size"])
