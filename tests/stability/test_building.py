"""Folders of `references build` that were damaged are refused by name, before anything is computed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pymatgen.core import Lattice, Structure

from chggen.errors import InputError
from chggen.execution import silent
from chggen.stability.building import build_references
from chggen.stability.energy_log import EnergyLog
from chggen.stability.references import BUILD

_ROW: dict[str, Any] = {"id": "a", "level": "pbe", "static": -1.0, "formula": "Li", "space_group": 1, "n_atoms": 1}


def test_a_log_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    EnergyLog(path).add([_ROW, _ROW | {"id": "b"}])
    path.write_text(path.read_text() + '{"id": "c", "le')  # a kill while a line was written
    assert [entry.id for entry in EnergyLog(path).entries()] == ["a", "b"]


@pytest.mark.parametrize(
    "line",
    [
        "x", "[1]", "5", "[" * 100_000, json.dumps({k: v for k, v in _ROW.items() if k != "formula"}),
        json.dumps(_ROW | {"static": "x"}), json.dumps(_ROW | {"static": float("nan")}), json.dumps(_ROW | {"id": 5}),
        json.dumps(_ROW | {"relaxed": None}), json.dumps(_ROW | {"n_atoms": 0}), json.dumps(_ROW | {"formula": 1}),
    ],
)  # fmt: skip
def test_a_line_that_means_nothing_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps(_ROW) + "\n" + line + "\n")
    with pytest.raises(InputError, match=r"line 2 of .*rows.jsonl cannot be read"):
        EnergyLog(tmp_path / "rows.jsonl")


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", '{"fmax": "x", "files": {}}', '{"fmax": 0.1, "files": []}'])
def test_a_damaged_note_of_sources_is_named(tmp_path: Path, text: str) -> None:
    given, out = tmp_path / "salt.cif", tmp_path / "out"
    Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0] * 3, [0.5] * 3]).to(str(given))
    out.mkdir()
    (out / BUILD).write_text(text)
    with pytest.raises(InputError, match=rf"{BUILD} is damaged; expected what `references build` writes"):
        build_references([given], ["pbe"], 0.1, "cpu", 1, out, silent)
    assert sorted(path.name for path in out.iterdir() if not path.name.startswith(".")) == [BUILD]
