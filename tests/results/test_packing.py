"""Candidates whose structures are kept as arrays: equal to what they were, and built anew when they are asked for."""

from __future__ import annotations

import gc
import pickle
from dataclasses import replace

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from chggen.results import Candidate, PackedStructure, packed


def _salt(shift: float = 0.0) -> Structure:
    salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    return Structure(salt.lattice, salt.species, salt.frac_coords + shift, labels=[f"x{k}" for k in range(8)])


def _candidate() -> Candidate:
    return Candidate(id="a", stage="generate", formula="NaCl", seed=1, structure=_salt(), raw=_salt(0.1))


def test_a_packed_candidate_equals_what_it_was() -> None:
    whole = _candidate()
    small = whole.packed()
    assert small == whole
    assert isinstance(small.__dict__["raw"], PackedStructure)
    assert small.structure is not None
    assert small.structure.as_dict() == _salt().as_dict()
    for name in ("n_atoms", "volume", "volume_per_atom", "density"):
        assert getattr(small, name) == getattr(whole, name)
    assert small != replace(whole, raw=_salt(0.2)).packed()
    assert pickle.loads(pickle.dumps(small)) == whole


def test_one_structure_stays_one() -> None:
    salt = _salt()
    small = replace(_candidate(), structure=salt, raw=salt).packed()
    assert small.structure is small.raw


def test_a_structure_is_kept_for_as_long_as_it_is_held_and_changes_of_it_do_not_last() -> None:
    small = _candidate().packed()
    held = small.structure
    assert held is not None
    assert small.structure is held
    held.translate_sites([0], [0.3, 0, 0])
    del held
    gc.collect()
    assert small == _candidate()


def test_a_change_of_a_packed_candidate_builds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    small = _candidate().packed()
    monkeypatch.setattr(PackedStructure, "structure", None)
    made = small.changed(status="failed").with_energy("pbe", -3.0)
    assert made.status == "failed"
    assert made.n_atoms == 8
    assert small.status == "ok"
    with pytest.raises(TypeError, match="a candidate has no colour"):
        small.changed(colour="red")


def test_structures_that_arrays_cannot_hold_stay_what_they_are() -> None:
    mixed = Structure(Lattice.cubic(3), [{"Na": 0.5, "K": 0.5}], [[0, 0, 0]])
    charged = Structure(Lattice.cubic(3), ["Na+"], [[0, 0, 0]])
    assert packed(mixed) is mixed
    assert packed(charged) is charged


@pytest.mark.parametrize(
    ("lattice", "species", "places"),
    [
        (np.eye(2), ["Na"], [[0, 0, 0]]),
        (np.eye(3), ["Na", "Na"], [[0, 0, 0]]),
        (np.eye(3), ["Xx"], [[0, 0, 0]]),
        (np.eye(3), [["Na"]], [[0, 0, 0]]),
        ([["a"] * 3] * 3, ["Na"], [[0, 0, 0]]),
    ],
)
def test_what_is_no_structure_is_refused(lattice: object, species: object, places: object) -> None:
    with pytest.raises(ValueError, match=r"atoms|element|convert"):
        PackedStructure(lattice, species, places, {})
