"""The results folder: what is put in comes out, one run at a time, and only with the options it was made with."""

from __future__ import annotations

import csv
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.db import connect
from pymatgen.core import Lattice, Structure

from chggen import __version__
from chggen.errors import InputError
from chggen.execution import Machine
from chggen.io import whole
from chggen.results import cif_files
from chggen.results.candidate import Candidate
from chggen.results.database import read_candidates
from chggen.results.folder import Store
from chggen.results.options_differences import differences
from chggen.results.summary import summary_row, summary_text

_OPTIONS = {"command": "generate", "n": 2, "units": [1, 2], "volume": None, "relax": {"fmax": 0.1}}
_CONTRACT = [
    "id",
    "parent",
    "stage",
    "status",
    "failed_at",
    "reason",
    "formula",
    "n_atoms",
    "seed",
    "seed_source",
    "space_group",
    "space_group_loose",
    "framework_symprec",
    "framework_rms",
    "framework_max",
    "energy_per_atom",
    "level",
    "e_decomposition",
    "decomposition_products",
    "energy_per_atom_r2scan",
    "e_decomposition_r2scan",
    "known_as",
    "volume_per_atom",
    "relax_energy_change",
    "relax_rmsd",
    "relax_steps",
    "converged",
    "duplicate_of",
    "n_found",
]


def _salt() -> Structure:
    corners = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    sites = corners + [[x + 0.5, y, z] for x, y, z in corners]
    return Structure(Lattice.cubic(5.64), ["Na"] * 4 + ["Cl"] * 4, sites)


def _candidate(name: str = "NaCl-z4-0000") -> Candidate:
    return Candidate(
        id=name,
        parent="NaCl-z4",
        stage="inpaint",
        formula="NaCl",
        seed=2**61 + 1,
        structure=_salt(),
        raw=_salt().perturb(0.1),
        space_group=225,
        level="pbe",
        energies={"pbe": -3.375},
        converged=True,
        relax_steps=7,
    )


def _failed() -> Candidate:
    reason = 'overlap: Na–Cl 0.3 Å, "close"\nsecond line'
    return Candidate(
        id="NaCl-z4-0001", stage="generate", formula="NaCl", seed=3, status="failed", failed_at="screen", reason=reason
    )


def test_candidates_come_back_as_they_were_put(tmp_path: Path) -> None:
    with Store(tmp_path / "a" / "run", _OPTIONS) as store:
        store.put([_failed(), _candidate()])
        found = store.candidates()
    assert list(found) == ["NaCl-z4-0000", "NaCl-z4-0001"]
    for got, put in zip(found.values(), (_candidate(), _failed()), strict=True):
        assert summary_row(got) == summary_row(put)
        assert got.structure == put.structure
    back, put = found["NaCl-z4-0000"].structure, _candidate().structure
    assert back is not None
    assert put is not None
    assert np.array_equal(back.frac_coords, put.frac_coords)
    assert np.array_equal(back.lattice.matrix, put.lattice.matrix)
    assert found["NaCl-z4-0001"].raw is None
    assert [c.id for c in read_candidates(tmp_path / "a" / "run")] == list(found)


def test_the_log_says_when_a_run_begins_and_ends_and_how(tmp_path: Path) -> None:
    with Store(tmp_path, {"command": "generate"}) as store:
        store.export([_candidate(), _failed()])
    with pytest.raises(KeyError), Store(tmp_path, {"command": "generate"}):
        raise KeyError
    told = [line.split("INFO ")[1] for line in (tmp_path / "log.txt").read_text().splitlines()]
    first, end, again, stopped = (re.sub(r"[\d.]+ s", "N s", line) for line in told)
    assert first == again == f"begins: generate, chggen {__version__}"
    assert end == "ends after N s: 1 ok, 1 failed"
    assert stopped == "ends after N s: unfinished (KeyError)"


