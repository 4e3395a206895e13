"""Prototypes: known structures are found by their chemistry, at their geometry."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

import chggen
from chggen.generation.cell_starts import PrototypeCell
from chggen.generation.jobs import Job
from chggen.generation.prototypes import count_prototypes, prototype_of
from chggen.generation.volume import volume_per_atom
from chggen.results.candidate import Candidate
from chggen.symmetry.detection import space_group

CUBE = Lattice.cubic
KNOWN = {
    "NaCl": Structure.from_spacegroup(225, CUBE(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
    "CsCl": Structure.from_spacegroup(221, CUBE(4.12), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
    "ZnS": Structure.from_spacegroup(216, CUBE(5.41), ["Zn", "S"], [[0, 0, 0], [0.25, 0.25, 0.25]]),
    "CaF2": Structure.from_spacegroup(225, CUBE(5.46), ["Ca", "F"], [[0, 0, 0], [0.25, 0.25, 0.25]]),
    "SrTiO3": Structure.from_spacegroup(
        221, CUBE(3.905), ["Sr", "Ti", "O"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
    ),
    "TiO2": Structure.from_spacegroup(
        136, Lattice.tetragonal(4.594, 2.959), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
    ),
    "MgAl2O4": Structure.from_spacegroup(
        227, CUBE(8.08), ["Mg", "Al", "O"], [[0] * 3, [0.625] * 3, [0.3874] * 3]
    ),
}  # fmt: skip


def _counts(structure: Structure) -> dict[str, int]:
    return {k: int(v) for k, v in structure.composition.get_el_amt_dict().items()}


@pytest.mark.parametrize("formula", KNOWN)
def test_textbook_structures_are_among_the_likeliest_at_their_geometry(formula: str) -> None:
    known = KNOWN[formula].get_primitive_structure()
    counts = _counts(known)
    volume = volume_per_atom(counts) * len(known)
    matcher = StructureMatcher(ltol=0.1, stol=0.1, angle_tol=3)
    found = [_structure(PrototypeCell(counts, volume, rank)) for rank in range(min(8, count_prototypes(counts)))]
    assert all(_counts(s) == counts for s in found)
    assert any(matcher.fit(known, s) for s in found)


def _structure(start: PrototypeCell, seed: int = 0) -> Structure:
    host, orbits = start.draw(seed)
    symbols = [s for s, n in start.species.items() for _ in range(n)]
    return Structure(host.framework.lattice, symbols, orbits.frac)


def test_every_prototype_has_its_group_volume_and_composition() -> None:
    counts = {"Mg": 2, "Si": 1, "O": 4}
    for rank in range(min(30, count_prototypes(counts))):
        made = _structure(PrototypeCell(counts, 100.0, rank))
        assert made.volume == pytest.approx(100.0)
        assert _counts(made) == counts
        number = prototype_of(counts, rank).number
        assert (space_group(made, 0.01) or 0) >= number or number in (1, 2) or not made.is_valid(0.5)


def test_likeness_falls_with_the_rank_and_ranks_are_distinct() -> None:
    counts = {"Na": 1, "Cl": 1}
    found = [prototype_of(counts, k) for k in range(count_prototypes(counts))]
    log_odds = [p.log_odds for p in found]
    assert log_odds == sorted(log_odds, reverse=True)
    assert len({(p.number, p.shape, p.orbits) for p in found}) == len(found)
    assert found[0].number == 225  # rock salt
    assert sum(p.number == 225 for p in found) == 1  # not once more with sodium and chlorine exchanged
    with pytest.raises(IndexError):
        prototype_of(counts, len(found))


def test_what_lies_above_the_hull_is_less_likely() -> None:
    found = [prototype_of({"Al": 4, "C": 3}, k) for k in range(5)]
    assert found[0].number == 166  # Al4C3 itself, the only composition of its kind
    assert found[0].log_odds == pytest.approx(2 * 4.0, abs=0.1)  # its own elements on both slots, on the hull
    disordered = [p for p in found if p.number == 1]  # known for the same elements, far above it
    assert disordered
    assert disordered[0].log_odds < found[0].log_odds - 1


def test_the_order_of_the_species_does_not_matter() -> None:
    one, other = {"Sr": 1, "Ti": 1, "O": 3}, {"O": 3, "Ti": 1, "Sr": 1}
    assert prototype_of(one, 2) == prototype_of(other, 2)


def test_prototypes_come_again_softer_when_all_have_come() -> None:
    counts = {"Na": 1, "Cl": 1}
    n = count_prototypes(counts)
    first, again, third = (PrototypeCell(counts, 45.0, n * k) for k in range(3))
    assert first.start_sigma < again.start_sigma < third.start_sigma
    axes = [start.draw(5)[0].framework.lattice.abc for start in (first, again)]
    assert np.prod(axes[0]) == pytest.approx(np.prod(axes[1]), rel=0.2)
    assert first.redraw(2).rank == 2 * first.stride


def test_a_candidate_knows_how_likely_its_prototype_is_also_when_drawn_anew() -> None:
    made = chggen.generate("NaCl", n=2, cells_from=["prototype", "bravais"], formula_units=[1], relax=False, workers=1)
    by_source = {c.seed_source: c.seed_log_odds for c in made}
    assert by_source == {"prototype": prototype_of({"Na": 1, "Cl": 1}, 0).log_odds, "bravais": None}
    start = PrototypeCell({"Na": 1, "Cl": 1}, 45.0, 0, stride=2)
    job = Job(candidate=Candidate(id="x", stage="generate", formula="NaCl", seed=0, seed_log_odds=9.0), start=start)
    assert job.redraw(1).candidate.seed_log_odds == prototype_of({"Na": 1, "Cl": 1}, 2).log_odds


def test_raw_prototypes_are_sampled_in_their_space_group() -> None:
    found = chggen.generate("CaTiO3", n=3, cells_from=["prototype"], formula_units=[4], relax=False, workers=1, seed=1)
    assert [c.seed_source for c in found] == ["prototype"] * 3
    by_id = {c.id: c for c in found}
    assert by_id["CaTiO3-z4-0000"].space_group == 62  # the mineral perovskite


def test_a_formula_without_prototypes_is_refused_with_a_remedy() -> None:
    with pytest.raises(chggen.InputError, match="no prototype is known"):
        chggen.generate("Li13Zn11P7S5", n=2, cells_from=["prototype"], relax=False)
