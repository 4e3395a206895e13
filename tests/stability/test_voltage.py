"""Voltages of insertion electrodes, against curves that are known by hand and pymatgen's own books."""

from __future__ import annotations

import pytest
from pymatgen.core import Lattice, Structure

from chggen.errors import InputError
from chggen.results import Candidate
from chggen.stability import Electrode, framework_displacement
from chggen.stability.voltage import height_above, mixing_energies, on_hull, voltage_steps


def test_steps_and_hull_of_a_curve_known_by_hand() -> None:
    # Metal at −2 eV. Half filled lies 0.2 eV below the line: 3.4 V up to it, 3.0 V from there.
    energies = {0.0: -10.0, 0.25: -11.2, 0.5: -12.7, 1.0: -15.2}
    assert on_hull(energies) == [0.0, 0.5, 1.0]
    assert mixing_energies(energies)[0.5] == pytest.approx(-0.1)
    assert height_above(energies, 0.25) == pytest.approx(0.15)
    assert height_above(energies, 0.5) == 0
    first, second = voltage_steps(energies, -2.0, 1)
    assert (first.low, first.high, first.voltage) == (0.0, 0.5, pytest.approx(3.4))
    assert (second.low, second.high, second.voltage) == (0.5, 1.0, pytest.approx(3.0))
    assert voltage_steps({0.0: -1.0}, -2.0, 1) == ()


def layered(n: int, ions: int, energy: float, name: str = "", status: str = "ok") -> Candidate:
    """n formula units of TiS2 in a row along c, the first of them filled, with a total energy in eV."""
    lattice = Lattice.hexagonal(3.4, 5.7 * n)
    places = [
        p for k in range(n) for p in ([0, 0, k / n], [1 / 3, 2 / 3, (k + 0.25) / n], [2 / 3, 1 / 3, (k - 0.25) / n])
    ]
    species = ["Ti", "S", "S"] * n + ["Li"] * ions
    structure = Structure(lattice, species, places + [[0, 0, (k + 0.5) / n] for k in range(ions)])
    per_atom = energy / len(structure)
    return Candidate(
        id=name or f"{n}-{ions}", stage="electrode", formula="x", seed=0, status=status, level="pbe",
        structure=structure, energies={"pbe": per_atom},
    )  # fmt: skip


SCAN = (
    layered(1, 0, -20.0),
    layered(1, 1, -24.0),
    layered(2, 1, -44.6),  # 0.3 eV per formula unit below the line
    layered(2, 1, -43.0, "worse"),
    layered(1, 1, -99.0, "bad", "failed"),
)


def electrode(**changes: object) -> Electrode:
    given: dict[str, object] = {
        "ion": "Li",
        "framework": "TiS2",
        "candidates": SCAN,
        "level": "pbe",
        "elements": {"pbe": -1.9},
    }
    return Electrode(**(given | changes))  # type: ignore[arg-type]


def test_an_electrode_keeps_the_books_that_pymatgen_keeps() -> None:
    ours = electrode()
    theirs = ours.to_pymatgen()
    assert ours.contents == (0.0, 0.5, 1.0)
    assert ours.average_voltage == pytest.approx(2.1)
    assert ours.average_voltage == pytest.approx(theirs.get_average_voltage())
    assert [s.voltage for s in ours.steps] == pytest.approx([2.7, 1.5])
    assert [pair.voltage for pair in theirs.voltage_pairs] == pytest.approx([2.7, 1.5])
    assert ours.voltage_curve == [
        (0.0, pytest.approx(2.7)),
        (0.5, pytest.approx(2.7)),
        (0.5, pytest.approx(1.5)),
        (1.0, pytest.approx(1.5)),
    ]
    assert ours.capacity == pytest.approx(theirs.get_capacity_grav(), rel=1e-3)
    assert ours.volumetric_capacity == pytest.approx(theirs.get_capacity_vol(), rel=1e-3)
    assert ours.specific_energy == pytest.approx(theirs.get_specific_energy(), rel=1e-3)
    assert ours.energy_density == pytest.approx(theirs.get_energy_density(), rel=1e-3)
    assert ours.volume_change == pytest.approx(0)
    assert ours.best(0.5).id == "2-1"  # type: ignore[union-attr]
    assert ours.best(0.75) is None


def test_the_table_tells_what_lies_within_the_error_of_the_potential() -> None:
    empty, half, full = electrode().table()
    assert half.mixing_energy == pytest.approx(-0.3)
    assert not half.within_error  # 0.086 eV/atom
    assert (half.n_candidates, full.n_candidates) == (2, 1)
    assert (empty.above_hull, full.above_hull) == (0, 0)
    shallow = electrode(candidates=(*SCAN[:2], layered(2, 1, -44.1))).table()[1]
    assert shallow.within_error


def test_ions_of_other_charges_divide_the_voltage() -> None:
    structures = {c.id: c.structure.copy() for c in SCAN[:2]}  # type: ignore[union-attr]
    structures["1-1"].replace_species({"Li": "Mg"})
    magnesium = [
        Candidate(id=k, stage="electrode", formula="x", seed=0, level="pbe", structure=s, energies={"pbe": e / len(s)})
        for (k, s), e in zip(structures.items(), (-20.0, -24.0), strict=True)
    ]
    ours = electrode(ion="Mg", candidates=tuple(magnesium))
    assert ours.average_voltage == pytest.approx(1.05)
    assert ours.to_pymatgen().get_average_voltage() == pytest.approx(1.05)
    structures["1-1"].replace_species({"Mg": "Cl"})
    with pytest.raises(InputError, match="divides voltages of Cl by 7, not by its charge 1"):
        electrode(ion="Cl").to_pymatgen()


def test_what_has_no_voltage_says_why() -> None:
    with pytest.raises(InputError, match="needs two contents"):
        _ = electrode(candidates=SCAN[:1]).average_voltage
    with pytest.raises(InputError, match="no energy of Li at the level pbe"):
        _ = electrode(elements={}).average_voltage
    assert electrode(elements={}).as_dict()["average_voltage"] is None


def test_a_framework_that_moved_or_changed_is_told() -> None:
    host = SCAN[0].structure
    assert host is not None
    filled = layered(1, 1, 0).structure
    assert filled is not None
    assert framework_displacement(host, filled) == pytest.approx(0, abs=1e-9)
    slipped = filled.copy()
    slipped.translate_sites([1], [1 / 3, 1 / 3, 0], to_unit_cell=False)
    moved = framework_displacement(host, slipped)
    assert moved is not None
    assert moved == pytest.approx(0.534, abs=1e-3)
    assert framework_displacement(host, Structure(host.lattice, ["S", "Ti", "S"], host.frac_coords)) is None
    changed = electrode(displacements={"1-1": moved, "1-0": 0.1})
    assert [row.topotactic for row in changed.table()] == [True, None, False]
    assert changed.contents == (0.0, 0.5)  # the other is left out
    assert changed.table()[2].above_hull is None
    assert electrode(displacements={"1-1": moved, "2-1": moved, "worse": moved}).contents == (0.0, 0.5, 1.0)
    with pytest.raises(InputError, match="no energies at the level 'foo'; this electrode has those of pbe"):
        electrode().at("foo")
    both = electrode(
        candidates=(*SCAN, layered(1, 1, -23.5, "kept")), displacements={"1-1": moved, "1-0": 0.1, "kept": 0.1}
    )
    assert both.best(1.0).id == "kept"  # type: ignore[union-attr]
    assert electrode(displacements={"1-0": 0.1}, host_volume=30.0).table()[0].topotactic is False  # it swelled
