"""Potentials by name, and the level of theory of each."""

from __future__ import annotations

import functools
from typing import Final

import torch

from chggen.errors import InputError
from chggen.potential.protocol import Potential

POTENTIAL_OF: Final = {"pbe": "chgnet", "r2scan": "chgnet-r2scan"}  # level of theory → weights that reproduce it
POTENTIALS: Final = ("chgnet", "chgnet-r2scan")
_CHGNET: Final = {"chgnet": ("0.3.0", "pbe"), "chgnet-r2scan": ("r2scan", "r2scan")}  # weights, level of theory


def load_potential(name: str = "chgnet", device: str | torch.device = "cpu") -> Potential:
    """The potential of this name: `chgnet`, `chgnet-r2scan`, `ase:module:factory` or `torch-sim:module:factory`.

    The last two call `factory()` of an importable module for an ASE calculator, e.g. `ase:ase.calculators.emt:EMT`, or
    a torch-sim model; it runs where that runs, whatever the device. Raises InputError for an unknown name or factory.
    """
    if name in _CHGNET:
        return _chgnet(name, str(device))
    if name.startswith("ase:"):
        from chggen.potential.ase import AsePotential

        return AsePotential.from_name(name)
    if name.startswith("torch-sim:"):
        from chggen.potential.torch_sim import TorchSimPotential

        return TorchSimPotential.from_name(name)
    raise InputError(
        f"unknown potential '{name}'; expected {', '.join(POTENTIALS)}, ase:module:factory or torch-sim:module:factory;"
        " pass one of these, or a Potential object"
    )


@functools.cache
def _chgnet(name: str, device: str) -> Potential:
    """Weights are read once a process: many small relaxations share them."""
    from chggen.potential.chgnet import ChgnetPotential

    weights, level = _CHGNET[name]
    return ChgnetPotential.load(weights, name=name, level=level, device=device)
