"""Absurd numbers are refused at the edge, in a moment and in a sentence, from whichever source they come."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from pymatgen.core import Lattice, Structure

from chggen.errors import InputError
from chggen.io.candidate_files import named_candidates
from chggen.io.structure_archive import NamedStructures, read_arrays, write_archive
from chggen.io.structures import as_structure, read_structures
from chggen.io.text_files import read_text

_SALT = Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
_NUMBERS = ("1e308", "-1e308", "1e11", "nan", "inf", "1e400")


def _cif(length: str = "4", angle: str = "90", x: str = "0.5") -> str:
    return (
        f"data_x\n_cell_length_a {length}\n_cell_length_b 4\n_cell_length_c 4\n_cell_angle_alpha {angle}\n"
        "_cell_angle_beta 90\n_cell_angle_gamma 90\nloop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n-x,-y,-z\nloop_\n"
        f"_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\nNa1 0 0 0\nCl1 {x} 0.5 0.5\n"
    )


def _poscar(length: str = "4", x: str = "0.5", scale: str = "1.0", count: str = "1") -> str:
    return f"c\n{scale}\n{length} 0 0\n0 4 0\n0 0 4\nNa Cl\n1 {count}\nDirect\n0 0 0\n{x} 0.5 0.5\n"


def _xyz(length: str = "4", x: str = "2", count: str = "2") -> str:
    lattice = f'Lattice="{length} 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3 pbc="T T T"'
    return f"{count}\n{lattice}\nNa 0 0 0\nCl {x} 2 2\n"


def _json(length: str = "4", x: str = "0.5") -> str:
    table = json.loads(json.dumps(_SALT.as_dict()))
    table["lattice"]["matrix"][0][0], table["sites"][1]["abc"][0] = "LENGTH", "X"
    text = json.dumps(table).replace('"LENGTH"', length).replace('"X"', x)
    return text.replace("nan", "NaN").replace("inf", "Infinity")


@pytest.mark.parametrize("number", _NUMBERS)
@pytest.mark.parametrize("what", ["length", "x"])
@pytest.mark.parametrize(("name", "make"), [("a.cif", _cif), ("POSCAR", _poscar), ("a.xyz", _xyz), ("a.json", _json)])
def test_numbers_of_files(tmp_path: Path, name: str, make: object, what: str, number: str) -> None:
    assert callable(make)
    (tmp_path / name).write_text(make())
    assert len(as_structure(tmp_path / name)) == 2
    (tmp_path / name).write_text(make(**{what: number}))
    with pytest.raises(InputError) as caught:
        as_structure(tmp_path / name)
    assert name in str(caught.value)


@pytest.mark.parametrize("number", [float(number) for number in _NUMBERS])
def test_numbers_of_objects(number: float) -> None:
    for cell, x in (([number, 4, 4], 2.0), ([4, 4, 4], number)):
        with pytest.raises(InputError):
            as_structure(Atoms("NaCl", cell=cell, positions=[[0, 0, 0], [x, 2, 2]], pbc=True))
        with np.errstate(all="ignore"):
            given = Structure(Lattice(np.diag(cell)), ["Na", "Cl"], [[0, 0, 0], [x, 0.5, 0.5]])
        with pytest.raises(InputError):
            as_structure(given)


@pytest.mark.parametrize("angle", ["0", "180", "-90", "1e-9", "179.99999", "360", "1e308"])
def test_angles(tmp_path: Path, angle: str) -> None:
    (tmp_path / "a.cif").write_text(_cif(angle=angle))
    with pytest.raises(InputError, match=r"angles|volume|faces"):
        as_structure(tmp_path / "a.cif")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.xyz", _xyz(count="1000000000")), ("a.extxyz", _xyz(count="-5")), ("POSCAR", _poscar(count="1000000000")),
        ("POSCAR", _poscar(scale="1e200")), ("POSCAR", _poscar(scale="-1e300")), ("POSCAR", _poscar(scale="1e-200")),
        ("a.json", json.dumps({"lattice": {"matrix": np.eye(3).tolist()}, "sites": [{}] * 501})),
        ("a.xyz", _xyz().replace("species:S:1", "species:S:1:w:R:99999999999")),
        ("a.json", "[" * 100_000), ("a.cif", _cif() + "Cl 0 0 0\n" * 3000),
    ],
)  # fmt: skip
def test_claims_of_files(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as caught:
        read_structures(tmp_path / name)
    assert name in str(caught.value)


@pytest.mark.parametrize("name", ["a.cif.gz", "POSCAR.gz", "a.xyz.gz"])
def test_a_small_file_that_unpacks_to_gigabytes(tmp_path: Path, name: str) -> None:
    with gzip.open(tmp_path / name, "wb", compresslevel=1) as file:
        for _ in range(300):
            file.write(bytes(2**20))
    with pytest.raises(InputError, match="holds more than 256 MiB of text"):
        read_structures(tmp_path / name)
    with pytest.raises(InputError, match="holds more than 1 MiB of text"):
        read_text(tmp_path / name, 2**20)


def test_a_member_of_an_archive_that_unpacks_to_gigabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chggen.io.candidate_files._MOST_BYTES", 2**20)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/POSCAR", _poscar())
        archive.writestr("b/POSCAR", _poscar())
        archive.writestr("c.cif", bytes(2**21))
    found = named_candidates(tmp_path / "a.zip")
    assert [type(one) for one in found.values()] == [Structure, Structure, str]
    assert list(found) == ["a-POSCAR", "b-POSCAR", "c"]
    assert "unpacks to more than 1 MiB" in str(found["c"])


def test_an_array_that_claims_more_than_its_file_holds(tmp_path: Path) -> None:
    write_archive({"salt": _SALT}, path := tmp_path / "a.npz")
    assert NamedStructures((path,)).structure("salt").formula == "Na1 Cl1"
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 3)})
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, head.getvalue() if name == "frac.npy" else data)
    with pytest.raises(ValueError, match=r"frac.npy claims 3,000,000,000,000 numbers"):
        read_arrays(path)
    other = tmp_path / "b.npz"
    other.write_bytes(path.read_bytes())
    with pytest.raises(InputError, match="is no archive of structures"):
        NamedStructures((other,)).n_atoms("salt")


def test_crystals_in_tensors_cost_no_other(tmp_path: Path) -> None:
    saved = {
        "frac_coords": torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0.5], [1e30, 0, 0], [0.0, 0, 0]]),
        "atom_types": torch.tensor([11, 17, 11, 11]), "num_atoms": torch.tensor([2, 1, 1]),
        "lengths": torch.tensor([[4.0, 4, 4], [4, 4, 4], [1e12, 4, 4]]), "angles": torch.full((3, 3), 90.0),
    }  # fmt: skip
    torch.save(saved, tmp_path / "a.pt")
    good, far, long = named_candidates(tmp_path / "a.pt").values()
    assert isinstance(good, Structure)
    assert "structure 1 of a.pt has an atom 1e+30 cells away" in str(far)
    assert "structure 2 of a.pt has cell lengths 1e+12" in str(long)
    saved["frac_coords"] = torch.zeros(1, 3).expand(10**9, 3)
    torch.save(saved, tmp_path / "a.pt")
    assert "claims more than 100,000,000 numbers" in str(named_candidates(tmp_path / "a.pt")["a"])


def test_a_bad_frame_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text(_xyz() + _xyz(x="1e300"))
    good, bad = named_candidates(tmp_path / "a.xyz").values()
    assert isinstance(good, Structure)
    assert "frame 1 of a.xyz has positions" in str(bad)
