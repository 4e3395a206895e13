"""Saddle check and refinement of relaxed candidates, with a potential whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase.calculators.emt import EMT
from pymatgen.core import Lattice, Structure

from chggen.campaign.relax_and_refine import after_push, relax_candidates
from chggen.campaign.resources import Resources
from chggen.generation.options import SamplerOptions
from chggen.potential.ase import AsePotential
from chggen.relaxation.options import RelaxOptions
from chggen.relaxation.relaxer import relax
from chggen.results.candidate import Candidate
from chggen.symmetry.detection import space_group


@pytest.fixture
def resources() -> Resources:
    made = Resources(sampler=SamplerOptions(), relax=RelaxOptions(fmax=0.01))
    made.loaded["potential"] = AsePotential(EMT(), name="emt", level="other")
    return made


def _candidate(structure: Structure, name: str = "a") -> Candidate:
    return Candidate(id=name, stage="generate", formula="Cu", seed=3, structure=structure, raw=structure)


def _cubic(edge: float, frac: list[list[float]]) -> Structure:
    return Structure(Lattice.cubic(edge), ["Cu"] * len(frac), frac)


SIMPLE = _cubic(2.4, [[0, 0, 0]])  # sheared, simple cubic copper goes to face-centred
FCC = _cubic(3.6, [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


_UNMOVED = RelaxOptions(fmax=9.0)


def test_simple_cubic_copper_is_a_saddle_and_followed_by_what_it_falls_to(resources: Resources) -> None:
    kept, lower, other = relax_candidates([_candidate(SIMPLE), _candidate(FCC, "b")], resources, [True, True])
    assert (kept.status, kept.failed_at, kept.space_group) == ("failed", "relax", 221)
    assert kept.reason is not None
    assert "saddle" in kept.reason
    assert "a-low" in kept.reason
    assert (lower.id, lower.parent, lower.status) == ("a-low", "a", "ok")
    assert lower.space_group_loose != 221
    assert kept.energy_per_atom is not None
    assert lower.energy_per_atom is not None
    assert lower.energy_per_atom < kept.energy_per_atom - 0.005
    assert lower.relax_energy_change is not None
    assert kept.relax_energy_change is not None
    fall = lower.energy_per_atom - kept.energy_per_atom
    assert lower.relax_energy_change - kept.relax_energy_change == pytest.approx(fall, abs=0.005)
    assert lower.relax_steps is not None
    assert kept.relax_steps is not None
    assert lower.relax_steps > kept.relax_steps
    assert (other.id, other.status, other.space_group) == ("b", "ok", 225)


def test_without_the_mark_of_symmetry_nothing_is_pushed(resources: Resources) -> None:
    (kept,) = relax_candidates([_candidate(SIMPLE)], resources)
    assert (kept.status, kept.space_group) == ("ok", 221)  # by symmetry no force ever leaves it


def test_a_saddle_is_told_the_same_alone_and_in_company(resources: Resources) -> None:
    alone = relax_candidates([_candidate(SIMPLE)], resources, [True])
    both = relax_candidates([_candidate(FCC, "b"), _candidate(SIMPLE)], resources, [True, True])
    assert [c.id for c in both] == ["b", "a", "a-low"]
    assert alone[1].energy_per_atom == both[2].energy_per_atom
    np.testing.assert_array_equal(alone[1].structure.frac_coords, both[2].structure.frac_coords)  # type: ignore[union-attr]


def test_a_push_that_relaxes_further_in_the_same_symmetry_is_kept(resources: Resources) -> None:
    (loose,) = relax_candidates(
        [_candidate(_cubic(3.62, FCC.frac_coords.tolist()))], replace(resources, relax=_UNMOVED)
    )
    (end,) = relax([FCC], potential=resources.potential(), fix_cell=True, max_steps=0)
    (further,) = after_push(loose, replace(end, n_steps=7), resources)
    assert further.energy_per_atom == pytest.approx(end.energy_per_atom, abs=1e-6)
    assert loose.energy_per_atom is not None
    assert further.energy_per_atom < loose.energy_per_atom < further.energy_per_atom + 0.005  # type: ignore[operator]
    assert (further.id, further.space_group, further.relax_steps) == (loose.id, 225, 7)


@pytest.mark.parametrize(("fall", "names"), [(0.004, ["a"]), (0.006, ["a", "a-low"])])
def test_a_small_fall_to_another_symmetry_is_no_saddle(resources: Resources, fall: float, names: list[str]) -> None:
    (simple,) = relax_candidates([_candidate(SIMPLE)], replace(resources, relax=_UNMOVED))
    assert simple.energy_per_atom is not None
    (end,) = relax([FCC], potential=resources.potential(), fix_cell=True, max_steps=0)
    fallen = after_push(simple, replace(end, energy_per_atom=simple.energy_per_atom - fall), resources)
    assert [c.id for c in fallen] == names


def test_refinement_takes_the_tightest_tolerance_that_gives_most_symmetry(resources: Resources) -> None:
    rattled = FCC.copy()
    rattled.perturb(0.05)
    (found,) = relax_candidates([_candidate(rattled)], resources)
    assert found.space_group == 225
    assert found.refined_symprec == 0.03
    assert found.refined_rms is not None
    assert found.refined_rms < 0.05
    assert space_group(found.structure, 1e-4) == 225  # type: ignore[arg-type]


def test_a_fixed_cell_stays_while_atoms_are_symmetrised_and_pushed(resources: Resources) -> None:
    fixed = replace(resources, relax=RelaxOptions(fmax=0.01, fix_cell=True))
    stretched = Structure(Lattice.orthorhombic(3.6, 3.63, 3.66), FCC.species, FCC.frac_coords)
    rattled = stretched.copy()
    rattled.perturb(0.05)
    for given, symmetric in ((rattled, False), (stretched, True)):
        (found,) = relax_candidates([_candidate(given)], fixed, [symmetric])
        assert found.status == "ok"
        assert found.structure is not None
        np.testing.assert_array_equal(found.structure.lattice.matrix, stretched.lattice.matrix)
        assert found.space_group == 69  # Fmmm, which is what such a cell allows


def test_what_a_saddle_falls_to_is_not_said_to_be_symmetrised_as_the_saddle_was(resources: Resources) -> None:
    (simple,) = relax_candidates([_candidate(SIMPLE)], replace(resources, relax=_UNMOVED))
    assert simple.refined_symprec is not None
    assert simple.energy_per_atom is not None
    odd = _cubic(3.6, [[0, 0, 0], [0, 0.5, 0.47], [0.5, 0.02, 0.5], [0.54, 0.5, 0]])
    (end,) = relax([odd], potential=resources.potential(), fix_cell=True, max_steps=0)
    far_below = replace(end, energy_per_atom=simple.energy_per_atom - 9, converged=True)  # no symmetrising is as low
    _, lower = after_push(simple, far_below, resources)
    assert (lower.refined_symprec, lower.refined_rms, lower.refined_max) == (None, None, None)


def test_failed_candidates_stay_as_they_are(resources: Resources) -> None:
    gone = Candidate(id="x", stage="generate", formula="Cu", seed=0, status="failed", failed_at="sample")
    found = relax_candidates([gone, _candidate(FCC, "b")], resources, [True, True])
    assert found[0] is gone
    assert found[1].status == "ok"


def test_energy_forces_stress_and_marks_are_those_of_the_final_structure(resources: Resources) -> None:
    blurred = FCC.copy().perturb(0.05, seed=1)
    blurred.add_site_property("guest", [True, False, False, False])
    (found,) = relax_candidates([_candidate(blurred)], resources)
    assert found.refined_symprec is not None
    assert found.structure is not None
    assert found.space_group == 225
    (end,) = relax([found.structure], potential=resources.potential(), fix_cell=True, max_steps=0)
    assert end.forces is not None
    assert end.stress is not None
    assert found.energy_per_atom == pytest.approx(end.energy_per_atom, abs=1e-12)
    np.testing.assert_allclose(found.forces or (), end.forces, atol=1e-10)
    xx, yy, zz, yz, xz, xy = found.stress or ()
    np.testing.assert_allclose([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]], end.stress, atol=1e-10)
    assert found.structure.site_properties["guest"] == [True, False, False, False]


def test_what_a_saddle_falls_to_keeps_the_marks_of_guests(resources: Resources) -> None:
    start = SIMPLE.copy()
    start.add_site_property("guest", [True])
    saddle, lower = relax_candidates([_candidate(start)], resources, [True])
    for c in (saddle, lower):
        assert c.structure is not None
        assert c.structure.site_properties["guest"] == [True]
