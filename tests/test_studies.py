"""Studies: their pages hold what their results say, they use the public interface alone, and they run."""

from __future__ import annotations

import ast
import importlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
SHARED = ("study", "runs", "rivals", "known_crystals")
SCRIPTS = sorted(path.stem for path in (ROOT / "studies").glob("*.py"))
STUDIES = [name for name in SCRIPTS if name not in SHARED]
PUBLISHED = [name for name in STUDIES if (ROOT / "studies" / "results" / f"{name}.json").exists()]
DATA = os.environ.get("CHGGEN_DATA")  # the folder of development data
NEED_DATA = ("ablation_compositions", "ablation_hosts", "diffcsp")


@pytest.fixture(autouse=True)
def _scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(ROOT / "studies")
    yield
    for name in SCRIPTS:
        sys.modules.pop(name, None)


def _study(name: str) -> Any:
    return importlib.import_module(name).STUDY


@pytest.mark.parametrize("name", PUBLISHED)
def test_tables_are_those_of_the_results(name: str) -> None:
    study = _study(name)
    assert not json.loads(study.kept.read_text())["quick"]
    pages = study.pages()
    assert pages
    for path, text in pages.items():
        assert path.read_text() == text, f"{path.name}: run python studies/{name}.py --draw"
    assert study.draw is None or (ROOT / "docs" / "images" / f"study_{name}.svg").exists()


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_use_the_public_interface(name: str) -> None:
    """Names of chggen come from packages that have a face, never from a module below one."""
    path = ROOT / "studies" / f"{name}.py"
    for node in ast.walk(ast.parse(path.read_text())):
        modules = [node.module] if isinstance(node, ast.ImportFrom) else []
        modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for module in modules:
            if module and module.split(".")[0] == "chggen":
                assert (ROOT / "src" / Path(*module.split(".")) / "__init__.pyi").exists(), f"{name} imports {module}"
    assert name in SHARED or len(path.read_text().splitlines()) <= 150


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.skipif("CHGGEN_STUDIES" not in os.environ, reason="takes minutes; make studies-quick runs them")
def test_quick_studies_run(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if name in NEED_DATA and DATA is None:
        pytest.skip("needs the development data")
    _study(name).main("", [*([DATA] if DATA else []), "--quick", "--out", str(tmp_path)])
    assert json.loads((tmp_path / "quick" / f"{name}.json").read_text())["quick"]
    assert "| --- |" in capsys.readouterr().out
