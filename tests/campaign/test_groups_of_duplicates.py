"""Which candidates are the same structure, which of them is kept, and which go to the second level."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pymatgen.core import Lattice, Structure

from chggen.campaign import resources as resources
from chggen.campaign.duplicates import outcome, survivors, with_duplicates
from chggen.results.candidate import Candidate
from chggen.results.ranking import rank

CELL = Structure(Lattice.cubic(3.6), ["Cu"] * 4, [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


def _alloy(name: str, energy: float, order: int = 1, a: float = 3.75) -> Candidate:
    sites = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]][::order]
    structure = Structure(Lattice.cubic(a), ["Au", "Cu", "Cu", "Cu"][::order], sites)
    return Candidate(
        id=name,
        stage="generate",
        formula="Cu3Au",
        seed=0,
        raw=structure,
        structure=structure,
        level="pbe",
        energies={"pbe": energy},
    )


def test_duplicates_point_to_the_best_of_their_group_which_counts_them() -> None:
    other = Structure(Lattice.tetragonal(3.0, 8.0), ["Au", "Cu", "Cu", "Cu"], [[0, 0, z / 4] for z in range(4)])
    lone = Candidate(
        id="d", stage="generate", formula="Cu3Au", seed=0, structure=other, level="pbe", energies={"pbe": -1.0}
    )
    bad = Candidate(id="e", stage="generate", formula="Cu3Au", seed=0, status="failed")
    given = [bad, _alloy("b", -0.99, -1), _alloy("a", -1.0), lone, _alloy("c", -0.5)]
    found = {c.id: c for c in with_duplicates(sorted(given, key=rank))}
    assert list(found) == ["a", "d", "b", "c", "e"]
    assert (found["a"].duplicate_of, found["a"].n_found) == (None, 2)
    assert (found["b"].duplicate_of, found["b"].n_found) == ("a", None)
    assert (found["c"].duplicate_of, found["c"].n_found) == (None, 1)  # same shape, another energy
    assert (found["d"].n_found, found["e"].n_found) == (1, None)


def test_of_duplicates_as_low_the_most_symmetric_is_kept_and_sources_are_counted() -> None:
    given = [
        replace(_alloy(name, energy), space_group_loose=number, seed_source=source, seed_log_odds=log_odds)
        for name, energy, number, source, log_odds in (
            ("a", -1.000, 99, "prototype", 3.5), ("b", -0.997, 221, "bravais", None), ("c", -0.99, 225, "bravais", 2.0),
        )
    ]  # fmt: skip
    found = with_duplicates(sorted(given, key=rank))
    assert [c.id for c in found] == ["b", "a", "c"]  # c has more symmetry, but 10 meV/atom are no rounding
    assert [c.duplicate_of for c in found] == [None, "b", "b"]
    assert (found[0].n_found, found[0].found_by, found[0].confidence) == (3, "bravais, prototype", "high")
    assert found[1].confidence is None
    assert [c.prototype_log_odds for c in found] == [3.5, None, None]


def test_of_duplicates_alike_in_energy_and_symmetry_the_one_of_the_likeliest_prototype_is_kept() -> None:
    given = [
        replace(_alloy(name, energy), space_group_loose=number, seed_source="prototype", seed_log_odds=log_odds)
        for name, energy, number, log_odds in (("a", -1.0, 57, None), ("b", -0.999, 62, 2.0), ("c", -0.998, 62, 6.3))
    ]
    found = with_duplicates(sorted(given, key=rank))
    assert [(c.id, c.duplicate_of) for c in found] == [("c", None), ("a", "c"), ("b", "c")]


def test_a_prototype_says_nothing_of_the_structure_that_it_left_itself_for() -> None:
    chain = Structure(Lattice.tetragonal(3.0, 8.0), ["Au", "Cu", "Cu", "Cu"], [[0, 0, z / 4] for z in range(4)])
    stayed, left = (replace(_alloy(n, -1.0), seed_log_odds=x) for n, x in (("a", 3.5), ("b", 9.0)))
    found = with_duplicates([stayed, replace(left, raw=chain)])
    assert [c.prototype_log_odds for c in found] == [3.5, None]
    assert with_duplicates([stayed, left])[0].prototype_log_odds == 9.0


def test_a_killed_second_level_goes_on_with_the_survivors_that_it_began_with() -> None:
    def made(name: str, energy: float) -> Candidate:
        return Candidate(
            id=name, stage="generate", formula="Cu", seed=0, structure=CELL, level="pbe", energies={"pbe": energy},
            decomposition_energies={"pbe": energy}, space_group_loose=225,
        )  # fmt: skip

    low, middle, high = every = [made("a", 0.001), made("b", 0.015), made("c", 0.03)]  # each within 0.02 of the next
    assert [c.id for c in survivors(every, 0.1)] == ["a", "c"]
    rescored = [low, middle, high.with_energy("r2scan", -9.0, -9.0)]
    assert [c.id for c in survivors(rescored, 0.1)] == ["a", "c"]
    rescored[1] = middle.with_energy("r2scan", -9.5, -9.5)
    assert [c.id for c in survivors(rescored, 0.1)] == ["a", "c"]
    assert [c.id for c in survivors(every, 0.02)] == ["a"]


def test_what_becomes_of_a_job_is_the_lowest_with_a_symmetry_and_the_same_when_the_run_is_repeated() -> None:
    def made(name: str, energy: float, group: int, status: str = "ok", **values: Any) -> Candidate:
        return Candidate(
            id=name, stage="generate", formula="Cu", seed=0, status=status, level="pbe", energies={"pbe": energy},
            space_group_loose=group, **values,
        )  # fmt: skip

    saddle, low, again = made("a", -3.0, 221, "failed"), made("a-low", -3.3, 12), made("a-r1", -3.2, 5)
    lowest = made("a-r1-low", -3.4, 1)
    every = {c.id: c for c in (saddle, low, again, lowest)}
    assert outcome(["a", "a-r1"], every) is low
    scored = {**every, "a-r1": again.with_energy("r2scan", -1.0, -0.1)}  # as they are when the run was finished
    assert outcome(["a", "a-r1"], scored) is low
    assert outcome(["a", "a-r1"], {"a": saddle, "a-r1-low": lowest}) is lowest
    assert outcome(["a"], {"a": saddle}) is None


def test_one_arrangement_in_two_volumes_is_two_structures() -> None:
    """StructureMatcher scales volumes, so it finds two magnetic states of one arrangement equal."""
    given = [_alloy("a", -1.0, a=3.75), _alloy("b", -0.99, a=3.80), _alloy("c", -0.985, a=3.75 * 1.06 ** (1 / 3))]
    found = {c.id: c for c in with_duplicates(sorted(given, key=rank))}
    assert (found["a"].n_found, found["b"].duplicate_of) == (2, "a")
    assert (found["c"].duplicate_of, found["c"].n_found) == (None, 1)
