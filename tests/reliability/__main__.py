"""The reliability trials: `python -m tests.reliability [PART…]`.

Prints a line for each trial with a fault, and a table of trials and faults; the exit code is 1 where there is a fault.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")  # before numpy is loaded

from tests.reliability import (
    calculators,
    fuzz,
    hostile_folders,
    hostile_tensors,
    hostile_texts,
    kills,
    processes,
    resources,
    same_seed,
    sharing,
)
from tests.reliability.inputs import make_inputs
from tests.reliability.trials import Bench, Trial

_FUZZ: Final = {"formulas": 2500, "guests": 1500, "options": 2500, "files": 2500, "configurations": 1000}
_KILLS: Final = 500
HOSTILE: Final[dict[str, Callable[[Bench, Path, bool], Iterator[Trial]]]] = {
    "checkpoints": hostile_tensors.checkpoints,
    "arrays": hostile_tensors.arrays,
    "json modules": hostile_texts.json_modules,
    "code in structures": hostile_texts.code_in_structures,
    "odd files": hostile_texts.odd_files,
    "names": hostile_texts.names,
    "destinations": hostile_texts.destinations,
    "damaged folders": hostile_folders.damaged_folders,
    "damaged bytes": hostile_folders.damaged_bytes,
    "escapes": hostile_folders.escapes,
    "markup": hostile_folders.markup,
    "build folders": hostile_folders.build_folders,
}
PROMISES: Final = {
    "fuzz": "odd input is accepted, or refused in one sentence with exit code 2 and nothing written",
    "hostile": "no code of a file runs, nothing outside the folder is touched, damage is refused in a sentence",
    "kills": "a killed run goes on and ends as one that nobody killed",
    "workers": "the same with real processes and workers; no process is left behind",
    "creation": "a run killed while it makes its database can be given again",
    "calculators": "a candidate that fails in any way is a row, and costs no other",
    "sharing": "several programs at one folder do not disturb each other",
    "resources": "no space, no rights, no folder: a sentence, and the run goes on later",
    "seed": "the same seed makes the same candidates, to the last bit",
}


def trials_of(part: str, work: Path, inputs: Path, seed: int, short: bool, share: float) -> Iterator[tuple[str, Trial]]:
    """Yield the trials of a part with the name of their group.

    Args:
        part: One of `PROMISES`.
        work: Folder for what is written.
        inputs: Folder of `make_inputs`.
        seed: Seed of the run.
        short: The two-minute form.
        share: Share of the numbers of the whole form; not for parts that are lists of cases.
    """
    if part in ("fuzz", "hostile"):
        processes.stop_before_computing()
        processes.rehearse(inputs, work / "rehearsal")
        for kind in fuzz.KINDS if part == "fuzz" else HOSTILE:
            bench = Bench(work / kind.replace(" ", "-"))
            if part == "fuzz":
                n = max(1, round(share * (20 if short else _FUZZ[kind])))
                found = fuzz.fuzz(kind, bench, inputs, seed, range(n))
            else:
                found = HOSTILE[kind](bench, inputs, short)
            yield from _named(kind, found)
        return
    processes.fork_workers()
    groups: dict[str, Callable[[], Iterator[Trial]]] = {
        "kills": lambda: kills.kill_and_resume(inputs, work, seed, max(1, round(share * (4 if short else _KILLS)))),
        "workers": lambda: kills.killed_workers(inputs, work, seed, 1 if short else max(1, round(share * 30))),
        "creation": lambda: kills.killed_at_creation(inputs, work, 5 if short else 1),
        "calculators": lambda: calculators.failing_calculators(inputs, work, 4 if short else 1),
        "seed": lambda: same_seed.same_seed(inputs, work, short),
    }
    if part == "sharing":
        groups = {
            "labels": lambda: sharing.labels(work),
            "reports": lambda: sharing.reports_at_once(inputs, work, 1 if short else 6),
            "two runs": lambda: sharing.two_runs(inputs, work),
            "locks": lambda: sharing.held_databases(inputs, work, short),
        }
    elif part == "resources":
        groups = {
            "full disk": lambda: resources.full_disk(inputs, work, short),
            "removed folder": lambda: resources.removed_folder(inputs, work),
            "forbidden": (lambda: iter(())) if short else (lambda: resources.forbidden(inputs, work)),
            "little memory": lambda: resources.little_memory(inputs, work, short),
        }
    else:
        groups = {part: groups[part]}
    for group, run in groups.items():
        yield from _named(group, run())


def _named(group: str, trials: Iterator[Trial]) -> Iterator[tuple[str, Trial]]:
    """Yield trials with the name of their group; what breaks a group is a fault of it, and costs no other group."""
    try:
        yield from ((group, trial) for trial in trials)
    except Exception as error:
        traceback.print_exc()
        yield group, Trial("the group itself", "broken", (f"{type(error).__name__}: {error}",))


def run_part(part: str, work: Path, inputs: Path, seed: int, short: bool, share: float) -> dict[str, Any]:
    """Run a part in this process and return its counts by group, with every trial that has a fault."""
    work.mkdir(parents=True, exist_ok=True)
    groups: dict[str, dict[str, Any]] = {}
    for group, trial in trials_of(part, work, inputs, seed, short, share):
        told = groups.setdefault(group, {"trials": 0, "faults": [], "outcomes": {}, "seconds": 0.0})
        told["trials"] += 1
        if told["trials"] % 500 == 0:
            print(f"{part}/{group}: {told['trials']} trials, {len(told['faults'])} faults", flush=True)
        told["seconds"] = round(told["seconds"] + trial.seconds, 1)
        kind = trial.outcome.split(",")[0].split(":")[0]
        told["outcomes"][kind] = told["outcomes"].get(kind, 0) + 1
        if trial.faults:
            told["faults"].append({"trial": trial.name, "outcome": trial.outcome, "faults": list(trial.faults)})
            print(f"FAULT {part}/{group}: {trial.name}: {trial.outcome}: {' | '.join(trial.faults)}"[:900], flush=True)
    return groups


def main() -> int:
    """Run the parts, each in a process of its own, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PROMISES)}; default: all")
    parser.add_argument("--short", action="store_true", help="few trials of each kind, for every day")
    parser.add_argument("--share", type=float, default=1.0, help="share of the numbers of kills and of fuzzed input")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("runs/reliability"))
    parser.add_argument("--out", type=Path, help="file for counts and faults, as JSON")
    parser.add_argument("--add", type=Path, nargs="+", default=[], help="what --out of earlier runs wrote, to be added")
    parser.add_argument("--table", type=Path, help="file for a table of them, as Markdown")
    given = parser.parse_args()
    if unknown := [part for part in given.parts if part not in PROMISES]:
        parser.error(f"unknown part {unknown[0]}; expected some of {', '.join(PROMISES)}")
    work, inputs = given.work.resolve(), given.work.resolve() / "inputs"
    results: dict[str, Any] = {}
    parts = given.parts or ([] if given.add else list(PROMISES))
    if parts:
        processes.load(models=not {*parts} <= {"fuzz", "hostile"})  # once, for the children that run the parts
        make_inputs(inputs, few=given.short)
        hostile_folders.make_results(inputs)
    for part in parts:
        began = time.monotonic()
        results[part] = _apart(part, work, inputs, given)
        trials = sum(group["trials"] for group in results[part].values())
        faults = sum(len(group["faults"]) for group in results[part].values())
        print(f"{part}: {trials} trials, {faults} faults, {time.monotonic() - began:.0f} s", flush=True)
    for earlier in given.add:
        add(results, json.loads(earlier.read_text()))
    if given.out is not None:
        given.out.write_text(json.dumps(results, indent=1) + "\n")
    if given.table is not None:
        given.table.write_text(table(results))
    return int(any(not groups or any(g["faults"] for g in groups.values()) for groups in results.values()))


