"""Files as users have them, in tests/data/cases: each is read right by every command, or refused by name."""

from __future__ import annotations

import json
import logging
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Species

import chggen
from chggen.cli.file_commands import refine_files
from chggen.cli.hull import Placing, hull_lines
from chggen.errors import InputError
from chggen.execution.progress import silent
from chggen.io.selective_dynamics import held_atoms
from chggen.io.structure_archive import NamedStructures
from chggen.io.structures import as_structure, named_structures, read_structures
from chggen.symmetry.detection import space_group
from chggen.workflows.relax import relax_files

CASES = Path(__file__).parent.parent / "data" / "cases"
_ANY_ELEMENT = {"potential": "ase:ase.calculators.lj:LennardJones", "max_steps": 1}
_READ = {  # file → formula of its cell, space group, what is said
    "01-lowprec-hex/zno3.cif": ("Zn2 O2", 186, "merged 8 positions that coincide within 0.003"),
    "01-lowprec-hex/na2_4.cif": ("Ni6 Sn2", 194, "merged 10 positions that coincide within 0.0005"),
    "02-oxidation/magnetite_ox.cif": ("Fe6 O8", 227, None),
    "03-deuterium/lioh.vasp": ("Li4", 225, None),
    "03-deuterium/mgh3_h.vasp": ("Mg1 H3", 221, None),
    "03-deuterium/mgh3_hd.vasp": ("Mg1 H3", 221, "took 1 D as H"),
    "04-selective-dynamics/lico.extxyz": ("Li3 Co3 O6", 156, "holds 9 atoms in place"),
    "04-selective-dynamics/lico.vasp": ("Li3 Co3 O6", 156, "holds 9 atoms in place"),
    "04-selective-dynamics/scale3.vasp": ("Na2 Cl2", 225, None),
    "05-mcif/magmom.json": ("Mn4 O4", 225, None),
    "05-mcif/mno.mcif": ("Mn4 O4", 225, None),
    "06-settings/mgcu2_o2.cif": ("Mg8 Cu16", 227, None),
    "06-settings/rh_colonR.cif": ("Bi2 Te3", 166, None),
    "06-settings/rh_ops.cif": ("Bi2 Te3", 166, None),
    "06-settings/zro2_p21c.cif": ("Zr4 O8", 14, None),
    "06-settings/zro2_v_P_21_n.cif": ("Zr4 O8", 14, None),
    "07-missing-H/caoh2_full.cif": ("Ca1 H2 O2", 164, None),
    "10-same-names/K2O/CONTCAR": ("K2 O1", 225, None),
    "10-same-names/K2O/CONTCAR.gz": ("K2 O1", 225, None),
    "10-same-names/K2O/POSCAR": ("K2 O1", 225, None),
    "10-same-names/Li2O/POSCAR": ("Li2 O1", 225, None),
    "10-same-names/POSCAR.K2O": ("K2 O1", 225, None),
    "10-same-names/POSCAR.Li2O": ("Li2 O1", 225, None),
    "11-isolated/h_box.vasp": ("H1", 221, None),
    "13-encoding/bom.cif": ("Ca1 H2 O2", 164, None),
    "13-encoding/latin1.vasp": ("Yb1 O1", 225, None),
}
_REFUSED = {"07-missing-H/caoh2_noH.cif": "lists no H although its formula is CaH2O2"}


def test_every_case_is_here() -> None:
    assert {str(f.relative_to(CASES)) for f in CASES.rglob("*") if f.is_file()} == {*_READ, *_REFUSED}


@pytest.mark.parametrize("name", _READ)
def test_a_case_is_read_right_and_what_differs_is_said(name: str, caplog: pytest.LogCaptureFixture) -> None:
    formula, group, said = _READ[name]
    with caplog.at_level(logging.WARNING, "chggen.io.notes"):
        (structure,) = read_structures(CASES / name)
    assert Counter(structure.composition.formula.split()) == Counter(formula.split())
    assert space_group(structure, 0.1) == group
    assert caplog.text == "" if said is None else said in caplog.text
    sites = structure.as_dict()["sites"]
    assert json.loads(json.dumps(sites)) == sites


@pytest.mark.parametrize(("name", "reason"), _REFUSED.items())
def test_a_case_is_refused_by_name_by_every_command(name: str, reason: str, tmp_path: Path) -> None:
    path = CASES / name
    for command in (
        lambda: as_structure(path),
        lambda: refine_files([path], [0.1], None),
        lambda: relax_files([path], _ANY_ELEMENT, "cpu", 1, tmp_path / "out", silent),
        lambda: hull_lines([path], None, None, None, [], [], Placing.of(), None),
        lambda: chggen.inpaint(path, {"Li": 1}, n=1, relax=False),
        lambda: NamedStructures((path,)).names,
    ):
        with pytest.raises(InputError, match=reason) as caught:
            command()
        assert path.name in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_every_case_goes_through_refine_with_one_answer(tmp_path: Path) -> None:
    lines = refine_files([CASES / name for name in _READ], [0.1], tmp_path)
    assert len(lines) == len(_READ)
    for line, (formula, group, _) in zip(lines, _READ.values(), strict=True):
        name, said = line.split(": ", 1)
        assert said.startswith(f"space group {group} (")
        assert " at symprec 0.1 Å, " in said
        written = as_structure(tmp_path / f"{name}.cif")
        assert f"Int_Tables_number   {group}\n" in (tmp_path / f"{name}.cif").read_text()
        assert space_group(written, 0.01) == group
        atoms = as_structure(tmp_path / f"{name}-P1.cif").composition
        assert Counter(atoms.formula.split()) == Counter(formula.split())


