"""Reading CIF and magnetic CIF files: their symmetry, their sites, and what they say about themselves."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jaxtyping import Float

from chggen.errors import InputError, counted
from chggen.io.cif_atoms import MOST_OCCUPIED, MOST_SITES, ListedSite, lattice_of, sites_of
from chggen.io.cif_formula import check_formula, stated_formula
from chggen.io.cif_operations import choices_of, first_text, listed_values
from chggen.io.cif_sites import FULL, Operations, Orbit, orbit_of, same_site
from chggen.io.crystal_limits import MAX_ATOMS
from chggen.io.plain_structures import MOMENTS

if TYPE_CHECKING:
    from pymatgen.core import Composition, Structure

_STATE: Final = re.compile(r"[+-]?\d+(\.\d*)?(\(\d+\))?")
_ION: Final = re.compile(r"[A-Z][a-z]?(?:(?P<before>\d+(?:\.\d+)?))?(?P<sign>[+-])(?(before)|(?P<after>\d+)?)")
_MODULATED: Final = ("_cell_modulation_dimension", "_cell_wave_vector")


def structures_of_cif(text: str, where: str) -> tuple[list[Structure], list[str]]:
    """Read the structures of a CIF, expanded to their full cells.

    Args:
        text: The text of the file.
        where: What the file is called in messages.

    Returns:
        One structure for each block that lists atoms, and notes of one line each.

    Raises:
        InputError: A block lists atoms without coordinates, a cell or a setting that is known, or its atoms are not
            those of its formula. There is no block with atoms.
        Exception: Whatever pymatgen raises for text that it cannot read.
    """
    structures, notes = [], []
    for k, data in enumerate(blocks := _blocks(text)):
        name = where if len(blocks) == 1 else f"block {k + 1} of {where}"
        structure, said = _structure(data, name)
        structures.append(structure)
        notes += said if len(blocks) == 1 else [f"block {k + 1}: {note}" for note in said]
    if not structures:
        raise InputError(f"{where} holds no structure that can be read; expected a CIF that lists atoms of a cell")
    return structures, notes


def _blocks(text: str) -> list[dict[str, Any]]:
    """Return the data of each block that lists atoms, keys in small letters and with underscores only."""
    from pymatgen.io.cif import CifBlock

    found = []
    for part in re.split(r"^[ \t]*(?=data_)", f"\n{text}", flags=re.MULTILINE | re.IGNORECASE)[1:]:
        if not re.search(r"_atom_site[._]fract_x", part, re.IGNORECASE):
            continue
        part = re.sub(r"\A.*", "data_block", part)  # names do not matter, and some are too long for pymatgen
        block = CifBlock.from_str(_without_empty_loops(part))
        found.append({key.lower().replace(".", "_"): value for key, value in block.data.items()})
    return found


def _without_empty_loops(text: str) -> str:
    """Return a CIF without tables that have no rows, on which pymatgen fails."""
    return re.sub(r"(?im)^[ \t]*loop_[ \t]*\n(?:[ \t]*(?:_\S+)?[ \t]*\n)*(?=[ \t]*(?:loop_|data_|\Z))", "", text + "\n")


def _structure(data: Mapping[str, Any], where: str) -> tuple[Structure, list[str]]:
    """Return the structure of a block, with notes."""
    if any(key.startswith(_MODULATED) and value != "0" for key, value in data.items()):
        raise InputError(f"{where} is a modulated structure, which has no cell; expected a commensurate one")
    lattice = lattice_of(data, where)
    sites, notes = sites_of(data, lattice, where)
    stated = stated_formula(first_text(data, "_chemical_formula_sum"))
    choices, said = choices_of(data, lattice, where)
    made: list[tuple[str, Structure, list[str]]] = []
    reasons: list[InputError] = []
    for name, operations in choices.items():
        try:
            structure, remarks = _expanded(sites, operations, lattice, data, where)
            check_formula(stated, structure.composition, structure.is_ordered, where)
        except InputError as error:
            reasons.append(error)
        else:
            made.append((name, structure, remarks))
    if not made:
        raise reasons[0]
    name, structure, remarks = made[0] if len(made) == 1 else _only(made, data, stated, where)
    if len(choices) > 1:
        remarks = [f"took the space group as {name}, which alone agrees with the rest of the file", *remarks]
    return structure, [*notes, *said, *remarks]


def _only(
    made: Sequence[tuple[str, Structure, list[str]]], data: Mapping[str, Any], stated: Composition | None, where: str
) -> tuple[str, Structure, list[str]]:
    """Return what one setting gives: the one with as many atoms as formula units or multiplicities say."""
    units = first_text(data, "_cell_formula_units_z")
    listed = listed_values(data, "_atom_site_symmetry_multiplicity", "_atom_site_site_symmetry_multiplicity")
    for expected in (
        float(units) * stated.num_atoms if units and units.isdigit() and stated is not None else None,
        sum(map(int, listed)) if listed and all(one.isdigit() for one in listed) else None,
    ):
        fitting = [one for one in made if expected is not None and abs(one[1].composition.num_atoms - expected) < 0.5]
        if len(fitting) == 1:
            return fitting[0]
    raise InputError(
        f"{where} does not say which setting of its space group it means, {' or '.join(name for name, *_ in made)}; "
        "add it to the symbol, or list the symmetry operations"
    )


def _expanded(
    sites: Sequence[ListedSite],
    operations: Operations,
    lattice: Float[np.ndarray, "3 3"],
    data: Mapping[str, Any],
    where: str,
) -> tuple[Structure, list[str]]:
    """Return the structure of all positions of all sites, with notes."""
    kept: list[tuple[ListedSite, Orbit]] = []
    full: dict[tuple[str, int], Float[np.ndarray, "sites 3"]] = {}  # first positions of fully occupied sites
    merged, apart, twice, count = 0, 0.0, [], 0
    for site in sites:
        try:
            orbit = orbit_of(
                site.frac_coords, operations, lattice,
                digits=site.digits, occupancy=site.occupancy, label=site.label,
            )  # fmt: skip
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        merged, apart = merged + orbit.merged, max(apart, orbit.apart)
        if site.occupancy >= FULL:
            alike = (site.symbol, len(orbit.frac_coords))
            before = full.get(alike, np.empty((0, 3)))
            if same_site(before, orbit, lattice):
                twice.append(site.label)
                continue
            full[alike] = np.concatenate([before, orbit.frac_coords[:1]])
        kept.append((site, orbit))
        count += len(orbit.frac_coords)
        if count > MOST_SITES:
            raise InputError(f"{where} expands to more than {MOST_SITES} sites; expected at most {MAX_ATOMS} atoms")
    notes = []
    if merged:
        places = counted(merged, "position")
        notes.append(f"merged {places} that coincide within {apart:.2g} Å, since coordinates are rounded")
    if twice:
        notes.append(f"took {', '.join(twice[:5])} as listed twice, being where another site of the element is")
    structure, said = _on_sites(kept, lattice, data, where)
    _carry(structure, kept, operations)
    return structure, notes + said


def _on_sites(
    kept: Sequence[tuple[ListedSite, Orbit]], lattice: Float[np.ndarray, "3 3"], data: Mapping[str, Any], where: str
) -> tuple[Structure, list[str]]:
    """Return the structure of all positions, with notes on symbols that were not plain ones.

    pymatgen reads symbols, oxidation states and shared positions, from a CIF in P1 with every position.
    """
    from pymatgen.core import Lattice
    from pymatgen.io.cif import CifParser

    lengths, angles = np.linalg.norm(lattice, axis=1), _angles(lattice)
    lines = ["data_block", *(f"_cell_length_{a} {v!r}" for a, v in zip("abc", lengths.tolist(), strict=True))]
    lines += [f"_cell_angle_{a} {v!r}" for a, v in zip(("alpha", "beta", "gamma"), angles, strict=True)]
    lines += ["loop_", "_symmetry_equiv_pos_as_xyz", "x,y,z"]
    states, from_symbols = _oxidation_states(data, [site.symbol for site, _ in kept])
    if states:
        lines += ["loop_", "_atom_type_symbol", "_atom_type_oxidation_number"]
        lines += [f"'{kind}' {state}" for kind, state in states.items()]
    lines += ["loop_", "_atom_site_label", "_atom_site_type_symbol", *(f"_atom_site_fract_{a}" for a in "xyz")]
    lines += ["_atom_site_occupancy"]
    for site, orbit in kept:
        for place in orbit.frac_coords.tolist():
            lines.append(f"'{site.label}' '{site.symbol}' {' '.join(map(repr, place))} {site.occupancy!r}")
    parser = CifParser.from_str(
        "\n".join(lines) + "\n", occupancy_tolerance=MOST_OCCUPIED, frac_tolerance=0.0, check_cif=False
    )
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Some occupancies")  # those within the tolerance; others are refused
            (structure,) = parser.parse_structures(primitive=False, on_error="raise")
    except ValueError as error:
        _check_shared(kept, lattice, where)
        raise ValueError(str(error).split("\n")[-1]) from None  # its first line says which block
    if from_symbols:
        structure = _without_zeros(structure)
    structure.lattice = Lattice(lattice)  # as it is, while the text gives rounded angles
    unusual = [text for text in dict.fromkeys(getattr(parser, "warnings", ())) if " parsed as " in text]
    return structure, [f"took {text.replace(' parsed as ', ' as ')}" for text in unusual]


def _check_shared(kept: Sequence[tuple[ListedSite, Orbit]], lattice: Float[np.ndarray, "3 3"], where: str) -> None:
    """Raise InputError where sites that share a position have occupancies of more than 1 together."""
    for _, orbit in kept:
        alike = [(s, o) for s, o in kept if len(o.frac_coords) == len(orbit.frac_coords)]
        sharing = [s for s, o in alike if same_site(o.frac_coords[:1], orbit, lattice)]
        total = sum(site.occupancy for site in sharing)
        if total > MOST_OCCUPIED:
            names = ", ".join(site.label for site in sharing[:5])
            raise InputError(f"{where} has the occupancy {total:.4g} of {names} together; expected at most 1; mend it")


def _oxidation_states(data: Mapping[str, Any], symbols: Sequence[str]) -> tuple[dict[str, str], bool]:
    """Return the oxidation states of symbols, and whether these say them themselves, as Fe3+ and O2- do.

    A table of oxidation numbers comes first if it is complete. Symbols that say nothing get 0, which pymatgen needs.
    """
    types = listed_values(data, "_atom_type_symbol")
    states = listed_values(data, "_atom_type_oxidation_number")
    if types and len(types) == len(states) and all(map(_STATE.fullmatch, states)):
        return dict(zip(types, states, strict=True)), False
    ions = {symbol: found for symbol in dict.fromkeys(symbols) if (found := _ION.fullmatch(symbol))}
    if not ions:
        return {}, False
    said = {symbol: found["sign"] + (found["before"] or found["after"] or "1") for symbol, found in ions.items()}
    return {**said, **{symbol: "0" for symbol in symbols if symbol not in said}}, True  # the plain ones are heeded last


def _without_zeros(structure: Structure) -> Structure:
    """Return a structure with plain elements in place of species of oxidation state 0."""
    from pymatgen.core import Element, Structure

    species = [
        {(Element(s.symbol) if s.oxi_state == 0 else s): n for s, n in site.species.items()} for site in structure
    ]
    return Structure(structure.lattice, species, structure.frac_coords)


def _angles(lattice: Float[np.ndarray, "3 3"]) -> list[float]:
    """Return α, β and γ in degrees."""
    a, b, c = lattice / np.linalg.norm(lattice, axis=1)[:, None]
    return [float(np.degrees(np.arccos(np.clip(u @ v, -1, 1)))) for u, v in ((b, c), (a, c), (a, b))]


def _carry(structure: Structure, kept: Sequence[tuple[ListedSite, Orbit]], operations: Operations) -> None:
    """Give the sites of a structure the labels and magnetic moments of the listed sites that they come from."""
    lattice = structure.lattice.matrix
    places = np.concatenate([orbit.frac_coords for _, orbit in kept])
    site_of = np.concatenate([np.full(len(orbit.frac_coords), k) for k, (_, orbit) in enumerate(kept)])
    operation_of = np.concatenate([orbit.operations for _, orbit in kept])
    off = structure.frac_coords[:, None] - places
    nearest = np.linalg.norm((off - np.round(off)) @ lattice, axis=-1).argmin(axis=1)
    for site, k in zip(structure, nearest, strict=True):
        site.label = kept[site_of[k]][0].label
    if all(site.moment is None for site, _ in kept):
        return
    turned = lattice.T @ operations.rotations @ np.linalg.inv(lattice.T)
    sign = operations.time_reversal * np.round(np.linalg.det(turned))
    given = [np.zeros(3) if site.moment is None else site.moment for site, _ in kept]
    moments = [sign[operation_of[k]] * turned[operation_of[k]] @ given[site_of[k]] for k in nearest]
    structure.add_site_property(
        MOMENTS, [[round(m, 10) + 0.0 for m in moment] for moment in np.array(moments).tolist()]
    )
