"""The volume of a composition, from the model and from crystals found so far."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chggen.crystals.composition import parse_formula
from chggen.errors import InputError
from chggen.generation.volume import VolumePrior, volume_features, volume_per_atom, volume_table

# Å³/atom from measured lattice parameters at room temperature
EXPERIMENT = {
    "NaCl": 5.640**3 / 8,
    "MgO": 4.212**3 / 8,
    "Si": 5.431**3 / 8,
    "Fe": 2.866**3 / 2,
    "Cu": 3.615**3 / 4,
    "W": 3.165**3 / 2,
    "Al": 4.050**3 / 4,
    "ZnS": 5.409**3 / 8,
    "GaAs": 5.653**3 / 8,
    "CaF2": 5.463**3 / 12,
    "KBr": 6.600**3 / 8,
    "LiF": 4.026**3 / 8,
    "CaO": 4.811**3 / 8,
    "NiO": 4.177**3 / 8,
    "CeO2": 5.411**3 / 12,
    "Ni3Al": 3.567**3 / 4,
    "TiO2": 4.594**2 * 2.959 / 6,
    "Fe2O3": 5.035**2 * 13.747 * math.sqrt(0.75) / 30,
    "SrTiO3": 3.905**3 / 5,
    "PbTe": 6.462**3 / 8,
}


def test_volumes_of_well_known_crystals():
    errors = {f: volume_per_atom(parse_formula(f)) / v - 1 for f, v in EXPERIMENT.items()}
    assert np.mean(np.abs(list(errors.values()))) < 0.06, errors
    # LiF, the worst, is not among the crystals the model learned from
    assert np.max(np.abs(list(errors.values()))) < 0.30, errors


def test_recorded_test_error_meets_the_target():
    # the development data is not in the repository; the fit's own record of it is
    record = volume_table()["provenance"]
    assert float(record.split("test ")[1].split(" %")[0]) <= 6.0
    assert "CC BY 4.0" in volume_table()["attribution"]


@given(
    st.dictionaries(st.sampled_from(sorted(volume_table()["elements"])), st.integers(1, 12), min_size=1, max_size=6),
    st.integers(2, 5),
)
def test_volume_is_sane_and_independent_of_cell_and_order(species, times):
    volume = volume_per_atom(species)
    assert 2.0 < volume < 200.0
    assert volume_per_atom({symbol: n * times for symbol, n in reversed(species.items())}) == pytest.approx(volume)


def test_volume_refusals():
    with pytest.raises(InputError, match="does not know Og"):
        volume_per_atom({"Og": 1, "O": 2})
    for species in ({}, {"Zn": 0}, {"Zn": -1, "S": 1}):
        with pytest.raises(InputError, match="positive counts"):
            volume_per_atom(species)


def test_features_of_a_binary_by_hand():
    features = volume_features({"Na": 0.25, "Cl": 0.75}, {"Na": 1.0, "Cl": 3.0})
    assert features["Cl.Na"] == pytest.approx(0.1875)
    assert features["Cl~Na"] == pytest.approx(2 * 0.1875 * 0.5)
    assert features["Na+1"] == pytest.approx(0.25 * 0.75 * 2)
    assert features["Cl-2"] == pytest.approx(0.25 * 0.75 * 4)
    assert "Na!" not in features
    assert volume_features({"Na": 1.0}, {"Na": 1.0})["Na!"] == 1.0


def test_needs_neither_torch_nor_pymatgen():
    code = (
        "import sys; from chggen.crystals import parse_formula; from chggen.generation import volume_per_atom; "
        "volume_per_atom(parse_formula('ZnS')); "
        "sys.exit(any(m in sys.modules for m in ('torch', 'pymatgen')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_volume_prior_learns_from_relaxed_crystals() -> None:
    prior = VolumePrior(20.0, 0.06)
    once, often = prior.given([24.0]), prior.given([24.0] * 20)
    assert 20 < once.median < often.median < 24
    assert often.median == pytest.approx(24, rel=0.02)
    assert prior.spread > once.spread > often.spread > 0
    assert prior.given([]) == prior
    assert prior.given([24.0] * 100_000).spread >= 0.02  # no number of crystals tells all: another has its own volume
    draws = [prior.draw(np.random.default_rng(k)) for k in range(2000)]
    assert np.mean(np.log(draws)) == pytest.approx(np.log(20), abs=0.005)
    assert np.std(np.log(draws)) == pytest.approx(0.06, rel=0.1)
    assert VolumePrior(20.0, 0.0).draw(np.random.default_rng(0)) == 20.0
