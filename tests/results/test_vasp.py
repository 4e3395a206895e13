from __future__ import annotations

import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp import Incar, Poscar

from chggen.errors import InputError
from chggen.results import vasp as dft
from chggen.results.input_sets import FIRST, SECOND
from chggen.results.vasp import write_vasp


@pytest.fixture(autouse=True)
def _no_pseudopotentials(monkeypatch):
    monkeypatch.delitem(dft.SETTINGS, "PMG_VASP_PSP_DIR", raising=False)


@pytest.fixture
def zns():
    return Structure.from_spacegroup("F-43m", Lattice.cubic(5.41), ["Zn2+", "S2-"], [[0, 0, 0], [0.25] * 3])


def test_two_steps_with_their_functionals(zns, tmp_path):
    folder = write_vasp(zns, tmp_path / "deep" / "zns")
    first, second = (Incar.from_file(folder / step / "INCAR") for step in ("1-pbesol", "2-r2scan"))
    assert first["GGA"].upper() == "PS"
    assert "METAGGA" not in first
    assert second["METAGGA"].upper() == "R2SCAN"
    assert "GGA" not in second
    for incar in (first, second):
        assert incar["ENCUT"] == 680
        assert incar["ISIF"] == 3
        assert "KSPACING" in incar
    assert abs(second["EDIFFG"]) < abs(first["EDIFFG"])


def test_the_newer_set_is_what_pymatgen_makes_of_it(zns, tmp_path):
    folder = write_vasp(zns, tmp_path / "zns", inputs="mp24")
    first, second = (Incar.from_file(folder / step / "INCAR") for step in ("1-pbesol", "2-r2scan"))
    assert first["GGA"].upper() == "PS"
    assert "METAGGA" not in first
    assert second["METAGGA"].upper() == "R2SCAN"
    assert second["KSPACING"] == 0.22
    assert "Inputs of mp24, as pymatgen's MP24RelaxSet makes them." in (folder / "README").read_text()
    with pytest.raises(InputError, match="unknown input set 'mp25'; expected one of mp-scan, mp24"):
        write_vasp(zns, tmp_path / "other", inputs="mp25")
    assert not (tmp_path / "other").exists()


def test_structure_and_pseudopotentials_agree(zns, tmp_path):
    shuffled = Structure.from_sites([zns[i] for i in (0, 4, 1, 5, 2, 6, 3, 7)])
    folder = write_vasp(shuffled, tmp_path / "zns")
    for step in ("1-pbesol", "2-r2scan"):
        poscar = Poscar.from_file(folder / step / "POSCAR", check_for_potcar=False)
        assert sorted(poscar.natoms) == [4, 4]
        assert np.isclose(poscar.structure.volume, zns.volume)
        assert poscar.structure.matches(zns.copy().remove_oxidation_states())
        names = (folder / step / "POTCAR.spec").read_text().split()
        assert [name.split("_")[0] for name in names] == poscar.site_symbols
        assert not (folder / step / "POTCAR").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["zns"]


