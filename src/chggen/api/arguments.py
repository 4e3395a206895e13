"""What the functions of the Python interface share: kinds of arguments, their descriptions, and the machine."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from chggen.errors import InputError
from chggen.execution import Machine, Progress
from chggen.potential import OBJECT
from chggen.settings import Options

Files = Path | str
ShownProgress = Progress | bool | None
Supercell = Sequence[int] | Sequence[Sequence[int]]
Quality = Literal["fast", "best"]
Judge = Literal["auto", "score", "energy"]
Optimizer = Literal["fire-lbfgs", "lbfgs", "fire"]
_OF_A_CALL: Final = {
    "device": "`cpu` or `cuda`.",
    "workers": "Number of local processes; 0: one for each core, or for each GPU. Candidates do not depend on it.",
    "batch_size": "Most candidates that a process makes at once.",
    "time_limit": "Most seconds for a candidate; one that takes longer is a failed row. In one process (`workers=1`) "
    "only Python code can be stopped.",
    "executor": "What computes instead of local processes: any executor with the interface of "
    "`concurrent.futures.Executor`, or one by name, `slurm:FILE.toml` or `dask:ADDRESS`.",
    "out": "Results folder, resumed if it is there; or an object of the protocol `Results`. None: nothing is written.",
    "database": "Address of a database that many runs share, for the candidates beside `out`: "
    "`postgresql://USER:PASSWORD@HOST/NAME`.",
    "progress": "True: a progress bar in a terminal or a notebook, and nothing elsewhere. None or False: none. Or a "
    "function that is called with stage, candidates done, candidates in all, and how many of them failed.",
    "potential": "Name of a registered potential such as chgnet or chgnet-r2scan, `ase:module:factory` or "
    "`torch-sim:module:factory`; or an ASE calculator or Potential object, which computes in this process alone.",
}
"""Descriptions of the arguments that are no part of what a run is, or that take more than the command line can give."""
_Function = TypeVar("_Function", bound=Callable[..., Any])


def with_arguments(options: type[Options]) -> Callable[[_Function], _Function]:
    """Put the descriptions of an option model into the argument list of a function's docstring.

    Args:
        options: The option model.
    """
    described = {name: f"    {name}: {field.description}\n" for name, field in options.keywords().items()}
    described |= {name: f"    {name}: {text}\n" for name, text in _OF_A_CALL.items()}

    def decorated(function: _Function) -> _Function:
        before, _, rest = (inspect.getdoc(function) or "").partition("Args:\n")
        own, _, after = rest.partition("\n\n")
        entries = re.split(r"^(?=    \w+: )", own + "\n", flags=re.MULTILINE)
        told = described | {entry.split(":")[0].strip(): entry for entry in entries if entry}
        lines = "".join(told[name] for name in inspect.signature(function).parameters)
        function.__doc__ = f"{before}Args:\n{lines}\n{after}"
        return function

    return decorated


def machine_of(given: Mapping[str, Any]) -> Machine:
    """Return where to compute, as the arguments of a function say.

    Args:
        given: The arguments by name. A potential stands there by its name.

    Raises:
        InputError: The potential is an object, which only this process has, and several are asked for.
    """
    machine = Machine(**{name: given[name] for name in ("device", "workers", "batch_size", "time_limit", "executor")})
    if not given["potential"].startswith(OBJECT):
        return machine
    if machine.workers > 1 or machine.executor is not None:
        asked = "an executor" if machine.executor is not None else f"workers={machine.workers}"
        raise InputError(
            f"a potential that is an object computes in this process alone, got {asked}; leave that out, or name a "
            "function of a module that makes the potential, as potential='ase:module:function'"
        )
    return replace(machine, workers=1, isolate=False)
