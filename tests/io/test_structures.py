"""Structures in and out of files, and clear refusals of what is no structure."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Composition, Lattice, Structure
from pymatgen.io.cif import CifWriter

from chggen.crystals.composition import plain_formula
from chggen.errors import InputError
from chggen.io.atomic_write import write_text
from chggen.io.crystal_limits import MAX_ATOMS
from chggen.io.structure_output import cif_text, write_extxyz
from chggen.io.structures import as_structure, named_structures, read_structures, structure_files
from chggen.io.training_structures import read_training_structures


@pytest.fixture
def odd() -> Structure:
    """Triclinic, species out of order, so that nothing is right by luck."""
    places = [[0.1, 0.2, 0.3], [0.6, 0.5, 0.9], [0.45, 0.8, 0.15], [0.9, 0.05, 0.7]]
    return Structure(Lattice.from_parameters(5.1, 6.2, 7.3, 82, 97, 111), ["S", "Zn", "P", "S"], places)


def rock_salt() -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def same(a: Structure, b: Structure) -> bool:
    return bool(StructureMatcher(primitive_cell=False, ltol=1e-3, stol=1e-3, angle_tol=0.01).fit(a, b))


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.cif", "cif"), ("A.CIF", "cif"), ("POSCAR", "poscar"), ("CONTCAR", "poscar"), ("a.vasp", "poscar"),
        ("POSCAR_relaxed.txt", "poscar"), ("bare", "poscar"), ("a.json", "json"),
    ],
)  # fmt: skip
def test_formats_are_read(tmp_path: Path, odd: Structure, name: str, form: str) -> None:
    path = tmp_path / name
    path.write_text(odd.to(fmt=form))
    read = as_structure(path)
    assert same(read, odd)
    assert read.volume == pytest.approx(odd.volume, rel=1e-4)
    assert same(as_structure(str(path)), odd)


@pytest.mark.parametrize("name", ["a.xyz", "a.extxyz", "a.XYZ"])
def test_extxyz_holds_many_structures_in_their_order(tmp_path: Path, odd: Structure, name: str) -> None:
    write_extxyz([odd, rock_salt()], tmp_path / name)
    first, second = read_structures(tmp_path / name)
    assert first.species == odd.species
    assert np.allclose(first.cart_coords, odd.cart_coords, atol=1e-6)
    assert np.allclose(second.lattice.matrix, rock_salt().lattice.matrix)
    with pytest.raises(InputError, match="holds 2 structures, expected one"):
        as_structure(tmp_path / name)


def test_of_a_folder_only_files_that_hold_structures_are_read(tmp_path: Path, odd: Structure) -> None:
    for name in ("a.cif", "POSCAR-1"):
        odd.to(str(tmp_path / name), fmt="poscar" if "POSCAR" in name else "cif")
    for name in ("README", "Makefile", "notes.txt", ".a.cif"):
        (tmp_path / name).write_text("no structure")
    for name in ("old", "POSCARs"):
        (tmp_path / name).mkdir()
    assert [f.name for f in structure_files([tmp_path])] == ["POSCAR-1", "a.cif"]
    assert len(named_structures([tmp_path])) == 2


def test_objects_are_taken_as_they_are(odd: Structure) -> None:
    assert as_structure(odd) is odd
    atoms = bulk("NaCl", "rocksalt", a=5.64)
    structure = as_structure(atoms)
    assert [s.symbol for s in structure.species] == atoms.get_chemical_symbols()
    assert np.allclose(structure.cart_coords, atoms.positions)


@pytest.mark.parametrize("symprec", [0.1, 0.01])
def test_a_symmetrised_cif_is_the_same_crystal(tmp_path: Path, symprec: float) -> None:
    structure = rock_salt() * (1, 1, 2)
    text = cif_text(structure, symprec, "first line\nsecond line")
    assert text.startswith("# first line\n# second line\n")
    assert "Fm-3m" in text
    (tmp_path / "a.cif").write_text(text)
    assert StructureMatcher(ltol=1e-3, stol=1e-3, angle_tol=0.01, scale=False).fit(
        as_structure(tmp_path / "a.cif"), structure
    )


def test_a_cif_in_p1_has_every_atom_where_it_was(tmp_path: Path, odd: Structure) -> None:
    (tmp_path / "a.cif").write_text(cif_text(odd, None))
    read = as_structure(tmp_path / "a.cif")
    assert read.composition == odd.composition
    assert same(read, odd)


def _refused(tmp_path: Path, name: str, content: str | bytes, match: str) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=match) as caught:
        read_structures(path)
    assert name in str(caught.value)
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.cif", "a.vasp", "POSCAR", "a.json", "a.xyz", "a.extxyz", "a.txt", "bare"])
@pytest.mark.parametrize("content", [b"", b"hello\nworld\n", b"{}", b"[1]", bytes(range(256))])
def test_files_that_hold_no_structure(tmp_path: Path, name: str, content: bytes) -> None:
    _refused(tmp_path, name, content, "expected")


def test_atoms_on_one_site_are_told_of(tmp_path: Path) -> None:
    same = Structure(Lattice.cubic(4.2), ["Na", "Cl", "K"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]])
    _refused(tmp_path, "a.cif", str(CifWriter(same)), "the occupancy 2 of Cl1, K2 together")
    twice = Structure(Lattice.cubic(4.2), ["Na", "Cl", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]])
    _refused(tmp_path, "a.cif", str(CifWriter(twice)), "amounts to NaCl although its formula is NaCl2")


def test_missing_files_and_folders(tmp_path: Path) -> None:
    for path in (tmp_path / "none.cif", tmp_path, "data_x\n_cell_length_a 3\n" * 500, "nul\0byte"):
        with pytest.raises(InputError, match=r"(?s)no structure file at .*give a CIF"):
            as_structure(path)


def test_unknown_elements(tmp_path: Path, odd: Structure) -> None:
    for name, form in (("a.vasp", "poscar"), ("a.cif", "cif")):
        _refused(tmp_path, name, odd.to(fmt=form).replace("Zn", "Qq"), "unknown element Qq")
    with pytest.raises(InputError, match=r"no element \(X\)"):
        as_structure(Atoms("X", cell=[3, 3, 3], pbc=True))


def test_a_poscar_that_names_no_elements_is_not_read_as_hydrogen(tmp_path: Path) -> None:
    lines = rock_salt().to(fmt="poscar").splitlines()
    old = "\n".join(["no names here", *lines[1:5], *lines[6:8], *(line.rsplit(maxsplit=1)[0] for line in lines[8:])])
    _refused(tmp_path, "POSCAR", old, "names no elements; put them in a line above the counts")
    for comment in ("Na", "Na Cl K", "Na Cl rocksalt", "As In a cell", ""):
        said = "names no elements"
        _refused(tmp_path, "POSCAR", old.replace("no names here", comment), said)


def test_a_poscar_of_vasp_4_may_name_its_elements_in_the_comment(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = rock_salt().to(fmt="poscar").splitlines()
    bare = [line.rsplit(maxsplit=1)[0] for line in lines[8:]]
    (tmp_path / "POSCAR").write_text("\n".join(["Na  Cl", *lines[1:5], *lines[6:8], *bare]))
    assert same(as_structure(tmp_path / "POSCAR"), rock_salt())
    assert caplog.messages == ["POSCAR: took the elements Na Cl from the comment line"]


@pytest.mark.parametrize(
    "atoms",
    [Atoms("Cu"), Atoms("Cu", cell=[3] * 3, pbc=[1, 1, 0]), Atoms("Cu", pbc=True), Atoms("Cu", cell=[3] * 3)],
)
def test_what_is_not_periodic(tmp_path: Path, atoms: Atoms) -> None:
    with pytest.raises(InputError, match="not periodic in three directions"):
        as_structure(atoms)
    _refused(tmp_path, "molecule.xyz", "1\nno cell\nH 0 0 0\n", "not periodic in three directions")


def test_a_slab_of_ase_with_vacuum_is_one(caplog: pytest.LogCaptureFixture) -> None:
    slab = fcc111("Cu", (1, 1, 3), vacuum=6)
    assert slab.pbc.tolist() == [True, True, False]
    with caplog.at_level("WARNING", "chggen.io.notes"):
        found = as_structure(slab)
    assert all(found.lattice.pbc)
    assert len(found) == 3
    assert "taken as periodic along its third axis too, with 12.0 Å of vacuum" in caplog.text
    with pytest.raises(InputError, match="at least 8 Å of vacuum"):
        as_structure(fcc111("Cu", (1, 1, 3), vacuum=3))


def test_too_many_atoms_and_none(tmp_path: Path) -> None:
    big = bulk("Cu", cubic=True) * (5, 5, 12)
    expected = f"has 1200 atoms; expected 1 to {MAX_ATOMS}"
    with pytest.raises(InputError, match=expected):
        as_structure(big)
    with pytest.raises(InputError, match=expected):
        as_structure(rock_salt() * (5, 5, 6))
    big.write(tmp_path / "big.xyz", format="extxyz")
    with pytest.raises(InputError, match=expected):
        read_structures(tmp_path / "big.xyz")
    with pytest.raises(InputError, match="has 0 atoms"):
        as_structure(Structure(Lattice.cubic(4), [], []))


def test_cells_and_positions_that_mean_nothing() -> None:
    with pytest.raises(InputError, match="not finite"):
        as_structure(Structure(Lattice.cubic(4), ["Na"], [[np.nan, 0, 0]]))
    with pytest.raises(InputError, match=r"volume 0.027 Å³ for 1 atom; expected a periodic crystal"):
        as_structure(Structure(Lattice.cubic(0.3), ["Na"], [[0, 0, 0]]))


@pytest.mark.parametrize("thing", [None, 3, [1], {"a": 1}, b"POSCAR"])
def test_things_that_are_no_structures(thing: object) -> None:
    with pytest.raises(InputError, match=f"expected a pymatgen Structure.* got {type(thing).__name__}"):
        as_structure(thing)


CIF_LINES = [line for line in cif_text(rock_salt(), 0.1).splitlines() if line.strip()]


@st.composite
def broken_cifs(draw: st.DrawFn) -> str:
    """A good CIF with lines lost, doubled, moved or replaced by text of the format's own characters."""
    lines = list(CIF_LINES)
    for _ in range(draw(st.integers(1, 4))):
        k = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["drop", "double", "move", "text", "number"])):
            case "drop" if len(lines) > 1:
                del lines[k]
            case "double":
                lines.insert(k, lines[k])
            case "move":
                lines.append(lines[k])
            case "text":
                lines[k] = draw(st.text("_loopdata'\"; 0.9?-+()#\nNaClx,/é\0", max_size=20))
            case _:
                value = draw(st.sampled_from(["0", "-1", "nan", "inf", "1e400", "1e-9", "?", "90", "180", "99999"]))
                lines[k] = f"{' '.join(lines[k].split()[:1])} {value}"
    return "\n".join(lines)


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.one_of(broken_cifs(), st.text(max_size=80), st.binary(max_size=60)))
def test_any_cif_is_read_or_refused(content: str | bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.cif"
        path.write_bytes(content if isinstance(content, bytes) else content.encode(errors="replace"))
        try:
            structures = read_structures(path)
        except InputError:
            return
    assert structures
    for structure in structures:
        assert 1 <= len(structure) <= MAX_ATOMS
        assert np.isfinite(structure.frac_coords).all()


def test_training_tables(tmp_path: Path, odd: Structure) -> None:
    (tmp_path / "a.cif").write_text(cif_text(odd, None))
    text = cif_text(rock_salt(), None).replace('"', '""')
    (tmp_path / "t.csv").write_text(f'name,cif\nby path,a.cif\nby text,"{text}"\n')
    first, second = read_training_structures(tmp_path / "t.csv")
    assert same(first, odd)
    assert same(second, rock_salt())
    (tmp_path / "bad.csv").write_text("cif\na.cif\nnone.cif\n")
    with pytest.raises(InputError, match="line 3 of"):
        read_training_structures(tmp_path / "bad.csv")
    (tmp_path / "column.csv").write_text("name\nx\n")
    with pytest.raises(InputError, match="no column 'cif'"):
        read_training_structures(tmp_path / "column.csv")
    with pytest.raises(InputError, match="no table of structures"):
        read_training_structures(tmp_path / "none.csv")


def test_a_text_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    monkeypatch.setattr(Path, "write_text", lambda self, text, **_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_text(path, "new")
    assert path.read_text() == "old"


@pytest.mark.parametrize(
    ("given", "plain"), [("Zn2P4S12", "ZnP2S6"), ("Li10", "Li"), ("H2O", "H2O"), ("Ca(OH)2", "CaH2O2"), ("Cl4", "Cl2")]
)
def test_formulas_in_names_are_plain(given: str, plain: str) -> None:
    assert plain_formula(Composition(given)) == plain
