"""Structures of another generator go through a run like our own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ase.io import write
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

import chggen

_QUICK: dict[str, Any] = {
    "potential": "ase:ase.calculators.emt:EMT", "workers": 1, "fmax": 0.2, "levels": 6, "seed": 0,
}  # fmt: skip


def _alloy(a: float) -> Structure:
    return Structure(
        Lattice.cubic(a), ["Au", "Cu", "Cu", "Cu"], [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    )


@pytest.fixture
def generated(tmp_path: Path) -> Path:
    """Three crystals of Cu3Au, one of them twice as large, one with atoms on each other, and one of another formula."""
    large = _alloy(3.8).make_supercell((1, 1, 2), in_place=False)
    broken = Structure(
        Lattice.cubic(3.8), ["Au", "Cu", "Cu", "Cu"], [[0, 0, 0], [0.01, 0, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    )
    other = Structure(Lattice.cubic(4.0), ["Al"], [[0, 0, 0]])
    frames = [AseAtomsAdaptor.get_atoms(s, msonable=False) for s in (_alloy(3.9), other, large, broken)]
    write(tmp_path / "made.extxyz", frames, format="extxyz")
    return tmp_path / "made.extxyz"


def test_finished_structures_are_screened_relaxed_and_written(generated: Path, tmp_path: Path) -> None:
    options = {**_QUICK, "n": 8, "cells_from": f"file:{generated}", "out": tmp_path / "run"}
    found = {c.id: c for c in chggen.generate("Cu3Au", **options)}
    assert set(found) == {"Cu3Au-z1-0000", "Cu3Au-z2-0000", "Cu3Au-z1-0001"}
    assert {c.seed_source for c in found.values()} == {"file"}
    first = found["Cu3Au-z1-0000"]
    assert first.raw is not None
    assert first.raw.lattice.abc == pytest.approx([3.9] * 3)
    assert first.structure is not None
    assert first.structure.volume < first.raw.volume  # relaxed
    assert found["Cu3Au-z1-0001"].failed_at == "screen"
    before = (tmp_path / "run" / "summary.csv").read_text()
    chggen.generate("Cu3Au", **options)
    assert (tmp_path / "run" / "summary.csv").read_text() == before
    generated.write_text(generated.read_text().replace("3.9", "3.7"))
    with pytest.raises(chggen.InputError, match="other content of --cells-from"):
        chggen.generate("Cu3Au", **options)


def test_their_frameworks_are_filled_anew(generated: Path) -> None:
    found = chggen.predict("Cu3Au", guests=["Cu"], n=1, cells_from=f"file:{generated}", per_framework=1, **_QUICK)
    assert {c.stage for c in found} == {"generate", "inpaint"}
    assert any(c.parent == "Cu3Au-z1-0000" for c in found)


def test_what_does_not_fit_is_refused(generated: Path) -> None:
    with pytest.raises(chggen.InputError, match="no structure of NaCl; it holds"):
        chggen.generate("NaCl", cells_from=f"file:{generated}", **_QUICK)
    with pytest.raises(chggen.InputError, match="alone"):
        chggen.generate("Cu3Au", cells_from=[f"file:{generated}", "bravais"], **_QUICK)
    with pytest.raises(chggen.InputError, match="no file or folder"):
        chggen.generate("Cu3Au", cells_from="file:nowhere", **_QUICK)
