"""The notebooks of the documentation run from top to bottom, and what is kept of their outputs is fit to be shown."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

_NOTEBOOKS = sorted((Path(__file__).parent.parent / "docs" / "notebooks").glob("*.ipynb"))


def _cells(path: Path, kind: str) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == kind]


@pytest.mark.parametrize("path", _NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    for k, cell in enumerate(_cells(path, "code"), start=1):
        tree = ast.parse("".join(cell["source"]), f"{path.name}, cell {k}")
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, f"{path.name}, cell {k}", "exec"), names)
        if isinstance(last, ast.Expr):
            shown = eval(compile(ast.Expression(last.value), f"{path.name}, cell {k}", "eval"), names)
            if hasattr(shown, "_repr_html_"):
                assert shown._repr_html_()


@pytest.mark.parametrize("path", _NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_there_and_name_no_machine(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"/(tmp|root|home|Users|work)/|Traceback|Error", text)
    code = _cells(path, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert any(cell["outputs"] for cell in code)
    assert "".join(_cells(path, "markdown")[0]["source"]).startswith("# ")


def test_there_are_notebooks() -> None:
    assert _NOTEBOOKS
