"""Shapes and types of arguments, results and fields are checked under pytest, anew in each test."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from jaxtyping import TypeCheckError
from tests.shape_checks import CALLS, begin_anew

from chggen.crystals.batch import Crystals
from chggen.diffusion.strain import aligned, kept


def _crystals() -> Crystals:
    return Crystals(
        frac_coords=torch.zeros(2, 3),
        lattice=torch.eye(3)[None],
        atomic_numbers=torch.ones(2, dtype=torch.long),
        crystal_index=torch.zeros(2, dtype=torch.long),
        guest=torch.ones(2, dtype=torch.bool),
    )


def test_wrong_shapes_and_types_are_errors() -> None:
    with pytest.raises(TypeCheckError, match="frac_coords"):
        replace(_crystals(), frac_coords=torch.zeros(2, 2))
    with pytest.raises(TypeCheckError, match="guest"):
        replace(_crystals(), guest=torch.ones(3, dtype=torch.bool))
    with pytest.raises(TypeCheckError):
        aligned(torch.eye(3)[None], torch.eye(3))
    with pytest.raises(TypeCheckError):
        kept("much")  # type: ignore[arg-type]


def test_the_first_calls_are_checked() -> None:
    flat = torch.zeros(2, 2)
    for _ in range(CALLS - 1):
        kept(torch.zeros(2))
    with pytest.raises(TypeCheckError):
        kept(flat)
    assert kept(flat).shape == (2, 2)  # a later one
    begin_anew()
    with pytest.raises(TypeCheckError):
        kept(flat)
