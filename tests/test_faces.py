"""Every package has one public face, whose names can never be hidden by a module of the same name."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import pytest

import chggen

PACKAGES = [module.name for module in pkgutil.iter_modules(chggen.__path__) if module.ispkg]


def test_there_are_packages() -> None:
    assert {"cli", "campaign", "generation", "results", "score"} <= set(PACKAGES)


@pytest.mark.parametrize("name", PACKAGES)
def test_names_of_a_face_are_no_modules_and_can_be_loaded(name: str) -> None:
    package = importlib.import_module(f"chggen.{name}")
    modules = {file.stem for file in Path(package.__path__[0]).glob("*.py")}
    assert package.__doc__
    assert package.__doc__.strip()
    public = getattr(package, "__all__", [])
    assert not modules & set(public)
    for public_name in public:
        assert getattr(package, public_name) is not None
