from .ase_atoms import atoms_of_structure
from .atomic_write import clear_leftovers, whole, write_text
from .candidate_files import named_candidates
from .crystal_limits import DENSEST, FARTHEST, LAST, LONGEST, MAX_ATOMS, VACUUM
from .digests import digest, digest_of_folder, fingerprint
from .folders import LONGEST_NAME, check_name, inside, is_locked, locked, writable_folder
from .foreign_json import read_foreign_json, without_foreign_classes
from .limits import Between, check_limits
from .names import distinct_names
from .notes import kept_notes, say
from .plain_structures import HELD, MOMENTS, OXIDATION_STATES, is_json
from .selective_dynamics import held_atoms, with_held_atoms
from .structure_archive import NamedStructures, read_arrays, write_archive
from .structure_output import cif_text, write_extxyz
from .structures import as_structure, named_structures, structure_files
from .tensor_files import check_unpacked_size, read_tensors
from .text_files import own_text, read_text
from .toml import from_table, read_toml, to_toml
from .training_structures import read_training_structures
from .unreadable import ORDER_FIRST, ORDER_FIRST_OR_HERE

__all__ = [
    "DENSEST",
    "FARTHEST",
    "HELD",
    "LAST",
    "LONGEST",
    "LONGEST_NAME",
    "MAX_ATOMS",
    "MOMENTS",
    "ORDER_FIRST",
    "ORDER_FIRST_OR_HERE",
    "OXIDATION_STATES",
    "VACUUM",
    "Between",
    "NamedStructures",
    "as_structure",
    "atoms_of_structure",
    "check_limits",
    "check_name",
    "check_unpacked_size",
    "cif_text",
    "clear_leftovers",
    "digest",
    "digest_of_folder",
    "distinct_names",
    "fingerprint",
    "from_table",
    "held_atoms",
    "inside",
    "is_json",
    "is_locked",
    "kept_notes",
    "locked",
    "named_candidates",
    "named_structures",
    "own_text",
    "read_arrays",
    "read_foreign_json",
    "read_tensors",
    "read_text",
    "read_toml",
    "read_training_structures",
    "say",
    "structure_files",
    "to_toml",
    "whole",
    "with_held_atoms",
    "without_foreign_classes",
    "writable_folder",
    "write_archive",
    "write_extxyz",
    "write_text",
]
