"""Second volumes: candidates that have a lower minimum at another volume."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, all_changes
from pymatgen.core import Lattice, Structure

from chggen.campaign import volume_basins
from chggen.campaign.relax_and_refine import relax_candidates, rescored
from chggen.campaign.resources import Resources
from chggen.campaign.volume_basins import in_lower_basins
from chggen.generation.options import SamplerOptions
from chggen.potential.ase import AsePotential
from chggen.relaxation.options import RelaxOptions
from chggen.relaxation.result import Relaxed
from chggen.results.candidate import Candidate

_SMALL, _LARGE = 16.0, 17.6  # Å³/atom, minima of the model


class TwoVolumes(Calculator):  # type: ignore[misc]
    """An energy of the volume v alone: the lower of two parabolas in ln v, of equal stiffness and given depths."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, depths: tuple[float, float], stiffness: float = 8.0) -> None:
        super().__init__()
        self._depths, self._stiffness = depths, stiffness

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:  # type: ignore[no-untyped-def]
        super().calculate(atoms, properties, system_changes)
        n, volume = len(atoms), atoms.get_volume()
        strain = np.log(volume / n / np.array([_SMALL, _LARGE]))
        energies = self._stiffness / 2 * strain**2 - np.array(self._depths)
        k = int(np.argmin(energies))
        pressure = n * self._stiffness * strain[k] / volume
        self.results = {
            "energy": n * energies[k],
            "forces": np.zeros((n, 3)),
            "stress": np.array([pressure] * 3 + [0.0] * 3),
        }


def _resources(depths: tuple[float, float], **options: object) -> Resources:
    made = Resources(sampler=SamplerOptions(), relax=RelaxOptions(fmax=0.01, **options))  # type: ignore[arg-type]
    made.loaded["potential"] = AsePotential(TwoVolumes(depths), name="two", level="other")
    return made


def _cubic(volume: float, name: str = "a") -> Candidate:
    structure = Structure(Lattice.cubic(volume ** (1 / 3)), ["Co"], [[0, 0, 0]])
    return Candidate(id=name, stage="generate", formula="Co", seed=0, structure=structure, raw=structure)


@pytest.mark.parametrize(("begins", "depths", "ends"), [(18.0, (0.02, 0.0), _SMALL), (15.6, (0.0, 0.02), _LARGE)])
def test_the_lower_of_two_volumes_is_kept_whichever_side_it_began(
    begins: float, depths: tuple[float, float], ends: float
) -> None:
    resources = _resources(depths)
    (first,) = relax_candidates([_cubic(begins)], resources)
    assert first.volume_per_atom == pytest.approx(_SMALL + _LARGE - ends, rel=0.01)  # the nearer, higher minimum
    (second,) = in_lower_basins([first], resources)
    assert second.volume_per_atom == pytest.approx(ends, rel=0.01)
    assert first.energy_per_atom is not None
    assert second.energy_per_atom == pytest.approx(first.energy_per_atom - 0.02, abs=0.001)
    assert (second.id, second.space_group) == ("a", 221)
    assert second.relax_steps is not None
    assert first.relax_steps is not None
    assert second.relax_steps > first.relax_steps
    assert second.relax_energy_change == pytest.approx((first.relax_energy_change or 0) - 0.02, abs=0.001)


@pytest.mark.parametrize(("element", "falls"), [("Co", 0.02), ("Mg", 0.0)])
def test_a_judge_takes_the_lower_of_two_states_where_the_element_may_have_them(element: str, falls: float) -> None:
    resources = _resources((0.02, 0.0))
    (first,) = relax_candidates([_cubic(18.0)], resources)  # in the higher state
    assert first.structure is not None
    given = replace(first, structure=first.structure.copy(), level="first", energies={"first": 0.0})
    given.structure.replace_species({"Co": element})  # type: ignore[union-attr]
    (judged,) = rescored([given], resources)
    assert first.energy_per_atom is not None
    assert judged.energies["other"] == pytest.approx(first.energy_per_atom - falls, abs=0.001)
    assert judged.structure == given.structure


def test_a_candidate_in_the_lower_volume_and_a_failed_one_stay_as_they_are() -> None:
    resources = _resources((0.02, 0.0))
    (lower,) = relax_candidates([_cubic(15.6)], resources)
    lost = replace(_cubic(18.0, "b"), status="failed")
    assert in_lower_basins([lost, lower], resources) == [lost, lower]


def test_a_held_cell_and_pressure_are_left_alone() -> None:
    for options in ({"fix_cell": True}, {"pressure": 1.0}):
        resources = _resources((0.02, 0.0), **options)
        given = replace(_cubic(17.6), energies={"other": 0.0}, level="other")
        assert in_lower_basins([given], resources) == [given]


def test_layered_lithium_cobalt_oxide_that_began_too_large_ends_in_the_small_state() -> None:
    """CHGNet: from 20 % too large it relaxes to a state 10 % larger and 16 meV/atom higher than the other."""
    layered = Structure.from_spacegroup(
        "R-3m", Lattice.hexagonal(2.816, 14.05), ["Li", "Co", "O"], [[0, 0, 0.5], [0, 0, 0], [0, 0, 0.2605]]
    ).get_primitive_structure()
    large = layered.copy()
    large.scale_lattice(1.2 * layered.volume)
    given = Candidate(id="a", stage="generate", formula="LiCoO2", seed=0, structure=large, raw=large)
    resources = Resources(sampler=SamplerOptions(), relax=RelaxOptions())
    (first,) = relax_candidates([given], resources)
    (second,) = in_lower_basins([first], resources)
    assert first.structure is not None
    assert second.structure is not None
    assert first.structure.volume > 1.09 * layered.volume
    assert second.structure.volume < 1.04 * layered.volume
    assert first.energy_per_atom is not None
    assert second.energy_per_atom == pytest.approx(first.energy_per_atom - 0.0165, abs=0.002)
    assert second.space_group_loose == 166


def test_a_lower_minimum_that_symmetrising_lifts_above_the_first_is_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resources = _resources((0.02, 0.0))
    (first,) = relax_candidates([_cubic(18.0)], resources)

    def lifted(candidate: Candidate, end: Relaxed, resources: Resources) -> Candidate:
        assert end.energy_per_atom is not None
        return replace(candidate, structure=end.structure, energies={"other": end.energy_per_atom + 0.021})

    monkeypatch.setattr(volume_basins, "moved_on", lifted)
    assert in_lower_basins([first], resources) == [first]
