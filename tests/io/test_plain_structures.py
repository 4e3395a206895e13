"""Whatever a structure carries, from whichever source: elements for energies, plain values beside them."""

from __future__ import annotations

import json
import logging
import lzma
import re
from bz2 import compress as bz2
from gzip import compress as gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.constraints import FixAtoms, FixBondLength, FixCartesian, FixScaled
from ase.io import read
from pymatgen.core import Element, Lattice, Species, Structure
from pymatgen.electronic_structure.core import Magmom, Spin

import chggen
from chggen.errors import InputError
from chggen.io.ase_atoms import atoms_of_structure
from chggen.io.selective_dynamics import held_atoms
from chggen.io.structure_output import cif_text, write_extxyz
from chggen.io.structures import as_structure, named_structures, read_structures
from chggen.io.text_files import decoded
from chggen.symmetry.detection import space_group

_CELL = Lattice.cubic(4.2)
_SITES = [[0, 0, 0], [0.5, 0.5, 0.5]]
_EMT = {"potential": "ase:ase.calculators.emt:EMT", "fmax": 0.01}


def _with(values: Any, name: str = "magmom") -> Structure:
    return Structure(_CELL, ["Mn", "O"], _SITES, site_properties={name: values})


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([1.5, 0], [1.5, 0]), ([np.float64(1.5), np.int64(0)], [1.5, 0]), ([Magmom(1.5), Magmom(0)], [1.5, 0.0]),
        ([Magmom([0, 0, 2.0]), Magmom([0, 0, 0])], [2.0, 0.0]), ([Spin.up, Spin.down], [1, -1]),
        ([Magmom([1, 0, 2.0]), Magmom(0)], [[1.0, 0.0, 2.0], [0.0, 0.0, 0.0]]), ([None, 2.0], [None, 2.0]),
        ([np.array([1.0, 0, 2]), np.zeros(3)], [[1.0, 0.0, 2.0], [0.0] * 3]), (["a", ("b", 1)], ["a", ["b", 1]]),
    ],
)  # fmt: skip
def test_site_properties_become_plain_values(given: Any, kept: Any) -> None:
    taken = as_structure(_with(given))
    assert taken.site_properties["magmom"] == kept
    sites = taken.as_dict()["sites"]
    assert json.loads(json.dumps(sites)) == sites
    assert as_structure(taken) is taken


def test_values_that_are_not_plain_are_left_out_and_told_of(caplog: pytest.LogCaptureFixture) -> None:
    assert not as_structure(_with([object(), 1], "thing")).site_properties
    assert "MnO: left out the site properties thing" in caplog.text


def test_species_become_elements(caplog: pytest.LogCaptureFixture) -> None:
    species = [Species("Mn", 2, spin=5), "O2-"]
    taken = as_structure(Structure(_CELL, species, _SITES, charge=1))
    assert all(type(site.specie) is Element for site in taken)
    assert taken.site_properties == {"oxidation_state": [2.0, -2.0], "magmom": [5.0, 0.0]}
    assert taken.properties == {"charge": 1.0}
    assert not caplog.records
    assert "Mn2+" in cif_text(taken, None)  # where every atom is written, ions are too
    assert "Mn2+" not in cif_text(taken, 0.01)
    given = Structure(_CELL, ["D", "T"], _SITES)
    assert as_structure(given).formula == "H2"
    assert "took 1 D and 1 T as H" in caplog.text


def test_a_left_handed_cell_is_the_same_crystal(caplog: pytest.LogCaptureFixture) -> None:
    matrix = np.array([[3.1, 0.2, 0.1], [0.3, 4.2, 0.2], [0.4, 0.1, -5.3]])
    given = Structure(matrix, ["Zn", "P", "S"], [[0.1, 0.2, 0.3], [0.5, 0.1, 0.7], [0.8, 0.6, 0.1]])
    for thing in (given, Atoms(given.atomic_numbers, cell=matrix, positions=given.cart_coords, pbc=True)):
        taken = as_structure(thing)
        assert np.linalg.det(taken.lattice.matrix) > 0
        assert np.allclose(taken.cart_coords, given.cart_coords)
        assert np.allclose(taken.distance_matrix, given.distance_matrix)
    assert "turned the left-handed cell" in caplog.text
    flipped = bulk("Cu", cubic=True)
    flipped.set_cell(flipped.cell.array[[1, 0, 2]])
    both = chggen.relax([flipped, bulk("Cu", cubic=True)], **_EMT)
    assert both[0].energy_per_atom == pytest.approx(both[1].energy_per_atom, abs=1e-6)
    assert space_group(both[0].structure) == 225


