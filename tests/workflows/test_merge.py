"""Results folders are joined to one: no candidate is lost, none is there twice, and only what compares is joined."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pymatgen.core import Lattice, Structure

from chggen.errors import InputError
from chggen.report import write_report
from chggen.results.candidate import Candidate, failed
from chggen.results.database import read_candidates
from chggen.results.folder import Store
from chggen.workflows.merge import merge_folders


def _candidate(name: str, a: float, energy: float, level: str = "pbe", parent: str | None = None) -> Candidate:
    salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    return Candidate(
        id=name, stage="generate", formula="NaCl", seed=1, parent=parent, structure=salt, raw=salt, level=level,
        energies={level: energy}, decomposition_energies={level: energy + 3.4}, space_group=225, space_group_loose=225,
        seed_source="bravais",
    )  # fmt: skip


def _folder(path: Path, *candidates: Candidate, **options: Any) -> Path:
    with Store(path, {"command": "generate", "n": 2, "references": ["shipped"], **options}) as store:
        store.put(candidates)
        store.export(candidates)
    return path


def test_candidates_of_all_folders_are_there_and_duplicates_found_among_all(tmp_path: Path) -> None:
    same = _candidate("same", 5.6, -3.30)
    bad = failed(Candidate(id="bad", stage="generate", formula="NaCl", seed=3), "sample", "out of memory")
    one = _folder(tmp_path / "one", _candidate("x", 5.6, -3.40), _candidate("y", 6.5, -3.0), same, bad)
    two = _folder(tmp_path / "two", _candidate("x", 5.601, -3.395), _candidate("z", 7.5, -2.9, parent="x"), same)
    merged = merge_folders([one, two], tmp_path / "all")
    assert {c.id for c in merged} == {"x", "y", "same", "bad", "two-x", "z"}
    assert (merged[0].id, merged[-1].id) == ("x", "bad")
    by_id = {c.id: c for c in merged}
    assert by_id["z"].parent == "two-x"
    assert by_id["x"].n_found == 2
    assert by_id["two-x"].duplicate_of == "x"
    assert sorted(read_candidates(tmp_path / "all"), key=lambda c: c.id) == sorted(merged, key=lambda c: c.id)
    assert "two-x" in (tmp_path / "all" / "summary.csv").read_text()
    assert 'id="two-x"' not in write_report(tmp_path / "all").read_text()  # a duplicate has no row
    told = json.loads((tmp_path / "all" / "runs.jsonl").read_text())
    assert {str(one), str(two)} < set(told["digests"])
    assert read_candidates(one)[0].n_found is None  # the folders stay as they are


def test_merging_once_more_takes_in_what_has_come_since(tmp_path: Path) -> None:
    one = _folder(tmp_path / "one", _candidate("y", 6.5, -3.0))
    two = _folder(tmp_path / "two", _candidate("x", 5.6, -3.4))
    first = merge_folders([one, two], tmp_path / "all")
    assert merge_folders([one, two], tmp_path / "all") == first
    _folder(one, _candidate("x", 4.9, -3.1))
    merge_folders([one, two], tmp_path / "all")
    energies = {c.id: c.energy_per_atom for c in read_candidates(tmp_path / "all")}
    assert energies == {"y": -3.0, "x": -3.1, "two-x": -3.4}


def test_folders_of_one_name_get_those_above_them(tmp_path: Path) -> None:
    parts = [_folder(tmp_path / name / "run", _candidate("x", 5.6, e)) for name, e in (("a", -3.4), ("b", -3.1))]
    assert {c.id for c in merge_folders(parts, tmp_path / "all")} == {"x", "b-run-x"}


def test_what_does_not_compare_is_not_merged(tmp_path: Path) -> None:
    one = _folder(tmp_path / "one", _candidate("x", 5.6, -3.4))
    other = _folder(tmp_path / "other", _candidate("y", 5.6, -3.4, level="r2scan"))
    placed = _folder(tmp_path / "placed", _candidate("z", 5.6, -3.4), references=["/own.npz"])
    for folders, out, told in (
        ([one, other], "all", "different levels do not compare .pbe in one, r2scan in other"),
        ([one, placed], "all", "one and placed were placed on different known phases"),
        ([one, one], "all", "two results folders or more, got 1"),
        ([one, placed], "one", "one of the folders to merge"),
        ([one, tmp_path / "none"], "all", "expected a results folder"),
    ):
        with pytest.raises(InputError, match=told):
            merge_folders(folders, tmp_path / out)
        assert not (tmp_path / "all").exists()
