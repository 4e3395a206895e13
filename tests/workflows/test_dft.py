"""DFT results read back: energies at a level of their own, and what is of no use is marked and said."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp import Vasprun

import chggen
from chggen.cli.app import main
from chggen.results import Candidate, Store
from chggen.stability.reference_entry import ReferenceEntry
from chggen.stability.references import References

_TEXTS = files("ase.test.testdata.vasp")
_SALT = (_TEXTS / "vasprun_dfpt.xml").read_text()  # NaCl by PBE, two atoms
_CARBON = (_TEXTS / "vasprun_pstress.xml").read_text()
_ENERGY = -6.74587304 / 2


def _salt(edge: float = 4.0) -> Structure:
    return Structure(Lattice([[0, edge, edge], [edge, 0, edge], [edge, edge, 0]]), ["Na", "Cl"], [[0] * 3, [0.5] * 3])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A results folder of five candidates, four of which have been computed by DFT in one way or another."""
    folder = tmp_path / "run"
    made = [
        Candidate(
            id=name, stage="generate", formula="NaCl", seed=k, level="pbe",
            structure=_salt(2.8 + 0.01 * k), raw=_salt(),
            energies={"pbe": -3.3 + 0.05 * k}, decomposition_energies={"pbe": 0.05 * k},
        )
        for k, name in enumerate(("good", "cut", "carbon", "other", "left"))
    ]  # fmt: skip
    with Store(folder, {"command": "generate", "seed": 0}) as store:
        store.put(made)
        store.export(made)
    for name, text in (("good", _SALT), ("cut", _SALT[:20000]), ("carbon", _CARBON), ("elsewhere", _SALT)):
        step = folder / "export" / "vasp" / name / "2-r2scan"
        step.mkdir(parents=True)
        (step / "vasprun.xml").write_text(text)
    return folder


def _references(level: str) -> References:
    return References.from_entries(
        [
            ReferenceEntry(id=name, formula=name, level=level, energy_per_atom=energy, space_group=0, n_atoms=1)
            for name, energy in (("Na", -1.3), ("Cl", -1.8), ("NaCl", -3.4))
        ]
    )


def test_energies_come_back_as_a_level_of_their_own(run: Path) -> None:
    found = {c.id: c for c in chggen.import_dft(run, references=_references("pbe-dft"))}
    good = found["good"]
    assert good.energies == {"pbe": -3.3, "pbe-dft": pytest.approx(_ENERGY, abs=1e-8)}
    assert good.decomposition_energies["pbe-dft"] == pytest.approx(_ENERGY + 3.4, abs=1e-6)
    assert good.deciding_level == "pbe-dft"
    assert good.unplaced_at is None
    assert {name: found[name].unplaced_at for name in ("cut", "carbon", "left")} == {
        "cut": "pbe-dft", "carbon": "pbe-dft", "left": None,
    }  # fmt: skip
    log = (run / "log.txt").read_text()
    assert "cut: no energy at level pbe-dft: it has not ended, or cannot be read" in log
    assert "carbon: no energy at level pbe-dft: it is one of C" in log
    relaxed = Structure.from_file(run / "dft" / "good.cif")
    assert relaxed.matches(
        Vasprun(run / "export/vasp/good/2-r2scan/vasprun.xml", parse_potcar_file=False).structures[-1]
    )
    assert "energy_per_atom_pbe-dft" in (run / "summary.csv").read_text().splitlines()[0]
    assert list(found) == [c.id for c in chggen.open(run)]


def test_reading_the_same_again_changes_nothing_and_references_may_come_later(run: Path) -> None:
    chggen.import_dft(run)
    first = (run / "summary.csv").read_text()
    chggen.import_dft(run)
    assert (run / "summary.csv").read_text() == first
    found = {c.id: c for c in chggen.import_dft(run, references=_references("pbe-dft"))}
    assert found["good"].decomposition_energies["pbe-dft"] == pytest.approx(_ENERGY + 3.4, abs=1e-6)


def _task(structure: Structure, energy: float, run_type: str, when: str = "", ended: str = "success") -> dict[str, Any]:
    return {
        "calcs_reversed": [{"has_vasp_completed": ended, "run_type": run_type}],
        "output": {"energy": energy, "structure": structure.as_dict()},
        "run_type": run_type,
        "completed_at": when,
        "structure": structure.as_dict(),
    }