@pytest.mark.parametrize(
    ("constraint", "held", "said"),
    [
        (FixAtoms([1]), [False, True], "1 of 2 atoms are held"),
        (FixCartesian([0], mask=[True, True, True]), [True, False], "1 of 2 atoms are held"),
        (FixCartesian([0], mask=[True, False, False]), [True, False], "1 atom may move in some directions only"),
        (FixScaled([1], mask=[False, True, False]), [False, True], "1 atom may move in some directions only"),
        (FixBondLength(0, 1), None, "constraints of ASE that are not understood are ignored: FixBondLength"),
    ],
)
def test_constraints_of_ase(constraint: Any, held: Any, said: str, caplog: pytest.LogCaptureFixture) -> None:
    atoms = Atoms("NaCl", cell=[4, 4, 4], positions=[[0, 0, 0], [2, 2, 2]], pbc=True, constraint=constraint)
    mask = held_atoms(as_structure(atoms, heed_held=True))
    assert (mask if mask is None else mask.tolist()) == held
    assert said in caplog.text
    assert held_atoms(as_structure(atoms)) is None
    assert ("only relax heeds; ignored here" in caplog.text) == (held is not None)


def test_relax_holds_what_atoms_of_ase_hold() -> None:
    atoms = bulk("Cu", cubic=True)
    atoms.positions[1] += 0.1
    free = chggen.relax([atoms], fix_cell=True, **_EMT)[0].structure
    atoms.set_constraint(FixAtoms([1]))
    held = chggen.relax([atoms], fix_cell=True, **_EMT)[0].structure
    assert np.allclose(held.cart_coords[1], atoms.positions[1], atol=1e-12)
    assert not np.allclose(free.cart_coords[1], atoms.positions[1], atol=1e-2)
    assert atoms_of_structure(held).constraints[0].index.tolist() == [1]


def test_json_flags_and_flags_as_words_hold_atoms(tmp_path: Path) -> None:
    structure = Structure(_CELL, ["Mn", "O"], _SITES, site_properties={"selective_dynamics": [[False] * 3, [True] * 3]})
    (tmp_path / "a.json").write_text(json.dumps([structure.as_dict()]))
    flags = [".FALSE. .false. F", ".TRUE. T True"]
    lines = [f"{' '.join(f'{x:.3f}D0' for x in site)} {flag}" for site, flag in zip(_SITES, flags, strict=True)]
    head = "words\n1.0D0 ! scale\n4.2D0-0.0 0\n0 4.2 0\n0 0 4.2\nMn O\n1 1 # counts\nSelective\nDirect\n"
    (tmp_path / "fort.vasp").write_text(head + "\n".join(lines) + "\n")
    for structure in named_structures([tmp_path / "a.json", tmp_path / "fort.vasp"], heed_held=True).values():
        mask = held_atoms(structure)
        assert mask is not None
        assert mask.tolist() == [True, False]
        assert structure.formula == "Mn1 O1"


@pytest.mark.parametrize("mode", ["Direct", "Cartesian"])
def test_three_scaling_factors(tmp_path: Path, mode: str) -> None:
    sites = "0 0 0\n0.5 0.5 0.5\n" if mode == "Direct" else "0 0 0\n1.5 1.5 1.5\n"
    (tmp_path / "POSCAR").write_text(f"c\n1.0 1.5 2.0\n3 0 0\n0 3 0\n0 0 3\nMn O\n1 1\n{mode}\n{sites}")
    taken = as_structure(tmp_path / "POSCAR")
    assert taken.lattice.abc == pytest.approx((3, 4.5, 6))
    assert np.allclose(taken.frac_coords[1], 0.5)


