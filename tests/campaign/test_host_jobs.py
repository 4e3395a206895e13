"""What is to be filled into hosts: given ones and frameworks of candidates."""

from __future__ import annotations

import pytest
from pymatgen.core import Lattice, Structure

import chggen
from chggen.campaign import resources as resources
from chggen.campaign.host_jobs import framework_jobs, guests_of
from chggen.campaign.options import PredictOptions
from chggen.errors import InputError
from chggen.results.candidate import Candidate


def test_guests_are_those_named_or_the_mobile_ones() -> None:
    species = {"Zn": 1, "P": 2, "S": 6}
    assert guests_of(species, ()) == ("Zn",)
    assert guests_of(species, ("S",)) == ("S",)
    with pytest.raises(InputError, match="guest 'Li' is not in the formula; expected one of Zn, P, S"):
        guests_of(species, ("Li",))
    with pytest.raises(InputError, match="all species"):
        guests_of(species, ("S", "P", "Zn"))
    assert guests_of({"Si": 1, "O": 2}, ()) == ()
    assert guests_of({"Si": 1}, ()) == ()
    with pytest.raises(InputError, match="guest 'Na' is in no formula of the run"):
        chggen.predict(system="Li-P", guests=["Na"], max_atoms=3, n=1)


def test_a_framework_whose_atoms_came_too_close_is_a_failed_row() -> None:
    close = Structure(Lattice.cubic(5), ["O", "O", "Li"], [[0, 0, 0], [0.08, 0, 0], [0.5, 0.5, 0.5]])
    parent = Candidate(id="p", stage="generate", formula="LiO2", seed=1, structure=close)
    row = framework_jobs(parent, ("Li",), PredictOptions(formula="LiO2"))
    assert isinstance(row, Candidate)
    assert (row.id, row.status, row.failed_at) == ("p-i0", "failed", "refine")
    assert "0.40 Å" in str(row.reason)
