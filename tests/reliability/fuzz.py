"""The parts that fuzz: many odd commands, of which each ends well, is refused in a sentence, or is accepted."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tests.reliability.fuzz_files import configuration, file_command, make_seeds
from tests.reliability.fuzz_text import formula_command, guest_command, option_command
from tests.reliability.trials import Bench, Trial

_COMMANDS: Final[dict[str, Callable[[random.Random, int, Path, Path], list[str]]]] = {
    "formulas": formula_command,
    "guests": guest_command,
    "options": option_command,
}
KINDS: Final = (*_COMMANDS, "files", "configurations")


def fuzz(kind: str, bench: Bench, inputs: Path, seed: int, numbers: Iterator[int] | range) -> Iterator[Trial]:
    """Give odd commands of a kind.

    Args:
        kind: One of `KINDS`.
        bench: The bench.
        inputs: Folder of `make_inputs`.
        seed: Seed of the run.
        numbers: Numbers of the trials; each follows from kind, seed and its number alone.

    Yields:
        The trials. Their names begin with kind and number.
    """
    seeds = make_seeds(bench.work / "seeds")
    for number in numbers:
        rng = random.Random(f"{kind}-{seed}-{number}")
        about = ""
        if kind in _COMMANDS:
            arguments = _COMMANDS[kind](rng, number, inputs, bench.out)
        elif kind == "files":
            arguments, about = file_command(rng, number, seeds, bench.box, bench.out)
        else:
            path = bench.box / "training.toml"
            data = next(s for s in seeds if s.suffix == ".extxyz")
            path.write_bytes(os.fsencode(configuration(rng, data, bench.out)))
            arguments = ["train", str(path)]
        told = " ".join(arguments).replace(str(bench.box), "BOX").replace(str(inputs), "INPUTS")
        yield bench.call(arguments, f"{kind} {number}: {about} {told[:300]!r}")
