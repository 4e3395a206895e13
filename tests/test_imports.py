"""Which libraries the package imports: all of them are declared, and each one stays behind its adapter."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_SOURCE = _ROOT / "src" / "chggen"
_PROJECT = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
_NOT_INSTALLED = {"torch_sim": "torch-sim-atomistic"}  # an extra whose distribution is not named like its module
_OF_DEVELOPERS = {"test", "lint", "docs"}  # extras; the first takes in others


def _imported(path: Path) -> Iterator[str]:
    """All modules that a file imports, at its top or within functions; `from a import b` is `a` and `a.b`."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(level=0, module=str(module)):
                yield module
                yield from (f"{module}.{alias.name}" for alias in node.names)
            case ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(module)), *_]):
                yield module


def _files() -> list[Path]:
    return [path for ending in ("py", "pyi") for path in sorted(_SOURCE.rglob(f"*.{ending}"))]


def _libraries() -> set[str]:
    """Top-level modules of others that the package imports."""
    found = {module.partition(".")[0] for path in _files() for module in _imported(path)}
    return found - set(sys.stdlib_module_names) - {"chggen"}


def _names(requirements: list[str]) -> set[str]:
    return {_plain(re.split(r"[^\w.-]", requirement)[0]) for requirement in requirements}


def _plain(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _distributions(module: str) -> set[str]:
    """What may be declared for a module: the installed distributions that hold it, else one of its name."""
    return {_plain(name) for name in _installed().get(module, [_NOT_INSTALLED.get(module, module)])}


@cache
def _installed() -> dict[str, list[str]]:
    return dict(packages_distributions())


def _declared() -> set[str]:
    """What a user can install with the package: the dependencies and the extras, except those of developers."""
    extras = {name: given for name, given in _PROJECT["optional-dependencies"].items() if name not in _OF_DEVELOPERS}
    return _names(_PROJECT["dependencies"]).union(*(_names(given) for given in extras.values()))


def test_what_is_imported_is_declared() -> None:
    libraries = _libraries()
    assert {"torch", "scipy", "mp_api"} <= libraries  # at the top, in a function, of an extra
    assert not [module for module in sorted(libraries) if not _distributions(module) & _declared()]


def test_what_is_declared_is_imported() -> None:
    imported = set().union(*(_distributions(module) for module in _libraries()))
    assert not sorted(_names(_PROJECT["dependencies"]) - imported)


def test_what_an_installation_for_developers_needs_is_pinned() -> None:
    pinned = _names((_ROOT / "constraints.txt").read_text().splitlines())
    extras = _PROJECT["optional-dependencies"]
    of_extras = [_names(extras.get(name, [])) for name in (*_OF_DEVELOPERS, "dask", "database", "slurm")]
    needed = _names(_PROJECT["dependencies"]).union(*of_extras) - {"chggen"}
    assert not sorted(needed - pinned)


# Libraries that import-linter can name as a whole have their contracts in pyproject.toml. Numbers that were computed
# elsewhere are attached to ASE's atoms by its single-point calculator, which computes nothing.
@pytest.mark.parametrize(
    ("library", "package", "harmless"),
    [("ase.db", "results", ()), ("ase.calculators", "potential", ("ase.calculators.singlepoint",))],
)
def test_a_part_of_a_library_is_imported_by_its_adapter_alone(
    library: str, package: str, harmless: tuple[str, ...]
) -> None:
    importing = [(path, module) for path in _files() for module in _imported(path) if _within(module, library)]
    assert importing  # else the rule is about nothing
    found = [path.relative_to(_SOURCE) for path, name in importing if not any(_within(name, part) for part in harmless)]
    assert not [str(path) for path in found if path.parts[0] != package]


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")
