"""Which of several samples is kept, by their energies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from ase.build import bulk
from ase.calculators.emt import EMT
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

import chggen
from chggen.crystals.batch import Crystals, from_structures
from chggen.diffusion.score_model import Noise, Score
from chggen.errors import InputError
from chggen.generation.energy_selection import LowestAfterSteps, LowestEnergy
from chggen.potential.ase import AsePotential
from chggen.relaxation.options import RelaxOptions

_POTENTIAL = AsePotential(EMT(), name="emt", level="other")


def test_the_energy_judge_prefers_low_energies_and_never_overlaps() -> None:
    near, far, overlapping = (_dimer(d) for d in (2.6, 3.2, 0.4))
    judge = LowestEnergy(_POTENTIAL)
    marks = judge(_unasked, from_structures([near, far, overlapping]), [])
    assert marks[0] < marks[1] < marks[2] == np.inf


def test_a_few_steps_show_which_try_relaxes_lowest() -> None:
    stretched = bulk("Cu", "fcc", a=3.85, cubic=True)  # 0.18 eV/atom above its best volume
    settled = bulk("Cu", "bcc", a=2.85, cubic=True).repeat((2, 1, 1))  # 0.03 eV/atom above fcc, at its best volume
    one, other = (from_structures([AseAtomsAdaptor.get_structure(atoms)]) for atoms in (stretched, settled))
    judge = LowestEnergy(_POTENTIAL)
    assert judge(_unasked, other, []) < judge(_unasked, one, [])
    final = LowestAfterSteps(_POTENTIAL, RelaxOptions(), 4, 0)
    for finalists, place in ([one, other], 0), ([other, one], 1), ([other, one, other, other, other], 1):
        assert final(finalists, torch.zeros(len(finalists), 1, dtype=torch.bool)).tolist() == [place]


def test_more_tries_race_where_cells_are_small() -> None:
    bcc = bulk("Cu", "bcc", a=2.85, cubic=True).repeat((2, 1, 1))
    low, high = (from_structures([structure]) for structure in (_fcc(3.6), AseAtomsAdaptor.get_structure(bcc)))
    samples, none = [high, high, high, low], torch.zeros(4, 1, dtype=torch.bool)  # the lowest has the highest mark
    assert LowestAfterSteps(_POTENTIAL, RelaxOptions(), 3, 4 * 3)(samples, none).tolist() == [0]
    assert LowestAfterSteps(_POTENTIAL, RelaxOptions(), 3, 4 * 4)(samples, none).tolist() == [3]


def test_a_refused_try_does_not_win() -> None:
    one, other = (from_structures([_fcc(edge)]) for edge in (3.6, 3.8))
    final = LowestAfterSteps(_POTENTIAL, RelaxOptions(), 4, 0)
    assert final([one, other], torch.tensor([[True], [False]])).tolist() == [1]
    assert final([one, other], torch.tensor([[True], [True]])).tolist() == [0]


def _dimer(distance: float) -> Structure:
    return Structure(Lattice.cubic(12), ["Cu", "Cu"], [[0, 0, 0], [distance, 0, 0]], coords_are_cartesian=True)


def _unasked(crystals: Crystals, noise: Noise) -> Score:
    raise AssertionError("the energy judge asked the score network")


def _fcc(edge: float) -> Structure:
    return AseAtomsAdaptor.get_structure(bulk("Cu", "fcc", a=edge, cubic=True))


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
