"""Figures for papers: files of every figure that a run has, in one style, with data that are right."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from pymatgen.core import Lattice, Structure

from chggen.errors import InputError
from chggen.report import save_figures
from chggen.report.figure_files import HEIGHT, STYLE, WIDTH, PaperFigure, save_figure, without_overlaps
from chggen.results.candidate import Candidate
from chggen.results.folder import Store

CELL = Structure(Lattice.cubic(4.2), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def _candidate(name: str, e_d: float | None, **values: Any) -> Candidate:
    placed = {} if e_d is None else {"pbe": e_d}
    return Candidate(
        id=name, stage="generate", formula="MgO", seed=0, structure=CELL, raw=CELL, level="pbe",
        energies={"pbe": -6.0}, decomposition_energies=placed, **values,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run")
    some = [
        _candidate("a", -0.03),
        _candidate("b", 0.11),
        _candidate("c", 0.11, duplicate_of="b"),
        _candidate("d", None, status="failed", failed_at="relax", reason="none"),
    ]
    with Store(run, {"command": "generate"}) as store:
        store.put(some)
        store.export(some)
    step = {"low": 0.0, "high": 1.0, "voltage": 1.5}
    contents = [
        {
            "content": x, "mixing_energy": 0.0, "above_hull": 0.0, "e_decomposition": None, "volume": 70.0, "best": "a",
            "framework_rms": None, "n_candidates": 1, "topotactic": True, "n_changed": 0, "within_error": False,
        }
        for x in (0.0, 1.0)
    ]  # fmt: skip
    points = [{"id": c.id, "content": 0.0, "changed": c.id == "b", "mixing_energy": 0.01} for c in some[:3]]
    electrode = {
        "ion": "Mg", "framework": "O", "level": "pbe", "steps": [step], "contents": contents, "candidates": points,
        "limit": "", "missing": [], "average_voltage": None,
    }  # fmt: skip
    (run / "electrode.json").write_text(json.dumps([electrode]))
    ordering = {"e_decomposition": None, "group": "Pm-3m", "space_group": 221, "relation": None}
    order = {
        "parent_symbol": "Fm-3m", "level": "pbe", "verdict": "It orders.", "spread": None, "n_distinct": 2, "atoms": 4,
        "sublattices": [], "orderings": [
            {"id": "a", "above": 0.0, "weight": 0.9, **ordering}, {"id": "b", "above": 7.5, "weight": 0.1, **ordering},
        ],
    }  # fmt: skip
    (run / "order.json").write_text(json.dumps(order))
    match = {
        "two_theta": [20.0, 20.1, 20.2], "measured": [10.0, 100.0, 9.0], "background": [9.0, 8.0, 7.0],
        "calculated": {"a": [0.0, 90.0, 1.0]}, "wavelength": "CuKa", "wavelength_angstrom": 1.54184,
        "pattern": "measured.xy",
        "matches": [
            {"id": "a", "agreement": 0.9, "r_wp": 9.0, "volume_factor": 1.0, "zero_shift": 0.0, "fwhm": 0.1}
        ],
    }  # fmt: skip
    (run / "match.json").write_text(json.dumps(match))
    return run


def _rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_each_figure_is_there_in_two_formats_with_its_data(folder: Path, tmp_path: Path) -> None:
    paths = save_figures(folder, tmp_path / "figures")
    names = {path.stem for path in paths}
    assert names == {
        "attrition", "decomposition-pbe", "phase-diagram-pbe", "voltage-pbe", "mixing-pbe", "orderings", "powder",
    }  # fmt: skip
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        f"{name}{ending}" for name in names for ending in (".svg", ".pdf", ".csv")
    }
    for path in paths:
        head = {".svg": b"<?xml", ".pdf": b"%PDF", ".csv": b""}[path.suffix]
        assert path.read_bytes().startswith(head)
        if path.suffix == ".svg":
            assert f'width="{72 * WIDTH:g}pt" height="{72 * HEIGHT:g}pt"' in path.read_text()
    place = tmp_path / "figures"
    assert _rows(place / "decomposition-pbe.csv")[1:] == [
        [name, "generate", e_d] for name, e_d in (("a", "-0.03"), ("b", "0.11"), ("c", "0.11"))
    ]
    attrition = {row[1]: row[2] for row in _rows(place / "attrition.csv")[1:]}
    assert (attrition["asked for"], attrition["relaxed"], attrition["distinct"]) == ("4", "3", "2")
    assert _rows(place / "voltage-pbe.csv")[1:] == [["0.0", "1.5"], ["1.0", "1.5"]]
    assert [row[2] for row in _rows(place / "orderings.csv")[1:]] == ["0.0", "7.5"]
    assert _rows(place / "powder.csv")[2] == ["20.1", "100.0", "8.0", "90.0"]
    kinds = [row[1] for row in _rows(place / "phase-diagram-pbe.csv")]
    assert kinds.count("candidate") == 2  # the duplicate is not drawn


def test_files_are_the_same_each_time(tmp_path: Path) -> None:
    figure = PaperFigure(name="line", draw=lambda axes: axes.plot([0, 1], [0, 1]), columns=("x",), rows=((0,), (1,)))
    first = [path.read_bytes() for path in save_figure(figure, tmp_path)]
    assert [path.read_bytes() for path in save_figure(figure, tmp_path)] == first


def test_labels_that_overlap_are_left_out_the_first_one_staying() -> None:
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, HEIGHT))
        axes = figure.add_subplot()
        for x, text in ((0.5, "first"), (0.51, "over it"), (0.1, "apart")):
            axes.text(x, 0.5, text)
        figure.draw_without_rendering()
        without_overlaps(axes.texts)
    assert [text.get_text() for text in axes.texts] == ["first", "apart"]


def test_a_folder_without_results_has_no_figures(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"candidates\.db"):
        save_figures(tmp_path, tmp_path / "figures")
    assert not (tmp_path / "figures").exists()


def test_a_damaged_match_is_refused(folder: Path, tmp_path: Path) -> None:
    good = (folder / "match.json").read_text()
    whole = json.loads(good)
    lacking = {name: value for name, value in whole.items() if name != "two_theta"}
    try:
        for damaged in ({"two_theta": [1]}, lacking, whole | {"two_theta": whole["two_theta"][1:]}):
            (folder / "match.json").write_text(json.dumps(damaged))
            with pytest.raises(InputError, match=r"match\.json is damaged"):
                save_figures(folder, tmp_path)
    finally:
        (folder / "match.json").write_text(good)
