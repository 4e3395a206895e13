"""The page of a results folder: self-contained, complete, escaped; and the numbers its figures show."""

from __future__ import annotations

import csv
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure

from chggen.errors import InputError
from chggen.report.figures import attrition, decomposition_histogram
from chggen.report.page import write_report
from chggen.results.candidate import Candidate
from chggen.results.folder import Store

SALT = Structure(Lattice.cubic(3.4), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def _candidate(name: str, **values: object) -> Candidate:
    return Candidate(**{"id": name, "stage": "generate", "formula": "NaCl", "seed": 0, "raw": SALT, **values})


def _good(name: str, energy: float, **values: object) -> Candidate:
    placed = {"level": "pbe", "energies": {"pbe": energy - 3.5}, "decomposition_energies": {"pbe": energy}}
    return _candidate(name, structure=SALT, **{**placed, **values})


CANDIDATES = [
    _good("g0001", 0.0512, n_found=2),
    _good("g0002", 0.0519, duplicate_of="g0001"),
    _good("g0003", -0.0123, level="pbe", space_group_loose=225, decomposition_products="NaCl -> Cl + Na"),
    _candidate("g0004", status="failed", failed_at="screen", reason="overlap: Na–Cl 0.92 Å"),
    _candidate("g0005", status="failed", failed_at="relax", reason="fmax <b>rose</b> & stayed > 1 eV/Å"),
    _candidate("g0006", status="failed", failed_at="sample", reason="NaN", raw=None),
    _good("i0001", 0.3, stage="inpaint", parent="g0001", known_as="<script>alert(1)</script>"),
    _candidate("i0002", stage="inpaint", structure=SALT, level="pbe", energies={"pbe": -3.4}),
    _candidate("i0003", stage="inpaint", status="failed", failed_at="hull", reason="no reference for Cl"),
]


class Loads(HTMLParser):
    """What a page loads from elsewhere, its tags, and the texts of its table cells."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self.columns: list[list[str]] = []
        self.stable: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        loaded = [v or "" for k, v in attrs if k in ("src", "href", "srcset", "data", "action")]
        self.loads += [address for address in loaded if not address.startswith("#")]
        if tag == "tr":
            self.rows.append([])
            self.columns.append([])
            self.stable.append(("class", "stable") in attrs)
        if tag == "td":
            self.rows[-1].append("")
            self.columns[-1].append(dict(attrs).get("data-column") or "")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1] and self.tags[-1] in ("td", "a"):
            self.rows[-1][-1] += data.strip()

    def candidates(self) -> dict[str, dict[str, str]]:
        """The rows of the table of candidates, by id."""
        tables = (dict(zip(keys, row, strict=True)) for keys, row in zip(self.columns, self.rows, strict=True))
        return {row["candidate"]: row for row in tables if "candidate" in row}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "salt & <pepper>"
    with Store(folder, {"seed": 0}) as store:
        store.put(CANDIDATES)
        store.export(CANDIDATES)
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return write_report(folder).read_text()


@pytest.fixture(scope="module")
def parsed(page: str) -> Loads:
    parser = Loads()
    parser.feed(page)
    return parser


def test_the_page_lies_where_it_is_asked_for(folder: Path, tmp_path: Path) -> None:
    assert write_report(folder) == folder / "report.html"
    assert write_report(folder, tmp_path / "elsewhere") == tmp_path / "elsewhere" / "report.html"
    assert (tmp_path / "elsewhere" / "report.html").read_text().startswith("<!doctype html>")
    assert not list(folder.glob("*.part"))


def test_nothing_is_loaded_from_elsewhere(page: str, parsed: Loads) -> None:
    assert parsed.loads == []
    assert not {"link", "iframe", "img", "object", "embed"} & set(parsed.tags)
    assert "@import" not in page
    assert not re.search(r"url\(\s*['\"]?https?:", page)
    assert "Plotly.newPlot" in page
    assert len(page) > 1_000_000  # plotly itself is in the page


def test_a_further_level_has_a_column(tmp_path: Path) -> None:
    with Store(tmp_path / "run", {"command": "generate"}) as store:
        store.put([CANDIDATES[0].with_energy("r2scan", -9.0, 0.0321), CANDIDATES[2]])
    page = write_report(tmp_path / "run").read_text()
    parser = Loads()
    parser.feed(page)
    assert "E_d at r2scan, eV/atom" in page
    assert {name: row["e_d_r2scan"] for name, row in parser.candidates().items()} == {"g0001": "0.0321", "g0003": ""}


def test_every_distinct_candidate_is_ranked(parsed: Loads) -> None:
    ranked = parsed.candidates()
    assert list(ranked) == ["g0003", "g0001", "i0001", "i0002"]
    shown = ranked["g0003"]
    expected = {
        "stage": "generate", "formula": "NaCl", "atoms": "2", "e_d": "-0.0123", "energy": "-3.5123", "level": "pbe",
        "group": "Fm-3m (225)", "decomposition": "NaCl -> Cl + Na", "volume": "19.65", "density": "2.47",
    }  # fmt: skip
    assert {key: shown[key] for key in expected} == expected
    assert ranked["g0001"]["found"] == "2"
    assert ranked["i0002"]["e_d"] == ""
    assert sum(parsed.stable) == 1
    assert parsed.rows[parsed.stable.index(True)][0] == "g0003"


def test_a_doubtful_row_says_so_and_is_not_shown_as_stable(tmp_path: Path) -> None:
    doubtful = replace(CANDIDATES[2], id="g0009", hull_warning="no known phase of NaCl; add phases")
    with Store(tmp_path / "run", {"command": "generate"}) as store:
        rows_put = [CANDIDATES[2], doubtful.with_energy("r2scan", -9.0, -0.2)]
        store.put(rows_put)
        store.export(rows_put)
    parser = Loads()
    parser.feed(write_report(tmp_path / "run").read_text())
    rows = parser.candidates()
    stable = {row[0]: marked for row, marked in zip(parser.rows, parser.stable, strict=True) if row}
    assert (rows["g0003"]["e_d"], stable["g0003"]) == ("-0.0123", True)
    shown = rows["g0009"]
    assert (shown["e_d"], shown["e_d_r2scan"], shown["doubts"]) == ("-0.0123 !", "-0.2000 !", doubtful.hull_warning)
    assert not stable["g0009"]


def test_every_failure_is_listed_with_step_and_reason(parsed: Loads) -> None:
    failed = [tuple(cell.strip() for cell in row) for row in parsed.rows if len(row) == 3]
    assert failed == [(c.id, c.failed_at, c.reason) for c in CANDIDATES if c.status == "failed"]


def test_the_counts_add_up(page: str) -> None:
    assert "9 candidates, 4 distinct and good, 4 failed." in page


def test_text_of_candidates_and_folders_is_escaped(page: str) -> None:
    assert "<h1>salt &amp; &lt;pepper&gt;</h1>" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert(1)" not in page
    assert "<b>rose" not in page


def test_the_folder_one_stands_in_has_a_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert "<h1>salt &amp; &lt;pepper&gt;</h1>" in write_report(Path()).read_text()


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no candidates.db in"):
        write_report(tmp_path)


def test_a_run_in_which_everything_failed_has_a_page(tmp_path: Path) -> None:
    with Store(tmp_path / "run", {}) as store:
        store.put([c for c in CANDIDATES if c.status == "failed"])
    page = write_report(tmp_path / "run").read_text()
    assert "4 candidates, 0 distinct and good, 4 failed." in page
    assert "Stability" not in page


def test_what_was_not_compared_is_not_called_distinct_and_saddles_are_told_of(tmp_path: Path) -> None:
    unrelaxed = [_candidate(name, structure=SALT) for name in ("a", "b")]
    with Store(tmp_path / "raw", {}) as store:
        store.put(unrelaxed)
    assert "2 candidates, 2 good (not compared for duplicates), 0 failed." in write_report(tmp_path / "raw").read_text()
    with Store(tmp_path / "run", {}) as store:
        store.put([_candidate("a", status="failed", failed_at="relax"), _good("a-low", 0.1, parent="a")])
    page = write_report(tmp_path / "run").read_text()
    assert "Not in the symmetry that was drawn, which was that of a saddle: a-low." in page


def test_attrition_takes_failures_off_where_they_happened() -> None:
    generate, inpaint = attrition(CANDIDATES).data
    assert generate.name == "generate"
    assert dict(zip(generate.x, generate.y, strict=True)) == {
        "asked for": 6, "framework": 6, "sampled": 5, "screened": 4, "relaxed": 3, "refined": 3, "distinct": 2,
    }  # fmt: skip
    assert inpaint.name == "inpaint"
    assert list(inpaint.y) == [3, 3, 3, 3, 3, 3, 2]
    lost_framework = _candidate("i0004", stage="inpaint", status="failed", failed_at="refine", raw=None)
    lost_later = _candidate("i0005", stage="inpaint", status="failed", failed_at="refine")
    assert list(attrition([lost_framework, lost_later]).data[0].y) == [2, 1, 1, 1, 1, 0, 0]


def test_the_histogram_holds_the_energies_of_good_candidates() -> None:
    generate, inpaint = decomposition_histogram(CANDIDATES).data
    assert list(generate.x) == [0.0512, 0.0519, -0.0123]
    assert list(inpaint.x) == [0.3]
    assert decomposition_histogram([replace(c, decomposition_energies={}) for c in CANDIDATES]) is None
    failed = [replace(c, status="failed") for c in CANDIDATES]
    assert decomposition_histogram(failed) is None


def test_a_stopped_run_gets_its_table_and_files_by_a_report(tmp_path: Path) -> None:
    found = [_good("g1", 0.05), _good("g2", 0.051), _good("g3", -0.2)]
    with Store(tmp_path / "run", {"seed": 0}) as store:
        store.put(found)  # and no export: the run was stopped
    write_report(tmp_path / "run", tmp_path / "elsewhere")
    assert not (tmp_path / "run" / "summary.csv").exists()
    write_report(tmp_path / "run")

    def rows() -> list[tuple[str, str, str]]:
        with (tmp_path / "run" / "summary.csv").open() as table:
            return [(row["id"], row["duplicate_of"], row["answer"]) for row in csv.DictReader(table)]

    assert rows() == [("g3", "", "True"), ("g1", "", "False"), ("g2", "g1", "False")]
    assert len(list((tmp_path / "run" / "structures").iterdir())) == 6
    (tmp_path / "run" / "summary.csv").write_text("id,duplicate_of,answer\nmine,,\n")
    write_report(tmp_path / "run")
    assert rows() == [("mine", "", "")]  # as new as the database
    os.utime(tmp_path / "run" / "summary.csv", (1, 1))
    write_report(tmp_path / "run")
    assert len(rows()) == 3


def test_the_page_of_relaxed_structures_says_so_and_groups_none(tmp_path: Path) -> None:
    given = [_good(name, 0.05, stage="relax", decomposition_energies={}) for name in ("b", "a")]
    with Store(tmp_path, {"command": "relax"}) as store:
        store.put(given)
    page = write_report(tmp_path).read_text()
    assert "<h2>Relaxed structures</h2>" in page
    assert "Ranked candidates" not in page
    with (tmp_path / "summary.csv").open() as table:
        assert [(row["duplicate_of"], row["answer"]) for row in csv.DictReader(table)] == [("", "")] * 2
