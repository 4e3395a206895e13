"""Importing this before the sampler lets beartype check its protocols; void once they are runtime checkable."""

from __future__ import annotations

from typing import runtime_checkable

from chggen.sampling.anchor import Anchor
from chggen.sampling.steps import Predictor
from chggen.sampling.symmetry import Symmetry

for protocol in (Anchor, Predictor, Symmetry):
    runtime_checkable(protocol)
