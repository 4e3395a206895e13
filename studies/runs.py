"""What the studies compute with: calls of chggen that keep their results, and work that is spread over the cores."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chggen
from chggen import Candidate, Candidates


@dataclass(frozen=True)
class Run:
    """A call of chggen that keeps its results in a folder: the name of a function, its arguments and options."""

    call: str
    words: tuple[Any, ...]
    options: dict[str, Any]

    @classmethod
    def of(cls, call: str, *words: Any, **options: Any) -> Run:
        """The call, as it is written."""
        return cls(call, words, options)


def spread(work: Callable[[Any], Any], jobs: Iterable[Any], out: Path | None = None) -> list[Any]:
    """What a function of a module makes of jobs, in their order; a process of one thread for each core.

    With a folder, what was made of each job is kept there as JSON, so that a study that was stopped goes on; jobs may
    then have names, as a mapping.
    """
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        named = jobs if isinstance(jobs, Mapping) else dict(enumerate(jobs))
        jobs = [(work, job, out / f"{work.__name__}-{name}.json") for name, job in named.items()]
        work = _kept
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context, initializer=_one_thread) as pool:
        return list(pool.map(work, jobs))


def _kept(job: tuple[Callable[[Any], Any], Any, Path]) -> Any:
    work, own, file = job
    if not file.exists():
        part = file.with_suffix(".part")
        part.write_text(json.dumps(work(own)))
        part.replace(file)
    return json.loads(file.read_text())


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")


def made(out: Path, runs: Mapping[str, Run]) -> dict[str, tuple[Candidates, float]]:
    """The candidates of runs, by name, and the CPU seconds of each; a process of one thread for each core.

    A run that was stopped goes on in its folder, and its parts are timed together.
    """
    out.mkdir(parents=True, exist_ok=True)
    seconds = spread(_timed, [(out / name, run) for name, run in runs.items()])
    return {name: (chggen.open(out / name), spent) for name, spent in zip(runs, seconds, strict=True)}


def _timed(job: tuple[Path, Run]) -> float:
    folder, run = job
    file = folder.parent / f"{folder.name}.seconds"
    before = float(file.read_text()) if file.exists() else 0.0
    if not (folder / "summary.csv").exists():
        began = time.process_time()
        try:
            getattr(chggen, run.call)(*run.words, **run.options, workers=1, out=folder)
        finally:
            before += time.process_time() - began
            file.write_text(str(before))
    return before


def asked_for(candidates: Iterable[Candidate]) -> list[Candidate]:
    """What became of each structure that was asked for: the lowest of its draws, or how the last of them failed.

    A draw that failed is made anew under the same id with `-r1`, `-r2` …; what a saddle fell to (`-low`) is no draw.
    """
    ends: dict[str, Candidate] = {}
    for c in sorted(candidates, key=lambda c: c.id):
        name = re.sub(r"-r\d+$", "", c.id)
        if c.id.endswith("-low"):
            continue
        best = ends.get(name)
        if best is None or _height(c) <= _height(best):
            ends[name] = c
    return list(ends.values())


def _height(c: Candidate) -> float:
    return c.energy_per_atom if c.status == "ok" and c.energy_per_atom is not None else float("inf")
