"""A run in parts that know nothing of each other, joined: the same as in one piece."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

import chggen
from chggen.campaign import Shard
from chggen.cli.app import app
from chggen.workflows import merge_folders, relax_files

_EMT = "ase:ase.calculators.emt:EMT"
_RUN: dict[str, Any] = {
    "formula": "Cu", "n": 5, "levels": 4, "fmax": 0.5, "formula_units": (1, 2), "potential": _EMT, "workers": 1,
    "progress": None,
}  # fmt: skip


def _summary(folder: Path) -> str:
    return (folder / "summary.csv").read_text()


def test_parts_have_each_job_once() -> None:
    jobs = list(range(10))
    parts = [Shard(k, 4).own(jobs) for k in (1, 2, 3, 4)]
    assert parts == [[0, 4, 8], [1, 5, 9], [2, 6], [3, 7]]
    assert Shard(11, 12).own(jobs) == []
    assert str(Shard.of(" 03/16")) == "3/16"


@pytest.mark.parametrize("text", ["0/4", "5/4", "3", "a/b", "1/0", "-1/4", ""])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(chggen.InputError, match="shard: expected which part of how many, such as 3/16"):
        chggen.generate("Cu", n=1, shard=text)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run in one piece, and in three parts."""
    root = tmp_path_factory.mktemp("runs")
    for part, name in (("1/1", "whole"), *((f"{k}/3", f"part-{k}") for k in (1, 2, 3))):
        chggen.predict(**_RUN, shard=part, out=root / name)
    return root


def test_the_parts_of_a_run_make_the_whole(folders: Path, tmp_path: Path) -> None:
    merge_folders([folders / f"part-{k}" for k in (3, 1, 2)], tmp_path / "merged")
    assert _summary(tmp_path / "merged") == _summary(folders / "whole")
    again = chggen.predict(**_RUN, shard="1/1", out=tmp_path / "merged")  # the run itself: nothing is left to do
    assert _summary(tmp_path / "merged") == _summary(folders / "whole")
    assert len(again) > 4


def test_parts_that_were_judged_make_the_whole_that_was_judged(tmp_path: Path) -> None:
    judged = {**_RUN, "judge_by": "ase:tests.workflows.test_judges:half", "judge_within": 0.01}
    for part, name in (("1/1", "whole"), ("1/2", "part-1"), ("2/2", "part-2")):
        chggen.predict(**judged, shard=part, out=tmp_path / name)
    merge_folders([tmp_path / "part-1", tmp_path / "part-2"], tmp_path / "merged")
    assert _summary(tmp_path / "merged") == _summary(tmp_path / "whole")
    assert "energy_per_atom_ase:tests.workflows.test_judges:half" in _summary(tmp_path / "whole")


def test_merging_again_keeps_what_the_merged_run_has_made_since(folders: Path, tmp_path: Path) -> None:
    parts = [folders / f"part-{k}" for k in (1, 2, 3)]
    merge_folders(parts, tmp_path / "merged")
    chggen.predict(**{**_RUN, "n": 6}, shard="1/1", out=tmp_path / "merged")
    gone_on = _summary(tmp_path / "merged")
    assert gone_on != _summary(folders / "whole")
    merge_folders(parts, tmp_path / "merged")
    assert _summary(tmp_path / "merged") == gone_on


def test_missing_parts_are_named_and_made_by_the_command(
    folders: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        merge_folders([folders / "part-1", folders / "part-3"], tmp_path / "merged")
    assert "missing parts of the run: 2; repeat its command with --shard 1/1 and this folder" in caplog.text
    assert _summary(tmp_path / "merged") != _summary(folders / "whole")
    chggen.predict(**_RUN, shard="1/1", out=tmp_path / "merged")
    assert _summary(tmp_path / "merged") == _summary(folders / "whole")


def test_a_part_that_is_named_twice_is_refused(folders: Path, tmp_path: Path) -> None:
    chggen.predict(**_RUN, shard="1/3", out=tmp_path / "once-more")
    with pytest.raises(chggen.InputError, match="part-1 and once-more are both part 1/3 of the run"):
        merge_folders([folders / "part-1", tmp_path / "once-more"], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_parts_of_other_runs_are_joined_as_folders(folders: Path, tmp_path: Path) -> None:
    chggen.predict(**{**_RUN, "seed": 1}, shard="2/3", out=tmp_path / "other")
    merge_folders([folders / "part-1", tmp_path / "other"], tmp_path / "merged")
    assert 'command = "merge"' in (tmp_path / "merged" / "config.toml").read_text()


def test_fillings_in_parts(tmp_path: Path) -> None:
    host = Structure(Lattice.cubic(4.0), ["Al"], [[0, 0, 0]])
    run = {"n": 4, "levels": 4, "workers": 1, "potential": _EMT, "fmax": 2.0, "guests_from": "anywhere"}
    for part, name in (("1/1", "whole"), ("1/2", "a"), ("2/2", "b")):
        chggen.inpaint(host, {"Cu": 1}, **run, shard=part, out=tmp_path / name, progress=None)  # type: ignore[arg-type]
    merge_folders([tmp_path / "a", tmp_path / "b"], tmp_path / "merged")
    assert _summary(tmp_path / "merged") == _summary(tmp_path / "whole")
    inputs = sorted(path.name for path in (tmp_path / "whole" / "inputs").iterdir())
    assert sorted(path.name for path in (tmp_path / "merged" / "inputs").iterdir()) == inputs


def test_files_are_relaxed_in_parts(tmp_path: Path) -> None:
    for k, a in enumerate((3.5, 3.6, 3.7)):
        Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), ["Cu"], [[0, 0, 0]]).to(str(tmp_path / f"{k}.cif"))
    files, options = [tmp_path / f"{k}.cif" for k in range(3)], {"potential": _EMT}
    found = {
        part: relax_files(files, options, "cpu", 1, tmp_path / part.replace("/", "of"), lambda *_: None, shard=part)
        for part in ("1/2", "2/2")
    }
    assert {part: [c.id for c in own] for part, own in found.items()} == {"1/2": ["0", "2"], "2/2": ["1"]}
    with pytest.raises(chggen.InputError, match="shard: expected which part of how many"):
        relax_files(files, options, "cpu", 1, tmp_path / "no", lambda *_: None, shard="3/2")


def test_a_part_without_candidates_is_no_error(tmp_path: Path) -> None:
    run = ["generate", "Cu", "-n", "1", "--levels", "4", "--potential", _EMT, "--workers", "1", "--shard", "2/2"]
    ended = CliRunner().invoke(app, [*run, "-o", str(tmp_path / "run")])
    assert ended.exit_code == 0, ended.output
    assert "no candidate of the run is made here" in ended.output
