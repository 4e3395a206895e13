"""How jobs become candidates: refused samples, and starts that compete."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

import chggen
from chggen.campaign import production as workshop
from chggen.campaign.host_jobs import inpaint_jobs
from chggen.campaign.production import _lower_or_not, clearly_lower, make_candidates
from chggen.campaign.resources import Resources
from chggen.campaign.structure_options import InpaintOptions
from chggen.crystals.batch import Crystals
from chggen.errors import InputError
from chggen.generation.host import Host
from chggen.generation.host_starts import GivenHost, PrototypeSites
from chggen.generation.jobs import Job
from chggen.generation.options import SamplerOptions
from chggen.potential.ase import AsePotential
from chggen.potential.protocol import EnergyForcesStress
from chggen.relaxation.options import RelaxOptions
from chggen.results.candidate import Candidate

_POTENTIAL = AsePotential(EMT(), name="emt", level="other")


def test_a_structure_that_is_none_is_a_failed_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = _fcc(3.6)
    broken.translate_sites([0], [np.nan, 0, 0])
    monkeypatch.setattr(workshop, "sample_jobs", lambda jobs, resources: [broken] * len(jobs))
    (found,) = chggen.generate("Cu", n=1, formula_units=[4], relax=False, out=tmp_path, workers=1)
    assert (found.status, found.failed_at, found.reason) == ("failed", "screen", "coordinates are not finite")
    assert "not finite" in (tmp_path / "summary.csv").read_text()


def _dimer(distance: float) -> Structure:
    return Structure(Lattice.cubic(12), ["Cu", "Cu"], [[0, 0, 0], [distance, 0, 0]], coords_are_cartesian=True)


_SUBSTITUTED, _INTERSTITIAL = [0.0, 0.5, 0.5], [0.5, 0.5, 0.5]  # of copper in aluminium with a vacancy, at the first


def test_the_rival_takes_the_place_of_a_candidate_that_lies_clearly_higher() -> None:
    resources = Resources(
        sampler=SamplerOptions(levels=4), relax=RelaxOptions(potential="ase:ase.calculators.emt:EMT", max_steps=1)
    )
    for first, second in ((_SUBSTITUTED, _INTERSTITIAL), (_INTERSTITIAL, _SUBSTITUTED)):
        rival = _job("second", second)
        [(_, [made])] = make_candidates([replace(_job("first", first), rival=rival)], resources)
        assert made.raw is not None
        distance, _ = made.raw.lattice.get_distance_and_image(made.raw[-1].frac_coords, _SUBSTITUTED)
        assert distance < 0.5
        assert made.seed_source == ("first" if first is _SUBSTITUTED else "second")
    overlapping = [0.3 / 4.05, 0, 0]  # which potentials may put very low
    for first, second, wanted in ((_SUBSTITUTED, overlapping, "first"), (overlapping, _INTERSTITIAL, "second")):
        [(_, [made])] = make_candidates([replace(_job("first", first), rival=_job("second", second))], resources)
        assert made.seed_source == wanted
    [(_, [made])] = make_candidates(
        [replace(_job("first", _INTERSTITIAL), rival=rival)], replace(resources, relax=None)
    )
    assert made.seed_source == "first"  # no energies, no rivalry


def _job(source: str, site: list[float]) -> Job:
    vacant = Structure(Lattice.cubic(4.05), ["Al"] * 3, [[0, 0, 0], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    start = PrototypeSites(GivenHost(Host(framework=vacant, guests={"Cu": 1})), np.array([site]))
    return Job(candidate=Candidate(id="a", stage="inpaint", formula="CuAl3", seed=0, seed_source=source), start=start)


def test_clearly_lower_means_by_more_than_the_error_of_a_potential() -> None:
    fcc, strained, stretched = (_fcc(a) for a in (3.60, 3.65, 3.90))
    assert clearly_lower([fcc, stretched, fcc], [stretched, fcc, strained], _POTENTIAL) == [True, False, False]
    assert clearly_lower([fcc.get_primitive_structure()], [stretched.get_primitive_structure()], _POTENTIAL) == [True]
    assert clearly_lower([], [], _POTENTIAL) == []


class _Choosy:
    """A potential that gives up on whole batches with a large crystal in them."""

    name = level = "choosy"

    def __call__(self, crystals: Crystals) -> EnergyForcesStress:
        if float(crystals.lattice.det().max()) > 55:
            raise RuntimeError("too large")
        return _POTENTIAL(crystals)


def test_a_rival_that_cannot_be_compared_loses_alone() -> None:
    resources = Resources(sampler=SamplerOptions(), relax=RelaxOptions(), loaded={"potential": _Choosy()})
    fcc, strained, large = (_fcc(a) for a in (3.60, 3.75, 3.90))
    assert _lower_or_not([(fcc, strained), (fcc, large), (strained, fcc)], resources) == [True, False, False]
    assert _lower_or_not([], resources) == []


def _fcc(edge: float) -> Structure:
    return AseAtomsAdaptor.get_structure(bulk("Cu", "fcc", a=edge, cubic=True))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"supercell": (100, 100, 100)}, "that supercell has 3000000 atoms; expected at most 1000"),
        ({"guests_from": "prototype", "sampler": SamplerOptions(anchor="paper")}, "use clamp or renoise"),
    ],
)
def test_what_no_host_can_be_is_refused_before_it_is_made(changes: dict[str, Any], message: str) -> None:
    vacant = Structure(Lattice.cubic(4.05), ["Al"] * 3, [[0, 0, 0], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    with pytest.raises(InputError, match=message):
        inpaint_jobs(vacant, InpaintOptions(host="x", guests={"Cu": 1}, references=(), **changes))


def test_the_last_of_a_run_has_the_next_start_for_a_rival() -> None:
    fluorite = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.46), ["Ca", "F"], [[0, 0, 0], [0.25, 0.25, 0.25]])
    host = fluorite.get_primitive_structure()
    host.remove_species(["F"])
    jobs = {n: inpaint_jobs(host, InpaintOptions(host="x", guests={"F": 2}, n=n, references=())) for n in (1, 2)}
    (alone,), (first, last) = jobs[1], jobs[2]
    assert alone.candidate == first.candidate
    assert first.rival is None
    assert alone.rival is not None
    assert last.rival is not None
    assert (alone.rival.candidate.id, last.rival.candidate.id) == (alone.candidate.id, last.candidate.id)
    assert [j.candidate.seed_source for j in (alone, alone.rival)] == ["prototype", "orbits"]
    assert [j.candidate.seed_source for j in (last, last.rival)] == ["orbits", "anywhere"]
    options = InpaintOptions(host="x", guests={"F": 2}, n=1, guests_from="anywhere", references=())
    (anywhere,) = inpaint_jobs(host, options)
    assert anywhere.rival is None


def test_more_guests_than_any_crystal_holds_are_refused() -> None:
    host = _fcc(3.6)
    with pytest.raises(InputError, match=r"0\.12 Å³ for each atom; expected at least 1 "):
        inpaint_jobs(host, InpaintOptions(host="x", guests={"Li": 400}, references=()))
