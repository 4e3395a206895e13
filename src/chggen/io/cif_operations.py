"""Which symmetry operations a CIF means: those that it lists, else those of the space group that it names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from chggen.errors import InputError
from chggen.io.cif_sites import Operations
from chggen.io.space_group_settings import Setting, fits_cell, settings_of

UNKNOWN: Final = ("", "?", ".")
"""Values that stand for nothing."""
_LISTED: Final = ("_symmetry_equiv_pos_as_xyz", "_space_group_symop_operation_xyz")
_SYMBOLS: Final = ("_space_group_name_h-m_alt", "_symmetry_space_group_name_h-m", "_symmetry_space_group_name_h_m")
_HALL: Final = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
_NUMBERS: Final = ("_space_group_it_number", "_symmetry_int_tables_number")
_OPERATION: Final = re.compile(r"['\"]?[-+*/.,\s0-9xyzXYZ]+['\"]?")
_MOST: Final = 1536  # operations; 192 of them with eight centrings of a magnetic cell
_SAME: Final = 1e-2  # fractional; translations that differ by less are equal
_MONOCLINIC: Final = range(3, 16)  # numbers of groups that differ by their unique axis, usually b


def choices_of(
    data: Mapping[str, Any], lattice: Float[np.ndarray, "3 3"], where: str
) -> tuple[dict[str, Operations], list[str]]:
    """Return the operations that a block can mean.

    Args:
        data: Values of the block by key, in small letters and with underscores only.
        lattice: Lattice vectors in rows, of shape (3, 3), in Å.
        where: What the file is called in messages.

    Returns:
        Operations by the name of the setting. There are several where the file names a group with several origins or
        axes that fit its cell. And notes of one line each.

    Raises:
        InputError: The operations cannot be read, form no group or do not fit the cell, or the setting is not known.
    """
    if (magnetic := _magnetic(data, where)) is not None:
        return {"the magnetic group": _checked(magnetic, lattice, where)}, []
    if listed := _stated(data, *_LISTED):
        return {"as listed": _checked(_parsed(listed, where), lattice, where)}, []
    symbol, hall, number = (first_text(data, *keys) for keys in (_SYMBOLS, _HALL, _NUMBERS))
    try:
        named = settings_of(symbol, hall, _number(number))
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    if not named:
        return {"P1": _parsed(["x,y,z"], where)}, ["names no space group and lists no operations; read in P1"]
    read = {setting.name: (setting, _parsed(setting.operations, where)) for setting in named}
    fitting = {name: pair for name, pair in read.items() if fits_cell(pair[1].rotations, lattice)}
    if not fitting:
        raise InputError(
            f"{where} has a cell that does not fit its space group {symbol or number}; correct one of them"
        )
    return _usual_axis(fitting)


def first_text(data: Mapping[str, Any], *keys: str) -> str | None:
    """Return the first value that a block gives for some keys, None where it gives none.

    Args:
        data: Values of the block by key.
        keys: The keys, in the order in which they count.
    """
    for key in keys:
        value = data.get(key)
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, str) and value.strip() not in UNKNOWN:
            return value.strip()
    return None


def listed_values(data: Mapping[str, Any], *keys: str) -> list[str]:
    """Return the column of a table that a block has under one of some keys, empty where it has none.

    Args:
        data: Values of the block by key.
        keys: The keys, in the order in which they count.
    """
    for key in keys:
        value = data.get(key)
        if value:
            return [str(one) for one in value] if isinstance(value, list) else [str(value)]
    return []


def _stated(data: Mapping[str, Any], *keys: str) -> list[str]:
    """Return a column of operations, empty where it is missing or holds nothing but a sign that it is not known."""
    return [text for text in listed_values(data, *keys) if text.strip() not in UNKNOWN]


def _usual_axis(settings: dict[str, tuple[Setting, Operations]]) -> tuple[dict[str, Operations], list[str]]:
    """Return the operations of each setting; of those that differ by the unique axis only the usual one."""
    names = list(settings)
    if len(names) > 1 and all(setting.number in _MONOCLINIC for setting, _ in settings.values()):
        return {names[0]: settings[names[0]][1]}, [f"took the space group as {names[0]}, not {' or '.join(names[1:])}"]
    return {name: operations for name, (_, operations) in settings.items()}, []


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() and len(text) <= 3 else None


def _magnetic(data: Mapping[str, Any], where: str) -> Operations | None:
    """Return the operations of a magnetic group, with their centrings; None where the block names none."""
    from pymatgen.core.operations import MagSymmOp
    from pymatgen.symmetry.maggroups import MagneticSpaceGroup

    if listed := _stated(data, "_space_group_symop_magn_operation_xyz"):
        operations = [MagSymmOp.from_xyzt_str(_with_sign(text)) for text in listed]
        centrings = _stated(data, "_space_group_symop_magn_centering_xyz")
        shifts = [MagSymmOp.from_xyzt_str(_with_sign(text)) for text in centrings] or operations[:0]
        if not shifts:
            return _of(operations)
        return Operations(
            rotations=np.array([o.rotation_matrix for o in operations for _ in shifts]),
            translations=np.array([o.translation_vector + s.translation_vector for o in operations for s in shifts]),
            time_reversal=np.array([float(o.time_reversal * s.time_reversal) for o in operations for s in shifts]),
        )
    number = first_text(data, "_space_group_magn_number_bns")
    name = first_text(data, "_space_group_magn_name_bns")
    if (number is None and name is None) or _stated(data, *_LISTED):
        return None
    change = first_text(data, "_space_group_magn_transform_bns_pp_abc") or "a,b,c;0,0,0"
    try:
        label: Any = name or [int(part) for part in str(number).split(".")]
        return _of(MagneticSpaceGroup(label, change).symmetry_ops)
    except Exception:  # an unknown label fails in any of several ways
        unknown = f"the magnetic group {name or number}, which is not known"
        raise InputError(f"{where} names {unknown}; add its operations") from None


def _with_sign(text: str) -> str:
    """Return a magnetic operation with the sign of time reversal, which may be left out where it is 1."""
    return text if text.count(",") == 3 else f"{text},+1"


def _of(operations: Sequence[Any]) -> Operations:
    return Operations(
        rotations=np.array([o.rotation_matrix for o in operations]),
        translations=np.array([o.translation_vector for o in operations]),
        time_reversal=np.array([float(getattr(o, "time_reversal", 1)) for o in operations]),
    )


def _parsed(texts: Sequence[str], where: str) -> Operations:
    """Return operations from texts such as `-x,y+1/2,-z`."""
    from pymatgen.core.operations import SymmOp

    if len(texts) > _MOST:
        raise InputError(f"{where} lists {len(texts)} symmetry operations; expected at most {_MOST}")
    found = []
    for text in texts:
        try:
            if not _OPERATION.fullmatch(text):
                raise ValueError
            found.append(SymmOp.from_xyz_str(text.strip("'\" ").lower()))
        except Exception:  # whatever a text leads to
            raise InputError(f"{where} lists the operation '{text[:40]}'; expected one such as -x,y+1/2,-z") from None
    return _of(found)


def _checked(operations: Operations, lattice: Float[np.ndarray, "3 3"], where: str) -> Operations:
    """Return listed operations with exact translations, once they are known to be a group that fits the cell."""
    exact = operations.with_exact_translations()
    if not np.isfinite(exact.translations).all() or (np.abs(np.abs(np.linalg.det(exact.rotations)) - 1) > _SAME).any():
        raise InputError(f"{where} lists operations that are no symmetry of a lattice; correct or remove them")
    if not fits_cell(exact.rotations, lattice):
        raise InputError(f"{where} has a cell that its symmetry operations do not fit; correct one of them")
    if not _closed(exact):
        raise InputError(f"{where} lists symmetry operations that do not form a group; add those that are missing")
    return exact


def _closed(operations: Operations) -> bool:
    """Return whether the product of any two operations is one of them, modulo the lattice."""
    rotations, translations = operations.rotations, operations.translations
    known: dict[bytes, list[np.ndarray]] = {}
    for rotation, translation in zip(rotations, translations, strict=True):
        known.setdefault(np.round(rotation).astype(np.int8).tobytes(), []).append(translation)
    shifts = {key: np.array(found) for key, found in known.items()}
    for rotation, translation in zip(rotations, translations, strict=True):
        products = np.round(rotation @ rotations).astype(np.int8)
        moved = translations @ rotation.T + translation
        for product, shift in zip(products, moved, strict=True):
            off = shifts.get(product.tobytes())
            if off is None or np.abs((off - shift) - np.round(off - shift)).max(axis=1).min() > _SAME:
                return False
    return True
