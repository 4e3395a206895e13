"""Crystals found by their powder patterns: rutile among other forms, with volume, shift and width recovered."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pymatgen.analysis.diffraction.xrd import XRDCalculator
from pymatgen.core import Lattice, Structure

from chggen.errors import InputError
from chggen.powder import (
    PowderPattern,
    PreparedPattern,
    fitted,
    match_candidates,
    match_rows,
    wavelength_of,
    write_match,
)
from chggen.results import Candidate


def _structure(group: str, lattice: Lattice, species: list[str], places: list[list[float]]) -> Structure:
    return Structure.from_spacegroup(group, lattice, species, places)


RUTILE = _structure("P4_2/mnm", Lattice.tetragonal(4.594, 2.959), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]])
ANATASE = _structure("I4_1/amd", Lattice.tetragonal(3.785, 9.514), ["Ti", "O"], [[0, 0, 0], [0, 0, 0.2081]])
BROOKITE = _structure(
    "Pbca", Lattice.orthorhombic(9.174, 5.449, 5.138), ["Ti", "O", "O"],
    [[0.129, 0.097, 0.863], [0.010, 0.149, 0.182], [0.230, 0.111, 0.535]],
)  # fmt: skip
FLUORITE = _structure("Fm-3m", Lattice.cubic(4.8), ["Ti", "O"], [[0, 0, 0], [0.25, 0.25, 0.25]])
FORMS = {"anatase": ANATASE, "brookite": BROOKITE, "fluorite": FLUORITE, "rutile": RUTILE}


def candidates() -> list[Candidate]:
    return [Candidate(id=name, stage="generate", formula="TiO2", seed=0, structure=s) for name, s in FORMS.items()]


def simulated(
    structure: Structure, volume: float = 1.0, shift: float = 0.0, fwhm: float = 0.2, wavelength: float = 1.54184
) -> PowderPattern:
    """A pattern with noise on a sloping background with a hump, by Gaussians set point by point."""
    x = np.arange(10, 90, 0.02) if wavelength > 1 else np.arange(4, 40, 0.01)
    scaled = structure.copy()
    scaled.scale_lattice(structure.volume * volume)
    peaks = XRDCalculator(wavelength).get_pattern(scaled, two_theta_range=(0, 95))
    y = sum(h * np.exp(-4 * np.log(2) * ((x - p - shift) / fwhm) ** 2) for p, h in zip(peaks.x, peaks.y, strict=True))
    counts = 10_000 * (y / y.max() + 0.1 * np.exp(-(((x - x.mean() / 2) / x.mean() * 5) ** 2)) + 0.05 - 3e-4 * x)
    return PowderPattern(x, np.random.default_rng(0).poisson(counts).astype(float), "tio2.xy")


@pytest.mark.parametrize("name", list(FORMS))
def test_each_form_is_found_among_the_others(name: str) -> None:
    best, second, *_ = match_candidates(candidates(), simulated(FORMS[name], 1.02, 0.08))
    assert best.id == name
    assert best.agreement > 0.97
    assert best.agreement - second.agreement > 0.1


@pytest.mark.parametrize(("volume", "shift"), [(0.97, -0.2), (1.0, 0.0), (1.04, 0.15)])
def test_volume_shift_and_width_are_recovered(volume: float, shift: float) -> None:
    fit = fitted(RUTILE, PreparedPattern.of(simulated(RUTILE, volume, shift, 0.25), wavelength_of("CuKa")))
    assert fit.volume_factor == pytest.approx(volume, abs=0.003)
    assert fit.zero_shift == pytest.approx(shift, abs=0.03)
    assert fit.fwhm == pytest.approx(0.25, abs=0.04)
    assert fit.mixing < 0.3  # Gaussians
    assert fit.r_wp < 10


def test_volumes_and_shifts_beyond_the_limits_are_not_fitted() -> None:
    fit = fitted(RUTILE, PreparedPattern.of(simulated(RUTILE, 1.12), wavelength_of("CuKa")))
    assert fit.volume_factor <= 1.05
    assert fit.agreement < 0.6


@pytest.mark.parametrize("radiation", ["MoKa", 0.71073, "0.71073"])
def test_the_wavelength_is_heeded(radiation: str | float) -> None:
    pattern = simulated(RUTILE, 1.01, 0.03, 0.1, 0.71073)
    best = match_candidates(candidates(), pattern, radiation)[0]
    assert best.id == "rutile"
    assert best.volume_factor == pytest.approx(1.01, abs=0.003)


def test_the_unit_of_intensities_does_not_matter() -> None:
    pattern = simulated(RUTILE, 1.02)
    scaled = replace(pattern, intensity=pattern.intensity * 1e-6)
    one, other = (match_candidates(candidates(), p)[0] for p in (pattern, scaled))
    assert other.agreement == pytest.approx(one.agreement, abs=1e-4)
    assert other.r_wp == pytest.approx(one.r_wp, abs=0.1)


def test_failed_ones_and_duplicates_are_left_out() -> None:
    some = candidates()
    some[0] = replace(some[0], status="failed", failed_at="relax", reason="none")
    some[1] = replace(some[1], duplicate_of="rutile")
    found = match_candidates(some, simulated(ANATASE))
    assert {m.id for m in found} == {"fluorite", "rutile"}
    with pytest.raises(InputError, match="no good candidate"):
        match_candidates(some[:2], simulated(ANATASE))


def test_a_crystal_without_a_reflection_agrees_with_nothing() -> None:
    tiny = Structure(Lattice.cubic(0.4), ["H"], [[0, 0, 0]])
    fit = fitted(tiny, PreparedPattern.of(simulated(RUTILE), 1.54184))
    assert (fit.agreement, fit.r_wp) == (0.0, 100.0)


def test_twenty_candidates_take_less_than_ten_seconds() -> None:
    many = [replace(c, id=f"{c.id}-{k}") for k in range(5) for c in candidates()]
    began = time.process_time()
    assert len(match_candidates(many, simulated(RUTILE))) == 20
    assert time.process_time() - began < 10


def test_the_file_holds_rows_and_profiles(tmp_path: Path) -> None:
    pattern = simulated(RUTILE, 1.02)
    found = match_candidates(candidates(), pattern)
    said = json.loads(write_match(found, pattern, "CuKa", tmp_path).read_text())
    assert said["matches"] == match_rows(found)
    assert [row["rank"] for row in said["matches"]] == [1, 2, 3, 4]
    assert (said["matches"][0]["id"], said["pattern"], said["wavelength"]) == ("rutile", "tio2.xy", "CuKa")
    assert list(said["calculated"]) == [m.id for m in found[:3]]
    lengths = {len(said[name]) for name in ("two_theta", "measured", "background")}
    assert lengths == {len(profile) for profile in said["calculated"].values()}
    assert max(said["measured"]) == 100
    net = np.subtract(said["measured"], said["background"])
    assert np.abs(net - said["calculated"]["rutile"]).max() < 12  # % of the strongest peak


@pytest.mark.parametrize("wrong", ["CuKx", "", "nan", 0.0, 25.0, -1.5])
def test_unknown_wavelengths_are_refused(wrong: str | float) -> None:
    with pytest.raises(InputError, match="wavelength"):
        wavelength_of(wrong)
