"""Fingerprints: the same for one structure in any cell, as for the shipped references, and never an error."""

from __future__ import annotations

import hashlib
import subprocess
import sys

from pymatgen.core import Lattice, Structure

from chggen.symmetry import structure_fingerprint

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
CHLORIDE = Structure(Lattice.cubic(3.4), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_it_is_the_hash_of_the_label() -> None:
    assert structure_fingerprint(SALT) == hashlib.sha256(b"AB_cF8_225_a_b:Cl-Na").hexdigest()[:16]


def test_cell_and_properties_make_no_difference() -> None:
    expected = structure_fingerprint(SALT)
    assert structure_fingerprint(SALT.get_primitive_structure()) == expected
    assert structure_fingerprint(SALT * [2, 1, 1]) == expected
    charged = SALT.copy()
    charged.add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    charged.add_spin_by_element({"Na": 1})
    charged.add_site_property("magmom", [float(k) for k in range(8)])
    assert structure_fingerprint(charged) == expected
    assert structure_fingerprint(CHLORIDE) != expected


def test_what_has_no_label_has_no_fingerprint() -> None:
    alloy = Structure(Lattice.cubic(3.6), [{"Cu": 0.5, "Au": 0.5}], [[0, 0, 0]])
    assert structure_fingerprint(alloy) is None
    assert structure_fingerprint(Structure(Lattice.cubic(3), [], [])) is None
    coinciding = Structure(Lattice.cubic(3), ["Na", "Na"], [[0, 0, 0], [0, 0, 0]])
    assert structure_fingerprint(coinciding) is None


def test_labels_do_not_load_pymatgens_library_of_prototypes_and_leave_it_to_others() -> None:
    """In a process of its own: what is imported once stays."""
    code = """
import sys
from pymatgen.core import Lattice, Structure
from chggen.symmetry import structure_fingerprint
salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
first = structure_fingerprint(salt)
assert first is not None
assert not [name for name in sys.modules if name.startswith("pymatgen.analysis.prototypes")]
from pymatgen.analysis.prototypes import AflowPrototypeMatcher
assert AflowPrototypeMatcher().get_prototypes(salt)
assert structure_fingerprint(salt) == first
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
