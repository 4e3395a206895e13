"""The Python interface: the commands as functions that take and return structures and candidates.

Keywords are those of the option models (`campaign.options`). Their descriptions are written there once: they are the
help of the command line, and the argument lists of these functions.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from chggen.campaign import ElectrodeOptions, GenerateOptions, InpaintOptions, OrderAnswer, OrderOptions, PredictOptions
from chggen.errors import InputError
from chggen.execution import TIME_LIMIT, Machine, Progress, silent
from chggen.generation import FILE
from chggen.io import ORDER_FIRST, as_structure, fingerprint, held_atoms, kept_notes
from chggen.potential import DEFAULT
from chggen.relaxation import Relaxed, RelaxOptions
from chggen.relaxation import relax as relax_structures
from chggen.results import Candidate, Results
from chggen.settings import Options
from chggen.workflows import (
    ordered_host,
    ordered_structures,
    results_of,
    run_electrode,
    run_generate,
    run_inpaint,
    run_order,
    run_predict,
)

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

    from chggen.potential import Potential
    from chggen.stability import Electrode

Files = Path | str
Supercell = Sequence[int] | Sequence[Sequence[int]]
Quality = Literal["fast", "best"]
Judge = Literal["auto", "score", "energy"]
Optimizer = Literal["fire-lbfgs", "lbfgs", "fire"]
_OF_A_RUN: Final = {
    "device": "`cpu` or `cuda`.",
    "workers": "Number of local processes; 0: one for each core. Candidates do not depend on it.",
    "batch_size": "Most candidates that a process makes at once.",
    "time_limit": "Most seconds for a candidate; one that takes longer is a failed row. In one process (`workers=1`) "
    "only Python code can be stopped.",
    "executor": "Any executor with the interface of `concurrent.futures.Executor`, instead of local processes.",
    "out": "Results folder, resumed if it is there; or an object of the protocol `Results`. None: nothing is written.",
    "progress": "Called with stage, candidates done, candidates in all, and how many of them failed.",
}
"""Descriptions of the arguments that are no part of what a run is."""
_Function = TypeVar("_Function", bound=Callable[..., Any])
_Hosted = TypeVar("_Hosted", InpaintOptions, ElectrodeOptions)


def _with_arguments(options: type[Options]) -> Callable[[_Function], _Function]:
    """Put the descriptions of an option model into the argument list of a function's docstring."""
    described = {name: f"    {name}: {field.description}\n" for name, field in options.keywords().items()}
    described |= {name: f"    {name}: {text}\n" for name, text in _OF_A_RUN.items()}

    def decorated(function: _Function) -> _Function:
        before, _, rest = (inspect.getdoc(function) or "").partition("Args:\n")
        own, _, after = rest.partition("\n\n")
        entries = re.split(r"^(?=    \w+: )", own + "\n", flags=re.MULTILINE)
        told = described | {entry.split(":")[0].strip(): entry for entry in entries if entry}
        lines = "".join(told[name] for name in inspect.signature(function).parameters)
        function.__doc__ = f"{before}Args:\n{lines}\n{after}"
        return function

    return decorated


# fmt: off
@_with_arguments(PredictOptions)
def predict(
    formula: str = "", guests: Sequence[str] | str | None = (), *, system: str = "",
    between: Sequence[str] | str | None = (), n: int = 8, seed: int = 0,
    formula_units: Sequence[int] | int | None = (), max_atoms: int = 20, volume: float | None = None,
    cells_from: Sequence[str] | str = ("auto",), space_group: int | str = "none", per_framework: int = 2,
    symmetry: Literal["mixed", "host", "none"] = "mixed", second_level_below: float | None = 0.1,
    model: Files | None = None, anchor: str = "clamp", quality: Quality = "best", levels: int | None = None,
    n_resample: int | None = None, jump_length: int | None = None, best_of: int | None = None, judge: Judge = "auto",
    potential: str = DEFAULT, fmax: float = 0.1, max_steps: int = 500, fix_cell: bool = False,
    fix_symmetry: float | None = None, optimizer: Optimizer = "fire-lbfgs",
    references: Sequence[Files] | Files | None = ("shipped",), device: str = "cpu", workers: int = 0,
    batch_size: int = 8, time_limit: float = TIME_LIMIT, executor: Executor | None = None,
    out: Files | Results | None = None, progress: Progress = silent,
) -> list[Candidate]:
    """Predict crystals of a formula, or of all compositions of a system, by the whole workflow.

    De novo crystals are relaxed, their guests taken out, the framework that is left symmetrised, and guests put in
    again. Candidates are placed on the hull of the known phases; survivors are relaxed once more at a second level.

    Args:
        formula: Formula such as `ZnP2S6`; empty with `system`.

    Returns:
        The candidates, best first, failed ones last.

    Raises:
        InputError: For input that cannot be used, in one sentence.

    Example:
        >>> found = chggen.predict("ZnP2S6", guests=["Zn"], n=8, out="runs/znps")  # doctest: +SKIP
    """
    given = locals()
    if formula and system:
        raise InputError(f"expected a formula or a system, got both {formula} and {system}; leave one out")
    options = PredictOptions.of_keywords(given)
    if options.between and not system:
        raise InputError(f"between {' and '.join(options.between)} expects a system that they are of, got none; add it")
    machine = _machine(given)
    return run_predict(options, machine, results_of(out, options, machine=machine), progress, executor)