def test_the_files_are_made_by_as_many_processes_as_the_run_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines: list[Machine] = []

    class Noted(cif_files.Workers):
        def __init__(self, machine: Machine) -> None:
            machines.append(machine)
            super().__init__(machine)

    monkeypatch.setattr(cif_files, "Workers", Noted)
    with Store(tmp_path, _OPTIONS, machine=Machine(workers=1)) as store:
        store.export([_candidate()])
    assert [machine.workers for machine in machines] == [1]


def test_a_candidate_put_again_replaces_the_old_record(tmp_path: Path) -> None:
    with Store(tmp_path, _OPTIONS) as store:
        store.put([_candidate(), _failed()])
        store.put([Candidate(id="NaCl-z4-0000", stage="generate", formula="NaCl", seed=1)])
        found = store.candidates()
    assert len(found) == 2
    assert found["NaCl-z4-0000"].seed == 1
    assert found["NaCl-z4-0000"].energy_per_atom is None
    rows = list(connect(tmp_path / "candidates.db").select(candidate="NaCl-z4-0000"))
    assert len(rows) == 1
    assert "energy_per_atom" not in rows[0].key_value_pairs


@pytest.mark.parametrize("name", ["1", "1e5", "True", "nan"])
def test_names_that_read_as_numbers_are_kept(tmp_path: Path, name: str) -> None:
    with Store(tmp_path, _OPTIONS) as store:
        store.put([_candidate(name)])
        store.put([_candidate(name)])
        assert list(store.candidates()) == [name]


def test_a_batch_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    def broken() -> Iterator[Candidate]:
        yield _candidate()
        raise RuntimeError("killed here")

    with Store(tmp_path, _OPTIONS) as store:
        with pytest.raises(RuntimeError, match="killed here"):
            store.put(broken())
        assert store.candidates() == {}


def test_the_summary_has_the_columns_of_the_contract(tmp_path: Path) -> None:
    with Store(tmp_path, _OPTIONS, levels=("r2scan",)) as store:
        store.export([_failed(), _candidate()])
    with (tmp_path / "summary.csv").open(newline="") as handle:
        head, *rows = list(csv.reader(handle))
    assert head[: len(_CONTRACT)] == _CONTRACT
    assert set(head[len(_CONTRACT) :]) >= {
        "space_group_symbol",
        "volume",
        "density",
        "confidence",
        "found_by",
        "answer",
    }
    failed, good = (dict(zip(head, row, strict=True)) for row in rows)
    assert failed["id"] == "NaCl-z4-0001"  # the order given
    assert failed["reason"] == _failed().reason
    assert failed["n_atoms"] == failed["energy_per_atom"] == failed["converged"] == ""
    assert (good["n_atoms"], good["seed"], good["converged"]) == ("8", str(2**61 + 1), "True")
    assert float(good["volume_per_atom"]) == pytest.approx(5.64**3 / 8, abs=1e-5)
    assert float(good["volume"]) == pytest.approx(5.64**3, abs=1e-4)
    assert float(good["density"]) == pytest.approx(2.164, abs=1e-3)  # of rock salt
    assert good["space_group_symbol"] == "Fm-3m"


def test_structures_are_written_symmetrised_and_in_p1(tmp_path: Path) -> None:
    with Store(tmp_path, _OPTIONS) as store:
        store.export([_candidate(), _failed()])
    names = sorted(p.name for p in (tmp_path / "structures").iterdir())
    assert names == ["NaCl-z4-0000-P1.cif", "NaCl-z4-0000.cif"]
    symmetrised, plain = ((tmp_path / "structures" / name).read_text() for name in reversed(names))
    assert "_symmetry_Int_Tables_number   225" in symmetrised
    assert "symprec 0.001" in symmetrised
    assert "_symmetry_Int_Tables_number   1\n" in plain
    for name in names:
        assert len(Structure.from_file(tmp_path / "structures" / name)) == 8


def test_ase_opens_the_database(tmp_path: Path) -> None:
    with Store(tmp_path, _OPTIONS) as store:
        store.put([_candidate(), _failed()])
    line = [sys.executable, "-m", "ase", "db", str(tmp_path / "candidates.db"), "status=ok", "-c", "formula,candidate"]
    shown = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    assert "NaCl-z4-0000" in shown
    assert "NaCl-z4-0001" not in shown


