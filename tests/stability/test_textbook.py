"""Textbook compounds are among the shipped phases, their known ground states on the hull or near it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from chggen.stability import References, hull

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def textbook() -> Any:
    spec = importlib.util.spec_from_file_location("textbook", ROOT / "benchmarks" / "textbook.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["textbook"] = importlib.util.module_from_spec(spec)  # its dataclasses look it up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def placed(textbook: Any) -> dict[str, Any]:
    return textbook.all_placed(References.load())


@pytest.mark.parametrize("level", ["pbe", "r2scan"])
def test_all_are_there_and_nine_in_ten_near_the_hull(placed: dict[str, Any], level: str) -> None:
    found = placed[level]
    assert len({p.compound["formula"] for p in found}) == 200
    assert all(p.found for p in found)
    assert sum(p.near for p in found) >= 180
    assert all(p.above >= -1e-6 for p in found if p.above is not None)
    assert [p.compound["formula"] for p in found if not p.near and not p.compound["why_missed"]] == []


def test_the_page_says_what_the_table_holds(textbook: Any, placed: dict[str, Any]) -> None:
    page = ROOT / "docs" / "benchmarks" / "tables" / "textbook.md"
    assert page.read_text() == textbook.text_of(placed), "run python benchmarks/textbook.py --out …"


@pytest.mark.parametrize(
    ("formula", "group"), [("SiO2", (152, 154)), ("TiO2", (136,)), ("MoS2", (194,)), ("LaCl3", (176,))]
)
def test_phases_that_were_withheld_no_longer_break_the_hull(formula: str, group: tuple[int, ...]) -> None:
    table = References.load()
    entry = next(e for e in table.same_formula(formula, "pbe") if e.space_group in group)
    position = hull(formula, entry.energy_per_atom)
    assert position.e_decomposition is not None
    assert 0 <= position.e_decomposition <= 0.03
    assert position.warning is None
    assert entry.fingerprint
