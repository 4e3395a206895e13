"""The Python interface: the commands as functions that take and return structures and candidates."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chggen.campaign import (
    GenerateOptions,
    InpaintOptions,
    Plan,
    PredictOptions,
    Resources,
    RunOptions,
    check_potential,
    guests_by_formula,
    inpaint_jobs,
)
from chggen.errors import InputError
from chggen.execution import Machine, Progress, silent
from chggen.generation import SamplerOptions
from chggen.io import as_structure, digest, fingerprint
from chggen.relaxation import Relaxed, RelaxOptions
from chggen.relaxation import relax as relax_structures
from chggen.results import Candidate, MemoryResults, Results, Store
from chggen.stability import references_of
from chggen.workflows import run_generate, run_inpaint, run_predict


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
    seeds: Sequence[str] | str = ("auto",),
    per_framework: int = 2,
    symmetry: str = "mixed",
    second_level_below: float | None = 0.1,
    out: Path | str | None = None,
    progress: Progress = silent,
    **settings: Any,
) -> list[Candidate]:
    """Predict crystals of a formula, or of a system such as Li-Si, by the whole workflow, best first, failed ones last.

    guests: species to take out and inpaint (default: the most mobile one); n: de novo candidates of a formula; seeds:
    `auto`, which shares them between cell sizes and sources of cells, or the sources to take in turn, n candidates for
    each cell size: `prototype`, `space-group`, `joint`, `bravais`; max_atoms: of a cell where formula_units are not
    given, and of a system's formulas; between: two compositions of the system, whose mixtures alone are looked at;
    per_framework: fillings of each symmetrised framework; symmetry: `host`, guests on orbits of its group, `none`,
    anywhere, or `mixed`, some so; volume: Å³/atom; second_level_below: candidates of E_d below this, eV/atom, are
    relaxed again and ranked at r²SCAN level (None: none are); out: results folder, resumed if it is there. Further
    settings: model, anchor, quality (`fast` or `best`), levels, n_resample, jump_length, best_of, judge (`auto`,
    `score` or `energy`), potential, fmax (eV/Å), max_steps, optimizer, fix_cell, fix_symmetry, references (files of
    known phases, and `shipped` for the built-in ones), device, workers, batch_size.
    Raises InputError for bad input.
    """
    if formula and system:
        raise InputError(f"expected a formula or a system, got both {formula} and {system}; leave one out")
    options = PredictOptions.of(
        formula=formula,
        system=system,
        between=between,
        max_atoms=max_atoms,
        guests=guests,
        n=n,
        seed=seed,
        formula_units=formula_units,
        volume=volume,
        seeds=seeds,
        per_framework=per_framework,
        symmetry=symmetry,
        second_level_below=second_level_below,
        **_run_settings(settings, relax=True),
    )
    if options.between and not system:
        raise InputError(f"between {' and '.join(options.between)} expects a system that they are of, got none; add it")
    machine = _machine(settings)
    guests_by_formula(_checked(options).species, options)
    with _results(out, options) as results:
        return run_predict(options, machine, results, progress)


def generate(
    formula: str,
    *,
    n: int = 8,
    seed: int = 0,
    formula_units: Sequence[int] | int | None = None,
    max_atoms: int | None = None,
    volume: float | None = None,
    seeds: Sequence[str] | str = ("bravais",),
    space_group: int | str = "none",
    relax: bool = True,
    out: Path | str | None = None,
    progress: Progress = silent,
    **settings: Any,
) -> list[Candidate]:
    """De novo crystals of a formula; relaxed unless relax=False. For the rest see predict.

    formula_units: of the cells; None: 1, or all up to max_atoms where that is given. space_group: an international
    number, `auto` (drawn as known crystals have it, with Wyckoff positions) or `none`; formula units are those of a
    primitive cell.
    """
    if formula_units is None and max_atoms is None:
        formula_units = (1,)
    options = GenerateOptions.of(
        formula=formula,
        n=n,
        seed=seed,
        formula_units=formula_units,
        **({} if max_atoms is None else {"max_atoms": max_atoms}),
        volume=volume,
        seeds=seeds,
        space_group=space_group,
        **_run_settings(settings, relax),
    )
    machine = _machine(settings)
    _checked(options)
    with _results(out, options) as results:
        return run_generate(options, machine, results, progress)


def inpaint(
    host: Any,
    guests: Mapping[str, int],
    *,
    n: int = 8,
    seed: int = 0,
    anchor: str = "clamp",
    symmetry: str = "none",
    seeds: str = "auto",
    supercell: Sequence[int] = (1, 1, 1),
    relax: bool = True,
    out: Path | str | None = None,
    progress: Progress = silent,
    **settings: Any,
) -> list[Candidate]:
    """Put guests (element symbol → count, added to what the host holds) into a host.

    host: pymatgen Structure, ASE Atoms or a file. anchor: `clamp` (clean host), `renoise` or `paper`. Relaxed with
    the cell unless relax=False. symmetry: `host`, the host is symmetrised and its guests sit on orbits of its group, or
    of a subgroup that their counts fit; `none`, without symmetry. seeds: guests start on the sites of known prototypes
    with such a host (`prototype`), on orbits of its group without being held there (`orbits`), `anywhere`, or on all in
    turn, close prototypes first (`auto`). For the rest see predict.
    """
    structure = as_structure(host)
    options = InpaintOptions.of(
        host=fingerprint(structure),
        guests=guests,
        n=n,
        seed=seed,
        symmetry=symmetry,
        seeds=seeds,
        supercell=supercell,
        **_run_settings({**settings, "anchor": anchor}, relax),
    )
    machine = _machine(settings)
    jobs = inpaint_jobs(structure, options)  # refuses a bad host before anything is written
    _check_tools(options)
    with _results(out, options) as results:
        return run_inpaint(jobs, options, machine, results, progress)


def relax(
    structures: Sequence[Any],
    *,
    potential: str = "chgnet",
    fix_cell: bool = False,
    fix_symmetry: float | None = None,
    fixed_atoms: Sequence[Sequence[bool] | None] | None = None,
    fmax: float = 0.1,
    pressure: float = 0.0,
    max_steps: int = 500,
    optimizer: str = "fire-lbfgs",
    device: str = "cpu",
    trajectory: bool = False,
) -> list[Relaxed]:
    """Relax structures (pymatgen, ASE Atoms or files) with a potential, in the order given (see chggen.relaxation)."""
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


_SAMPLER = ("model", "anchor", "quality", "levels", "n_resample", "jump_length", "best_of", "judge")
_RELAX = ("potential", "fmax", "max_steps", "fix_cell", "fix_symmetry", "optimizer")  # hulls are at no pressure
_MACHINE = ("device", "workers", "batch_size")


def _run_settings(settings: Mapping[str, Any], relax: bool) -> dict[str, Any]:
    """The settings of sampler and relaxation as options. Raises InputError for a name that is none."""
    known = (*_SAMPLER, *_RELAX, *_MACHINE, "references")
    for name in settings:
        if name not in known:
            raise InputError(f"unknown setting '{name}'; expected one of {', '.join(known)}")
    given = {k: v for k, v in settings.items() if v is not None}
    names = given.get("references") or ("shipped",)
    references = (names,) if isinstance(names, (str, os.PathLike)) else names
    try:
        files = tuple(n if n == "shipped" else os.path.abspath(n) for n in map(os.fspath, references))
    except TypeError:
        raise InputError(f"references must be files of known phases, or `shipped`; got {references!r}") from None
    relaxation = RelaxOptions.of(**{k: given[k] for k in _RELAX if k in given})  # checked where it is not used, too
    check_potential(relaxation)
    return {
        "references": files,
        "sampler": SamplerOptions.of(**{k: given[k] for k in _SAMPLER if k in given}),
        "relax": relaxation if relax else None,
    }


def _machine(settings: Mapping[str, Any]) -> Machine:
    return Machine(**{k: settings[k] for k in _MACHINE if settings.get(k) is not None})


def _checked(options: GenerateOptions) -> Plan:
    """The plan of a run that can be made: bad input stops here, before any folder."""
    plan = Plan(options, joint=_check_tools(options).shapes() is not None)
    plan.check()
    return plan


def _check_tools(options: RunOptions) -> Resources:
    references_of(options.references)
    resources = Resources(sampler=options.sampler, relax=options.relax)
    resources.check()
    return resources


@contextmanager
def _results(out: Path | str | None, options: RunOptions) -> Iterator[Results]:
    if out is None:
        yield MemoryResults()
        return
    if not isinstance(out, (str, os.PathLike)):
        raise InputError(f"out must be the path of a folder, or None to write nothing; got {out!r}")
    model = options.sampler.model
    content = {  # not the name alone tells
        "references_content": [digest(Path(name)) for name in options.references if name != "shipped"] or None,
        "model_content": None if model is None else digest(model),
    }
    with Store(Path(out), options.resolved() | content) as store:
        yield store
