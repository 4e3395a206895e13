"""Annotations of shapes and types are checked by beartype under pytest only (design law 2)."""

from jaxtyping import install_import_hook

install_import_hook("chggen", "beartype.beartype")
