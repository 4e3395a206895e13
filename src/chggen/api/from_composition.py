"""Crystals of a composition: `predict` and `generate`."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Literal

from chggen.api.arguments import Files, Judge, Optimizer, Quality, ShownProgress, machine_of, with_arguments
from chggen.api.progress_bar import shown_progress
from chggen.campaign import GenerateOptions, PredictOptions
from chggen.errors import InputError
from chggen.execution import TIME_LIMIT
from chggen.generation import FILE
from chggen.potential import DEFAULT, PotentialLike, name_of_potential
from chggen.results import Candidates, Results
from chggen.workflows import results_of, run_generate, run_predict


# fmt: off
@with_arguments(PredictOptions)
def predict(
    formula: str = "", guests: Sequence[str] | str | None = (), *, system: str = "",
    formulas: Sequence[str] | Files | None = (), between: Sequence[str] | str | None = (), n: int = 8, seed: int = 0,
    formula_units: Sequence[int] | int | None = (), max_atoms: int = 20, volume: float | None = None,
    cells_from: Sequence[str] | str = ("auto",), space_group: int | str = "none", per_framework: int = 2,
    symmetry: Literal["mixed", "host", "none"] = "mixed", second_level_below: float | None = 0.1,
    judge_by: Sequence[str] | str = (), judge_within: float = 0.1,
    model: Files | None = None, anchor: str = "clamp", quality: Quality = "best", levels: int | None = None,
    n_resample: int | None = None, jump_length: int | None = None, best_of: int | None = None, judge: Judge = "auto",
    potential: PotentialLike = DEFAULT,
    dispersion: Literal["d3"] | None = None, fmax: float = 0.1, max_steps: int = 500, fix_cell: bool = False,
    fix_symmetry: float | None = None, optimizer: Optimizer = "fire-lbfgs",
    references: Sequence[Files] | Files | None = ("shipped",), device: str = "cpu", workers: int = 0,
    batch_size: int = 8, time_limit: float = TIME_LIMIT, executor: Executor | str | None = None,
    shard: str | None = None, out: Files | Results | None = None,
    database: str | None = None, progress: ShownProgress = True,
) -> Candidates:
    """Predict crystals of a formula, of several, or of all compositions of a system, by the whole workflow.

    De novo crystals are relaxed, their guests taken out, the framework that is left symmetrised, and guests put in
    again. Candidates are placed on the hull of the known phases; survivors are relaxed once more at a second level.

    Args:
        formula: Formula such as `ZnP2S6`; empty with `system` and `formulas`.
        formulas: Formulas, or the path of a file of them, that share the budget of `n` candidates each.

    Returns:
        The candidates, best first, failed ones last.

    Raises:
        InputError: For input that cannot be used, in one sentence.

    Example:
        >>> found = chggen.predict("ZnP2S6", guests=["Zn"], n=8, out="runs/znps")  # doctest: +SKIP
    """
    given = {**locals(), "potential": name_of_potential(potential)}
    several = {"a formula": formula, "formulas": formulas, "a system": system}
    if len(asked := [name for name, text in several.items() if text]) > 1:
        raise InputError(f"expected a formula, formulas or a system, got {' and '.join(asked)}; leave one out")
    options = PredictOptions.of_keywords(given)
    if options.between and not system:
        raise InputError(f"between {' and '.join(options.between)} expects a system that they are of, got none; add it")
    machine = machine_of(given)
    results = results_of(out, options, machine=machine, database=database)
    with shown_progress(progress) as told:
        return Candidates(run_predict(options, machine, results, told))


@with_arguments(GenerateOptions)
def generate(
    formula: str, *, n: int = 8, seed: int = 0, formula_units: Sequence[int] | int | None = None,
    max_atoms: int | None = None, volume: float | None = None, cells_from: Sequence[str] | str = ("bravais",),
    space_group: int | str = "none", relax: bool = True, judge_by: Sequence[str] | str = (),
    judge_within: float = 0.1, model: Files | None = None, anchor: str = "clamp", quality: Quality = "best",
    levels: int | None = None, best_of: int | None = None, judge: Judge = "auto", potential: PotentialLike = DEFAULT,
    dispersion: Literal["d3"] | None = None,
    fmax: float = 0.1, max_steps: int = 500, fix_cell: bool = False, fix_symmetry: float | None = None,
    optimizer: Optimizer = "fire-lbfgs", references: Sequence[Files] | Files | None = ("shipped",),
    device: str = "cpu", workers: int = 0, batch_size: int = 8, time_limit: float = TIME_LIMIT,
    executor: Executor | str | None = None, shard: str | None = None, out: Files | Results | None = None,
    database: str | None = None, progress: ShownProgress = True,
) -> Candidates:
    """Generate crystals of a formula from nothing but the composition.

    Args:
        formula_units: Formula units in the (primitive) cell. None: 1, or all up to `max_atoms` where that is given, or
            those of the finished structures of a file.
        relax: Whether candidates are relaxed. Without it the options of relaxation have no effect and are refused.

    Returns:
        The candidates, best first, failed ones last.

    Raises:
        InputError: For input that cannot be used, in one sentence.

    Example:
        >>> chggen.generate("NaCl", n=20, seed=0, space_group="auto")  # doctest: +SKIP
    """
    given = {**locals(), "potential": name_of_potential(potential)}
    if formula_units is None:
        finished = any(name.startswith(FILE) for name in ([cells_from] if isinstance(cells_from, str) else cells_from))
        given["formula_units"] = (1,) if max_atoms is None and not finished else ()
    if max_atoms is None:
        del given["max_atoms"]
    options = GenerateOptions.of_keywords(given, without=() if relax else ("relax",))
    if options.sampler.anchor not in ("clamp", "paper"):
        raise InputError(f"anchor {options.sampler.anchor} has no effect without a host; use paper, or leave it out")
    machine = machine_of(given)
    results = results_of(out, options, machine=machine, database=database)
    with shown_progress(progress) as told:
        return Candidates(run_generate(options, machine, results, told))
# fmt: on
