"""How the budget of a run is spread over formulas, cell sizes and seed sources, and moves between rounds."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from chggen.campaign.arms import Arm, formula_units
from chggen.campaign.budget import Budget
from chggen.campaign.options import GenerateOptions, PredictOptions
from chggen.campaign.shares import Found
from chggen.crystals.composition import compositions
from chggen.errors import InputError
from chggen.generation.cell_starts import PrototypeCell, SpaceGroupCell
from chggen.generation.finished_structures import FinishedStructure
from chggen.generation.jobs import Job
from chggen.generation.sources import cell_sources
from chggen.results.candidate import Candidate


def _jobs(options: GenerateOptions, energy: Any = None, volume: float = 20.0) -> list[Job]:
    """All jobs of a plan; energy(job): eV/atom of what comes of it, None: it fails."""
    plan = Budget(options)
    jobs = []
    while found := plan.next_round():
        jobs += found
        plan.learn([_outcome(job, None if energy is None else energy(job), volume) for job in found])
    return jobs


def _outcome(job: Job, energy: float | None, volume: float) -> Candidate | None:
    if energy is None:
        return None
    structure = Structure(Lattice.cubic(volume ** (1 / 3)), ["H"], [[0, 0, 0]])
    return replace(job.candidate, level="pbe", energies={"pbe": energy}, structure=structure)


def test_named_sources_take_turns_n_for_each_cell_size() -> None:
    options = GenerateOptions(
        formula="ZnP2S6", formula_units=(1, 2), n=4, volume=20.0, cells_from=("bravais", "space-group")
    )
    jobs = _jobs(options)
    assert Counter(sum(job.start.species.values()) for job in jobs) == {9: 4, 18: 4}
    first = [job for job in jobs if "-z1-" in job.candidate.id]
    assert [job.candidate.seed_source for job in first] == ["bravais", "space-group"] * 2
    assert first[0].start.draw(0)[0].framework.volume == pytest.approx(180)  # a volume that is given is not spread
    assert first[0].start.species == {"Zn": 1, "P": 2, "S": 6}
    assert len({job.candidate.seed for job in jobs}) == len(jobs)
    assert [j.candidate for j in jobs] == [j.candidate for j in _jobs(options)]


def test_formula_units_are_those_asked_for_or_all_up_to_the_limit() -> None:
    assert formula_units(9, (), 20) == (1, 2)
    assert formula_units(2, (), 9) == (1, 2, 3, 4)
    assert formula_units(21, (), 20) == (1,)
    assert formula_units(9, (4, 1, 4), 20) == (4, 1)
    assert formula_units(2, (), 1200)[-1] == 500  # 1000 atoms are the most of a cell
    for z in (0, -1, 1000):
        with pytest.raises(InputError, match="formula units give"):
            formula_units(9, (z,), 20)


AUTO = GenerateOptions(formula="SrTiO3", n=64, cells_from=("auto",), max_atoms=20)


def test_auto_makes_n_candidates_of_all_sources_and_sizes() -> None:
    jobs = _jobs(AUTO)
    assert len(jobs) == 64
    assert {job.candidate.seed_source for job in jobs} == {"prototype", "space-group", "bravais"}
    assert {sum(job.start.species.values()) for job in jobs} == {5, 10, 15, 20}
    assert jobs[0].candidate.seed_source == "prototype"  # the likeliest first
    assert len({job.candidate.id for job in jobs}) == 64


def test_auto_moves_to_the_source_and_size_that_do_better_without_starving_any() -> None:
    def energy(job: Job) -> float:
        return -8.0 if job.candidate.seed_source == "bravais" and "-z2-" in job.candidate.id else -7.0

    def late(jobs: list[Job]) -> Counter[tuple[str, str]]:
        return Counter((str(j.candidate.seed_source), j.candidate.id.split("-")[1]) for j in jobs[32:])

    steady, moved = late(_jobs(AUTO)), late(_jobs(AUTO, energy))
    assert moved["bravais", "z2"] > 3 * max(steady["bravais", "z2"], 1)
    assert {source for source, _ in moved} == {"prototype", "space-group", "bravais"}


def test_auto_leaves_sources_that_only_fail() -> None:
    def energy(job: Job) -> float | None:
        return None if job.candidate.seed_source == "prototype" else -7.0

    sources = Counter(str(job.candidate.seed_source) for job in _jobs(AUTO, energy)[32:])
    assert sources["prototype"] < sources["space-group"]


def test_a_plan_told_the_same_asks_for_the_same() -> None:
    def energy(job: Job) -> float:
        return -7.0 - (job.candidate.seed % 97) / 1000

    one, other = ([job.candidate for job in _jobs(AUTO, energy)] for _ in range(2))
    assert one == other


def test_volumes_follow_what_relaxed_and_one_that_is_given_stays() -> None:
    options = GenerateOptions(formula="NaCl", n=40, cells_from=("bravais",), formula_units=(2,))
    jobs = _jobs(options, lambda job: -3.0, volume=30.0)
    volumes = [job.start.draw(0)[0].framework.volume / 4 for job in jobs]
    assert 15 < sum(volumes[:8]) / 8 < 27  # the model's 22 or so
    assert 28 < sum(volumes[-8:]) / 8 < 32
    assert max(volumes[:8]) > 1.05 * min(volumes[:8])  # spread by the model's error
    given = _jobs(options.model_copy(update={"volume": 20.0}), lambda job: -3.0, volume=30.0)
    assert {round(job.start.draw(0)[0].framework.volume, 6) for job in given} == {80.0}


def test_a_system_shares_its_budget_between_all_formulas() -> None:
    options = PredictOptions(system="Li-Si", max_atoms=5, n=4)
    plan = Budget(options)
    assert list(plan.species) == ["LiSi", "LiSi2", "Li2Si", "LiSi3", "Li3Si", "LiSi4", "Li2Si3", "Li3Si2", "Li4Si"]
    jobs = _jobs(options)
    assert len(jobs) == 4 * 9
    assert {job.candidate.formula for job in jobs} == set(plan.species)
    assert max(sum(job.start.species.values()) for job in jobs) <= 5


def test_a_system_moves_its_budget_to_formulas_near_the_hull() -> None:
    plan = Budget(PredictOptions(system="Li-Si", max_atoms=4, n=16))
    made: list[Job] = []
    while found := plan.next_round():
        made += found
        outcomes = [_outcome(job, -3.0, 20.0) for job in found]
        e_d = {"Li3Si": 0.0}
        plan.learn([replace(c, decomposition_energies={"pbe": e_d.get(c.formula, 0.4)}) for c in outcomes if c])
    late = Counter(job.candidate.formula for job in made[len(made) // 2 :])
    assert late["Li3Si"] == max(late.values())
    assert late["Li3Si"] > 2 * late["LiSi"] > 0


def test_the_compositions_of_many_elements_are_counted_without_going_through_all_numbers() -> None:
    elements = ["Li", "Na", "K", "Rb", "Cs", "P", "S"]
    found = compositions(elements, 9)
    assert len(found) == 36  # two atoms more than one of each, for any two of the seven or twice the same, or fewer
    assert all(sum(counts.values()) <= 9 and set(counts) == set(elements) for counts in found)
    assert [len(compositions(elements[:2], n)) for n in (1, 2, 3, 4, 5)] == [0, 1, 3, 5, 9]


def _sources_without_energies(n: int) -> list[str]:
    """Sources of the candidates of one cell size of ZnS, all good and none with an energy."""
    options = GenerateOptions(formula="ZnS", formula_units=(1,), n=n, cells_from=("auto",), relax=None)
    plan, made = Budget(options), []
    while found := plan.next_round():
        plan.learn([job.candidate for job in found])
        made += [job.candidate.seed_source for job in found]
    return made


def test_a_run_that_does_not_relax_keeps_to_the_shares_it_began_with() -> None:
    made = _sources_without_energies(64)
    assert Counter(made[:12])["prototype"] == 8  # 0.6 / 0.9 of them
    for stretch in (made[:32], made[32:]):
        of = Counter(stretch)
        assert of["space-group"] == pytest.approx(2 * of["bravais"], abs=2)


def test_the_share_of_prototypes_falls_with_their_rank() -> None:
    """8 of the first 12; then each has 0.6 (8 / (k + 1))^1.5 against 0.3 of the others."""
    made, taken = _sources_without_energies(64), 0.0
    for _ in made:
        share = 0.6 * min(1.0, (8 / (round(taken) + 1)) ** 1.5)
        taken += share / (share + 0.3)
    assert made.count("prototype") == pytest.approx(taken, abs=2)
    assert made[:32].count("prototype") > 1.5 * made[32:].count("prototype")


def test_draws_of_a_formula_do_not_skip_prototypes_that_only_other_formulas_would_take() -> None:
    jobs = _jobs(PredictOptions(system="Li-Si", max_atoms=5, n=4))
    prototypes = [job.start for job in jobs if isinstance(job.start, PrototypeCell)]
    assert prototypes
    assert all(start.redraw(1).rank == start.rank + 4 for start in prototypes)


def test_a_space_group_that_does_not_fit_is_refused_for_cells_that_the_model_draws_too() -> None:
    for cells_from in (("bravais",), ("learned",)):
        options = GenerateOptions(formula="C29O", formula_units=(1,), space_group=227, cells_from=cells_from, n=1)
        with pytest.raises(InputError, match="do not fit space group 227"):
            Budget(options, draws_cells=True).check()


def test_a_bad_cell_does_not_refuse_a_space_group_that_fits() -> None:
    counts = {"K": 1, "Cl": 1, "Br": 2, "Rb": 2}
    for seed in range(40):
        host, orbits = SpaceGroupCell(counts, 150.0, 139).draw(seed)
        assert host.framework.volume == pytest.approx(150.0)
        assert orbits is not None


def test_between_two_compositions_only_their_mixtures_are_looked_at() -> None:
    plan = Budget(PredictOptions(system="Li-P-S", between=("Li2S", "P2S5"), max_atoms=20))
    assert {"Li3PS4", "LiPS3", "Li4P2S7"} <= set(plan.species)
    for species in plan.species.values():  # Li2S and P2S5 both have one S for two Li and five for two P
        assert species["S"] == pytest.approx(species["Li"] / 2 + 2.5 * species["P"])
        assert sum(species.values()) <= 20


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"system": "Li-Xx"}, "no chemical system"),
        ({"system": "Li-P-S", "between": ("Li2S", "Li2S")}, "expects two different compositions"),
        ({"system": "Li-P-S", "between": ("Li2S", "Na2S")}, "expects two different compositions"),
        ({"system": "Li-P-S-O", "between": ("Li2S", "P2S5")}, "that hold Li-P-S-O together"),
        ({"system": "Li-P-S", "max_atoms": 2}, "raise --max-atoms"),
    ],
)
def test_systems_that_make_no_sense_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Budget(PredictOptions(**changes))


def test_auto_stands_alone() -> None:
    with pytest.raises(InputError, match="auto alone"):
        GenerateOptions.of(formula="NaCl", cells_from=("auto", "bravais"))


def test_no_two_arms_share_a_name() -> None:
    ids = [job.candidate.id for job in _jobs(PredictOptions(system="Na-Cl", max_atoms=6, n=8))]
    assert len(ids) > 8  # of several formulas
    assert all(a != b for a, b in itertools.combinations(ids, 2))


def test_the_learned_source_takes_part_where_the_model_draws_cells() -> None:
    def sources(draws_cells: bool) -> set[str | None]:
        budget, found = Budget(AUTO, draws_cells=draws_cells), set()
        while jobs := budget.next_round():
            found |= {job.candidate.seed_source for job in jobs}
            budget.learn([None] * len(jobs))
        return found

    assert "learned" in {arm.source for arm in Budget(AUTO, draws_cells=True)._prior}
    assert "learned" not in {arm.source for arm in Budget(AUTO)._prior}
    assert sources(True) == {"prototype", "space-group", "learned", "bravais"}
    assert sources(False) == {"prototype", "space-group", "bravais"}
    with pytest.raises(InputError, match="the score model draws no cells"):
        Budget(GenerateOptions(formula="SrTiO3", cells_from=("learned",)))


def test_learned_cells_have_the_shape_that_is_drawn_for_them() -> None:
    asked: list[tuple[dict[str, int], float, bool]] = []

    def shapes(species: Any, volume: float, seed: int, rotations: Any = None) -> np.ndarray:
        asked.append((dict(species), volume, rotations is not None))
        return np.diag([0.8, 1.0, 1.25]) * volume ** (1 / 3) if rotations is None else np.eye(3) * volume ** (1 / 3)

    options = GenerateOptions(formula="SrTiO3", cells_from=("learned",), n=1, formula_units=(2,), volume=12.0)
    (job,) = Budget(options, draws_cells=True).next_round()
    host, orbits = job.start.draw(0, shapes)
    assert orbits is None
    assert host.framework.lattice.abc == pytest.approx(np.array([0.8, 1.0, 1.25]) * 120 ** (1 / 3))
    grouped = options.model_copy(update={"space_group": 221, "formula_units": (1,)})
    (job,) = Budget(grouped, draws_cells=True).next_round()
    host, orbits = job.start.draw(0, shapes)
    assert orbits is not None
    assert asked == [({"Sr": 2, "Ti": 2, "O": 6}, pytest.approx(120), False), ({"Sr": 1, "Ti": 1, "O": 3}, 60.0, True)]
    with pytest.raises(InputError, match="no strain score"):
        job.start.draw(0)


def test_a_run_that_is_asked_for_more_makes_the_same_candidates_first() -> None:
    for options in (
        AUTO,
        GenerateOptions(formula="SrTiO3", cells_from=("bravais", "space-group"), formula_units=(1, 2)),
    ):
        few, many = (_jobs(options.model_copy(update={"n": n}), energy=lambda job: -1.0) for n in (13, 120))
        assert [job.candidate for job in few] == [job.candidate for job in many[: len(few)]]
        assert len(many) > 100


def test_a_source_that_fails_costs_its_candidates_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(request: Any) -> None:
        raise ZeroDivisionError("no cell")

    monkeypatch.setattr(cell_sources()["bravais"], "start", broken)
    jobs = _jobs(GenerateOptions(formula="MgO", cells_from=("bravais", "space-group"), n=4, formula_units=(1,)))
    failed = [job.start.finished for job in jobs if isinstance(job.start, FinishedStructure)]
    assert failed == ["ZeroDivisionError: no cell"] * 2
    assert len(jobs) == 4


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (PredictOptions(system="Li-La-Zr-O-Al-P-S"), "up to 7.75e.04 compositions; expected at most 5000"),
        (PredictOptions(system="Li-Si", max_atoms=10**9), "lower --max-atoms"),
        (PredictOptions(system="Li-P-S", between=("Li2S", "P2S5"), max_atoms=10**6), "lower --max-atoms"),
        (GenerateOptions(formula="NaCl", n=10**9), "0 candidates in all"),
        (GenerateOptions(formula="NaCl", n=10**5, max_atoms=500), r"lower n \(-n\) or the number of cells"),
        (PredictOptions(formula="NaCl", n=10**7), "10000000 candidates in all"),
    ],
)
def test_what_nobody_can_wait_for_is_refused_at_once(options: GenerateOptions, told: str) -> None:
    began = time.monotonic()
    with pytest.raises(InputError, match=told):
        Budget(options)
    assert time.monotonic() - began < 10


def test_a_system_of_many_compositions_is_planned_in_seconds() -> None:
    budget = Budget(PredictOptions(system="Li-P-S-Cl", max_atoms=14, n=2))
    began = time.process_time()
    assert len(budget.next_round()) == len(budget.species) > 900
    assert time.process_time() - began < 10  # 2 s; 30 s where each pick went through all arms


def test_parents_are_the_lowest_distinct_ones_of_the_cell_size() -> None:
    """Equal ones count once: one group and energies within 1 meV/atom; those of another cell size are no parents."""
    found = Found()
    energies = {"a": -3.0, "b": -3.0005, "c": -2.6, "d": -3.2}
    for name, energy in energies.items():
        arm = Arm("NaCl", 2 if name == "d" else 1, "bravais")
        structure = Structure(Lattice.cubic(5.0), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
        candidate = Candidate(id=name, stage="generate", formula="NaCl", seed=0, level="pbe", energies={"pbe": energy})
        found.add(arm, replace(candidate, structure=structure, space_group_loose=221))
    assert [parent.energy for parent in found.parents("NaCl", 1, 10)] == [-3.0005, -2.6]
    assert [parent.energy for parent in found.parents("NaCl", 1, 1)] == [-3.0005]
    assert [parent.energy for parent in found.parents("NaCl", 2, 10)] == [-3.2]
    assert found.parents("KCl", 1, 10) == []


def test_evolved_candidates_come_of_what_complete_rounds_found() -> None:
    salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    plan = Budget(GenerateOptions(formula="Na4Cl4", formula_units=(1,), n=16, cells_from=("evolve",)))
    first = plan.next_round()
    assert {job.start.source for job in first} == {"space-group"}
    plan.learn([replace(job.candidate, level="pbe", energies={"pbe": -3.0}, structure=salt) for job in first])
    later = plan.next_round()
    assert {job.candidate.seed_source for job in later} == {"evolve"}
    assert "space-group" not in {job.start.source for job in later}
