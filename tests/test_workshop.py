"""What a worker judges tries by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

import chggen
from chggen.config import InputError
from chggen.crystals import Crystals, Noise, Score, from_structures
from chggen.options import RelaxOptions
from chggen.potential.ase import AsePotential
from chggen.tools import LowestAfterSteps, LowestEnergy

_POTENTIAL = AsePotential(EMT(), name="emt", level="other")


def test_the_energy_judge_prefers_low_energies_and_never_overlaps() -> None:
    near, far, overlapping = (_dimer(d) for d in (2.6, 3.2, 0.4))
    judge = LowestEnergy(_POTENTIAL)
    marks = judge(_unasked, from_structures([near, far, overlapping]), [])
    assert marks[0] < marks[1] < marks[2] == np.inf


def test_a_few_steps_show_which_try_relaxes_lowest() -> None:
    stretched = bulk("Cu", "fcc", a=3.85, cubic=True)  # 0.18 eV/atom above its best volume
    settled = bulk("Cu", "bcc", a=2.85, cubic=True).repeat((2, 1, 1))  # 0.03 eV/atom above fcc, at its best volume
    tries = from_structures([AseAtomsAdaptor.get_structure(atoms) for atoms in (stretched, settled)])
    raw = LowestEnergy(_POTENTIAL)(_unasked, tries, [])
    after = LowestAfterSteps(_POTENTIAL, RelaxOptions())(_unasked, tries, [])
    assert raw[1] < raw[0]
    assert after[0] < after[1]


def _dimer(distance: float) -> Structure:
    return Structure(Lattice.cubic(12), ["Cu", "Cu"], [[0, 0, 0], [distance, 0, 0]], coords_are_cartesian=True)


def _unasked(crystals: Crystals, noise: Noise) -> Score:
    raise AssertionError("the energy judge asked the score network")


def test_the_energy_judge_needs_a_potential() -> None:
    with pytest.raises(InputError, match="judge energy needs a potential"):
        chggen.inpaint(bulk("Al", cubic=True), {"H": 1}, n=1, relax=False, judge="energy", levels=4, workers=1)


def test_the_energy_judge_lowers_the_energies_of_samples() -> None:
    emt = "ase:ase.calculators.emt:EMT"
    options: dict[str, Any] = {"n": 3, "max_steps": 1, "levels": 4, "workers": 1, "potential": emt}
    host = bulk("Al", "fcc", a=4.05, cubic=True)
    energies = []
    for best_of in (1, 6):
        found = chggen.inpaint(host, {"Cu": 1}, best_of=best_of, judge="energy", **options)
        raw = [c.raw for c in found if c.raw is not None]
        energies.append(float(_POTENTIAL(from_structures(raw)).energy.mean()))
    assert energies[1] < energies[0]
