"""What the page says first: what came out, in words, what to do next, and what was asked."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chggen.errors import counted
from chggen.io import own_text
from chggen.potential import level_named
from chggen.results import Candidate, answers, probability_text, reasons, space_group_text

_WORTH_DFT: Final = 0.03  # eV/atom above the hull, up to which the errors of potentials leave it open
_MOST: Final = 6  # answers, and candidates for DFT, that are named
_SHOWN: Final = (
    "seed", "n", "quality", "guests", "fill", "region", "remove", "hold", "move_within", "host_sigma", "mu", "ion",
    "relax", "references", "model",
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """The likeliest candidate of a formula: its id, what it is called, and what is said of it."""

    id: str
    name: str
    said: str


def page_answers(shown: Sequence[Candidate]) -> list[Answer]:
    """Return what is said of the likeliest candidate of each formula, the best first.

    Args:
        shown: The distinct, good candidates of a run, best first.
    """
    found = list(answers(shown).values()) or list(shown[:1])
    order = {c.id: k for k, c in enumerate(shown)}
    why = reasons(shown)
    return [Answer(c.id, _named(c), _said(c, why.get(c.id))) for c in sorted(found, key=lambda c: order[c.id])[:_MOST]]


def advice(shown: Sequence[Candidate]) -> list[str]:
    """Return sentences about what to do next.

    Args:
        shown: The distinct, good candidates of a run, best first.
    """
    near = [c for c in shown if c.deciding_e_d is not None and c.deciding_e_d <= _WORTH_DFT and c.known_as is None]
    if near:
        names = ", ".join(c.id for c in near[:_MOST]) + (", …" if len(near) > _MOST else "")
        them = "It is no known phase and lies" if len(near) == 1 else "They are no known phases and lie"
        return [
            f"Worth a DFT calculation: {names}. {them} at most {_WORTH_DFT:g} eV/atom above the hull, where the error "
            "of the potential leaves it open. The command chggen export writes inputs.",
            *_doubts(near),
        ]
    energies = [c.deciding_e_d for c in shown if c.deciding_e_d is not None]
    if not energies:
        return _doubts(shown)
    if min(energies) <= _WORTH_DFT:
        return ["Nothing new lies near the hull: what does is a known phase."]
    return [
        f"Nothing lies within {_WORTH_DFT:g} eV/atom of the hull. More candidates, other cell sizes or other guests "
        "may find something lower."
    ]


def _doubts(candidates: Sequence[Candidate]) -> list[str]:
    """Return why energies are doubtful, each reason once."""
    reasons = dict.fromkeys(c.hull_warning for c in candidates if c.hull_warning is not None)
    return [f"Doubtful: {reason}." if not reason.endswith(".") else f"Doubtful: {reason}" for reason in reasons][:3]


def asked(folder: Path, options: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what was asked and how, name and text.

    Args:
        folder: The results folder.
        options: Its options.
    """
    run = _last_run(folder)
    line = run.get("command_line") or []
    found = [("command", " ".join(["chggen", *map(shlex.quote, map(str, line[1:]))]) if line else "")]
    found += [("begun", str(run.get("started", ""))), ("chggen", str(options.get("chggen_version", "")))]
    found += [(name, _plain(options[name])) for name in _SHOWN if options.get(name) not in (None, "", [], {}, ())]
    return [(name, text) for name, text in found if text]


def _named(candidate: Candidate) -> str:
    """Return formula and space group of a candidate."""
    group = space_group_text(candidate)
    return f"{candidate.formula}, {group}" if group else candidate.formula


def _said(candidate: Candidate, why: str | None) -> str:
    """Return what is said of a candidate: where it lies, what it is, how sure one may be and why."""
    c, parts = candidate, []
    e_d, level = c.deciding_e_d, c.deciding_level
    if e_d is not None and level is not None:
        parts.append(f"{_stability(e_d, c)} ({_rounded(1000 * e_d)} meV/atom, {level_named(level).label})")
    elif c.e_insertion is not None:
        parts.append(f"inserted at {c.e_insertion:.3f} eV")
    if c.known_as is not None:
        parts.append(f"known as {c.known_as}")
    if c.probability is not None and why is not None:
        parts.append(f"the crystal with a probability of {probability_text(c.probability)} ({why})")
    elif c.n_found is not None:
        parts.append(f"found {counted(c.n_found, 'time')}, confidence {c.confidence}")
    return "; ".join(parts)


def _rounded(number: float) -> str:
    """Return a number with its sign, none where it is 0."""
    return f"{number:+.0f}" if round(number) else "0"


def _stability(e_d: float, candidate: Candidate) -> str:
    """Return what a decomposition energy means."""
    if candidate.hull_warning:
        return "of doubtful stability"
    if e_d <= 0:
        return "stable against the known phases"
    if e_d <= _WORTH_DFT:
        return "near the hull, within the error of the potential"
    return "metastable" if e_d <= 0.1 else "far above the hull"


def _last_run(folder: Path) -> dict[str, Any]:
    """Return the line of the last run in a folder; an empty one where there is none that can be read."""
    try:
        lines = own_text(folder / "runs.jsonl").splitlines()
        found = json.loads(lines[-1])
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError, IndexError):
        return {}


def _plain(value: Any) -> str:
    """Return an option as text."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={text}" for name, text in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return str(value)
