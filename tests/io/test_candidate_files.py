"""Structures of other generators, in the forms in which they write them."""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

import pytest
import torch
from ase.io import write
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

from chggen.errors import InputError
from chggen.io.candidate_files import named_candidates

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
COPPER = Structure(Lattice.cubic(3.6), ["Cu"] * 4, [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])


def _alike(one: Structure, other: Structure) -> bool:
    return one.composition == other.composition and one.lattice.abc == pytest.approx(other.lattice.abc, abs=1e-4)


def test_frames_of_an_extxyz_file_and_one_that_is_no_crystal(tmp_path: Path) -> None:
    frames = [AseAtomsAdaptor.get_atoms(s, msonable=False) for s in (SALT, COPPER, SALT)]
    frames[1].pbc = False
    write(tmp_path / "generated_crystals.extxyz", frames, format="extxyz")
    found = named_candidates(tmp_path / "generated_crystals.extxyz")
    assert list(found) == [f"generated_crystals-{k}" for k in range(3)]
    first, broken, last = found.values()
    assert isinstance(first, Structure)
    assert isinstance(last, Structure)
    assert _alike(first, SALT)
    assert isinstance(broken, str)
    assert "not periodic" in broken


def test_an_archive_of_cifs_as_mattergen_writes_it(tmp_path: Path) -> None:
    SALT.to(str(tmp_path / "a.cif"))
    COPPER.to(str(tmp_path / "b.cif"))
    path = tmp_path / "generated_crystals_cif.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(tmp_path / "a.cif", "gen_0.cif")
        archive.write(tmp_path / "b.cif", "../../gen_1.cif")  # a path out of the folder is not followed
        archive.writestr("gen_2.cif", "no crystal at all")
    found = named_candidates(path)
    assert list(found) == ["gen_1", "gen_0", "gen_2"]
    assert isinstance(found["gen_2"], str)
    assert isinstance(found["gen_1"], Structure)
    assert _alike(found["gen_1"], COPPER)
    assert not (tmp_path.parent / "gen_1.cif").exists()


def test_a_folder_of_airss_and_other_files(tmp_path: Path) -> None:
    write(tmp_path / "Cu-1.res", AseAtomsAdaptor.get_atoms(COPPER, msonable=False), format="res")
    SALT.to(str(tmp_path / "salt.cif"))
    (tmp_path / "notes.txt").write_text("not a structure")
    found = named_candidates(tmp_path)
    assert list(found) == ["Cu-1", "salt"]
    assert all(isinstance(one, Structure) for one in found.values())


def test_tensors_as_diffcsp_saves_them(tmp_path: Path) -> None:
    both = [SALT, COPPER]
    saved = {
        "eval_setting": argparse.Namespace(label="x"),
        "frac_coords": torch.tensor(SALT.frac_coords.tolist() + COPPER.frac_coords.tolist()),
        "atom_types": torch.tensor([site.specie.Z for s in both for site in s]),
        "lengths": torch.tensor([s.lattice.abc for s in both]),
        "angles": torch.tensor([s.lattice.angles for s in both]),
        "num_atoms": torch.tensor([len(s) for s in both]),
    }
    torch.save(saved, tmp_path / "eval_gen.pt")
    first, second = named_candidates(tmp_path / "eval_gen.pt").values()
    assert isinstance(first, Structure)
    assert isinstance(second, Structure)
    assert _alike(first, SALT)
    assert _alike(second, COPPER)


def test_what_holds_no_structures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "nowhere", tmp_path / "empty"):
        with pytest.raises(InputError, match="structures"):
            named_candidates(path)
