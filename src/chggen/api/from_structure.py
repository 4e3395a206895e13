"""What is made from a structure: `inpaint`, `electrode`, `order`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union

from chggen.api.arguments import Files, Judge, Optimizer, Quality, ShownProgress, Supercell, machine_of, with_arguments
from chggen.api.progress_bar import shown_progress
from chggen.api.several import of_each
from chggen.campaign import ElectrodeOptions, InpaintOptions, OrderAnswer, OrderOptions, with_cell_of_slab
from chggen.execution import TIME_LIMIT, Machine
from chggen.io import as_structure, fingerprint, kept_notes
from chggen.potential import DEFAULT, PotentialLike, name_of_potential
from chggen.regions import RegionLike, named_regions
from chggen.results import Candidate, Candidates, Results
from chggen.workflows import (
    check_place,
    ordered_host,
    results_of,
    run_electrode,
    run_inpaint,
    run_order,
)

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

    from chggen.stability import Electrode

Host = Union["Structure", "Atoms", Files]
_Hosted = TypeVar("_Hosted", InpaintOptions, ElectrodeOptions)


# fmt: off
@with_arguments(InpaintOptions)
def inpaint(
    host: Host | Sequence[Host], guests: Mapping[str, int] | None = None, *, n: int = 8, seed: int = 0,
    region: RegionLike | Sequence[str] | Mapping[str, RegionLike] = (), remove: Sequence[str] | str = (),
    hold: Sequence[str] | str = (), fill: str | None = None,
    mu: Mapping[str, float] | None = None, move_within: float | None = None, host_sigma: float = 0.0,
    anchor: str = "clamp", symmetry: Literal["none", "host"] = "none",
    guests_from: str = "auto", supercell: Supercell = (1, 1, 1), order: bool = False, relax: bool = True,
    judge_by: Sequence[str] | str = (), judge_within: float = 0.1,
    model: Files | None = None, quality: Quality = "best", levels: int | None = None, n_resample: int | None = None,
    jump_length: int | None = None, best_of: int | None = None, judge: Judge = "auto",
    potential: PotentialLike = DEFAULT,
    dispersion: Literal["d3"] | None = None, fmax: float = 0.1, max_steps: int = 500, fix_cell: bool = False,
    free_axis: Literal["x", "y", "z"] | None = None, fix_symmetry: float | None = None,
    optimizer: Optimizer = "fire-lbfgs",
    references: Sequence[Files] | Files | None = ("shipped",),
    device: str = "cpu", workers: int = 0, batch_size: int = 8, time_limit: float = TIME_LIMIT,
    executor: Executor | str | None = None, shard: str | None = None, out: Files | Results | None = None,
    database: str | None = None, progress: ShownProgress = True,
) -> Candidates:
    """Put guest atoms into a given host.

    Args:
        host: pymatgen Structure, ASE Atoms or a file; or a list of these, each of which gets its own run.
        guests: Element symbol, or name of a molecule such as `H2O`, to number of guests, which are added to what the
            host holds. None: what `remove` takes out.
        region: Where guests go: words such as `z 12 17`, several of them, an object of the protocol
            `chggen.regions.Region`, or one of these for each species by its symbol.
        relax: Whether candidates are relaxed. Without it the options of relaxation have no effect and are refused.

    Returns:
        The candidates, best first, failed ones last. Those of several hosts are in one list: their ids begin with the
        name of the host, which is also that of its subfolder of `out`.

    Raises:
        InputError: For input that cannot be used, in one sentence.

    Example:
        >>> chggen.inpaint("FePO4.cif", {"Li": 4}, n=3, seed=0, relax=False)  # doctest: +SKIP
    """
    given = {**locals(), "potential": name_of_potential(potential)}
    if isinstance(host, (list, tuple)):
        return of_each(inpaint, "host", given)
    words, regions = named_regions(region)
    given |= {"guests": guests or {}, "mu": mu or {}, "region": words}
    with shown_progress(progress) as told:
        given["progress"] = told
        structure, options, machine, results = _with_host(InpaintOptions, given, () if relax else ("relax",))
        return Candidates(run_inpaint(structure, options, machine, results, told, regions))


@with_arguments(ElectrodeOptions)
def electrode(
    host: Structure | Atoms | Files, ion: str = "Li", *, n: int = 4, seed: int = 0,
    counts: Sequence[int] | int | None = (), contents: Sequence[float | str] | float | str | None = (),
    max_content: float | None = None, ion_sites: Sequence[int] | int | None = (), supercell: Supercell = (1, 1, 1),
    second_level_best: int = 1, hold: Sequence[str] | str = (),
    order: bool = False, model: Files | None = None, quality: Quality = "best",
    levels: int | None = None, best_of: int | None = None, judge: Judge = "auto", potential: PotentialLike = DEFAULT,
    dispersion: Literal["d3"] | None = None,
    fmax: float = 0.03, max_steps: int = 500, fix_cell: bool = False, fix_symmetry: float | None = None,
    optimizer: Optimizer = "fire-lbfgs", references: Sequence[Files] | Files | None = ("shipped",),
    device: str = "cpu", workers: int = 0, batch_size: int = 8, time_limit: float = TIME_LIMIT,
    executor: Executor | str | None = None, out: Files | Results | None = None,
    database: str | None = None, progress: ShownProgress = True,
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
    given = {**locals(), "potential": name_of_potential(potential)}
    given["ion"] = getattr(ion, "symbol", ion)  # an Element of pymatgen has one
    with shown_progress(progress) as told:
        given["progress"] = told
        structure, options, machine, results = _with_host(ElectrodeOptions, given)
        return run_electrode(structure, options, machine, results, told)


@with_arguments(OrderOptions)
def order(
    structure: Host | Sequence[Host], *, n: int = 8, seed: int = 0, max_atoms: int = 120, tolerance: float = 0.1,
    composition: str | None = None, orderings_from: str = "auto", second_level_below: float | None = None,
    judge_by: Sequence[str] | str = (), judge_within: float = 0.1,
    temperature: float = 300.0, hold: Sequence[str] | str = (), model: Files | None = None, quality: Quality = "best",
    levels: int | None = None,
    best_of: int | None = None, judge: Judge = "auto", potential: PotentialLike = DEFAULT,
    dispersion: Literal["d3"] | None = None, fmax: float = 0.1,
    max_steps: int = 500, fix_cell: bool = False, fix_symmetry: float | None = None,
    optimizer: Optimizer = "fire-lbfgs",
    references: Sequence[Files] | Files | None = ("shipped",), device: str = "cpu", workers: int = 0,
    batch_size: int = 8, time_limit: float = TIME_LIMIT, executor: Executor | str | None = None,
    out: Files | Results | None = None,
    database: str | None = None, progress: ShownProgress = True,
) -> Candidates:
    """Find the lowest ordered structures of a partially occupied one.

    Args:
        structure: pymatgen Structure or a file, whose sites may be shared or empty at times; or a list of these, each
            of which gets its own run.

    Returns:
        The candidates, best first, failed ones last. Those of several structures are in one list: their ids begin with
        the name of the structure, which is also that of its subfolder of `out`.

    Raises:
        InputError: For input that cannot be used, in one sentence.

    Example:
        >>> chggen.order("Li3YCl6.cif", n=8, max_atoms=120)[0].structure  # doctest: +SKIP
    """
    given = {**locals(), "potential": name_of_potential(potential)}
    if isinstance(structure, (list, tuple)):
        return of_each(order, "structure", given)
    with kept_notes() as notes:
        disordered = as_structure(structure)
    given["structure"] = fingerprint(disordered)
    options = OrderOptions.of_keywords(given)
    machine = machine_of(given)
    results = results_of(out, options, {"structure": disordered}, notes, machine, database)
    with shown_progress(progress) as told:
        return Candidates(run_order(disordered, options, machine, results, told))


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
# fmt: on


def _with_host(
    kind: type[_Hosted], given: Mapping[str, Any], without: tuple[str, ...] = ()
) -> tuple[Structure, _Hosted, Machine, Results]:
    """Return host, options, machine and results of a run that puts something into a host, which is ordered if asked."""
    out = given["out"]
    with kept_notes() as notes:
        host = as_structure(given["host"], heed_held=kind is InpaintOptions)
        asked = {"host": fingerprint(host), "order": not host.is_ordered and given["order"]}
        options, machine = kind.of_keywords({**given, **asked}, without), machine_of(given)
        if options.order:
            check_place(results_of(out, options))  # before anything is computed
            host = ordered_host(host, given, machine, out, given["progress"])
        options = with_cell_of_slab(options, host)
    return host, options, machine, results_of(out, options, {"host": host}, notes, machine, given["database"])
