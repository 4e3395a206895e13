"""The table that `relax` shows: what relaxation did, and nothing that it did not look for."""

from __future__ import annotations

from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure

from chggen.cli.display import show
from chggen.results.candidate import Candidate


def test_relaxed_structures_have_no_columns_of_a_search(capsys: pytest.CaptureFixture[str]) -> None:
    salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    relaxed = Candidate(
        id="salt", stage="relax", formula="NaCl", seed=0, structure=salt, raw=salt, level="pbe",
        energies={"pbe": -3.39}, relax_energy_change=-0.125, relax_rmsd=0.03, relax_steps=7, space_group_loose=225,
    )  # fmt: skip
    lost = Candidate(id="lost", stage="relax", formula="H", seed=0, status="failed", failed_at="relax", reason="alone")
    show([relaxed, lost], Path("out"))
    shown = capsys.readouterr().out
    assert "1 relaxed of 2 structures" in shown
    assert "group (0.1 Å)" in shown
    assert "0.125" in shown
    assert "chggen hull" in shown
    assert "1 failed" in shown
    for other in ("E_d", "known as", "no decomposition energies"):
        assert other not in shown


def test_only_what_was_searched_misses_reference_energies(capsys: pytest.CaptureFixture[str]) -> None:
    salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    values = {"formula": "NaCl", "seed": 0, "structure": salt, "raw": salt, "level": "pbe", "energies": {"pbe": -3.39}}
    given = Candidate(id="given", stage="relax", **values)  # type: ignore[arg-type]
    made = Candidate(id="made", stage="generate", decomposition_energies={"pbe": 0.1}, **values)  # type: ignore[arg-type]
    show([made, given], Path("out"))
    shown = capsys.readouterr().out
    assert "2 distinct of 2 candidates" in shown
    assert "1 of relax not placed on a hull" in shown
    assert "no decomposition energies" not in shown
    low = Candidate(id="made-low", stage="generate", parent="made", **values)  # type: ignore[arg-type]
    show([low, made], Path("out"))
    assert "not in the symmetry that was drawn, which was a saddle: made-low" in capsys.readouterr().out
    lost = Candidate(id="lost", stage="generate", **values)  # type: ignore[arg-type]
    show([lost], Path("out"))
    shown = capsys.readouterr().out
    assert "1 distinct of 1 candidate" in [line.strip() for line in shown.splitlines()]
    assert "no decomposition energies" in shown
    assert "not placed" not in shown
