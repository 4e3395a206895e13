from .all_pairs import AllPairs
from .batch import GUEST, Crystals, collate, from_structures, to_structures
from .composition import SYMBOLS, compositions, parse_formula, plain_formula, plain_text, reduced, system_elements
from .lattice import (
    inverse_spacings,
    lattice_from_parameters,
    mixing_length,
    rms_displacement,
    volume,
    wrap,
)
from .molecules import Molecule, atoms_of_guests, is_molecule, molecule_of
from .neighbors import Edges, Pairs, edges_within, pairs_of
from .niggli import niggli_reduced
from .supercell import cells_in, supercell_matrix, supercell_numbers

__all__ = [
    "GUEST",
    "SYMBOLS",
    "AllPairs",
    "Crystals",
    "Edges",
    "Molecule",
    "Pairs",
    "atoms_of_guests",
    "cells_in",
    "collate",
    "compositions",
    "edges_within",
    "from_structures",
    "inverse_spacings",
    "is_molecule",
    "lattice_from_parameters",
    "mixing_length",
    "molecule_of",
    "niggli_reduced",
    "pairs_of",
    "parse_formula",
    "plain_formula",
    "plain_text",
    "reduced",
    "rms_displacement",
    "supercell_matrix",
    "supercell_numbers",
    "system_elements",
    "to_structures",
    "volume",
    "wrap",
]