def test_what_a_structure_carries_comes_out_of_extxyz_again(tmp_path: Path) -> None:
    structure = Structure(
        _CELL, ["Mn2+", "O2-"], _SITES, properties={"comment": "a test", "odd": object()},
        site_properties={
            "magmom": [[0, 0, 4.5], [1, 0, 0]], "selective_dynamics": [[False] * 3, [True] * 3],
            "charge": [0.5, -0.5], "tag": ["a", "b"], "ragged": [[1], [1, 2]], "some": [None, 1.0],
        },
    )  # fmt: skip
    write_extxyz([as_structure(structure, heed_held=True)], tmp_path / "a.extxyz", [{"id": "x", "none": None}])
    atoms = read(tmp_path / "a.extxyz")
    assert atoms.info == {"comment": "a test", "id": "x"}
    assert set(atoms.arrays) >= {"initial_magmoms", "initial_charges", "tag", "oxidation_state"}
    assert not {"ragged", "some"} & set(atoms.arrays)
    assert atoms.constraints[0].index.tolist() == [0]
    again = as_structure(tmp_path / "a.extxyz", heed_held=True)
    assert again.site_properties["magmom"] == [[0, 0, 4.5], [1, 0, 0]]
    assert again.site_properties["oxidation_state"] == [2.0, -2.0]


_COLUMNS = """2
Lattice="3 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3:{columns} energy=-1.0 magmom=4.4 pbc="T T T"
Mn 0 0 0 {first}
O 1.5 1.5 1.5 {second}
"""


@pytest.mark.parametrize(
    ("columns", "first", "second", "kept"),
    [
        ("magmoms:R:1:charges:R:1", "4.5 1.5", "-0.1 -1.5", {"magmom": [4.5, -0.1], "charge": [1.5, -1.5]}),
        ("magmoms:R:3", "1 0 4", "0 1 0", {"magmom": [[1.0, 0.0, 4.0], [0.0, 1.0, 0.0]]}),
        ("charge:R:1", "1.5", "-1.5", {"charge": [1.5, -1.5]}),
        ("initial_magmoms:R:1:initial_charges:R:1", "4 2", "0 -2", {"magmom": [4.0, 0.0], "charge": [2.0, -2.0]}),
        ("forces:R:3:tag:I:1", "0 0 1 7", "0 0 -1 8", {"tag": [7, 8]}),
    ],
)  # fmt: skip
def test_moments_and_charges_of_an_extxyz_are_kept(
    tmp_path: Path, columns: str, first: str, second: str, kept: dict[str, Any]
) -> None:
    (tmp_path / "a.xyz").write_text(_COLUMNS.format(columns=columns, first=first, second=second))
    assert as_structure(tmp_path / "a.xyz").site_properties == kept


def test_moments_given_twice_are_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = _COLUMNS.format(columns="initial_magmoms:R:1:magmoms:R:1", first="5 4.5", second="0 -0.1")
    (tmp_path / "a.xyz").write_text(text)
    taken = as_structure(tmp_path / "a.xyz")
    assert taken.site_properties == {"magmom": [4.5, -0.1]}
    assert caplog.messages == ["a.xyz: took the magmom that was computed, in place of the one that was given at first"]
    atoms = read(tmp_path / "a.xyz")
    atoms.positions[0] += 0.1  # what was computed is of other positions
    assert as_structure(atoms).site_properties == {"magmom": [5.0, 0.0]}


_CIF = cif_text(Structure(_CELL, ["Mn", "O"], _SITES), None, "Müller")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp1252"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(tmp_path: Path, encoding: str, ends: str) -> None:
    for name, text in (("a.cif", _CIF), ("POSCAR", _SALT), ("a.xyz", _XYZ), ("a.json", _JSON)):
        (tmp_path / name).write_bytes(text.replace("\n", ends).encode(encoding))
        assert as_structure(tmp_path / name).formula == "Mn1 O1"
    assert decoded(_CIF.encode("utf-16")) == _CIF


