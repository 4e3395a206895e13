"""Many formulas in one run: read from files as people have them, on one budget, and resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import chggen
from chggen.campaign.formulas import read_formulas
from chggen.campaign.options import PredictOptions
from chggen.errors import InputError
from chggen.results.summary import summary_row


@pytest.mark.parametrize(
    "text",
    [
        "Cu\n\n# a comment\nCu3 Al\nAl2Cu6\nAlCu3O\n",
        "Formula\nCu\nCu3Al\nAlCu3O\n",
        "id;formula;note\n1;Cu;x\n2;Cu3Al;y, z\n3;AlCu3O;\n",
        'name,"composition"\na,Cu\nb,"Cu3 Al"\nc,AlCu3O\n',
        "mp-1\tformula_pretty\nx\tCu\ny\tCu3Al\nz\tAlCu3O\n",
    ],
)
def test_files_as_people_have_them(tmp_path: Path, text: str) -> None:
    path = tmp_path / "formulas.csv"
    path.write_text(text)
    for given in (path, str(path), (str(path),)):
        assert read_formulas(given) == ("Cu", "Cu3Al", "AlCu3O")


def test_lists_are_taken_as_they_are() -> None:
    assert read_formulas(["Cu", " Cu3Al "]) == ("Cu", "Cu3Al")
    assert read_formulas(["NaCl"]) == ("NaCl",)
    assert read_formulas(()) == read_formulas(None) == read_formulas("") == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Cu\nXx3\n", "line 2 of formulas.csv is no formula"),
        ("a,b\nCu,1\n", "formulas.csv has the columns a, b; expected one called formula"),
        ("# nothing\n", "expected 1 to 100000 formulas, got 0"),
        ("formula,x\n,1\n", "line 2 of formulas.csv is no formula"),
    ],
)
def test_what_is_no_list_of_formulas_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "formulas.csv"
    path.write_text(text)
    with pytest.raises(chggen.InputError) as refused:
        chggen.predict(formulas=path)
    assert told in str(refused.value)
    assert len(str(refused.value)) <= 300 + len(str(path))


@pytest.mark.parametrize("given", ["missing.csv", Path("missing")])
def test_what_is_no_file_is_refused(given: str | Path) -> None:
    with pytest.raises(chggen.InputError, match=r"formulas"):
        chggen.predict(formulas=given)


def test_formulas_share_a_run_which_goes_on(tmp_path: Path) -> None:
    def made(formulas: Any, **changed: Any) -> list[chggen.Candidate]:
        return chggen.predict(
            formulas=formulas, guests=["Cu"], n=2, max_atoms=4, per_framework=1, second_level_below=None, levels=4,
            potential="ase:ase.calculators.emt:EMT", workers=1, out=tmp_path / "run", **changed,
        )  # fmt: skip

    (tmp_path / "f.txt").write_text("Cu3Al\nAu\nCuAu\n")
    found = made(tmp_path / "f.txt")
    generated = [c for c in found if c.stage == "generate" and c.parent is None and "-r" not in c.id]
    assert len(generated) == 2 * 3
    assert {c.formula for c in generated} == {"Cu3Al", "Au", "CuAu"}  # Au has no guest, and is made all the same
    assert {c.formula for c in found if c.stage == "inpaint"} <= {"Cu3Al", "CuAu"}
    (tmp_path / "f.txt").unlink()
    again = made(["Cu3Al", "Au", "CuAu"])
    assert [summary_row(c) for c in again] == [summary_row(c) for c in found]
    with pytest.raises(chggen.InputError, match="formulas"):
        made(["Cu3Al", "Au"])


def test_an_error_names_the_file_as_it_was_given(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is none at \S*nothing.csv, got '\S*nothing.csv'$"):
        PredictOptions.of(formulas=(str(tmp_path / "nothing.csv"),))
