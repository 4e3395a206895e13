"""CIFs: rounded coordinates, settings without operations, formulas, shared sites, magnetism, odd tables."""

from __future__ import annotations

import re

import numpy as np
import pytest
import spglib
from pymatgen.core import Lattice, Structure

from chggen.errors import InputError
from chggen.io.cif_files import structures_of_cif
from chggen.io.cif_formula import stated_formula
from chggen.io.plain_structures import plain_structure
from chggen.symmetry.detection import space_group

_HALL = range(1, 531, 7)


def _cif(
    cell: tuple[float, ...], sites: list[str], *more: str, columns: str = "label type_symbol fract_x fract_y fract_z"
) -> str:
    keys = [f"_cell_length_{a}" for a in "abc"] + [f"_cell_angle_{a}" for a in ("alpha", "beta", "gamma")]
    lines = ["data_x", *(f"{key} {value:.6f}" for key, value in zip(keys, cell, strict=True)), *more, "loop_"]
    return "\n".join([*lines, *(f"_atom_site_{column}" for column in columns.split()), *sites]) + "\n"


def _operations(hall: int, digits: int | None = None) -> str:
    """Return the operations of a setting as a table, translations as fractions or rounded to so many digits."""
    found = spglib.get_symmetry_from_database(hall)
    lines = ["loop_", "_symmetry_equiv_pos_as_xyz"]
    for rotation, shift in zip(found["rotations"], found["translations"], strict=True):
        words = []
        for row, t in zip(rotation, shift, strict=True):
            letters = "".join(f"{'+' if n > 0 else '-'}{axis}" for n, axis in zip(row, "xyz", strict=True) if n)
            moved = f"+{round(t * 24)}/24" if digits is None else f"+{t:.{digits}f}"
            words.append(letters + (moved if t else ""))
        lines.append(f"'{','.join(words)}'")
    return "\n".join(lines)


def _read(text: str) -> tuple[Structure, list[str]]:
    (structure,), notes = structures_of_cif(text, "a.cif")
    plain, more = plain_structure(structure, "a.cif")
    return plain, notes + more


HEXAGONAL = (3.25, 3.25, 5.207, 90.0, 90.0, 120.0)