def test_a_folder_is_open_for_one_run_at_a_time(tmp_path: Path) -> None:
    with Store(tmp_path, _OPTIONS), pytest.raises(InputError, match="in use by another run"), Store(tmp_path, _OPTIONS):
        pass
    with Store(tmp_path, _OPTIONS):  # free again
        pass


def test_a_lock_file_of_a_killed_run_blocks_nobody(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    (tmp_path / "candidates.db.lock").touch()  # what ase would leave behind
    with Store(tmp_path, _OPTIONS) as store:
        store.put([_candidate()])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 1}, "made with -n 2, now 1;"),
        ({"units": [1]}, "made with --units 1,2, now 1;"),
        ({"volume": 9.5}, "made with --volume not given, now 9.5;"),
        ({"relax": {"fmax": 0.2}}, "made with --fmax 0.1, now 0.2;"),
        ({"relax": None}, "made with relaxation, now --no-relax;"),
    ],
)
def test_other_options_are_refused_by_name(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with Store(tmp_path, _OPTIONS):
        pass
    before = (tmp_path / "config.toml").read_text()
    with pytest.raises(InputError, match=message), Store(tmp_path, {**_OPTIONS, **change}):
        pass
    assert (tmp_path / "config.toml").read_text() == before
    with Store(tmp_path, _OPTIONS):  # refusing leaves the folder unlocked
        pass


def test_what_differs_is_said_in_short() -> None:
    kept = {"guests": {"Li": 4}, "host": "ab12", "n": 2, "model_content": "aa", "relax": {"fmax": 0.1, "cell": True}}
    now = {"guests": {"Li": 5}, "host": "cd34", "n": 2, "model_content": "bb", "relax": {"fmax": 0.2, "cell": True}}
    assert differences(kept, kept) == ""
    assert differences(kept, now) == "--guest Li=4, now Li=5; another host; other content of --model; …"
    given = {"structures": [f"{name} 0123" for name in "abc"]}
    assert differences(given, {"structures": ["a 0123", "b 4567", "x y 89"]}) == "other structures: b, c, x y"
    long = {f"option_{k}": "x" * 500 for k in range(9)}
    assert 60 < len(differences(long, {**long, **dict.fromkeys(long, "y" * 500)})) <= 160
    many = differences({"structures": []}, {"structures": [f"structure-{k} 0" for k in range(99)]})
    assert len(many) <= 160


def test_candidates_without_options_are_refused(tmp_path: Path) -> None:
    with Store(tmp_path, _OPTIONS) as store:
        store.put([_candidate()])
    (tmp_path / "config.toml").unlink()
    with pytest.raises(InputError, match=r"no config\.toml"), Store(tmp_path, _OPTIONS):
        pass


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match=r"cannot write results to .*--out"), Store(folder, _OPTIONS):
            pass
    assert (tmp_path / "file").read_text() == "kept"


def test_a_database_that_is_none_is_refused_and_left(tmp_path: Path) -> None:
    with Store(tmp_path, _OPTIONS):
        pass
    (tmp_path / "candidates.db").write_text("no database\n" * 100)
    with pytest.raises(InputError, match=r"candidates\.db is damaged or no database"), Store(tmp_path, _OPTIONS):
        pass
    with pytest.raises(InputError, match=r"candidates\.db is damaged or no database"):
        read_candidates(tmp_path)
    (tmp_path / "candidates.db").unlink()
    with Store(tmp_path, _OPTIONS):  # refusing leaves the folder unlocked
        pass


