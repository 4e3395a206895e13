"""CIF files: the crystal with its symmetry, written only where something is missing or has changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from chggen.errors import InputError
from chggen.results.candidate import Candidate
from chggen.results.cif_files import cif_names, write_cifs
from chggen.symmetry import space_group

_CRYSTALS = {
    2: ("P-1", Lattice.from_parameters(5, 6, 7, 80, 95, 105), [[0.1, 0.2, 0.3], [0.4, 0.7, 0.15]]),
    14: ("P2_1/c", Lattice.monoclinic(5, 6, 7, 103), [[0.11, 0.22, 0.33], [0.42, 0.71, 0.05]]),
    43: ("Fdd2", Lattice.orthorhombic(9, 10, 5), [[0, 0, 0], [0.13, 0.21, 0.37]]),
    136: ("P4_2/mnm", Lattice.tetragonal(4.6, 2.96), [[0, 0, 0], [0.305, 0.305, 0]]),
    167: ("R-3c", Lattice.hexagonal(4.76, 12.99), [[0, 0, 0.352], [0.306, 0, 0.25]]),
    198: ("P2_13", Lattice.cubic(6.5), [[0.06, 0.06, 0.06], [0.4, 0.15, 0.27]]),
    225: ("Fm-3m", Lattice.cubic(5.64), [[0, 0, 0], [0.5, 0.5, 0.5]]),
    227: ("Fd-3m", Lattice.cubic(8.1), [[0.125, 0.125, 0.125], [0.5, 0.5, 0.5]]),
}


def _candidate(structure: Structure, name: str = "a") -> Candidate:
    return Candidate(id=name, stage="generate", formula="X", seed=0, structure=structure)


@pytest.mark.parametrize("number", _CRYSTALS)
def test_the_cif_is_the_crystal_in_its_space_group(tmp_path: Path, number: int) -> None:
    symbol, lattice, sites = _CRYSTALS[number]
    crystal = Structure.from_spacegroup(symbol, lattice, ["Ti", "O"], sites).get_primitive_structure()
    crystal.make_supercell([[1, 1, 0], [0, 1, 0], [0, 0, 1]])
    crystal.perturb(0.002)
    write_cifs([_candidate(crystal)], tmp_path)
    text = (tmp_path / "a.cif").read_text()
    assert f"_symmetry_Int_Tables_number   {number}\n" in text
    assert text.count("_atom_site_label") == 1
    assert text.splitlines()[-1].split()[0] == "O"
    assert len([line for line in text.splitlines() if line.startswith("  Ti ")]) == 1  # one for the orbit
    back = Structure.from_file(tmp_path / "a.cif")
    assert space_group(back, 0.01) == number
    assert StructureMatcher(scale=False, ltol=0.01, stol=0.01, angle_tol=0.5).fit(back, crystal)
    assert f"_chemical_formula_sum   '{back.composition.formula}'" in text
    twin = Structure.from_file(tmp_path / "a-P1.cif")
    assert len(twin) == len(crystal)


@pytest.mark.parametrize("number", _CRYSTALS)
def test_a_crystal_that_is_symmetric_off_the_origin_keeps_its_atoms(tmp_path: Path, number: int) -> None:
    symbol, lattice, sites = _CRYSTALS[number]
    crystal = Structure.from_spacegroup(symbol, lattice, ["Ti", "O"], sites).get_primitive_structure()
    crystal.translate_sites(list(range(len(crystal))), [0.006, 0.008, 0.007])  # a loose tolerance may take it for none
    write_cifs([_candidate(crystal)], tmp_path)
    distances = StructureMatcher().get_rms_dist(crystal, Structure.from_file(tmp_path / "a.cif"))
    assert distances is not None
    assert distances[1] < 1e-6


def test_oxidation_states_are_kept(tmp_path: Path) -> None:
    salt = Structure.from_spacegroup(*_CRYSTALS[225][:2], ["Na", "Cl"], _CRYSTALS[225][2])
    salt.add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    write_cifs([_candidate(salt)], tmp_path)
    assert {str(s) for s in Structure.from_file(tmp_path / "a.cif").species} == {"Na+", "Cl-"}


def test_only_what_is_missing_or_changed_is_written(tmp_path: Path) -> None:
    salt = Structure.from_spacegroup(*_CRYSTALS[225][:2], ["Na", "Cl"], _CRYSTALS[225][2])
    paths = tmp_path / "a.cif", tmp_path / "a-P1.cif"

    def written(candidate: Candidate) -> list[bool]:
        before = [p.stat().st_ino if p.exists() else None for p in paths]
        write_cifs([candidate], tmp_path)
        return [p.stat().st_ino != inode for p, inode in zip(paths, before, strict=True)]

    assert written(_candidate(salt)) == [True, True]
    texts = [p.read_text() for p in paths]
    assert written(_candidate(salt)) == [False, False]
    assert written(replace(_candidate(salt), n_found=3)) == [False, False]  # not in the files
    for path in paths:
        path.unlink()
        written(_candidate(salt))
        assert [p.read_text() for p in paths] == texts
    paths[1].write_text(texts[1][:100])  # a run was killed, another tool wrote
    assert written(_candidate(salt))[1]
    assert [p.read_text() for p in paths] == texts
    moved = salt.copy().scale_lattice(salt.volume * 1.01)
    assert written(_candidate(moved)) == [True, True]
    refined = replace(_candidate(moved), refined_symprec=0.1, refined_rms=0.01, refined_max=0.02)
    assert written(refined) == [True, True]
    assert "symmetrised at 0.1 Å" in paths[0].read_text()


def _spinel() -> Structure:
    """Magnetite in its primitive cell: the four octahedral iron atoms are one orbit of 227."""
    sites = [[0, 0, 0], [0.625] * 3, [0.38] * 3]
    return Structure.from_spacegroup(227, Lattice.cubic(8.4), ["Fe", "Fe", "O"], sites).get_primitive_structure()


def _texts(folder: Path, structure: Structure, **fields: Any) -> tuple[str, str]:
    write_cifs([replace(_candidate(structure), **fields)], folder)
    return (folder / "a.cif").read_text(), (folder / "a-P1.cif").read_text()


@pytest.mark.parametrize("way", ["species", "spins", "property"])
def test_the_file_has_the_symmetry_of_the_elements_whatever_decorates_the_atoms(tmp_path: Path, way: str) -> None:
    spinel = _spinel()
    charges = [3.0 if k % 2 else 2.0 for k in range(6)] + [-2.0] * 8
    if way == "property":
        spinel.add_site_property("oxidation_state", charges)
    else:
        spinel.add_oxidation_state_by_site(charges)
    if way == "spins":
        spinel.add_spin_by_site([5, -4] * 3 + [0] * 8)
    assert space_group(spinel, 0.01) == 227
    text, twin = _texts(tmp_path, spinel, space_group=227, space_group_loose=227)
    assert "_symmetry_Int_Tables_number   227\n" in text
    assert "left out, since equivalent atoms differ in it: oxidation state" in text
    back = Structure.from_file(tmp_path / "a.cif")
    assert space_group(back, 0.01) == 227
    assert back.composition.element_composition.reduced_formula == "Fe3O4"
    assert StructureMatcher(scale=False).fit(
        _spinel(), Structure(back.lattice, [s.Z for s in back.species], back.frac_coords)
    )
    stated = [getattr(s, "oxi_state", None) for s in Structure.from_file(tmp_path / "a-P1.cif").species]
    assert sorted(stated) == sorted(charges)
    assert "spin" not in text + twin


def test_what_equivalent_atoms_agree_in_is_kept(tmp_path: Path) -> None:
    spinel = _spinel()
    spinel.add_oxidation_state_by_site([2, 2, 3, 3, 3, 3] + [-2] * 8)  # the tetrahedral ones, the octahedral ones
    spinel.add_site_property("guest", [True] * 2 + [False] * 12)
    text, twin = _texts(tmp_path, spinel)
    assert "left out" not in text
    columns = [line.split() for line in text.splitlines() if line.startswith(("  Fe", "  O"))][-3:]
    assert sorted((row[0], row[-1]) for row in columns) == [("Fe2+", "yes"), ("Fe3+", "no"), ("O2-", "no")]
    assert text.count("_atom_site_chggen_guest") == twin.count("_atom_site_chggen_guest") == 1
    assert sum(line.endswith("  yes") for line in twin.splitlines()) == 2


def test_a_guest_that_is_equivalent_to_an_atom_of_the_host_is_marked_in_p1_only(tmp_path: Path) -> None:
    spinel = _spinel()
    spinel.add_site_property("guest", [k == 0 for k in range(14)])
    text, twin = _texts(tmp_path, spinel)
    assert "_symmetry_Int_Tables_number   227\n" in text
    assert "left out, since equivalent atoms differ in it: being a guest" in text
    assert sum(line.endswith("  yes") for line in twin.splitlines()) == 1
    assert sum(line.endswith("  no") for line in twin.splitlines()) == 13


def test_labels_are_kept_where_they_tell_atoms_apart(tmp_path: Path) -> None:
    salt = Structure.from_spacegroup(*_CRYSTALS[225][:2], ["Na", "Cl"], _CRYSTALS[225][2])
    for site in salt:
        site.label = f"{site.specie.symbol}_mine"
    text, twin = _texts(tmp_path, salt)
    assert "Na_mine" in text
    assert "Cl_mine" in text
    assert "_mine" not in twin  # four atoms would share one


def test_candidates_named_like_the_files_of_others_have_their_own(tmp_path: Path) -> None:
    cubic, body = Lattice.cubic(3), [[0, 0, 0], [0.5, 0.5, 0.5]]
    elements = {"x": "Na", "x-P1": "K", "x-P1_": "Rb", "x-P1-P1": "Cs"}
    crystals = {name: Structure(cubic, [element] * 2, body) for name, element in elements.items()}
    write_cifs([_candidate(crystal, name) for name, crystal in crystals.items()], tmp_path)
    assert len(list(tmp_path.iterdir())) == 8
    for name, element in elements.items():
        for file in cif_names(name):
            assert Structure.from_file(tmp_path / file).elements[0].symbol == element


@pytest.mark.parametrize("name", ["../x", "a/b", "/tmp/x", ".."])
def test_nothing_is_written_outside_of_the_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "structures"
    folder.mkdir()
    with pytest.raises(InputError, match="rename it"):
        write_cifs([_candidate(_spinel(), name)], folder)
    assert list(tmp_path.rglob("*")) == [folder]
