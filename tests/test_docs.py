"""The documentation holds: its Python blocks run, its commands and options exist, its links and tables are right.

Each page runs in order, in one namespace, which is importable as `my_package` (the name that pages use for a package of
the reader's own), in a folder of its own.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
import sys
import tomllib
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SHARED_BY_SCRIPTS = ("benchmarks/arms.py", "studies/study.py")  # which have options of several scripts
PAGES = sorted(
    p.relative_to(ROOT).as_posix() for p in [ROOT / "README.md", *DOCS.rglob("*.md")] if "_build" not in p.parts
)


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)


def with_blocks(language: str) -> list[str]:
    return [page for page in PAGES if blocks(page, language)]


@pytest.mark.parametrize("page", with_blocks("python"))
def test_python_blocks_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from chggen.cli.app import app

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(app, "registered_commands", list(app.registered_commands))
    module = types.ModuleType("my_package")
    monkeypatch.setitem(sys.modules, "my_package", module)
    monkeypatch.syspath_prepend(tmp_path / "installed")
    try:
        text = (ROOT / page).read_text()
        for found in re.finditer(r"```(python|toml)\n(.*?)```", text, flags=re.DOTALL):
            language, block = found.groups()
            if language == "toml":
                install_entry_points(block, tmp_path / "installed")
            else:  # lines are counted as in the page
                above = "\n" * text.count("\n", 0, found.start(2))
                exec(compile(above + block, str(ROOT / page), "exec"), vars(module))
    finally:
        monkeypatch.undo()
        forget_entry_points()


def install_entry_points(block: str, folder: Path) -> None:
    """The entry points of a block of pyproject.toml, as if `my_package` were installed with them."""
    groups = tomllib.loads(block).get("project", {}).get("entry-points", {})
    lines = [
        line for group, points in groups.items() for line in (f"[{group}]", *(f"{k} = {v}" for k, v in points.items()))
    ]
    metadata = folder / "my_package-1.0.dist-info"
    metadata.mkdir(parents=True, exist_ok=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
    forget_entry_points()


def forget_entry_points() -> None:
    from chggen.execution.executors import executors
    from chggen.generation.sources import cell_sources, guest_sources
    from chggen.potential.registry import potentials
    from chggen.sampling import known_recipes

    importlib.invalidate_caches()
    for cache in (potentials, cell_sources, executors, guest_sources, known_recipes):
        cache.cache_clear()


@pytest.mark.parametrize(
    "page", ["README.md", "docs/index.md", "docs/tutorial.md", *(p for p in PAGES if p.startswith("docs/extending/"))]
)
def test_pages_that_teach_have_examples(page: str) -> None:
    assert blocks(page, "python") or page.endswith("extending/index.md"), f"{page} has lost its examples"


def commands(app: Any) -> dict[tuple[str, ...], Any]:
    """Command, as typed, to what the command line knows of it."""
    import typer

    def below(command: Any, name: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        if hasattr(command, "commands"):
            for own, inner in command.commands.items():
                yield from below(inner, (*name, own))
        else:
            yield name, command

    return dict(below(typer.main.get_command(app), ()))


def typed(page: str) -> Iterator[list[str]]:
    """The words of each line of a page's shell blocks, comments taken off."""
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            for part in line.split("&&"):
                words = shlex.split(part, comments=True)
                if words:
                    yield words


@pytest.mark.parametrize("page", with_blocks("sh"))
def test_commands_and_options_exist(page: str) -> None:
    from chggen.cli.app import app

    known = commands(app)
    for words in typed(page):
        if words[0] == "make":
            targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
            assert set(words[1:]) <= set(targets), " ".join(words)
        elif words[0] == "python" and words[1].startswith(("benchmarks/", "studies/")):
            assert_script_has(words)
        elif words[0] == "chggen":
            if words[1].startswith("-"):
                continue
            name = next((n for n in (tuple(words[1:3]), tuple(words[1:2])) if n in known), None)
            assert name, f"no command chggen {words[1]}"
            options = {o for p in known[name].params for o in (*p.opts, *p.secondary_opts)} | {"--help"}
            given = {w.split("=")[0] for w in words[2:] if w.startswith("-") and not re.fullmatch(r"-?[\d.]+", w)}
            assert given <= options, f"{' '.join(words)}: {sorted(given - options)}"


def test_options_named_in_passing_exist() -> None:
    from chggen.cli.app import app

    known = {o for c in commands(app).values() for p in c.params for o in (*p.opts, *p.secondary_opts)}
    scripts = "".join(path.read_text() for name in ("benchmarks", "studies") for path in (ROOT / name).glob("*.py"))
    for page in PAGES:
        for option in re.findall(r"`(--[a-z][a-z0-9-]*)", (ROOT / page).read_text()):
            assert option in known or f'"{option}"' in scripts or option in ("--help", "--version"), f"{page}: {option}"


def assert_script_has(words: list[str]) -> None:
    script = ROOT / words[1]
    assert script.exists(), f"{words[1]} is not there"
    text = "".join(path.read_text() for path in (script, *(ROOT / name for name in SHARED_BY_SCRIPTS)))
    for option in (w for w in words[2:] if w.startswith("--")):
        assert f'"{option}"' in text, f"{words[1]} has no {option}"


@pytest.mark.parametrize(
    "page", [p for p in PAGES if p.startswith(("docs/benchmarks/", "docs/model/", "docs/studies/"))]
)
def test_scripts_that_made_a_number_exist(page: str) -> None:
    text = (ROOT / page).read_text()
    for line in re.findall(r"`(?:\w+=\d+ )?(python (?:benchmarks|studies)/[^`]*)`", text.replace("\n", " ")):
        assert_script_has([w for w in line.split() if w != "…"])


def test_links_between_pages_resolve() -> None:
    for name in [*PAGES, "CONTRIBUTING.md"]:
        page = ROOT / name
        prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
        for target in re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", prose):
            assert (page.parent / target).exists(), f"{name} links to {target}"


def test_tables_of_results_are_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("tables", ROOT / "benchmarks" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    for name, text in tables.contents().items():
        assert (tables.TABLES / name).read_text() == text, f"{name}: run python benchmarks/tables.py"


def test_architecture_names_what_is_there() -> None:
    """Every file that the page names is there, and what a row of its table names beside a file stands in it."""
    text = (DOCS / "architecture.md").read_text()
    named = re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.[a-z.]+|[a-z]+\.py)`", text)
    assert len(named) > 20
    for name in named:
        assert any((base / name).exists() for base in (ROOT, ROOT / "src" / "chggen")), f"{name} is not there"
    for row in (line for line in text.splitlines() if line.startswith("| ") and "`" in line):
        files = [n for n in re.findall(r"`([a-z_/]+\.py)`", row) if (ROOT / "src" / "chggen" / n).exists()]
        content = "".join((ROOT / "src" / "chggen" / n).read_text() for n in files)
        for symbol in re.findall(r"`(_?[A-Z][A-Za-z_]*|_?[a-z]+_[a-z_]+)`", row) if files else ():
            assert symbol in content, f"{symbol} is not in {', '.join(files)}"


def test_reference_lists_all_columns() -> None:
    from chggen.results import Candidate, summary_row

    named = set(re.findall(r"`([a-z_]+)`", (DOCS / "reference" / "summary-csv.md").read_text()))
    assert set(summary_row(Candidate(id="x", stage="generate", formula="NaCl", seed=0))) <= named
