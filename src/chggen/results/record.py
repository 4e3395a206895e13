"""Candidates as records: JSON with all of their fields, checked when it is read."""

from __future__ import annotations

import json
import typing
import warnings
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import orjson

from chggen.io import check_name, without_foreign_classes
from chggen.results.candidate import SCALAR_FIELDS, Candidate
from chggen.results.packing import PackedStructure, packed

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pymatgen.core import Structure

_STRUCTURES: Final = ("structure", "raw")
_ROWS: Final = ("stress", "magnetic_moments")


class UnknownFieldsError(ValueError):
    """A record has fields that this version of chggen does not know.

    Args:
        names: Their names.
    """

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(f"fields that are not known here: {', '.join(names)}")


def to_record(candidate: Candidate) -> str:
    """Return all fields of a candidate as JSON.

    Args:
        candidate: Any candidate.

    Returns:
        JSON from which `from_record` makes an equal candidate. A number that is not finite is left out.
    """
    record = {name: _finite(candidate.__dict__[name]) for name in SCALAR_FIELDS}  # forces packed, if they are
    for name in _STRUCTURES:
        value = candidate.__dict__[name]
        record[name] = None if value is None else _structure_table(value)
    return json.dumps(record, default=_plain)


def from_record(text: str) -> Candidate:
    """Return the candidate of a record.

    Args:
        text: JSON as `to_record` returns it, or as versions before it wrote structures: pymatgen's dictionaries.

    Returns:
        The candidate.

    Raises:
        InputError: The id is no name of a file.
        UnknownFieldsError: The record has fields that a candidate lacks.
        ValueError: The text is no JSON, or a field is missing or has a value that it cannot have.
        TypeError, KeyError: A structure lacks something.
    """
    from pydantic import ValidationError

    try:
        record = orjson.loads(text)
    except orjson.JSONDecodeError:  # NaN, as in properties of a structure, is no JSON to it
        record = json.loads(text)
    if not isinstance(record, dict):
        raise TypeError("a record is a table of fields")
    if unknown := sorted(set(record) - {*SCALAR_FIELDS, *_STRUCTURES}):
        raise UnknownFieldsError(unknown)
    structures = {name: _structure(record.pop(name, None)) for name in _STRUCTURES}
    forces = _table(record.pop("forces", None))
    for name in _ROWS:
        if isinstance(record.get(name), list):
            record[name] = tuple(record[name])
    try:
        known = _model().model_validate(record)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        got = "" if first["type"] == "missing" else f", got {first.get('input')!r:.40}"
        raise ValueError(f"{where} of a candidate: {first['msg']}{got}") from None
    check_name(record.get("id"))
    return _BLANK.changed(**{**known.__dict__, **structures, "forces": forces})


@cache
def _model() -> type[BaseModel]:
    """Return the pydantic model of a record without its structures."""
    from pydantic import ConfigDict, create_model
    from pymatgen.core import Structure

    hints = typing.get_type_hints(Candidate, localns={"Structure": Structure})
    hints["status"] = Literal["ok", "failed"]
    required = ("id", "stage", "formula", "seed")
    fields: dict[str, Any] = {
        name: (hints[name], ...) if name in required else (hints[name], getattr(_BLANK, name)) for name in SCALAR_FIELDS
    }
    return create_model("Record", __config__=ConfigDict(strict=True, allow_inf_nan=False, extra="forbid"), **fields)


_BLANK: Final = Candidate(id="blank", stage="", formula="", seed=0)


def _structure(table: Any) -> Structure | PackedStructure | None:
    """Return the structure of a table of `_structure_table`."""
    if table is None:
        return None
    if "@class" in table:
        from pymatgen.core import Structure

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pymatgen's, of what a structure is given on purpose
            return Structure.from_dict(without_foreign_classes(table))  # the file may come from a stranger
    return PackedStructure.of_table(table)


def _structure_table(structure: Structure | PackedStructure) -> dict[str, Any]:
    """Return a structure as short lists if elements on sites are all there is to it, else as pymatgen's dictionary."""
    small = packed(structure)
    return small.table() if isinstance(small, PackedStructure) else dict(small.as_dict())


def _table(rows: Any) -> np.ndarray | None:
    """Return the forces of a record as an array, [atoms 3]."""
    if rows is None:
        return None
    try:
        found = np.array(rows)
        if found.ndim == 2 and found.shape[1] == 3 and found.dtype.kind in "fi":
            return found.astype(float)
    except ValueError:  # rows of different lengths
        pass
    raise ValueError(f"forces of a candidate: expected three numbers for each atom, got {rows!r:.40}")


def _finite(value: Any) -> Any:
    """Return a value of a field, None in place of a number that is not finite: no reader takes it for a number."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, Mapping):
        return {key: one for key, one in value.items() if _finite(one) is not None}
    return value


def _plain(value: Any) -> Any:
    """Return what JSON has no words for as something that it has: arrays, mappings, objects of pymatgen."""
    for way in ("tolist", "as_dict"):
        if hasattr(value, way):
            return getattr(value, way)()
    return dict(value) if isinstance(value, Mapping) else str(value)