@_with_arguments(GenerateOptions)
def generate(
    formula: str, *, n: int = 8, seed: int = 0, formula_units: Sequence[int] | int | None = None,
    max_atoms: int | None = None, volume: float | None = None, cells_from: Sequence[str] | str = ("bravais",),
    space_group: int | str = "none", relax: bool = True, model: Files | None = None, quality: Quality = "best",
    levels: int | None = None, best_of: int | None = None, judge: Judge = "auto", potential: str = DEFAULT,
    fmax: float = 0.1, max_steps: int = 500, fix_cell: bool = False, fix_symmetry: float | None = None,
    optimizer: Optimizer = "fire-lbfgs", references: Sequence[Files] | Files | None = ("shipped",),
    device: str = "cpu", workers: int = 0, batch_size: int = 8, time_limit: float = TIME_LIMIT,
    executor: Executor | None = None, out: Files | Results | None = None, progress: Progress = silent,
) -> list[Candidate]:
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
    given = locals()
    if formula_units is None:
        finished = any(name.startswith(FILE) for name in ([cells_from] if isinstance(cells_from, str) else cells_from))
        given["formula_units"] = (1,) if max_atoms is None and not finished else ()
    if max_atoms is None:
        del given["max_atoms"]
    options = GenerateOptions.of_keywords(given, without=() if relax else ("relax",))
    machine = _machine(given)
    return run_generate(options, machine, results_of(out, options, machine=machine), progress, executor)


@_with_arguments(InpaintOptions)
def inpaint(
    host: Structure | Atoms | Files, guests: Mapping[str, int], *, n: int = 8, seed: int = 0, anchor: str = "clamp",
    symmetry: Literal["none", "host"] = "none", guests_from: str = "auto", supercell: Supercell = (1, 1, 1),
    order: bool = False, relax: bool = True, model: Files | None = None, quality: Quality = "best",
    levels: int | None = None, n_resample: int | None = None, jump_length: int | None = None,
    best_of: int | None = None, judge: Judge = "auto", potential: str = DEFAULT, fmax: float = 0.1,
    max_steps: int = 500, fix_cell: bool = False, fix_symmetry: float | None = None,
    optimizer: Optimizer = "fire-lbfgs", references: Sequence[Files] | Files | None = ("shipped",),
    device: str = "cpu", workers: int = 0, batch_size: int = 8, time_limit: float = TIME_LIMIT,
    executor: Executor | None = None, out: Files | Results | None = None, progress: Progress = silent,
) -> list[Candidate]:
    """Put guest atoms into a given host.

    Args:
        host: pymatgen Structure, ASE Atoms or a file.
        guests: Element symbol to number of atoms, which are added to what the host holds.
        relax: Whether candidates are relaxed. Without it the options of relaxation have no effect and are refused.

    Returns:
        The candidates, best first, failed ones last.

    Raises:
        InputError: For input that cannot be used, in one sentence.

    Example:
        >>> chggen.inpaint("FePO4.cif", {"Li": 4}, n=3, seed=0, relax=False)  # doctest: +SKIP
    """
    given = locals()
    structure, options, machine, results = _with_host(InpaintOptions, given, () if relax else ("relax",))
    return run_inpaint(structure, options, machine, results, progress, executor)


