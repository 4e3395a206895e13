"""`chggen analyze` from the command line."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

from chggen.cli.app import app
from chggen.results.candidate import Candidate
from chggen.results.folder import Store

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
CHLORIDE = Structure(Lattice.cubic(3.5), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run") / "results"
    good = Candidate(id="a", stage="generate", formula="NaCl", seed=0, structure=SALT, raw=CHLORIDE)
    with Store(run, {"command": "generate"}) as store:
        store.put([good])
        store.export([good])
    SALT.to(str(run.parent / "salt.cif"))
    return run


def _printed(*words: object) -> str:
    result = CliRunner().invoke(app, ["analyze", *(str(word) for word in words)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_a_folder_against_a_file(folder: Path, tmp_path: Path) -> None:
    lines = _printed(folder, "--against", folder.parent / "salt.cif", "-o", tmp_path).splitlines()
    assert lines[0] == "1 structure, compared with 1 other"
    assert lines[4].split() == ["Cl-Cl", "3.99", "3.98", "10.8", "100", "%"]
    assert lines[9].split() == ["Cl", "4", "6.0", "100", "%", "100", "%", "O:6", "100"]
    assert lines[12].split() == ["order,", "%", "these", "others"]
    assert max(map(len, lines)) <= 80
    names = {f"{name}.{ending}" for name in ("distances", "coordination", "angles", "structure-factor")
             for ending in ("svg", "pdf", "csv")}  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == {"analysis.json", *names}
    table = list(csv.DictReader(io.StringIO((tmp_path / "coordination.csv").read_text())))
    assert [(row["element"], row["set"], row["coordination_number"], row["share"]) for row in table] == [
        (element, which, "6", "1.0") for element in ("Cl", "Na") for which in ("these", "against")
    ]


def test_rows_for_programs(folder: Path) -> None:
    said = json.loads(_printed(folder, "--raw", "--json"))
    assert [row.get("pair", row.get("element")) for row in said["results"]] == [
        "Cl-Cl", "Cl-Na", "Na-Na", "Cl", "Na"
    ]  # fmt: skip
    assert said["results"][3]["numbers"] == {"8": 1.0}
    assert said["order"]["strongest"] == 1


def test_a_folder_without_anything_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["analyze", str(tmp_path)])
    assert "no structure files given" in str(result.exception)
