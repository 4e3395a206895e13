"""Options from TOML and back: what is unknown or of the wrong kind is named and refused."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chggen.errors import InputError
from chggen.io.toml import from_table, read_toml, to_toml
from chggen.score import build_score_model
from chggen.training.options import TrainingOptions

CONFIGS = Path(__file__).parents[2] / "configs"


@dataclass(frozen=True, kw_only=True)
class _Inner:
    size: float = 1.0
    names: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Outer:
    count: int
    label: str | None = None
    exact: bool = False
    inner: _Inner = field(default_factory=_Inner)


def test_tables_become_options() -> None:
    outer = from_table(_Outer, {"count": 3, "label": "x", "inner": {"size": 2, "names": ["a", "b"]}}, "top")
    assert outer == _Outer(count=3, label="x", inner=_Inner(size=2.0, names=("a", "b")))
    assert isinstance(outer.inner.size, float)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"count": 1, "coutn": 2}, r"unknown key 'coutn' in \[top\]; expected one of count, label, exact, inner"),
        ({"count": 1, "inner": {"sizes": 2}}, r"unknown key 'sizes' in \[top.inner\]"),
        ({"count": "three"}, "top.count must be of type int, got 'three'"),
        ({"count": 1.5}, "top.count must be of type int, got 1.5"),
        ({"count": True}, "top.count must be of type int, got True"),
        ({"count": 1, "exact": 1}, "top.exact must be of type bool, got 1"),
        ({"count": 1, "inner": {"size": "big"}}, "top.inner.size must be of type float"),
        ({"count": 1, "inner": {"size": True}}, "top.inner.size must be of type float, got True"),
        ({"count": 1, "inner": {"names": "a"}}, "top.inner.names must be a list, got 'a'"),
        ({"count": 1, "inner": {"names": [1]}}, "top.inner.names must be of type str, got 1"),
        ({"count": 1, "inner": 3}, "top.inner must be a table, got 3"),
        ({}, r"\[top\] is incomplete: .*count"),
    ],
)
def test_wrong_tables_are_refused(table: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_table(_Outer, table, "top")


def test_options_survive_toml() -> None:
    outer = _Outer(
        count=-2, label='a "quoted" \\ name\nof two lines', exact=True, inner=_Inner(size=1e-30, names=("µ",))
    )
    assert from_table(_Outer, tomllib.loads(to_toml(dataclasses.asdict(outer))), "top") == outer
    nothing = _Outer(count=1)
    assert "label" not in to_toml(dataclasses.asdict(nothing))
    assert from_table(_Outer, tomllib.loads(to_toml(dataclasses.asdict(nothing))), "top") == nothing


def test_options_as_versions_before_wrote_them_are_the_same_options() -> None:
    table = {"n": 2, "units": [1, 2], "label": 'a "b" \\ µ\n', "relax": {"fmax": 1e-30, "deep": {"x": [True, -0.5]}}}
    old = 'n = 2\nunits = [1, 2]\nlabel = "a \\"b\\" \\\\ µ\\n"\n\n[relax]\nfmax = 1e-30\ndeep = {x = [true, -0.5]}\n'
    assert tomllib.loads(old) == tomllib.loads(to_toml(table)) == table


def test_what_toml_does_not_know_is_written_as_text() -> None:
    assert tomllib.loads(to_toml({"path": Path("a"), "none": None, "tuple": (1, "b"), "inner": {"none": None}})) == {
        "path": "a", "tuple": [1, "b"], "inner": {},
    }  # fmt: skip


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no configuration file at"):
        read_toml(tmp_path / "absent.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("steps = = 3")
    with pytest.raises(InputError, match="not a readable TOML file"):
        read_toml(broken)
    broken.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a readable TOML file"):
        read_toml(broken)
    with pytest.raises(InputError, match="not a readable TOML file"):
        read_toml(tmp_path)


@pytest.mark.parametrize("name", ["default", "painn", "paper"])
def test_the_shipped_configurations_hold(name: str) -> None:
    options = from_table(TrainingOptions, read_toml(CONFIGS / f"{name}.toml"), "training")
    architecture = dict(options.model)
    model = build_score_model(str(architecture.pop("architecture")), architecture)
    assert 1e5 < sum(p.numel() for p in model.parameters()) < 2e6
    again = from_table(TrainingOptions, tomllib.loads(to_toml(dataclasses.asdict(options))), "training")
    assert again == options