def add(results: dict[str, Any], more: dict[str, Any]) -> None:
    """Add the counts and faults of another run.

    Args:
        results: What `--out` writes; the other run is added to it.
        more: What `--out` of the other run has written.
    """
    for part in [part for part in PROMISES if part in more]:
        groups = results.setdefault(part, {})
        for group, told in more[part].items():
            here = groups.setdefault(group, {"trials": 0, "faults": [], "outcomes": {}, "seconds": 0.0})
            for name in ("trials", "faults", "seconds"):
                here[name] += told[name]
            for outcome, count in told["outcomes"].items():
                here["outcomes"][outcome] = here["outcomes"].get(outcome, 0) + count


def table(results: dict[str, Any]) -> str:
    """Return the trials and faults of a run as a Markdown table, a line for each group of trials.

    Args:
        results: What `--out` writes: by part and group, the trials, outcomes and faults.

    Returns:
        The table.
    """
    lines = [
        "% Made by `python -m tests.reliability`. Do not edit.", "",
        "| part | what is tried | trials | how they end | faults |", "|---|---|---|---|---|",
    ]  # fmt: skip
    total = [0, 0]
    for part, groups in ((part, results[part]) for part in PROMISES if part in results):
        for group, told in groups.items():
            outcomes = sorted(told["outcomes"].items(), key=lambda pair: -pair[1])
            ends = ", ".join(f"{name} {count:,}" for name, count in outcomes[:4]) + (", …" if outcomes[4:] else "")
            lines.append(f"| {part} | {group} | {told['trials']:,} | {ends} | {len(told['faults'])} |")
            total = [total[0] + told["trials"], total[1] + len(told["faults"])]
    return "\n".join([*lines, f"| all | | {total[0]:,} | | {total[1]} |", ""])


def _apart(part: str, work: Path, inputs: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Run a part in a child of its own, so that what is replaced for one is not so for the next."""
    told = work / f"{part}.json"
    work.mkdir(parents=True, exist_ok=True)
    told.unlink(missing_ok=True)
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            found = run_part(part, work / part, inputs, given.seed, given.short, given.share)
            told.write_text(json.dumps(found))
            code = 0
        finally:
            sys.stdout.flush()
            if code:
                traceback.print_exc()
            os._exit(code)
    os.waitpid(pid, 0)
    result: dict[str, Any] = json.loads(told.read_text()) if told.exists() else {}
    return result


if __name__ == "__main__":
    sys.exit(main())