@_with_arguments(ElectrodeOptions)
def electrode(
    host: Structure | Atoms | Files, ion: str = "Li", *, n: int = 4, seed: int = 0,
    counts: Sequence[int] | int | None = (), contents: Sequence[float | str] | float | str | None = (),
    max_content: float | None = None, ion_sites: Sequence[int] | int | None = (), supercell: Supercell = (1, 1, 1),
    second_level_best: int = 1, order: bool = False, model: Files | None = None, quality: Quality = "best",
    levels: int | None = None, best_of: int | None = None, judge: Judge = "auto", potential: str = DEFAULT,
    fmax: float = 0.03, max_steps: int = 500, fix_cell: bool = False, fix_symmetry: float | None = None,
    optimizer: Optimizer = "fire-lbfgs", references: Sequence[Files] | Files | None = ("shipped",),
    device: str = "cpu", workers: int = 0, batch_size: int = 8, time_limit: float = TIME_LIMIT,
    executor: Executor | None = None, out: Files | Results | None = None, progress: Progress = silent,
) -> Electrode:
    """Find how many ions an insertion electrode takes, where they go, and at what voltage.

    Contents from empty to full are filled by inpainting, and emptied by vacancy orderings of fuller ones. All are
    relaxed; the hull of their energies gives the voltage curve.

    Args:
        host: pymatgen Structure, ASE Atoms or a file, with or without ions.

    Returns:
        The electrode: `.average_voltage`, `.steps`, `.voltage_curve`, `.best(content)`, `.table()`, `.to_pymatgen()`,
        `.candidates`, at the last level of theory at which both ends have energies; `.at(level)` for others.

    Raises:
        InputError: For input that cannot be used, in one sentence.

    Example:
        >>> chggen.electrode("FePO4.cif", "Li", out="runs/lfp").average_voltage  # doctest: +SKIP
    """
    given = locals()
    given["ion"] = getattr(ion, "symbol", ion)  # an Element of pymatgen has one
    structure, options, machine, results = _with_host(ElectrodeOptions, given)
    return run_electrode(structure, options, machine, results, progress, executor)


@_with_arguments(OrderOptions)
def order(
    structure: Structure | Atoms | Files, *, n: int = 8, seed: int = 0, max_atoms: int = 120, tolerance: float = 0.1,
    composition: str | None = None, orderings_from: str = "auto",
    temperature: float = 300.0, model: Files | None = None, quality: Quality = "best", levels: int | None = None,
    best_of: int | None = None, judge: Judge = "auto", potential: str = DEFAULT, fmax: float = 0.1,
    max_steps: int = 500, fix_cell: bool = False, fix_symmetry: float | None = None,
    optimizer: Optimizer = "fire-lbfgs",
    references: Sequence[Files] | Files | None = ("shipped",), device: str = "cpu", workers: int = 0,
    batch_size: int = 8, time_limit: float = TIME_LIMIT, executor: Executor | None = None,
    out: Files | Results | None = None, progress: Progress = silent,
) -> list[Candidate]:
    """Find the lowest ordered structures of a partially occupied one.

    Args:
        structure: pymatgen Structure or a file, whose sites may be shared or empty at times.

    Returns:
        The candidates, best first, failed ones last.

    Raises:
        InputError: For input that cannot be used, in one sentence.

    Example:
        >>> chggen.order("Li3YCl6.cif", n=8, max_atoms=120)[0].structure  # doctest: +SKIP
    """
    given = locals()
    with kept_notes() as notes:
        disordered = as_structure(structure)
    given["structure"] = fingerprint(disordered)
    options = OrderOptions.of_keywords(given)
    machine = _machine(given)
    results = results_of(out, options, {"structure": disordered}, notes, machine)
    return run_order(disordered, options, machine, results, progress, executor)


