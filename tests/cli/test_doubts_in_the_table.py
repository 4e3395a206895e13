"""The table at the end of a run: doubtful decomposition energies are marked, and the reason stands below."""

from __future__ import annotations

from pathlib import Path

import pytest

from chggen.cli.display import show
from chggen.results import Candidate


def _good(name: str, energy: float, warning: str | None = None) -> Candidate:
    values = {"level": "pbe", "energies": {"pbe": -3.0}, "decomposition_energies": {"pbe": energy}}
    return Candidate(id=name, stage="generate", formula="NaCl", seed=0, hull_warning=warning, **values)  # type: ignore[arg-type]


def test_a_doubtful_energy_is_marked_and_the_reason_stands_below(capsys: pytest.CaptureFixture[str]) -> None:
    warning = "no known phase of NaCl; add phases by `chggen references fetch Cl-Na`"
    show([_good("a", -0.41, warning), _good("b", -0.3, warning), _good("c", -0.01)], Path("run"))
    lines = capsys.readouterr().out.splitlines()
    marked = {line.split()[1]: "!" in line for line in lines if "NaCl" in line and "│" in line}
    assert marked == {"a": True, "b": True, "c": False}
    assert f"! a, b: {warning}" in " ".join(lines)


def test_a_doubt_that_all_share_names_no_ids_and_its_command_stays_in_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    warning = "phases missing, " * 8 + "add phases by `chggen references fetch Cl-Na`, then `chggen references build`"
    show([_good("a", -0.41, warning), _good("b", -0.3, warning)], Path("run"))
    assert f"! all rows: {warning}" in capsys.readouterr().out.splitlines()
    show([_good("a", -0.41, warning)], Path("run"))
    assert f"! a: {warning}" in capsys.readouterr().out.splitlines()
