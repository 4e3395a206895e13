"""Which candidate answers the question, and how sure that is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pymatgen.core import Lattice, Structure

from chggen.campaign import resources as resources
from chggen.results.candidate import Candidate
from chggen.results.likeliest import answers, likelier
from chggen.results.ranking import ranked


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


def test_the_answer_weighs_how_well_its_prototype_is_known_against_its_energy() -> None:
    def found(name: str, energy: float, log_odds: float | None, formula: str = "Cu3Au") -> Candidate:
        return replace(_alloy(name, energy), n_found=1, prototype_log_odds=log_odds, formula=formula)

    given = [found("a", -1.0, None), found("b", -0.99, 9.0), found("c", -0.97, 9.5), found("d", -0.5, 20.0)]
    given += [found("e", -0.5, None, "Cu"), found("f", -0.499, 2.0, "Cu"), found("g", -0.499, None, "Cu")]
    given += [replace(found("h", -1.0, 30.0), n_found=None)]  # a duplicate
    assert {formula: c.id for formula, c in answers(given).items()} == {"Cu3Au": "b", "Cu": "e"}
    told = likelier([given[0], given[4], given[1]])
    assert told == {"Cu3Au": "b, 10.0 meV/atom higher but of a likelier prototype"}
    symmetric = found("k", -0.997, None)  # shown first for its symmetry, though another is lower
    assert likelier([symmetric, given[0]]) == {"Cu3Au": "a, 3.0 meV/atom lower"}
    unlikely = found("m", -1.001, -8.0)
    assert likelier([unlikely, given[0]])["Cu3Au"].startswith("a, 1.0 meV/atom higher, the lower one being")
    placed = [replace(c, decomposition_energies={"pbe": 0.01 - 0.05 * (c.id == "c")}) for c in given[:3]]
    assert answers(placed)["Cu3Au"].id == "c"  # by what the ranking goes by
    assert answers([*placed[:2], replace(given[2], decomposition_energies={})])["Cu3Au"].id == "b"  # of what compares
    assert not answers([replace(given[0], n_found=None)])


@pytest.mark.parametrize(
    ("n", "sources", "confidence"),
    [(1, "bravais", "low"), (2, "bravais, prototype", "medium"), (5, "bravais", "medium"), (3, "a, b", "high")],
)
def test_confidence_needs_many_finds_by_several_sources(n: int, sources: str, confidence: str) -> None:
    assert replace(_alloy("a", -1.0), n_found=n, found_by=sources).confidence == confidence


def test_a_survivor_without_energy_at_the_further_level_stands_beside_its_peers() -> None:
    def placed(name: str, pbe: float, further: float | None, unplaced: bool = False) -> Candidate:
        levels = {"pbe": pbe} | ({} if further is None else {"r2scan": further})
        candidate = replace(_alloy(name, -1.0), energies=dict.fromkeys(levels, -1.0), decomposition_energies=levels)
        return replace(candidate, unplaced_at="r2scan" if unplaced else None)

    lowest, middle = placed("l", -0.20, None, unplaced=True), placed("m", 0.06, None, unplaced=True)
    given = [
        placed("a", 0.02, 0.12),
        placed("b", 0.08, 0.01),
        placed("c", 0.09, 0.3),
        placed("d", 0.5, None),  # above the limit of survivors
        replace(_alloy("e", -1.0), status="failed", failed_at="relax"),
    ]
    assert [c.id for c in ranked(given)] == ["b", "a", "c", "d", "e"]
    assert [c.id for c in ranked([middle, *given, lowest])] == ["l", "b", "m", "a", "c", "d", "e"]
    twin = replace(lowest, id="k")  # of equal energy: by id
    assert [c.id for c in ranked([middle, *given, lowest, twin])][:3] == ["k", "l", "b"]
    found = [replace(c, n_found=1) for c in (*given, lowest) if c.status == "ok"]
    assert answers(found)["Cu3Au"].id == "b"  # of those that compare
    assert likelier(ranked(found)) == {"Cu3Au": "b, l having no energy at level r2scan"}
    assert [c.id for c in ranked([lowest, middle])] == ["l", "m"]  # none reached the further level
