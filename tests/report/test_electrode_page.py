"""The page of an electrode: its contents, its voltages, and points that lead to the rows of candidates."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pymatgen.core import Lattice, Structure

from chggen.report import write_report
from chggen.report.electrode_figures import interactive_electrode, read_electrode
from chggen.results.candidate import Candidate
from chggen.results.folder import Store
from chggen.stability import Electrode
from chggen.workflows.electrode import write_electrode

METAL = -1.9  # eV/atom of lithium


def _candidate(name: str, filled: int, energy: float, **values: Any) -> Candidate:
    """Rutile TiO2 with lithium on some octahedra; energy is that of the cell, eV."""
    structure = Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.6, 2.95), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
    )
    for k in range(filled):
        structure.append("Li", [0.5, 0, 0.5 * k])
    structure.sort()
    return Candidate(
        id=name, stage="electrode", formula=structure.composition.reduced_formula, seed=0, structure=structure,
        raw=structure, level="pbe", energies={"pbe": energy / len(structure)}, **values,
    )  # fmt: skip


CANDIDATES = (
    _candidate("Ti2O4-0001", 0, -50.0),
    _candidate("Ti2O4-Li1-0001", 1, -53.4),
    _candidate("Ti2O4-Li1-0002", 1, -53.4, duplicate_of="Ti2O4-Li1-0001"),
    _candidate("Ti2O4-Li1-0003", 1, -52.0),
    _candidate("Ti2O4-Li2-0001", 2, -56.2),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    electrode = Electrode(
        ion="Li", framework="TiO2", candidates=CANDIDATES, level="pbe", elements={"pbe": METAL},
        displacements={c.id: 0.125 for c in CANDIDATES}, limit="the room between atoms",
    )  # fmt: skip
    with Store(tmp_path, {"seed": 0}) as store:
        store.put(CANDIDATES)
        store.export(CANDIDATES)
    write_electrode(electrode, tmp_path)
    return tmp_path


def test_the_page_has_a_row_for_each_content_that_leads_to_its_candidate(folder: Path) -> None:
    page = write_report(folder).read_text()
    assert "<h2>Li in TiO2, level pbe</h2>" in page
    table = page[page.index("<h2>Li in TiO2") : page.index('<div class="grid">')]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr.*?</tr>", table, flags=re.DOTALL)]
    empty, half, full = rows[1:]
    # -53.4 eV is 0.3 eV below the mean of -50 and -56.2 in two formula units
    assert half[:3] == ["0.5", "-150.0", "0.0"]
    assert half[5:7] == ["0.12", "3"]
    assert (empty[0], full[0]) == ("0", "1")
    assert half[-1] == '<a href="#Ti2O4-Li1-0001">Ti2O4-Li1-0001</a>'
    assert '<tr id="Ti2O4-Li1-0001"' in page
    assert "Voltage against Li: 1.20 V on average" in table  # (-50 + 56.2) / 2 - 1.9
    assert "1.50 V from 0 to 0.5, 0.90 V from 0.5 to 1" in table
    assert "Fullest content limited by: the room between atoms." in table


def test_points_lead_to_rows_and_those_of_duplicates_to_the_row_they_are_counted_in(folder: Path) -> None:
    said = read_electrode(folder)
    assert said is not None
    figure = interactive_electrode(said)
    points = [name for trace in figure.data if trace.customdata is not None for name in trace.customdata]
    assert sorted(points) == sorted(c.id for c in CANDIDATES)
    assert figure.layout.clickmode == "event+select"
    page = write_report(folder).read_text()
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    stands_for = json.loads(data)["stands_for"]
    assert stands_for == {"Ti2O4-Li1-0002": "Ti2O4-Li1-0001"}
    for name in points:
        assert f'<tr id="{stands_for.get(name, name)}"' in page