def test_every_case_goes_into_relax_and_is_stored(tmp_path: Path) -> None:
    found = relax_files([CASES / name for name in _READ], _ANY_ELEMENT, "cpu", 1, tmp_path / "out", silent)
    for candidate, (formula, _, _) in zip(found, _READ.values(), strict=True):
        assert candidate.raw is not None
        assert Counter(candidate.raw.composition.formula.split()) == Counter(formula.split())
        assert (tmp_path / "out" / "structures" / f"{candidate.id}-P1.cif").exists()
    assert {c.formula for c in found} >= {"H", "LiCoO2", "Fe3O4", "MnO", "MgH3"}
    again = relax_files([CASES / name for name in _READ], _ANY_ELEMENT, "cpu", 1, tmp_path / "out", silent)
    assert [c.id for c in again] == [c.id for c in found]
    log = (tmp_path / "out" / "log.txt").read_text()
    assert "zno3: merged 8 positions" in log
    assert "mgh3_hd: took 1 D as H" in log


def test_every_case_can_be_a_reference() -> None:
    structures = NamedStructures(tuple(CASES / name for name in _READ))
    formulas = [Counter(structures.structure(name).composition.formula.split()) for name in structures.names]
    assert formulas == [Counter(formula.split()) for formula, _, _ in _READ.values()]


@pytest.mark.parametrize("name", ["03-deuterium/mgh3_hd.vasp", "05-mcif/mno.mcif"])
def test_guests_go_into_a_decorated_host(name: str, tmp_path: Path) -> None:
    (made,) = chggen.inpaint(
        CASES / name, {"Li": 1}, n=1, relax=False, workers=1, levels=4, best_of=1, out=tmp_path / "out"
    )
    assert made.status == "ok"
    assert (_READ[name][2] or "") in (tmp_path / "out" / "log.txt").read_text()
    assert made.structure is not None
    assert made.structure.composition["Li"] == 1
    assert set(map(str, made.structure.composition)) == {*_READ[name][0].translate(_NO_DIGITS).split(), "Li"}


_NO_DIGITS = str.maketrans("", "", "0123456789")


def test_moments_do_not_change_the_energy(tmp_path: Path) -> None:
    paths = [CASES / "05-mcif" / name for name in ("mno.mcif", "magmom.json")]
    for found in relax_files(paths, {}, "cpu", 1, tmp_path / "out", silent):
        assert (found.status, found.formula, found.space_group) == ("ok", "MnO", 225)
        assert found.energy_per_atom == pytest.approx(-8.980, abs=1e-3)
        assert found.structure is not None
        assert "magmom" in found.structure.site_properties


def test_hull_places_the_same_crystal_in_two_settings_alike() -> None:
    paths = [CASES / "06-settings" / name for name in ("zro2_v_P_21_n.cif", "zro2_p21c.cif")]
    lines = hull_lines(paths, None, None, None, [], [], Placing.of(), None)
    assert [line.split(": ")[1].split(", ")[1] for line in lines] == ["E_d +0.0034 eV/atom"] * 2


def test_held_atoms_stay_where_they_are(tmp_path: Path) -> None:
    paths = [CASES / "04-selective-dynamics" / name for name in ("lico.vasp", "lico.extxyz")]
    found = relax_files(paths, {"fix_cell": True}, "cpu", 1, tmp_path / "out", silent)
    for candidate in found:
        assert candidate.structure is not None
        assert candidate.raw is not None
        held = held_atoms(candidate.structure)  # the flags are still there
        assert held is not None
        assert held.tolist() == [False] * 3 + [True] * 9
        moved = candidate.structure.cart_coords - candidate.raw.cart_coords
        assert (moved[held] == 0).all()
        assert np.abs(moved[~held]).max() > 0.1
    (relaxed,) = chggen.relax([paths[0]], fix_cell=True)
    assert (relaxed.structure.frac_coords[3:] == as_structure(paths[0]).frac_coords[3:]).all()
    (freed,) = chggen.relax([paths[0]], fix_cell=True, fixed_atoms=[None], max_steps=2)
    assert (freed.structure.frac_coords[3:] != as_structure(paths[0]).frac_coords[3:]).any()


def test_files_of_one_name_are_told_apart() -> None:
    folder = CASES / "10-same-names"
    assert list(named_structures([folder / "K2O/POSCAR", folder / "Li2O/POSCAR"])) == ["K2O-POSCAR", "Li2O-POSCAR"]
    assert list(named_structures([folder])) == ["POSCAR.K2O", "POSCAR.Li2O"]
    assert list(named_structures([folder / "K2O"])) == ["CONTCAR", "CONTCAR-gz", "POSCAR"]


def test_species_with_spins_are_elements_and_keep_their_spins() -> None:
    given = as_structure(CASES / "05-mcif/magmom.json").copy()
    given.replace_species({"Mn": Species("Mn", 2, spin=5), "O": Species("O", -2)})
    given.remove_site_property("magmom")
    taken = as_structure(given)
    assert taken.composition.formula == "Mn4 O4"
    assert space_group(taken) == 225
    assert taken.site_properties == {"oxidation_state": [2.0] * 4 + [-2.0] * 4, "magmom": [5.0] * 4 + [0.0] * 4}