def order_answer(
    structure: Structure | Atoms | Files, candidates: Sequence[Candidate], *, temperature: float = 300.0
) -> OrderAnswer:
    """Return what the ordered structures of a partially occupied one say of it.

    Args:
        structure: The structure that was ordered.
        candidates: What `order` returned, or `chggen.results.read_candidates` of its results folder.
        temperature: Temperature of the Boltzmann weights, K.

    Returns:
        The answer: `.crystals` with energies, weights and relation to the average crystal, `.verdict`, `.spread`,
        `.half_temperature`, `.sublattices`, `.table()`.

    Raises:
        InputError: For a structure that cannot be ordered, or a temperature that is none.

    Example:
        >>> chggen.order_answer("Li3YCl6.cif", found, temperature=600).verdict  # doctest: +SKIP
    """
    return OrderAnswer.of(as_structure(structure), candidates, temperature)


@_with_arguments(RelaxOptions)
def relax(
    structures: Sequence[Structure | Atoms | Files], *, potential: str | Potential = DEFAULT, fix_cell: bool = False,
    fix_symmetry: float | None = None, fixed_atoms: Sequence[Sequence[bool] | None] | None = None, fmax: float = 0.1,
    pressure: float = 0.0, max_steps: int = 500, optimizer: Optimizer = "fire-lbfgs", device: str = "cpu",
    trajectory: bool = False, order: bool = False,
) -> list[Relaxed]:
    """Relax structures with a potential, all in one batch.

    Args:
        structures: pymatgen Structures, ASE Atoms or files.
        potential: Name of a potential, or a Potential object.
        fixed_atoms: For each structure which of its atoms are held at their fractional coordinates, or None. By
            default those that it marks itself: selective dynamics, move masks, constraints of ASE.
        device: `cpu` or `cuda`.
        trajectory: Whether every step is kept.
        order: Whether the lowest ordered structure takes the place of each partially occupied one.

    Returns:
        What became of each structure, in the order given. One that did not converge says why.

    Raises:
        InputError: For input that cannot be used, in one sentence.

    Example:
        >>> chggen.relax(structures, potential="chgnet", fix_cell=True, fmax=0.1)  # doctest: +SKIP
    """
    single = isinstance(structures, (str, os.PathLike)) or hasattr(structures, "lattice") or hasattr(structures, "cell")
    if single or not isinstance(structures, Iterable):
        got = type(structures).__name__ if single else repr(structures)
        raise InputError(f"expected a list of structures or files to relax, got {got}; put it in brackets")
    given = [as_structure(s, heed_held=fixed_atoms is None) for s in structures]
    if order and not all(s.is_ordered for s in given):
        given = _ordered(given, locals())
    held = [held_atoms(s) for s in given] if fixed_atoms is None else fixed_atoms
    return relax_structures(
        given, potential=potential, fix_cell=fix_cell, fix_symmetry=fix_symmetry,
        fixed_atoms=held, fmax=fmax, pressure=pressure, max_steps=max_steps, optimizer=optimizer,
        device=device, trajectory=trajectory,
    )
# fmt: on


def _ordered(structures: Sequence[Structure], given: Mapping[str, Any]) -> list[Structure]:
    """Return structures to relax, the partially occupied ones ordered. Raise InputError where that cannot be."""
    if given["fixed_atoms"] is not None or not isinstance(given["potential"], str):
        what = "fixed_atoms are" if given["fixed_atoms"] is not None else "a Potential object is"
        raise InputError(f"{what} of no use to order structures with partially occupied sites; {ORDER_FIRST}")
    named = {f"structure {k}": structure for k, structure in enumerate(structures)}
    return list(ordered_structures(named, given, Machine(device=given["device"])).values())


def _with_host(
    kind: type[_Hosted], given: Mapping[str, Any], without: tuple[str, ...] = ()
) -> tuple[Structure, _Hosted, Machine, Results]:
    """Return host, options, machine and results of a run that puts something into a host, which is ordered if asked."""
    out = given["out"]
    with kept_notes() as notes:
        host = as_structure(given["host"])
        asked = {"host": fingerprint(host), "order": not host.is_ordered and given["order"]}
        options, machine = kind.of_keywords({**given, **asked}, without), _machine(given)
        if options.order:
            results_of(out, options)  # refuses what is no place for results, before anything is computed
            host = ordered_host(host, given, machine, out, given["progress"], given["executor"])
    return host, options, machine, results_of(out, options, {"host": host}, notes, machine)


def _machine(given: Mapping[str, Any]) -> Machine:
    return Machine(**{name: given[name] for name in ("device", "workers", "batch_size", "time_limit")})
