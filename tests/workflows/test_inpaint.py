"""Guests in a host: the same in any batch, and the host stays as it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
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
    found = chggen.inpaint(rough, {"Li": 8}, n=2, symmetry="host", levels=4, relax=False, workers=1)
    assert len(found) == 2
    for c in found:
        assert c.raw is not None
        assert space_group(c.raw, 1e-4) == 225
        assert c.framework_symprec == 0.1
        assert c.framework_max is not None
        assert 0.001 < c.framework_max < 0.04
        np.testing.assert_array_equal(c.raw.frac_coords[:4], found[0].raw.frac_coords[:4])  # type: ignore[union-attr]
