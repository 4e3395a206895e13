"""Whatever happens to a candidate is a row with the stage that failed; the others come as in a run without faults."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chggen
from chggen.campaign import evaluation, production, runner
from chggen.generation.cell_starts import BravaisCell
from chggen.results.candidate import Candidate
from chggen.results.database import read_candidates
from chggen.sampling import recipes

pytestmark = pytest.mark.reliability  # faults put in by hand: processes start, die and are ended

_QUICK: dict[str, Any] = {
    "n": 3, "formula_units": [4], "levels": 4, "best_of": 1, "max_steps": 300, "fmax": 0.2,
    "potential": "ase:ase.calculators.emt:EMT", "workers": 1, "judge": "score",
}  # fmt: skip
_BAD = "Cu-z4-0001"


def _generated(**options: Any) -> dict[str, Candidate]:
    return {c.id: c for c in chggen.generate("Cu", **{**_QUICK, **options})}


@pytest.fixture(scope="module")
def sound() -> dict[str, Candidate]:
    found = _generated()
    assert {c.status for c in found.values()} == {"ok"}
    return found


def _break_draw(monkeypatch: pytest.MonkeyPatch, fail: Callable[[], None], seed: int) -> None:
    whole = BravaisCell.draw

    def draw(self: Any, own: int, *others: Any) -> Any:
        if own == seed:
            fail()
        return whole(self, own, *others)

    monkeypatch.setattr(BravaisCell, "draw", draw)


def _break_sample(monkeypatch: pytest.MonkeyPatch, fail: Callable[[], None], seed: int) -> None:
    whole = recipes.Recipe.run

    def run(self: Any, score: Any, start: Any, seeds: Sequence[int]) -> Any:
        if seed in seeds:
            fail()
        return whole(self, score, start, seeds)

    monkeypatch.setattr(recipes.Recipe, "run", run)


def _break_function(module: Any, name: str) -> Callable[[pytest.MonkeyPatch, Callable[[], None], int], None]:
    """Break a function of one candidate, which stands as it is or in a list, first or second."""

    def break_(monkeypatch: pytest.MonkeyPatch, fail: Callable[[], None], seed: int) -> None:
        whole = getattr(module, name)

        def broken(*given: Any, **named: Any) -> Any:
            for one in (part for arg in given for part in (arg if isinstance(arg, list) else [arg])):
                if getattr(getattr(one, "candidate", one), "seed", None) == seed:
                    fail()
            return whole(*given, **named)

        monkeypatch.setattr(module, name, broken)

    return break_


_BREAKS = {
    "draw": _break_draw,
    "sample": _break_sample,
    "screen": _break_function(production, "_screened"),
    "relax": _break_function(production, "relax_candidates"),
    "refine": _break_function(evaluation, "with_space_groups"),
    "hull": _break_function(runner.Campaign, "_placed"),
}


def _memory() -> None:
    raise MemoryError


def _quit() -> None:
    raise SystemExit(0)


@pytest.mark.parametrize("fail", [_memory, _quit])
@pytest.mark.parametrize("stage", list(_BREAKS))
def test_a_fault_at_any_stage_is_a_row_that_says_so(
    stage: str, fail: Callable[[], None], sound: dict[str, Candidate], monkeypatch: pytest.MonkeyPatch
) -> None:
    if stage == "hull" and fail is _quit:
        pytest.skip("no code of others places candidates")
    _BREAKS[stage](monkeypatch, fail, sound[_BAD].seed)
    found = _generated()
    bad = found.pop(_BAD)
    assert (bad.status, bad.failed_at) == ("failed", stage)
    assert bad.reason in ("MemoryError", "SystemExit: 0")
    assert {name: c.energy_per_atom for name, c in found.items()} == {
        name: c.energy_per_atom for name, c in sound.items() if name != _BAD
    }
    for name, c in found.items():
        assert np.array_equal(c.raw.frac_coords, sound[name].raw.frac_coords)  # type: ignore[union-attr]


_CALCULATOR = """
import os
import numpy as np
from ase.calculators.emt import EMT

class Ending(EMT):
    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        if np.abs(self.atoms.get_volume() - float(os.environ["VOLUME"])) < 1e-3:
            os._exit(0)

def make():
    return Ending()
"""


def test_a_run_that_a_candidate_has_ended_goes_on_without_it(
    tmp_path: Path, sound: dict[str, Candidate], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ends_at_the_second.py").write_text(_CALCULATOR)
    raw = sound[_BAD].raw
    assert raw is not None
    monkeypatch.setenv("VOLUME", repr(raw.volume))
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = tmp_path / "run"
    options = {"potential": "ase:ends_at_the_second:make", "out": str(folder)}
    run = f"import chggen; chggen.generate('Cu', **{ {**_QUICK, **options}!r})"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", run]
    assert subprocess.run(command, env=environment, capture_output=True, timeout=300).returncode == 0
    assert not (folder / "summary.csv").exists()  # the calculator has ended the process before
    assert [c.id for c in read_candidates(folder)] == ["Cu-z4-0000"]  # what was finished is there
    assert _BAD in (folder / ".under-way").read_text()
    _generated(**options)  # here, where the calculator would end the tests, were it not kept apart
    found = {c.id: c for c in read_candidates(folder)}
    assert (found[_BAD].status, found[_BAD].failed_at) == ("failed", "relax")
    assert found[_BAD].reason == "its process ended with exit code 0"
    for name in {*sound} - {_BAD}:
        assert found[name].energy_per_atom == sound[name].energy_per_atom
    assert (folder / "summary.csv").exists()
    assert not (folder / ".under-way").exists()


def test_rows_are_written_as_candidates_end(sound: dict[str, Candidate], tmp_path: Path) -> None:
    counts: list[int] = []

    def look(stage: str, done: int, total: int, failures: int) -> None:
        if done:
            counts.append(len(read_candidates(tmp_path)))

    _generated(out=tmp_path, progress=look, batch_size=3)
    assert counts == [1, 2, 3]


def test_a_hang_is_a_row(sound: dict[str, Candidate], monkeypatch: pytest.MonkeyPatch) -> None:
    _BREAKS["relax"](monkeypatch, lambda: time.sleep(600), sound[_BAD].seed)
    began = time.monotonic()
    bad = _generated(time_limit=3.0)[_BAD]
    assert time.monotonic() - began < 120
    assert (bad.status, bad.failed_at) == ("failed", "relax")
    assert "took longer than 3 s" in str(bad.reason)