_SALT = "Müller\n1.0\n4.2 0 0\n0 4.2 0\n0 0 4.2\nMn O\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n"
_XYZ = '2\nLattice="4.2 0 0 0 4.2 0 0 0 4.2" name="Müller"\nMn 0 0 0\nO 2.1 2.1 2.1\n'
_JSON = json.dumps(Structure(_CELL, ["Mn", "O"], _SITES).as_dict())


@pytest.mark.parametrize(("ending", "packed"), [(".gz", gzip), (".bz2", bz2), (".xz", lzma.compress)])
def test_compressed_files(tmp_path: Path, ending: str, packed: Any) -> None:
    for name, text in (("a.cif", _CIF), ("CONTCAR", _SALT), ("b.xyz", _XYZ), ("c.json", _JSON)):
        (tmp_path / f"{name}{ending}").write_bytes(packed(text.encode()))
    assert [s.formula for s in named_structures([tmp_path]).values()] == ["Mn1 O1"] * 4
    broken = tmp_path / f"d.cif{ending}"
    broken.write_bytes(packed(_CIF.encode())[:-20])
    with pytest.raises(InputError, match=rf"d\.cif\{ending} cannot be read"):
        read_structures(broken)


def test_a_file_packed_otherwise_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.cif").write_bytes(b"PK\x03\x04" + bytes(50))
    with pytest.raises(InputError, match="is packed with zip; expected plain text"):
        as_structure(tmp_path / "a.cif")


def test_isotopes_in_every_format_are_hydrogen(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "chggen.io.notes")
    sites = ["0 0 0", "0.5 0.5 0", "0.5 0 0.5", "0 0.5 0.5"]
    mixed = Structure(_CELL, ["Li", "H", "D", "T"], [[float(x) for x in site.split()] for site in sites])
    table = "loop_\n_atom_site_label\n" + "".join(f"_atom_site_fract_{axis}\n" for axis in "xyz")
    cell = "".join(f"_cell_length_{axis} 4.2\n" for axis in "abc")
    rows = "".join(f"{label} {site}\n" for label, site in zip(("Li1", "H1", "D1", "T1"), sites, strict=True))
    poscar = "c\n1.0\n4.2 0 0\n0 4.2 0\n0 0 4.2\nLi H D T\n1 1 1 1\nDirect\n" + "\n".join(sites)
    table_of_json = json.loads(json.dumps(mixed.as_dict()))
    for site, symbol in zip(table_of_json["sites"], ("Li", "H", "D", "T"), strict=True):
        site["species"][0]["element"] = symbol
    texts = {"a.cif": f"data_x\n{cell}{table}{rows}", "b.vasp": poscar, "c.json": json.dumps(table_of_json)}
    texts["d.xyz"] = (
        '4\nLattice="4.1 0 0 0 4.1 0 0 0 4.1" Properties=id:I:1:species:S:1:pos:R:3\n'
        "1 Li 0 0 0\n2 H 2 2 0\n3 D 2 0 2\n4 T 0 2 2\n"
    )
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        assert as_structure(tmp_path / name).composition.formula == "Li1 H3"
        assert re.search(rf"{name}: took (1 )?D and (1 )?T as H", caplog.text)
    with pytest.raises(InputError, match="guest 'D' is hydrogen to every potential; give it as H"):
        chggen.inpaint(mixed, {"D": 1}, n=1, relax=False)


def test_json_names_no_module(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    (tmp_path / "evil.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    table = json.loads(_JSON)
    table["sites"][0]["properties"]["x"] = {"@module": "evil", "@class": "Thing"}
    (tmp_path / "a.json").write_text(json.dumps(table))
    import sys

    sys.path.insert(0, str(tmp_path))
    try:
        assert as_structure(tmp_path / "a.json").formula == "Mn1 O1"
    finally:
        sys.path.remove(str(tmp_path))
    assert not mark.exists()


def test_many_notes_are_cut_short(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for k in range(30):
        (tmp_path / f"{k:02}.vasp").write_text(_SALT.replace("Mn O", "D O"))
    named_structures([tmp_path])
    assert len(caplog.records) == 21
    assert caplog.messages[-1] == "10 more notes like these"
