"""What the functions of the Python interface share: kinds of arguments, their descriptions, and the machine."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from chggen.execution import Machine
from chggen.settings import Options

Files = Path | str
Supercell = Sequence[int] | Sequence[Sequence[int]]
Quality = Literal["fast", "best"]
Judge = Literal["auto", "score", "energy"]
Optimizer = Literal["fire-lbfgs", "lbfgs", "fire"]
_OF_A_RUN: Final = {
    "device": "`cpu` or `cuda`.",
    "workers": "Number of local processes; 0: one for each core. Candidates do not depend on it.",
    "batch_size": "Most candidates that a process makes at once.",
    "time_limit": "Most seconds for a candidate; one that takes longer is a failed row. In one process (`workers=1`) "
    "only Python code can be stopped.",
    "executor": "Any executor with the interface of `concurrent.futures.Executor`, instead of local processes.",
    "out": "Results folder, resumed if it is there; or an object of the protocol `Results`. None: nothing is written.",
    "progress": "Called with stage, candidates done, candidates in all, and how many of them failed.",
}
"""Descriptions of the arguments that are no part of what a run is."""
_Function = TypeVar("_Function", bound=Callable[..., Any])


def with_arguments(options: type[Options]) -> Callable[[_Function], _Function]:
    """Put the descriptions of an option model into the argument list of a function's docstring.

    Args:
        options: The option model.
    """
    described = {name: f"    {name}: {field.description}\n" for name, field in options.keywords().items()}
    described |= {name: f"    {name}: {text}\n" for name, text in _OF_A_RUN.items()}

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
        given: The arguments by name.
    """
    return Machine(**{name: given[name] for name in ("device", "workers", "batch_size", "time_limit")})
