"""What structures are like inside: known answers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

import chggen
from chggen.analysis.long_range_order import long_range_order
from chggen.analysis.pair_distances import pair_distances
from chggen.analysis.structure_analysis import analyze_structures
from chggen.errors import InputError
from chggen.results.candidate import Candidate

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
BLENDE = Structure.from_spacegroup("F-43m", Lattice.cubic(5.41), ["Zn", "S"], [[0, 0, 0], [0.25, 0.25, 0.25]])


def _gas(n: int = 300, seed: int = 0) -> Structure:
    return Structure(Lattice.cubic(18.0), ["Ar"] * n, np.random.default_rng(seed).random((n, 3)))


def test_rocksalt() -> None:
    inside = analyze_structures([SALT])
    assert inside.pairs["Cl-Na"].shortest == pytest.approx(2.82)
    assert inside.pairs["Cl-Na"].first_peak == pytest.approx(2.82, abs=0.03)
    sodium = inside.environments["Na"]
    assert sodium.numbers == {"6": 1.0}
    assert sodium.polyhedra == {"O:6": 1.0}
    assert sodium.neighbors == {"Cl": 6.0}
    right, straight = sodium.angles[45], sodium.angles[-1]
    assert right == pytest.approx(12 / 15)
    assert straight == pytest.approx(3 / 15)
    assert inside.order.strongest == pytest.approx(1)  # (200)
    assert inside.order.independent == pytest.approx(0.25)


def test_tetrahedra() -> None:
    sulfur = analyze_structures([BLENDE]).environments["S"]
    assert sulfur.polyhedra == {"T:4": 1.0}
    assert int(np.argmax(sulfur.angles)) == 54  # 109.5°
    assert sulfur.angles[54] == pytest.approx(1)


def test_the_function_counts_neighbours() -> None:
    """The integral of 4πr²ρg(r) over the first peak is the coordination number."""
    one = pair_distances([SALT], 8.0)["Cl-Na"]
    first = (one.r > 2) & (one.r < 3.6)
    density = 4 / SALT.volume
    assert (4 * np.pi * one.r**2 * density * one.g)[first].sum() * 0.05 == pytest.approx(6, rel=0.01)


def test_atoms_at_random_have_no_order() -> None:
    gas = _gas()
    g = pair_distances([gas], 8.0)["Ar-Ar"].g
    assert g[60:].mean() == pytest.approx(1, abs=0.03)
    order = long_range_order([gas])
    assert order.half * (1 - np.log(order.half)) == pytest.approx(0.5, abs=0.02)  # of intensities exp(−I)
    assert order.strongest < 15 / len(gas)
    assert order.intensity[60:140].mean() == pytest.approx(1, abs=0.1)
    assert order.independent == 1


def test_a_supercell_is_the_cell_but_for_its_extinctions() -> None:
    large = SALT.copy()
    large.make_supercell(2)
    a, b = analyze_structures([SALT]), analyze_structures([large])
    np.testing.assert_allclose(a.pairs["Cl-Na"].g, b.pairs["Cl-Na"].g, atol=1e-6)
    assert b.order.strongest == pytest.approx(a.order.strongest)
    assert b.order.half < a.order.half / 4
    assert b.order.independent == pytest.approx(2 / 64)


def test_compared_with_others() -> None:
    same = analyze_structures([SALT], [SALT, SALT])
    assert all(row["overlap"] == 1 for row in (*same.pair_rows(), *same.environment_rows()))
    other = analyze_structures([SALT], [BLENDE])
    assert all(row["overlap"] is None for row in (*other.pair_rows(), *other.environment_rows()))
    wider = analyze_structures([SALT], [SALT.copy().scale_lattice(1.3 * SALT.volume)])
    assert wider.pair_rows()[1]["overlap"] < 0.2
    assert wider.environment_rows()[0]["overlap"] == 1


def test_an_atom_alone_has_no_neighbours_within_the_cutoff() -> None:
    alone = analyze_structures([Structure(Lattice.cubic(15), ["He"], [[0, 0, 0]])], cutoff=6.0)
    (row,) = alone.pair_rows()
    assert row["shortest"] is None
    assert row["first_peak"] is None
    assert json.loads(json.dumps(alone.to_dict())) == alone.to_dict()


def test_what_is_taken_from_candidates() -> None:
    good = Candidate(id="a", stage="generate", formula="NaCl", seed=0, structure=SALT, raw=BLENDE)
    twin = Candidate(id="b", stage="generate", formula="NaCl", seed=0, structure=SALT, raw=SALT, duplicate_of="a")
    failed = Candidate(id="c", stage="generate", formula="NaCl", seed=0, status="failed", failed_at="relax", raw=SALT)
    assert chggen.analyze([good, twin, failed]).n_structures == 1
    raw = chggen.analyze([good, twin, failed], raw=True)
    assert raw.n_structures == 3
    assert "S-Zn" in raw.pairs
    with pytest.raises(InputError, match="no candidate has a structure"):
        chggen.analyze([failed])


def test_what_cannot_be_analyzed(tmp_path: Path) -> None:
    for cutoff in (0.5, 30.0, float("nan")):
        with pytest.raises(InputError, match="cutoff must be a distance from 1 to 20 Å"):
            chggen.analyze(SALT, cutoff=cutoff)
    with pytest.raises(InputError, match="no structures to analyze"):
        chggen.analyze([])
    half = Structure(Lattice.cubic(4), [{"Na": 0.5}], [[0, 0, 0]])
    with pytest.raises(InputError, match="partially occupied"):
        chggen.analyze(half)
    with pytest.raises(InputError, match="expected a pymatgen Structure"):
        chggen.analyze(3)
    chggen.analyze(SALT, out=tmp_path / "new")
    assert json.loads((tmp_path / "new" / "analysis.json").read_text())["n_structures"] == 1