def test_nothing_half_written(zns, tmp_path, monkeypatch):
    real, calls = dft._write_step, []

    def breaks_at_second(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise OSError("disk full")
        real(*arguments)

    monkeypatch.setattr(dft, "_write_step", breaks_at_second)
    with pytest.raises(OSError, match="disk full"):
        write_vasp(zns, tmp_path / "zns")
    assert list(tmp_path.iterdir()) == []


def test_calculations_are_not_overwritten(zns, tmp_path):
    (tmp_path / "zns").mkdir()
    write_vasp(zns, tmp_path / "zns")  # an empty folder may be filled
    (tmp_path / "zns" / "2-r2scan" / "OUTCAR").write_text("weeks of work")
    with pytest.raises(InputError, match="exists already"):
        write_vasp(zns, tmp_path / "zns")
    assert (tmp_path / "zns" / "2-r2scan" / "OUTCAR").read_text() == "weeks of work"


def test_a_missing_pseudopotential_is_one_sentence(zns, tmp_path, monkeypatch):
    monkeypatch.setitem(dft.SETTINGS, "PMG_VASP_PSP_DIR", str(tmp_path / "none"))
    with pytest.raises(InputError, match="check the pseudopotentials in PMG_VASP_PSP_DIR"):
        dft.write_vasp(zns, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_refusals(tmp_path):
    disordered = Structure(Lattice.cubic(3), [{"Zn": 0.5, "S": 0.5}], [[0, 0, 0]])
    with pytest.raises(InputError, match="order it first"):
        write_vasp(disordered, tmp_path / "x")
    with pytest.raises(InputError, match="pseudopotential is assigned to Og"):
        write_vasp(Structure(Lattice.cubic(3), ["Og"], [[0, 0, 0]]), tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_does_not_import_torch():
    code = "import sys, chggen.results.vasp; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("inputs", ["mp-scan", "mp24"])
def test_the_flow_has_the_settings_of_the_files(zns, tmp_path, inputs):
    pytest.importorskip("atomate2", reason="needs chggen[dft]")
    from jobflow import Flow

    folder = write_vasp(zns, tmp_path / "zns", inputs=inputs)
    path = dft.write_flow(zns, tmp_path / "flow.json", inputs=inputs)
    flow = Flow.from_dict(json.loads(path.read_text()))
    assert flow.name == "flow"
    assert len(flow.jobs) == 2
    given = flow.jobs[0].function_args[0]
    assert given.matches(zns.copy().remove_oxidation_states())
    assert flow.jobs[1].function_args[0].uuid == flow.jobs[0].uuid  # the second starts from what the first gives
    assert [job.metadata for job in flow.jobs] == [{"candidate": "flow"}] * 2
    for job, step in zip(flow.jobs, (FIRST, SECOND), strict=True):
        inputs = job.maker.input_set_generator.get_input_set(given, potcar_spec=True)
        assert dict(inputs.incar) == dict(Incar.from_file(folder / step / "INCAR"))


def test_without_the_extra_flows_are_refused(zns, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "atomate2.vasp.flows.core", None)
    with pytest.raises(InputError, match=r"flows need atomate2; install chggen\[dft\]"):
        dft.write_flow(zns, tmp_path / "flow.json")
    assert not list(tmp_path.iterdir())


def test_moments_stand_in_the_order_of_poscar(tmp_path):
    iron = Structure(Lattice.cubic(4), ["O", "Fe", "O", "Fe"], [[0.5, 0.5, 0], [0, 0, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    folder = write_vasp(iron, tmp_path / "a", (0.04, 3.6789, 0.26, 1.24))
    for step in ("1-pbesol", "2-r2scan"):
        poscar = Poscar.from_file(folder / step / "POSCAR", check_for_potcar=False)
        moments = [float(one) for one in Incar.from_file(folder / step / "INCAR")["MAGMOM"]]
        assert dict(zip(map(tuple, poscar.structure.frac_coords.tolist()), moments, strict=True)) == {
            (0.5, 0.5, 0): 0.0,
            (0, 0, 0): 3.7,
            (0.5, 0, 0.5): 0.3,
            (0, 0.5, 0.5): 1.2,
        }
        assert poscar.site_symbols == ["Fe", "O"]
    assert "MAGMOM" in (folder / "README").read_text()
    plain = write_vasp(iron, tmp_path / "b")
    assert "MAGMOM" not in (plain / "README").read_text()


def _iron(**properties):
    places = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
    return Structure(Lattice.cubic(4), ["Fe", "Fe", "O"], places, site_properties=properties)


def _moments(folder):
    return [float(one) for one in Incar.from_file(folder / "2-r2scan" / "INCAR")["MAGMOM"]]


@pytest.mark.parametrize(
    "given",
    [
        [2.0, -2.0, 0.0],
        [2, -2, None],
        [[0.0, 0.0, 2.0], [0.0, 0.0, -2.0], [0.0, 0.0, 0.0]],
        [[1.5, 1.5, 0.0], [-1.4, -1.5, 0.0], [0.0, 0.0, 0.0]],
    ],
)
def test_the_order_of_given_moments_survives(tmp_path, given):
    iron = _iron(magmom=given)
    assert _moments(write_vasp(iron, tmp_path / "a", (3.6, 3.7, 0.1))) == [3.6, -3.7, 0.1]
    assert "signs" in (tmp_path / "a" / "README").read_text()
    own = _moments(write_vasp(iron, tmp_path / "b"))  # a potential without moments
    assert np.sign(own).tolist() == [1, -1, 0]
    assert 2 <= own[0] <= 2.2


def test_given_moments_of_zero_are_no_order(tmp_path):
    assert _moments(write_vasp(_iron(magmom=[0, 0, 0]), tmp_path / "a", (3.6, 3.7, 0.1))) == [3.6, 3.7, 0.1]


def test_positions_of_poscar_lie_in_the_cell(tmp_path):
    far = Structure(Lattice.cubic(4), ["Cs", "Cl"], [[-0.25, 1.5, -1e-18], [2.25, 0, 0.5]])
    folder = write_vasp(far, tmp_path / "far")
    lines = (folder / "1-pbesol" / "POSCAR").read_text().splitlines()[8:10]
    assert [[float(word) for word in line.split()[:3]] for line in lines] == [[0.75, 0.5, 0], [0.25, 0, 0.5]]


def test_poscar_keeps_selective_dynamics(tmp_path):
    folder = write_vasp(_iron(selective_dynamics=[[False] * 3, None, [True, True, False]]), tmp_path / "a")
    for step in ("1-pbesol", "2-r2scan"):
        lines = (folder / step / "POSCAR").read_text().splitlines()
        assert lines[7].strip().lower().startswith("selective")
        assert [line.split()[3:6] for line in lines[9:12]] == [["F"] * 3, ["T"] * 3, ["T", "T", "F"]]


def test_what_the_set_of_pymatgen_thinks_of_gaps_is_no_warning(tmp_path):
    iron = Structure.from_spacegroup("Im-3m", Lattice.cubic(2.8), ["Fe"], [[0, 0, 0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_vasp(iron, tmp_path / "a", (2.2, 2.2))
