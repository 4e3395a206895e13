"""Guests in a host: the same in any batch, and the host stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase.db import connect
from pymatgen.core import Lattice, Structure

import chggen
from chggen.campaign import resources as resources
from chggen.results.candidate import Candidate
from chggen.symmetry.detection import space_group


def _same(some: Sequence[Candidate], others: Sequence[Candidate]) -> None:
    by_id = {c.id: c for c in others}
    assert {c.id for c in some} == set(by_id)
    for c in some:
        other = by_id[c.id]
        assert c.seed == other.seed
        assert c.raw is not None
        assert other.raw is not None
        assert c.raw == other.raw
        assert np.array_equal(c.raw.frac_coords, other.raw.frac_coords)


def test_inpainting_does_not_depend_on_the_batch_size() -> None:
    sites = [[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]]
    host = Structure(Lattice.cubic(3.9), ["Ti", "O", "O", "O"], sites)

    def made(size: int) -> list[Candidate]:
        return chggen.inpaint(
            host, {"Sr": 1}, n=3, levels=8, n_resample=2, relax=False, workers=1, batch_size=size, anchor="renoise"
        )

    _same(made(3), made(2))


def test_guests_on_orbits_leave_the_symmetrised_host_as_it_is() -> None:
    rough = Structure.from_spacegroup(225, Lattice.cubic(5.7), ["S"], [[0, 0, 0]])
    rough.perturb(0.02)
    options: dict[str, Any] = {"symmetry": "host", "guests_from": "orbits", "levels": 4, "relax": False, "workers": 1}
    found = chggen.inpaint(rough, {"Li": 8}, n=2, **options)
    assert len(found) == 2
    for c in found:
        assert c.raw is not None
        assert space_group(c.raw, 1e-4) == 225
        assert c.framework_symprec == 0.1
        assert c.framework_max is not None
        assert 0.001 < c.framework_max < 0.04
        np.testing.assert_array_equal(c.raw.frac_coords[:4], found[0].raw.frac_coords[:4])  # type: ignore[union-attr]


def test_guests_are_told_from_the_host_to_the_end(tmp_path: Path) -> None:
    host = Structure.from_spacegroup(225, Lattice.cubic(4.0), ["Cu"], [[0, 0, 0]])
    quick: dict[str, Any] = {
        "levels": 4,
        "potential": "ase:ase.calculators.emt:EMT",
        "fmax": 5.0,
        "workers": 1,
    }
    found = chggen.inpaint(host, {"Cu": 1}, n=2, out=tmp_path, **quick)
    plain = chggen.generate("Cu", n=1, formula_units=[2], **quick)
    for c in found:
        for structure in (c.raw, c.structure):
            assert structure is not None
            assert structure.site_properties["guest"] == [False] * 4 + [True]
        if c.energy_per_atom is not None:
            atoms = connect(tmp_path / "candidates.db").get(candidate=c.id).toatoms()
            assert atoms.get_potential_energy() == c.energy_per_atom * 5
            assert atoms.get_tags().tolist() == [0, 0, 0, 0, 1]
    assert any(c.energy_per_atom is not None for c in found)
    assert all("guest" not in c.structure.site_properties for c in plain if c.structure is not None)


def test_a_larger_n_adds_fillings_to_those_that_are_there(tmp_path: Path) -> None:
    host = Structure(Lattice.cubic(4.05), ["Al"] * 3, [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5]])

    def filled(n: int) -> list[Candidate]:
        return chggen.inpaint(
            host, {"Cu": 1}, n=n, levels=4, potential="ase:ase.calculators.emt:EMT", workers=1, out=tmp_path
        )

    first = {c.id: c.raw for c in filled(2)}
    more = {c.id: c.raw for c in filled(4)}
    assert len(first) == 2
    assert len(more) == 4
    assert {name: more[name] for name in first} == first
