"""`chggen match` and `chggen report --figures` from the command line."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from pymatgen.analysis.diffraction.xrd import XRDCalculator
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

from chggen.cli.app import app
from chggen.errors import InputError
from chggen.results.candidate import Candidate
from chggen.results.folder import Store

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
CHLORIDE = Structure(Lattice.cubic(3.5), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run")
    forms = {"b1": SALT, "b2": CHLORIDE}
    some = [
        Candidate(id=k, stage="generate", formula="NaCl", seed=0, structure=s, raw=s, space_group_loose=221)
        for k, s in forms.items()
    ]
    with Store(run, {"command": "generate"}) as store:
        store.put(some)
        store.export(some)
    peaks = XRDCalculator("CuKa").get_pattern(CHLORIDE)
    x = np.arange(15, 80, 0.04)
    y = 10 + sum(h * np.exp(-(((x - p) / 0.12) ** 2)) for p, h in zip(peaks.x, peaks.y, strict=True))
    (run / "pattern.xy").write_text("\n".join(f"{a:.2f} {b:.4f}" for a, b in zip(x, y, strict=True)))
    return run


def _printed(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_the_table_fits_and_the_file_can_be_drawn(folder: Path, tmp_path: Path) -> None:
    lines = _printed("match", folder, folder / "pattern.xy").splitlines()
    assert lines[2].split()[:2] == ["b2", "Pm-3m"]
    assert max(map(len, lines[:4])) <= 80
    assert (folder / "match.json").is_file()
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Powder pattern, measured" in page
    assert "Pattern: pattern.xy, wavelength CuKa." in page
    assert page.count('<div class="plot">') == 2  # the patterns, and what was left after each step
    said = _printed("report", folder, "--figures", tmp_path, "-o", tmp_path)
    assert "6 files of figures" in said  # attrition and powder, three each
    assert (tmp_path / "powder.svg").is_file()


def test_rows_come_as_json_and_csv(folder: Path, tmp_path: Path) -> None:
    rows = json.loads(_printed("match", folder, folder / "pattern.xy", "--json", "-o", tmp_path))["results"]
    table = list(csv.DictReader(io.StringIO(_printed("match", folder, folder / "pattern.xy", "--csv", "-o", tmp_path))))
    assert [row["id"] for row in rows] == [row["id"] for row in table] == ["b2", "b1"]
    assert float(table[0]["agreement"]) == rows[0]["agreement"] > 0.99
    with pytest.raises(InputError, match="--json and --csv"):
        _printed("match", folder, folder / "pattern.xy", "--csv", "--json", "-o", tmp_path)
