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


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all parts, which share their inputs."""
    return tmp_path_factory.mktemp("reliability")


@pytest.mark.reliability
@pytest.mark.parametrize("part", PROMISES)
def test_a_few_trials_of_each_part_find_no_fault(part: str, work: Path) -> None:
    out = work / f"{part}-results.json"
    command = [sys.executable, "-m", "tests.reliability", part, "--short", "--work", str(work), "--out", str(out)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")}  # which would double the time
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    groups = json.loads(out.read_text())[part]
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
