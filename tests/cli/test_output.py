"""--json and --csv: the same results for other programs, and nothing else on standard output."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from pymatgen.core import Lattice, Structure

from chggen.cli import app as cli
from chggen.stability.references import ReferenceEntry, References

_EMT = "ase:ase.calculators.emt:EMT"
_WITHOUT_RESULTS = {"train", "export", "references build", "references import", "references fetch", "watch"}
Chggen = Callable[..., str]


@pytest.fixture
def chggen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Chggen:
    """Run a command line that ends well in this process, in an empty working folder: its stdout."""
    monkeypatch.chdir(tmp_path)

    def run(line: str) -> str:
        monkeypatch.setattr(sys, "argv", ["chggen", *line.split()])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        shown = capsys.readouterr()
        assert ended.value.code == 0, shown.err
        return shown.out

    return run


def _both(chggen: Chggen, line: str) -> tuple[dict[str, Any], list[dict[str, str]]]:
    said, table = json.loads(chggen(f"{line} --json")), list(csv.DictReader(io.StringIO(chggen(f"{line} --csv"))))
    assert [list(row) for row in said["results"]][:1] == [list(row) for row in table][:1]
    assert len(said["results"]) == len(table)
    return said, table


def test_every_command_that_prints_results_prints_them_for_programs_too() -> None:
    commands = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
    named = {name: command for name, command in commands.items() if not hasattr(command, "commands")}
    named |= {f"references {name}": command for name, command in commands["references"].commands.items()}
    for name, command in named.items():
        options = {option for parameter in command.params for option in parameter.opts}
        assert ({"--json", "--csv"} <= options) == (name not in _WITHOUT_RESULTS), name


def test_a_run_and_its_report(chggen: Chggen) -> None:
    line = f"generate Cu -n 1 --levels 4 --fmax 0.5 --workers 1 --potential {_EMT} -o run --json"
    said = json.loads(chggen(line))
    assert said["folder"] == "run"
    (row,) = said["results"]
    assert (row["id"], row["status"], row["answer"]) == ("Cu-z1-0000", "ok", True)
    assert Path("run/summary.csv").read_text().splitlines()[0].split(",")[:3] == ["id", "parent", "stage"]
    again, table = _both(chggen, "report run")
    assert again == said
    assert float(table[0]["energy_per_atom"]) == pytest.approx(row["energy_per_atom"], abs=1e-5)


@pytest.mark.usefixtures("chggen")
def test_two_forms_at_once_are_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["chggen", "hull", "--formula", "ZnS", "--energy", "-3", "--json", "--csv"])
    with pytest.raises(SystemExit):
        cli.main()
    assert "give one of them" in capsys.readouterr().err


def test_places_on_the_hull(chggen: Chggen, monkeypatch: pytest.MonkeyPatch) -> None:
    table = References.from_entries(
        ReferenceEntry(id=f, formula=f, level="pbe", energy_per_atom=e) for f, e in (("Zn", -1.0), ("S", -4.0))
    )
    monkeypatch.setattr(References, "load", staticmethod(lambda path=None: table))
    said, rows = _both(chggen, "hull --formula ZnS --energy -3")
    (row,) = said["results"]
    assert (row["name"], row["energy_per_atom"], row["e_decomposition"], row["e_hull"]) == ("ZnS", -3, -0.5, 0)
    assert row["products"] == "ZnS -> S + Zn"
    assert rows[0]["known_as"] == ""
    assert chggen("hull --formula ZnS --energy -3").startswith("ZnS: E -3.0000 eV/atom, E_d -0.5000 eV/atom")
    said, _ = _both(chggen, "references show Zn-S")
    assert [(row["id"], row["e_hull"]) for row in said["results"]] == [("S", 0), ("Zn", 0)]


def test_refined_structures(chggen: Chggen) -> None:
    Structure(Lattice.cubic(3.6), ["Cu"] * 4, [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]).to("cu.cif")
    said, _ = _both(chggen, "refine cu.cif")
    (row,) = said["results"]
    assert (row["name"], row["space_group"], row["space_group_symbol"], row["symprec"]) == ("cu", 225, "Fm-3m", 0.01)
    assert "space group 225 (Fm-3m) at" in chggen("refine cu.cif")