@pytest.mark.parametrize("digits", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("rounded_operations", [None, 3])
def test_coordinates_rounded_to_few_digits(digits: int, rounded_operations: int | None) -> None:
    third, two = f"{1 / 3:.{digits}f}", f"{2 / 3:.{digits}f}"
    sites = [f"Zn1 Zn {third} {two} 0", f"O1 O {third} {two} 0.383"]
    found, notes = _read(_cif(HEXAGONAL, sites, _operations(480, rounded_operations)))
    assert found.composition.formula == "Zn2 O2"
    assert space_group(found, 0.001) == 186
    assert len(notes) == (digits < 5)
    assert all(re.match(r"merged 8 positions that coincide within 0\.\d+ Å", note) for note in notes)


def test_a_cubic_site_x_x_x_that_is_rounded() -> None:
    sites = ["Cu1 Cu 0.1667 0.1666 0.1667", "S1 S 0.5 0.5 0.5"]
    found, notes = _read(_cif((9, 9, 9, 90, 90, 90), sites, _operations(517)))  # Pm-3m
    assert found.composition.formula == "Cu8 S1"
    assert notes == ["merged 16 positions that coincide within 0.0013 Å, since coordinates are rounded"]


def test_distinct_atoms_and_split_sites_are_not_merged() -> None:
    columns = "label type_symbol fract_x fract_y fract_z occupancy"
    split = ["Li1 Li 0.03 0 0 0.5", "S1 S 0.5 0.5 0.5 1"]
    found, notes = _read(_cif((4, 4, 4, 90, 90, 90), split, _operations(2), columns=columns))  # P-1
    assert [site.species_string for site in found] == ["Li:0.5", "Li:0.5", "S"]  # 0.24 Å apart, and so meant
    assert not notes
    pair = ["H1 H 0.46 0.5 0.5 1", "Pd1 Pd 0 0 0 1"]
    assert _read(_cif((9, 9, 9, 90, 90, 90), pair, _operations(2), columns=columns))[0].composition.formula == "H2 Pd1"
    with pytest.raises(InputError, match=r"site H1 has positions 0\.36 Å apart after the file's operations"):
        _read(_cif((4.5, 9, 9, 90, 90, 90), pair, _operations(2), columns=columns))


def test_a_site_that_is_listed_twice() -> None:
    sites = ["Zn1 Zn 0.3333 0.6667 0", "Zn2 Zn 0.667 0.333 0.5", "O1 O 0.333 0.667 0.383"]
    found, notes = _read(_cif(HEXAGONAL, sites, _operations(480)))
    assert found.composition.formula == "Zn2 O2"
    assert "took Zn2 as listed twice" in notes[-1]


def test_ions_that_share_a_site() -> None:
    columns = "label type_symbol fract_x fract_y fract_z occupancy"
    sites = ["A Fe2+ 0 0 0 0.5", "B Fe3+ 0 0 0 0.5", "O O2- 0.5 0.5 0.5 1"]
    types = "loop_\n_atom_type_symbol\n_atom_type_oxidation_number\nFe2+ 2\nFe3+ 3\nO2- -2"
    found, notes = _read(_cif((4.3, 4.3, 4.3, 90, 90, 90), sites, types, _operations(517), columns=columns))
    assert found.composition.formula == "Fe1 O1"
    assert found.site_properties["oxidation_state"] == [2.5, -2.0]
    assert notes == ["took ions of one element that share a site as that element"]
    mixed = [site.replace("Fe3+", "Co3+") for site in sites]
    more = (types.replace("Fe3+", "Co3+"), _operations(517))
    partly, _ = _read(_cif((4.3, 4.3, 4.3, 90, 90, 90), mixed, *more, columns=columns))
    assert not partly.is_ordered
    assert {str(s) for s in partly.composition} == {"Fe2+", "Co3+", "O2-"}  # an ordering needs them


def test_oxidation_states_of_symbols_without_a_table() -> None:
    places = ("0 0 0", "0.5 0.5 0", "0.5 0 0.5", "0 0.5 0.5")
    symbols = ("Fe2+", "Fe+3", "Fe", "O-")
    for columns in ("label type_symbol fract_x fract_y fract_z", "label fract_x fract_y fract_z"):
        with_labels = "type_symbol" in columns
        sites = [
            f"A{k} {s} {p}" if with_labels else f"{s} {p}" for k, (s, p) in enumerate(zip(symbols, places, strict=True))
        ]
        found, notes = _read(_cif((4.3, 4.3, 4.3, 90, 90, 90), sites, _operations(1), columns=columns))
        assert found.composition.formula == "Fe3 O1"
        states = found.site_properties["oxidation_state"]
        assert set(zip(map(tuple, found.frac_coords.tolist()), states, strict=True)) == {
            ((0, 0, 0), 2.0), ((0.5, 0.5, 0), 3.0), ((0.5, 0, 0.5), None), ((0, 0.5, 0.5), -1.0),
        }  # fmt: skip
        assert notes == []
    unfinished = "loop_\n_atom_type_symbol\n_atom_type_oxidation_number\nFe2+ 2\nO2- ?"
    sites = ["A Fe2+ 0 0 0", "B O2- 0.5 0.5 0.5"]
    found, _ = _read(_cif((4.3, 4.3, 4.3, 90, 90, 90), sites, unfinished, _operations(517)))
    assert found.site_properties == {"oxidation_state": [2.0, -2.0]}
    plain, _ = _read(_cif((4.3, 4.3, 4.3, 90, 90, 90), ["A Fe 0 0 0", "B O 0.5 0.5 0.5"], _operations(517)))
    assert plain.site_properties == {}


def test_ions_of_symbols_that_share_a_site() -> None:
    columns = "label type_symbol fract_x fract_y fract_z occupancy"
    sites = ["A Fe2+ 0 0 0 0.5", "B Fe3+ 0 0 0 0.5", "O O2- 0.5 0.5 0.5 1"]
    found, notes = _read(_cif((4.3, 4.3, 4.3, 90, 90, 90), sites, _operations(517), columns=columns))
    assert found.composition.formula == "Fe1 O1"
    assert found.site_properties["oxidation_state"] == [2.5, -2.0]
    assert notes == ["took ions of one element that share a site as that element"]
    for wrong in ("Qq2+", "Qq"):
        with pytest.raises((InputError, ValueError), match=r"Qq|element"):
            _read(_cif((4.3, 4.3, 4.3, 90, 90, 90), [f"A {wrong} 0 0 0", "B O2- 0.5 0.5 0.5"], _operations(517)))


def _crystal(hall: int) -> tuple[tuple[float, ...], np.ndarray, np.ndarray]:
    """Return cell parameters that fit a setting, and the orbits of a general point and of the origin."""
    rng, found = np.random.default_rng(hall), spglib.get_symmetry_from_database(hall)
    shape = rng.uniform(0.8, 1.2, (3, 3))
    metric = np.mean([r.T @ (shape @ shape.T + np.eye(3)) @ r for r in found["rotations"]], axis=0)
    lattice = np.linalg.cholesky(metric)
    lattice *= (120 * len(found["rotations"]) / abs(np.linalg.det(lattice))) ** (1 / 3)
    orbits = []
    for point in ([0.137, 0.219, 0.317], [0.0, 0.0, 0.0]):
        images = (found["rotations"] @ np.array(point) + found["translations"]) % 1
        orbits.append(np.unique(np.round(images, 6) % 1, axis=0))
    return Lattice(lattice).parameters, orbits[0], orbits[1]


@pytest.mark.parametrize("hall", _HALL)
@pytest.mark.parametrize("by", ["symbol", "Hall symbol"])
def test_settings_without_operations(hall: int, by: str) -> None:
    kind = spglib.get_spacegroup_type(hall)
    cell, general, special = _crystal(hall)
    names = [name.strip() for name in kind.international.split("=")]
    suffix = f" :{kind.choice}" if kind.choice in ("1", "2", "H", "R") else ""
    said = {
        "symbol": f"_space_group_name_H-M_alt '{names[-1]}{suffix}'",
        "Hall symbol": f"_space_group_name_Hall\n;\n{kind.hall_symbol}\n;",
    }[by]
    formula = f"_chemical_formula_sum 'Na{len(general)} Cl{len(special)}'"
    sites = ["Na1 Na 0.137 0.219 0.317", "Cl1 Cl 0 0 0"]
    found, _ = _read(_cif(cell, sites, said, formula))
    assert len(found) == len(general) + len(special)
    sodium = np.array([site.frac_coords for site in found if site.specie.symbol == "Na"])
    off = general[:, None] - sodium
    assert np.abs(off - np.round(off)).max(axis=-1).min(axis=1).max() < 1e-3


_DIAMOND = (3.567, 3.567, 3.567, 90, 90, 90)


@pytest.mark.parametrize("symbol", ["F d -3 m", "Fd3m", "F d -3 m :2", "F d -3 m Z", "F d -3 m (origin choice 2)"])
def test_two_origins(symbol: str) -> None:
    named = f"_symmetry_space_group_name_H-M '{symbol}'"
    text = _cif(_DIAMOND, ["C1 C 0.125 0.125 0.125"], named, "_chemical_formula_sum C", "_cell_formula_units_Z 8")
    found, notes = _read(text)
    assert (len(found), space_group(found)) == (8, 227)
    assert len(notes) == (":" not in symbol and "Z" not in symbol and "2" not in symbol)
    if notes:
        assert "took the space group as Fd-3m:2" in notes[0]
        with pytest.raises(InputError, match="does not say which setting of its space group it means"):
            _read(_cif(_DIAMOND, ["C1 C 0.125 0.125 0.125"], named))


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (["_symmetry_space_group_name_H-M 'P 7 m'"], "the space-group setting 'P 7 m' is not known"),
        (
            ["_symmetry_space_group_name_H-M 'P m -3 m'", "_symmetry_Int_Tables_number 14"],
            "no space group of number 14",
        ),
        (["_symmetry_space_group_name_H-M 'P 63/m m c'"], "a cell that does not fit its space group P 63/m m c"),
        ([_operations(480)], "a cell that its symmetry operations do not fit"),
        (["loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\nx,y,q"], "lists the operation 'x,y,q'"),
        (["loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n-x,y,-z\n-x,-y,z"], "do not form a group"),
        (["loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\nx,x,z"], "no symmetry of a lattice"),
        (["_chemical_formula_sum 'Na Cl H2'"], "lists no H although its formula is NaH2Cl"),
        (["_chemical_formula_sum 'Na Cl2'"], "amounts to NaCl although its formula is NaCl2"),
        (["_chemical_formula_sum 'K Cl'"], "lists no K although its formula is KCl"),
        (["_cell_modulation_dimension 1"], "is a modulated structure"),
    ],
)
def test_what_is_refused_by_name(more: list[str], reason: str) -> None:
    sites = ["Na1 Na 0 0 0", "Cl1 Cl 0.5 0.5 0.5"]
    with pytest.raises(InputError, match=reason):
        _read(_cif((4, 4.2, 4.4, 90, 90, 90), sites, *more))


