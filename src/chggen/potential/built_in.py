"""The potentials that come with chggen: CHGNet and SevenNet, each with a level of its own."""

from __future__ import annotations

import functools
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chggen.potential.level import Level
from chggen.potential.registered_potential import RegisteredPotential

if TYPE_CHECKING:
    from chggen.potential.protocol import Potential

DEFAULT: Final = "chgnet"
_CAVEAT: Final = "CHGNet errs by about 0.03 eV/atom, and by more, towards too low, where E_d is high"


def _chgnet(name: str, weights: str, level: Level, refined_by: str | None = None) -> RegisteredPotential:
    """Return CHGNet with the weights that its package has under this name."""

    @functools.cache  # weights are read once a process: many small relaxations share them
    def load(device: str) -> Potential:
        from chggen.potential.chgnet import ChgnetPotential

        return ChgnetPotential.load(weights, name=name, level=level.name, device=device)

    def files() -> list[Path]:
        found = find_spec("chgnet")
        places = [] if found is None else found.submodule_search_locations or []
        return sorted(file for place in places for file in Path(place, "pretrained", weights).glob("*.tar"))

    return RegisteredPotential(
        name=name, level=level, load=load, refined_by=refined_by, weights=files, functional=level.name
    )


def _sevennet(name: str, weights: str, folder: str, label: str, modality: str | None = None) -> RegisteredPotential:
    """Return SevenNet with weights from its package, which lie in this folder of it; a level of its own."""

    @functools.cache
    def load(device: str) -> Potential:
        from chggen.potential.sevennet import SevenNetPotential

        return SevenNetPotential.load(
            weights, name=name, level=name, modality=modality, device=device, corrected=modality != "R2SCAN"
        )

    def files() -> list[Path]:
        found = find_spec("sevenn")
        places = [] if found is None else found.submodule_search_locations or []
        return sorted(file for place in places for file in Path(place, "pretrained_potentials", folder).glob("*.pth"))

    return RegisteredPotential(
        name=name, level=Level(name=name, label=label), load=load, weights=files, needs={"sevenn": "sevennet"},
        functional="r2scan" if modality == "R2SCAN" else "pbe",
    )  # fmt: skip


_PBE: Final = Level(name="pbe", label="PBE (CHGNet)", error=0.03, caveat=_CAVEAT)
_R2SCAN: Final = Level(name="r2scan", label="r²SCAN (CHGNet)", error=0.03, caveat=_CAVEAT)
DEFAULT_LEVEL: Final = _PBE.name
BUILT_IN: Final = (
    _chgnet(DEFAULT, "0.3.0", _PBE, refined_by="chgnet-r2scan"),
    _chgnet("chgnet-r2scan", "r2scan", _R2SCAN),
    _sevennet("sevennet-0", "7net-0", "SevenNet_0__11Jul2024", "PBE (SevenNet-0)"),
    _sevennet("sevennet-l3i5", "7net-l3i5", "SevenNet_l3i5", "PBE (SevenNet-l3i5)"),
    _sevennet("sevennet-mf-0-pbe", "7net-mf-0", "SevenNet_MF_0", "PBE (SevenNet-MF-0)", "PBE"),
    _sevennet("sevennet-mf-0-r2scan", "7net-mf-0", "SevenNet_MF_0", "r²SCAN (SevenNet-MF-0)", "R2SCAN"),
)
"""The potentials that come with chggen, in the order of registration."""