def test_documents_of_atomate2_are_read_and_the_last_step_counts(run: Path, tmp_path: Path) -> None:
    pre, last = _task(_salt(2.82), -6.0, "PBESol", "2026-02-01"), _task(_salt(2.82), -7.0, "r2SCAN", "2026-01-01")
    stored = [{"uuid": "1", "index": 1, "output": task, "metadata": {"candidate": "good"}} for task in (last, pre)]
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "flow.jsonl").write_text("\n".join(map(json.dumps, stored)))
    (documents / "other.json").write_text(json.dumps(_task(_salt(2.83), -6.9, "GGA")))
    (documents / "left.json").write_text(json.dumps(_task(_salt(2.84), -6.8, "r2SCAN", ended="failed")))
    (documents / "cut.json").write_text(json.dumps(_task(_salt(2.84), -6.7, "r2SCAN")))
    found = {c.id: c for c in chggen.import_dft(run, documents)}
    assert {c.id: c.energies.get("r2scan-dft") for c in found.values()} == {
        "good": -3.5, "cut": -3.35, "other": None, "left": None, "carbon": None,
    }  # fmt: skip
    assert found["other"].unplaced_at == found["left"].unplaced_at == "r2scan-dft"
    assert (
        "other: no energy at level r2scan-dft: its functional is gga, that of the others r2scan"
        in (run / "log.txt").read_text()
    )


def test_a_crystal_that_has_become_another_is_doubted(run: Path, tmp_path: Path) -> None:
    cesium_type = Structure(Lattice.cubic(3.5), ["Na", "Cl"], [[0] * 3, [0.5] * 3])
    (tmp_path / "good.json").write_text(json.dumps(_task(cesium_type, -7.0, "r2SCAN")))
    found = {c.id: c for c in chggen.import_dft(run, tmp_path / "good.json")}
    assert found["good"].hull_warning == "at level r2scan-dft: relaxed to another structure (dft/good.cif)"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is no JSON; expected documents of atomate2"),
        ("[1, 2]", "holds no calculation of a candidate; expected folders named by their ids"),
        (json.dumps({"calcs_reversed": []}), "none of 1 calculation has a result"),
        (json.dumps(_task(_salt(2.82), float("nan"), "r2SCAN")), "its energy is nan"),
    ],
)
def test_what_holds_no_results_is_refused(run: Path, tmp_path: Path, text: str, told: str) -> None:
    before = (run / "summary.csv").read_text()
    (tmp_path / "good.json").write_text(text)
    with pytest.raises(chggen.InputError) as refused:
        chggen.import_dft(run, tmp_path / "good.json")
    assert told in str(refused.value)
    assert len(str(refused.value)) <= 300 + len(str(tmp_path))
    assert (run / "summary.csv").read_text() == before


def test_the_level_of_a_potential_is_refused(run: Path) -> None:
    with pytest.raises(chggen.InputError, match="level 'r2scan' is that of a potential; give DFT a level of its own"):
        chggen.import_dft(run, level="r2scan")


def test_the_command_shows_the_table(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["chggen", "import-dft", str(run), "--level", "mine"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert "mine" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["chggen", "import-dft", str(run), "nowhere"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "no calculations at nowhere" in capsys.readouterr().err


def test_what_cannot_be_read_costs_its_own_candidate(
    run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    documents = tmp_path / "documents"
    (documents / "nobody").mkdir(parents=True)
    (documents / "good.json").write_text(json.dumps(_task(_salt(2.82), -7.0, "r2SCAN")))
    (documents / "other.json").write_text('{"calcs_rev')  # it is still being written
    (documents / "stranger.json").write_text("{}")
    found = {c.id: c for c in chggen.import_dft(run, documents)}
    assert found["good"].energies["r2scan-dft"] == -3.5
    assert found["other"].unplaced_at == "r2scan-dft"
    told = [record.getMessage() for record in caplog.records]
    assert any("nobody is left out: no candidate has this id" in text for text in told)
    assert any("stranger.json is left out: it holds no document of a candidate" in text for text in told)


def test_a_task_that_failed_has_no_energy(run: Path, tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text(json.dumps({**_task(_salt(2.82), -7.0, "r2SCAN"), "state": "failed"}))
    with pytest.raises(chggen.InputError, match="it has not converged"):
        chggen.import_dft(run, tmp_path / "good.json")