def test_a_folder_without_candidates_is_refused_by_readers(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a results folder"):
        read_candidates(tmp_path)


def test_numbers_of_the_summary_are_rounded() -> None:
    one = Candidate(id="a", stage="generate", formula="Na", seed=1, level="pbe", energies={"pbe": -1.23456789})
    text = summary_text([one])
    assert ",-1.23457," in text


def test_the_likeliest_crystal_of_each_formula_is_marked() -> None:
    found = {"level": "pbe", "n_found": 1, "found_by": "bravais"}
    high = replace(_candidate("high"), energies={"pbe": -3.0}, **found)
    low = replace(_candidate("low"), energies={"pbe": -3.2}, **found)
    twin = replace(_candidate("twin"), energies={"pbe": -3.1}, duplicate_of="low")
    rows = csv.DictReader(io.StringIO(summary_text([low, twin, high, _failed()])))
    told = {row["id"]: (row["answer"], row["confidence"], row["found_by"]) for row in rows}
    assert told["low"] == ("True", "low", "bravais")
    assert told["high"] == ("False", "low", "bravais")
    assert told["twin"] == ("False", "", "")
    assert told[_failed().id] == ("", "", "")


@pytest.mark.parametrize("sign", list("=+-@\t\r"))
def test_text_is_no_formula_of_a_spreadsheet_and_numbers_stay_numbers(sign: str) -> None:
    text = f"{sign}1+1"
    one = replace(_candidate(text), reason=text, energies={"pbe": -3.5}, formula="NaCl", seed=5)
    (row,) = csv.DictReader(io.StringIO(summary_text([one])))
    assert row["id"] == row["reason"] == f"'{text}".replace("\r", "\n")
    assert (row["energy_per_atom"], row["seed"], row["formula"]) == ("-3.5", "5", "NaCl")


def test_every_column_is_explained() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "summary-csv.md").read_text()
    explained = {
        name
        for line in page.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    columns = set(summary_row(_candidate(), ["LEVEL"]))
    assert columns - explained == set()
    assert explained - columns == set()


def test_a_folder_of_another_version_is_refused_by_what_is_unknown(tmp_path: Path) -> None:
    with Store(tmp_path, _OPTIONS) as store:
        store.put([_candidate()])
    path = tmp_path / "config.toml"
    text = path.read_text()
    path.write_text("future = 1\n" + text)
    with (
        pytest.raises(InputError, match=r"config\.toml has future, which chggen .* does not know"),
        Store(tmp_path, _OPTIONS),
    ):
        pass
    path.write_text(text.replace("chggen_format = 2", "chggen_format = 99"))
    assert path.read_text() != text
    with pytest.raises(InputError, match=r"chggen_format = 99 .*update chggen"), Store(tmp_path, _OPTIONS):
        pass
    path.write_text("".join(line for line in text.splitlines(True) if "chggen_format" not in line))
    with Store(tmp_path, _OPTIONS) as store:  # of the version before, which stated no format
        assert len(store.candidates()) == 1


def test_what_a_killed_run_left_is_gone_when_the_folder_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(tmp_path, _OPTIONS) as store:
        store.export([_candidate()])
    kept = sorted(p for p in tmp_path.rglob("*"))
    with whole(tmp_path / "a.csv") as left, whole(tmp_path / "structures" / "a.cif") as other:
        for name in (left, Path(f"{left}-journal"), other):
            name.write_text("half")
        with monkeypatch.context() as patched:
            patched.setattr(os, "kill", _no_such_process)
            with Store(tmp_path, _OPTIONS):
                assert sorted(p for p in tmp_path.rglob("*")) == kept
        left.touch()
        other.touch()


def _no_such_process(*_: object) -> None:
    raise ProcessLookupError


def test_names_that_lead_elsewhere_are_refused_in_inputs(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(InputError, match="separator of folders"), Store(folder, _OPTIONS, structures={"../x": _salt()}):
        pass
    assert not list(tmp_path.glob("x*"))


@pytest.mark.parametrize("name", ["log.txt", "summary.csv", "structures", "inputs", ".lock", "config.toml"])
def test_what_is_in_the_way_is_refused_before_anything_is_computed(tmp_path: Path, name: str) -> None:
    if "." in name:
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=re.escape(name)), Store(tmp_path, _OPTIONS):
        pass
    if name != ".lock" and hasattr(os, "mkfifo") and "." in name:
        (tmp_path / name).rmdir()
        os.mkfifo(tmp_path / name)  # which would never end
        with pytest.raises(InputError, match=re.escape(name)), Store(tmp_path, _OPTIONS):
            pass
