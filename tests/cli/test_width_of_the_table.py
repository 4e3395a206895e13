"""The table of candidates fits a terminal of 80 and of 120 columns, and says what people look for."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure
from rich.cells import cell_len
from rich.console import Console

from chggen.cli.display import show
from chggen.results import Candidate

_SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def _found() -> list[Candidate]:
    best = Candidate(
        id="NaCl-z1-0003-low", stage="generate", formula="NaCl", seed=0, structure=_SALT, raw=_SALT, level="pbe",
        energies={"pbe": -3.39, "r2scan": -5.1}, decomposition_energies={"pbe": -0.0312, "r2scan": 0.0021},
        space_group=225, space_group_loose=225, known_as="mp-22862", n_found=5, found_by="prototype, bravais",
    )  # fmt: skip
    other = replace(best, id="NaCl-z1-0001", energies={"pbe": -3.2}, decomposition_energies={"pbe": 0.1}, known_as=None)
    return [best, other, replace(best, id="twin", duplicate_of=best.id, n_found=None)]


def _shown(width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    show(_found(), Path("run"), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_and_nothing_is_cut_off(width: int) -> None:
    lines = _shown(width)
    assert max(map(cell_len, lines)) <= width
    table = "\n".join(lines)
    for told in ("NaCl-z1-0003-low ★", "Fm-3m (225)", "-0.031", "0.002", "21.95", "★ the likeliest crystal"):
        assert told in table
    assert "…" not in table
    assert "NaCl-z1-0001 ★" not in table
    assert "twin" not in table


def test_a_wider_terminal_shows_more() -> None:
    heads = {width: " ".join(_shown(width)[2:4]) for width in (80, 120, 140)}
    assert "sure" not in heads[80]
    assert "known as" not in heads[80]
    assert all(name in heads[140] for name in ("sure", "E, eV/atom"))
    assert all(name in heads[120] for name in ("known as", "atoms"))
