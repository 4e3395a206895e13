"""Ordering of disordered crystals by a toy potential and by CHGNet, where the lowest ordering is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ase.calculators.emt import EMT
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

import chggen
from chggen.cli.order import order_lines
from chggen.errors import InputError
from chggen.generation import read_disorder
from chggen.report import read_order, write_report

TOY = "ase:ase.calculators.emt:EMT"


def _fcc(**held: float) -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.75), [held], [[0, 0, 0]])


def _order(structure: Structure, **changes: Any) -> list[chggen.Candidate]:
    given: dict[str, Any] = {"n": 3, "potential": TOY, "workers": 1, "max_atoms": 8, "references": (), "fmax": 0.02}
    return chggen.order(structure, **(given | changes))


def _energy(structure: Structure) -> float:
    atoms = AseAtomsAdaptor.get_atoms(structure)
    atoms.calc = EMT()
    return float(atoms.get_potential_energy()) / len(structure)


def test_the_lowest_ordering_of_an_alloy_is_found(tmp_path: Path) -> None:
    """CuAu: of all orderings in up to four atoms, L1₀ is the lowest by EMT."""
    found = _order(_fcc(Cu=0.5, Au=0.5), max_atoms=4, orderings_from="lattice", out=tmp_path)
    assert {c.stage for c in found} == {"order"}
    assert {c.status for c in found} == {"ok"}
    best = found[0]
    assert best.space_group_loose == 123
    assert best.n_atoms == 2
    tetragonal = Structure(Lattice.tetragonal(2.75, 3.7), ["Cu", "Au"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    (relaxed,) = chggen.relax([tetragonal], potential=TOY, fmax=0.02)
    assert best.energy_per_atom == pytest.approx(relaxed.energy_per_atom, abs=2e-3)
    assert (tmp_path / "inputs" / "structure.cif").exists()
    assert [c.id for c in _order(_fcc(Cu=0.5, Au=0.5), max_atoms=4, orderings_from="lattice", out=tmp_path)] == [
        c.id for c in found
    ]


def test_elements_that_are_held_do_not_move() -> None:
    free, held = (_order(_fcc(Cu=0.5, Au=0.5), max_atoms=4, hold=hold) for hold in ((), ("Au", "Cu")))
    assert any((c.relax_rmsd or 0) > 1e-6 for c in free)
    assert all((c.relax_rmsd or 0) < 1e-6 for c in held if c.status == "ok")
    with pytest.raises(InputError, match="got 'Ni', expected one of Au, Cu"):
        _order(_fcc(Cu=0.5, Au=0.5), hold="Ni")


def test_more_orderings_of_a_run_are_beside_those_of_before(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"max_atoms": 4, "orderings_from": "lattice"}
    few = _order(_fcc(Cu=0.5, Au=0.5), n=2, out=tmp_path / "grown", **asked)
    more = _order(_fcc(Cu=0.5, Au=0.5), n=4, out=tmp_path / "grown", **asked)
    at_once = _order(_fcc(Cu=0.5, Au=0.5), n=4, out=tmp_path / "at-once", **asked)
    assert {c.id for c in more} == {c.id for c in few} | {c.id for c in at_once}
    energies = {c.id: c.energy_per_atom for c in more}
    assert all(energies[c.id] == pytest.approx(c.energy_per_atom, abs=1e-6) for c in at_once)


def test_l1_2_is_among_the_orderings_of_cu3au(tmp_path: Path) -> None:
    """L1₂ may lie in fcc in four ways: translations are lost, and no rotation."""
    alloy = _fcc(Cu=0.75, Au=0.25)
    found = _order(alloy, max_atoms=4, n=6, orderings_from="lattice", temperature=500.0, out=tmp_path)
    assert 221 in {c.space_group_loose for c in found}  # with D0_22, whose energy by EMT is the same
    answer = chggen.order_answer(alloy, found, temperature=500.0)
    (own,) = (c for c in answer.crystals if c.candidate.space_group_loose == 221)
    assert own.relation is not None
    assert (own.relation.index, own.relation.t, own.relation.k, own.relation.ways) == (4, 1, 4, 4)
    assert own.relation.largest == pytest.approx(0, abs=1e-6)  # its volume changes, and no atom moves
    assert sum(c.weight or 0.0 for c in answer.crystals) == pytest.approx(1)
    assert read_order(tmp_path) == json.loads(json.dumps({"n": 6, **answer.as_dict()}))
    lines = list(order_lines(answer.as_dict()))
    assert "index 4 = 1 × 4" in "".join(lines)
    assert answer.verdict in lines
    page = write_report(tmp_path).read_text()
    assert "Orderings of Fm-3m" in page
    assert answer.verdict in page
    (tmp_path / "order.json").write_text("{}")
    with pytest.raises(InputError, match=r"order\.json is damaged"):
        write_report(tmp_path)


def test_sampled_ions_are_related_to_the_average_sites_as_well() -> None:
    found = _order(_fcc(Cu=0.5, Au=0.5), n=1, max_atoms=2, quality="fast", orderings_from="guests")
    (only,) = chggen.order_answer(_fcc(Cu=0.5, Au=0.5), found).crystals
    assert only.relation is not None
    assert (only.relation.index, only.relation.group) == (6, 123)


def test_a_named_composition_and_an_ordered_structure() -> None:
    (gold, *_) = _order(_fcc(Cu=0.7, Au=0.3), composition="CuAu3", tolerance=0.5, n=1)
    assert gold.formula == "CuAu3"
    (alone,) = _order(_fcc(Cu=1.0))
    assert (alone.formula, alone.n_atoms, alone.status) == ("Cu", 1, "ok")


def test_layered_lithium_cobalt_oxide_comes_out_of_mixed_rock_salt() -> None:
    mixed = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.1), [{"Li": 0.5, "Co": 0.5}, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    found = chggen.order(mixed, n=2, max_atoms=8, workers=1, orderings_from="lattice", references=())
    assert found[0].space_group_loose == 166
    assert found[0].formula == "LiCoO2"
    relation = chggen.order_answer(mixed, found).crystals[0].relation
    assert relation is not None
    assert (relation.group, relation.index, relation.ways) == (166, 8, 2)  # 48/12 point operations, 2 cells


def test_a_spinel_orders_on_its_tetrahedral_sites() -> None:
    """LiInCr4O8: lithium and indium mixed on them come apart like zinc and sulfur in sphalerite, F-43m, as measured."""
    spinel = Structure.from_spacegroup(
        "Fd-3m:2",
        Lattice.cubic(8.42),
        [{"Li": 0.5, "In": 0.5}, "Cr", "O"],
        [[1 / 8, 1 / 8, 1 / 8], [0.5, 0.5, 0.5], [0.2624] * 3],
    ).get_primitive_structure()
    found = chggen.order(spinel, n=3, max_atoms=28, workers=1, orderings_from="enumeration", references=())
    assert found[0].space_group_loose == 216
    (lowest, *_) = chggen.order_answer(spinel, found).crystals
    assert lowest.relation is not None
    assert (lowest.relation.index, lowest.relation.group) == (2, 216)


def test_a_composition_that_is_asked_for_may_lie_off_the_occupancies() -> None:
    mixed = _fcc(Cu=0.7, Au=0.3)
    with pytest.raises(InputError, match="or take it by --composition CuAu"):
        _order(mixed, max_atoms=2, tolerance=0.01)
    (made,) = _order(mixed, n=1, max_atoms=2, tolerance=0.01, composition="CuAu")
    assert made.formula == "CuAu"
    assert made.n_atoms == 2


def test_kinds_of_sites_with_equal_occupancies_round_together(caplog: pytest.LogCaptureFixture) -> None:
    sites = [[0, 0, 0], [0.5, 0.48, 0.03], [0.52, 0.03, 0.47], [0.04, 0.5, 0.52]]  # none the image of another
    mixed = Structure(Lattice.orthorhombic(3.7, 3.8, 3.9), [{"Cu": 0.75, "Au": 0.25}] * 4, sites)
    with caplog.at_level("WARNING", "chggen.workflows.order"):
        (made,) = _order(mixed, n=1, max_atoms=4)
    assert made.formula == "Cu3Au"
    assert "with equal occupancies are counted as one" in caplog.text


def test_fewer_orderings_than_asked_for_are_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING", "chggen.workflows.order"):
        assert len(_order(_fcc(Cu=0.5, Au=0.5), n=3, max_atoms=2)) < 3
    assert "there are no more distinct orderings" in caplog.text


def test_orderings_that_are_compared_are_told_of() -> None:
    told: list[tuple[str, int, int]] = []
    _order(_fcc(Cu=0.5, Au=0.5), n=1, max_atoms=4, progress=lambda *seen: told.append(seen[:3]))
    compared = [done for stage, done, total in told if stage == "compare" and total == 0]
    assert compared == sorted(compared)
    assert compared[-1] > 1


def test_sublattices_are_called_as_the_structure_calls_them() -> None:
    sites = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5], [0.5, 0.5, 0.5]]
    held = [{"Cu": 0.5, "Au": 0.5}] * 3 + ["Cu", "Au"]
    labels = ["M1", "M2", "M3", "Cu1", "Au1"]
    named = read_disorder(Structure(Lattice.orthorhombic(4, 4.2, 4.5), held, sites, labels=labels))
    assert {s.label for s in named.sublattices} == set(labels)
    plain = read_disorder(Structure(Lattice.orthorhombic(4, 4.2, 4.5), held, sites))
    assert {s.label for s in plain.sublattices} == {f"site {k}" for k in range(5)}


@pytest.mark.parametrize(
    ("structure", "changes", "message"),
    [
        (_fcc(Cu=0.7, Au=0.3), {"max_atoms": 2, "tolerance": 0.01}, "the nearest is CuAu in 2 atoms, off by 0.2"),
        (
            _fcc(Cu=0.8, Au=0.2),
            {"max_atoms": 1},
            "the nearest is Cu in 1 atoms, off by 0.2; raise --tolerance or --max",
        ),
        (_fcc(Cu=0.5, Au=0.5), {"composition": "CuAg"}, "composition CuAg and the structure differ in Ag, Au"),
        (_fcc(Cu=0.5, Au=0.5), {"orderings_from": "guests"}, None),
        (_fcc(Ni=0.5, Pt=0.5), {"orderings_from": "guests"}, "guests need a mobile species such as Li"),
        (_fcc(Cu=0.5, Au=0.5), {"potential": "foo"}, "unknown potential 'foo'"),
    ],
)
def test_what_cannot_be_ordered_is_refused_in_a_sentence(
    structure: Structure, changes: dict[str, Any], message: str | None, tmp_path: Path
) -> None:
    if message is None:  # copper moves
        assert {c.seed_source for c in _order(structure, n=1, quality="fast", max_atoms=2, **changes)} == {"guests"}
        return
    with pytest.raises(InputError, match=message) as said:
        _order(structure, out=tmp_path / "out", **changes)
    assert len(str(said.value)) <= 300
    assert not (tmp_path / "out" / "summary.csv").exists()


def test_a_host_with_shared_sites_is_told_of_the_command() -> None:
    with pytest.raises(InputError, match="order it first with `chggen order`"):
        chggen.inpaint(_fcc(Cu=0.5, Au=0.5), {"Li": 1}, relax=False)
