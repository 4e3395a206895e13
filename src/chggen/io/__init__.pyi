from .atomic_write import whole, write_text
from .candidate_files import named_candidates
from .digests import digest, digest_of_folder, fingerprint
from .folders import locked, writable_folder
from .structure_archive import NamedStructures, write_archive
from .structure_output import cif_text, write_extxyz
from .structures import MAX_ATOMS, as_structure, named_structures, structure_files
from .toml import from_table, read_toml, to_toml
from .training_structures import read_training_structures

__all__ = [
    "MAX_ATOMS",
    "NamedStructures",
    "as_structure",
    "cif_text",
    "digest",
    "digest_of_folder",
    "fingerprint",
    "from_table",
    "locked",
    "named_candidates",
    "named_structures",
    "read_toml",
    "read_training_structures",
    "structure_files",
    "to_toml",
    "whole",
    "writable_folder",
    "write_archive",
    "write_extxyz",
    "write_text",
]
