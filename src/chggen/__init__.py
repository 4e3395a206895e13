"""chggen: crystal structure prediction by host-guided inpainting.

The names below are the public interface; they load what they need when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
_HOME = {
    "predict": "chggen.api",
    "generate": "chggen.api",
    "inpaint": "chggen.api",
    "relax": "chggen.api",
    "hull": "chggen.decomposition",
    "load_score_model": "chggen.score.checkpoint",
    "Candidate": "chggen.candidate",
    "InputError": "chggen.config",
    "References": "chggen.references",
}
__all__ = [
    "Candidate",
    "InputError",
    "References",
    "generate",
    "hull",
    "inpaint",
    "load_score_model",
    "predict",
    "relax",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'chggen' has no attribute '{name}'")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
