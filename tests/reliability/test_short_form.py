"""A few trials of each kind, for every day; `make test-reliability` does the whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.reliability.__main__ import PROMISES, add, table

ROOT = Path(__file__).parents[2]


_HALVES = {"hostile": ("hostile", "calculators", "creation", "seed")}
_HALVES["others"] = tuple(part for part in PROMISES if part not in _HALVES["hostile"])


@pytest.mark.reliability
@pytest.mark.parametrize("half", _HALVES)  # of like length: what a process loads serves all of its parts
def test_a_few_trials_of_each_part_find_no_fault(half: str, tmp_path: Path) -> None:
    out = tmp_path / "results.json"
    arguments = [*_HALVES[half], "--short", "--work", str(tmp_path), "--out", str(out)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")}  # which would double the time
    command = [sys.executable, "-m", "tests.reliability", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    results = json.loads(out.read_text())
    assert set(results) == set(_HALVES[half])
    for groups in results.values():
        assert groups
        assert all(group["trials"] > 0 for group in groups.values())


def test_the_table_counts_trials_and_faults() -> None:
    group = {"trials": 1200, "outcomes": {"refused": 1000, "done": 200}, "faults": [{"trial": "x"}]}
    text = table({"fuzz": {"formulas": group, "guests": group | {"faults": []}}})
    assert "| fuzz | formulas | 1,200 | refused 1,000, done 200 | 1 |" in text
    assert text.endswith("| all | | 2,400 | | 1 |\n")


def test_runs_add_up() -> None:
    told = {"trials": 2, "outcomes": {"2 kills": 1, "1 kills": 1}, "faults": [], "seconds": 1.5}
    results = {"kills": {"kills": told}}
    add(results, {"kills": {"kills": told | {"outcomes": {"2 kills": 2}}}, "fuzz": {"guests": told}})
    assert results["kills"]["kills"]["trials"] == 4
    assert results["kills"]["kills"]["outcomes"] == {"2 kills": 3, "1 kills": 1}
    assert results["fuzz"]["guests"]["trials"] == 2