@pytest.mark.parametrize(
    ("columns", "sites", "reason"),
    [
        ("label fract_x fract_y fract_z", ["Na1 0 0 0", "H1 ? ? ?"], "gives no coordinates for H1"),
        ("label fract_x fract_y fract_z", ["Na1 0 0 0", "OH 0.5 0 0"], "has the site OH of OH; expected single atoms"),
        ("label fract_x fract_y fract_z", ["Na1 0 0 0", "Cl1 a 0 0"], "the coordinate of Cl1 a; expected a number"),
        (
            "label fract_x fract_y fract_z attached_hydrogens",
            ["Na1 0 0 0 0", "O1 0.5 0 0 1"],
            "counts attached hydrogens",
        ),
        ("label fract_x fract_y fract_z occupancy", ["Na1 0 0 0 2.0", "Cl1 0.5 0 0 1"], "the occupancy 2.0 of Na1"),
        ("label fract_x fract_y fract_z occupancy", ["Na1 0 0 0 1", "Cl1 0.5 0 0 -0.5"], "occupancy -0.5 of Cl1"),
        ("label fract_x fract_y fract_z occupancy", ["Na1 0 0 0 nan", "Cl1 0.5 0 0 1"], "occupancy nan of Na1"),
        ("label fract_x fract_y fract_z occupancy", ["Na1 0 0 0 .8", "K1 0 0 0 .7"], "occupancy 1.5 of Na1, K1 toget"),
        ("label fract_x fract_y fract_z occupancy", ["Na1 0 0 0 1", "K1 0 0 0 1"], "occupancy 2 of Na1, K1 together"),
    ],
)
def test_sites_that_are_refused_by_name(columns: str, sites: list[str], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        _read(_cif((4, 4, 4, 90, 90, 90), sites, "_symmetry_space_group_name_H-M 'P 1'", columns=columns))


def test_formulas_that_say_nothing_and_ones_that_do() -> None:
    for text in (None, "?", "", "Na Cl x", "Li1-x Co O2", "no formula", "H2 O, 3(H2 O)"):
        assert stated_formula(text) is None
    for text, formula in (("Ca H2 O2", "Ca1 H2 O2"), ("D2 O", "H2 O1"), ("H D O", "H2 O1"), ("Fe2.5 O4", "Fe2.5 O4")):
        composition = stated_formula(text)
        assert composition is not None
        assert composition.formula == formula


def test_magnetic_moments_are_turned_with_their_sites() -> None:
    more = (
        "loop_\n_space_group_symop_magn_operation.xyz\nx,y,z,+1\n-x,y+1/2,-z,-1\n"
        "loop_\n_atom_site_moment.label\n_atom_site_moment.crystalaxis_x\n_atom_site_moment.crystalaxis_y\n"
        "_atom_site_moment.crystalaxis_z\nMn1 1.0 2.0 3.0(5)"
    )
    found, notes = _read(_cif((4, 6, 5, 90, 90, 90), ["Mn1 Mn 0.1 0 0.2", "O1 O 0.6 0.1 0.7"], more))
    assert not notes
    moments = {site.label: [] for site in found}
    for site in found:
        moments[site.label].append(site.properties["magmom"])
    assert sorted(moments["Mn1"]) == [[1.0, -2.0, 3.0], [1.0, 2.0, 3.0]]  # axial, and reversed in time
    assert moments["O1"] == [[0.0] * 3] * 2


def test_a_magnetic_file_with_ordinary_operations_keeps_its_atoms() -> None:
    moment = "_atom_site_moment_label Mn1\n_atom_site_moment_crystalaxis_x 0\n_atom_site_moment_crystalaxis_y 0\n"
    more = (moment + "_atom_site_moment_crystalaxis_z 4.6", _operations(523))  # Fm-3m
    found, _ = _read(_cif((4.44, 4.44, 4.44, 90, 90, 90), ["Mn1 Mn 0 0 0", "O1 O 0.5 0.5 0.5"], *more))
    assert (found.composition.formula, space_group(found)) == ("Mn4 O4", 225)


def test_keys_in_other_ways_of_writing_and_blocks_of_one_name() -> None:
    text = _cif((4, 4, 4, 90, 90, 90), ["Na1 Na 0 0 0"], _operations(2))
    dotted = text.replace("_atom_site_", "_Atom_Site.").replace("_cell_length_", "_cell.length_")
    first, second = structures_of_cif("data_head\n_journal_name x\n" + dotted + text.replace("Na", "K"), "a.cif")[0]
    assert [first.formula, second.formula] == ["Na1", "K1"]
    bonds = "loop_\n_geom_bond_label\n_geom_bond_distance\n\n"
    empty = text.replace("loop_\n_atom_site_label", f"{bonds}loop_\n_atom_site_label")
    assert _read(empty)[0].formula == "Na1"
    with pytest.raises(InputError, match=r"block 2 of a\.cif gives no coordinates for K1"):
        structures_of_cif(text + text.replace("Na1 Na 0", "K1 K ?"), "a.cif")


def test_sites_of_no_occupancy_are_left_out_and_told_of() -> None:
    columns = "label type_symbol fract_x fract_y fract_z occupancy"
    sites = ["Na1 Na 0 0 0 1.005", "Cl1 Cl 0.5 0.5 0.5 1", "Li1 Li 0.25 0.25 0.25 0"]
    found, notes = _read(_cif((4, 4, 4, 90, 90, 90), sites, "_symmetry_space_group_name_H-M 'P 1'", columns=columns))
    assert found.composition.formula == "Na1 Cl1"
    assert found.is_ordered
    assert notes == ["left out the site Li1, whose occupancy is 0"]


def test_dummies_are_left_out_and_told_of() -> None:
    columns = "label type_symbol fract_x fract_y fract_z calc_flag"
    sites = ["Na1 Na 0 0 0 d", "X1 X 0.2 0.3 0.4 dum"]
    found, notes = _read(_cif((4, 4, 4, 90, 90, 90), sites, _operations(1), columns=columns))
    assert found.formula == "Na1"
    assert notes == ["left out the dummy site X1"]
