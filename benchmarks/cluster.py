"""What spreading batches costs: a Dask scheduler, and a thousand workers of which one in twenty dies.

python benchmarks/cluster.py record --out FOLDER      # how long batches of real runs take
python benchmarks/cluster.py workers --out FOLDER     # these times, replayed by 1,000 workers
python benchmarks/cluster.py dask --out FOLDER        # 10,000 batches of a millisecond, on this machine
python benchmarks/cluster.py cores --out FOLDER       # 64 candidates on one core and on two
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import os
import random
import resource
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from cluster_work import lost, millisecond

import chggen
from chggen.execution import spread

_RECORDED = ("ZnP2S6", "Li3PS4", "MgTiO3", "NaCl")
_N = 16


class Timed(Executor):
    """Computes at once and keeps how long each call took."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        began = time.perf_counter()
        future.set_result(function(*args, **kwargs))
        self.seconds.append(round(time.perf_counter() - began, 4))
        return future


def record(out: Path) -> None:
    """Write down how long the batches of predictions take on one core, one candidate each."""
    timed = Timed()
    for formula in _RECORDED:
        chggen.predict(formula, n=_N, executor=timed, batch_size=1, progress=None)
    (out / "batch_seconds.json").write_text(json.dumps(timed.seconds))
    print(f"{len(timed.seconds)} batches, {sum(timed.seconds) / len(timed.seconds):.2f} s on average")


class Replayed(Executor):
    """Workers that take as long as was recorded, on a clock that runs faster; some die and do not come back."""

    def __init__(self, workers: int, seconds: Sequence[float], dying: float, faster: float, seed: int = 0) -> None:
        self.busy = self.wasted = 0.0  # s of the workers' clock, of batches that came and of those that died
        self._rng, self._dying, self._faster = random.Random(seed), dying, faster
        self._seconds = seconds
        self._waiting: list[tuple[Any, ...]] = []
        self._free = workers
        self.deaths = round(workers * dying)
        self._chance = 0.0
        self._events: list[tuple[float, int, Any]] = []
        self._count = itertools.count()
        self._turn = threading.Condition()
        self.lived: list[float] = []  # when workers died
        self.began = time.monotonic()
        self._deaths_at = sorted(self._rng.sample(range(workers * 10), self.deaths))
        self._calls = 0
        threading.Thread(target=self._run, daemon=True).start()

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        with self._turn:
            self._waiting.append((future, args[1]))
            self._begin()
            self._turn.notify()
        return future

    def _begin(self) -> None:
        """Give waiting calls to free workers."""
        while self._free and self._waiting:
            future, batch = self._waiting.pop()
            if not future.set_running_or_notify_cancel():
                continue
            self._free -= 1
            self._calls += 1
            seconds = self._rng.choice(self._seconds)
            dies = bool(self._deaths_at) and self._calls >= self._deaths_at[0]
            if dies:
                self._deaths_at.pop(0)
                seconds *= self._rng.random()
            at = time.monotonic() + seconds / self._faster
            heapq.heappush(self._events, (at, next(self._count), (future, batch, seconds, dies)))

    def _run(self) -> None:
        while True:
            with self._turn:
                now = time.monotonic()
                ended = []
                while self._events and self._events[0][0] <= now:
                    at, _, event = heapq.heappop(self._events)
                    ended.append(event)
                    if event[3]:
                        self.wasted += event[2]
                        self.lived.append((at - self.began) * self._faster)
                    else:
                        self.busy += event[2]
                        self._free += 1
                self._begin()
                wait = max(0.0, self._events[0][0] - time.monotonic()) if self._events else None
                if not ended:
                    self._turn.wait(wait)
            for future, batch, _, dies in ended:
                if dies:
                    future.set_exception(ConnectionError("the worker is gone"))
                else:
                    future.set_result(list(batch))


def workers(out: Path, count: int, batches: int, dying: float, faster: float) -> None:
    """Replay recorded times by many workers, and print how busy they were until all had come."""
    seconds = json.loads((out / "batch_seconds.json").read_text())
    executor = Replayed(count, seconds, dying, faster)
    began, cpu = time.monotonic(), time.process_time()
    spread._LOOK, spread._SOON = spread._LOOK / faster, spread._SOON / faster  # the same clock
    run = spread.Spread(executor, _same, None, lost).run([[k] for k in range(batches)])
    came = Counter(item for rows in run for item in rows)
    took = (time.monotonic() - began) * faster
    there = sum(executor.lived) + (count - len(executor.lived)) * took
    print(
        f"{count} workers, {len(executor.lived)} died; {batches} batches of {sum(seconds) / len(seconds):.1f} s in "
        f"{took:.0f} s: {100 * executor.busy / there:.1f} % busy with what came, {len(came)} came, "
        f"{sum(n > 1 for n in came.values())} twice, {sum(k < 0 for k in came)} lost; driver "
        f"{1e3 * (time.process_time() - cpu) / batches:.2f} ms of CPU a batch"
    )


def _same(batch: Sequence[int], resources: Any) -> list[int]:
    return list(batch)


def dask(batches: int) -> None:
    """Print what a batch costs on a Dask cluster of this machine."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        executor = client.get_executor(pure=False)
        list(spread.Spread(executor, millisecond, None, lost).run([[k] for k in range(100)]))
        began = time.monotonic()
        run = spread.Spread(executor, millisecond, None, lost).run([[k] for k in range(batches)])
        came = sum(map(len, run))
        took = time.monotonic() - began
    print(f"{came} of {batches} batches in {took:.1f} s: {1e3 * took / batches:.2f} ms a batch")


def cores(out: Path, n: int, formula: str, space_group: str) -> None:
    """Print how much faster two processes are than one, models loaded before."""
    took = {}
    for count in (1, 2):
        run = {"workers": count, "space_group": space_group, "progress": None, "seed": 0}
        chggen.generate(formula, n=16, **run)  # processes start and load their models
        began, used = time.monotonic(), _used()
        chggen.generate(formula, n=n, out=out / f"cores-{formula}-{count}", **run)
        took[count] = time.monotonic() - began
        print(f"{count} processes: {n} candidates in {took[count]:.1f} s, {_used() - used:.1f} s of CPU", flush=True)
    print(f"efficiency {100 * took[1] / took[2] / 2:.0f} %")
    same = {(out / f"cores-{formula}-{count}" / "summary.csv").read_bytes() for count in took}
    print("the same summary.csv" if len(same) == 1 else "DIFFERENT summaries")


def _used() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("record", "workers", "dask", "cores"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--batches", type=int, help="default: 50 a worker; 10,000 for dask; 64 candidates for cores")
    parser.add_argument("--dying", type=float, default=0.05, help="share of workers that die")
    parser.add_argument("--formula", default="MgTiO3", help="of which candidates are made for cores")
    parser.add_argument("--space-group", default="auto", help="of these candidates, none for prototypes and all others")
    parser.add_argument("--faster", type=float, default=4.0, help="how fast the clock of replayed workers runs")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if given.what == "record":
        record(given.out)
    elif given.what == "workers":
        workers(given.out, given.workers, given.batches or 50 * given.workers, given.dying, given.faster)
    elif given.what == "dask":
        dask(given.batches or 10_000)
    else:
        cores(given.out, given.batches or 64, given.formula, given.space_group)


if __name__ == "__main__":
    main()
