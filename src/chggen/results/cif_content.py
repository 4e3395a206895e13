"""The text of CIF files: a crystal with its symmetry, or every atom, with what is known of the atoms beside.

What decorates an atom beyond its element (an oxidation state, being a guest, a label) does not count when the symmetry
is found. The table of a run finds it in the same way, so that table and file agree.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from chggen.crystals import GUEST
from chggen.io import OXIDATION_STATES
from chggen.symmetry import Conventional, conventional

if TYPE_CHECKING:
    from pymatgen.core import Structure

GUEST_COLUMN: Final = "_atom_site_chggen_guest"
"""Column of the atoms: `yes` for guests, `no` for the host. Files of crystals without a host lack it."""


def every_atom(structure: Structure, note: str) -> str:
    """Return the CIF of a structure in P1.

    Args:
        structure: An ordered structure.
        note: Text for the head of the file. Each of its lines is written after `# `.

    Returns:
        The text, atoms in their order.
    """
    atoms = _Atom.of_each(structure)
    return _head(note) + str(_writer(structure, atoms))


def symmetric(structure: Structure, symprec: float, note: str) -> str:
    """Return the CIF of a structure that names one atom of each orbit and the operations that make the others.

    What atoms of one orbit differ in, such as the oxidation states of an ordering of charges, is left out, since it
    would lower the symmetry. The head of the file says so.

    Args:
        structure: An ordered structure.
        symprec: Tolerance at which the symmetry of the elements is found, Å.
        note: Text for the head of the file. Each of its lines is written after `# `.

    Returns:
        The text.

    Raises:
        ValueError: spglib finds no space group.
    """
    cell = conventional(structure, symprec)
    if cell is None:
        raise ValueError(f"spglib finds no space group at {symprec} Å")
    sites = _first_of_orbits(cell)
    atoms, differing = _common(cell, _Atom.of_each(structure), [int(cell.orbits[k]) for k in sites])
    multiplicities = Counter(cell.orbits.tolist())
    writer = _writer(cell.structure.from_sites([cell.structure[k] for k in sites]), atoms)
    (block,) = writer.cif_file.data.values()
    whole = cell.structure.composition
    block.header = whole.reduced_formula
    block.data |= {
        "_symmetry_space_group_name_H-M": cell.symbol,
        "_symmetry_Int_Tables_number": cell.number,
        "_chemical_formula_structural": whole.reduced_formula,
        "_chemical_formula_sum": whole.formula,
        "_cell_formula_units_Z": str(int(whole.get_reduced_composition_and_factor()[1])),
        "_symmetry_equiv_pos_site_id": [str(k + 1) for k in range(len(cell.operations))],
        "_symmetry_equiv_pos_as_xyz": list(cell.operations),
        "_atom_site_symmetry_multiplicity": [str(multiplicities[cell.orbits[k]]) for k in sites],
    }
    note += f"space group and orbits found at symprec {symprec:g} Å\n"
    if differing:
        note += f"left out, since equivalent atoms differ in it: {', '.join(differing)}; see the file in P1\n"
    return _head(note) + str(writer)


@dataclass(frozen=True)
class _Atom:
    """What is written of an atom beside its position; None where it is not known or not the same for an orbit."""

    element: str
    oxidation: float | None = None
    guest: bool | None = None
    label: str | None = None

    @classmethod
    def of_each(cls, structure: Structure) -> list[_Atom]:
        """Return what is known of the atoms of an ordered structure."""
        found = []
        for site in structure:
            specie, properties = site.specie, site.properties
            oxidation = properties.get(OXIDATION_STATES, getattr(specie, "oxi_state", None))
            named = site.label not in (site.species_string, specie.symbol)
            found.append(
                cls(
                    element=specie.symbol,  # of isotopes that of the element
                    oxidation=float(oxidation) if isinstance(oxidation, (int, float)) else None,
                    guest=None if properties.get(GUEST) is None else bool(properties[GUEST]),
                    label=site.label if named else None,
                )
            )
        return found


def _common(cell: Conventional, atoms: Sequence[_Atom], orbits: Sequence[int]) -> tuple[list[_Atom], list[str]]:
    """Return what the atoms of each orbit have in common, and the names of what some orbit's atoms differ in."""
    found: list[_Atom] = []
    differing: dict[str, None] = {}
    for orbit in orbits:
        own = [atoms[k] for k in cell.members[orbit]]
        common: dict[str, Any] = {}
        for name, called in (("oxidation", "oxidation state"), ("guest", "being a guest"), ("label", "")):
            values = {getattr(atom, name) for atom in own}
            common[name] = values.pop() if len(values) == 1 else None
            if values and called:
                differing[called] = None
        found.append(_Atom(element=own[0].element, **common))
    return found, list(differing)


def _writer(structure: Structure, atoms: Sequence[_Atom]) -> Any:
    """Return pymatgen's writer of a structure in P1, with what is known of its atoms."""
    from pymatgen.core import Element, Species, Structure
    from pymatgen.io.cif import CifWriter

    labels = [atom.label for atom in atoms]
    distinct = None not in labels and len(set(labels)) == len(labels)  # as CIF demands
    species = [Element(a.element) if a.oxidation is None else Species(a.element, a.oxidation) for a in atoms]
    shown = Structure(structure.lattice, species, structure.frac_coords, labels=labels if distinct else None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        writer = CifWriter(shown)
    if any(atom.guest is not None for atom in atoms):
        (block,) = writer.cif_file.data.values()
        block.data[GUEST_COLUMN] = ["." if atom.guest is None else "yes" if atom.guest else "no" for atom in atoms]
        next(loop for loop in block.loops if "_atom_site_label" in loop).append(GUEST_COLUMN)
    return writer


def _head(note: str) -> str:
    return "".join(f"# {line}\n" for line in note.splitlines())


def _first_of_orbits(cell: Conventional) -> list[int]:
    """Return the atoms that stand for their orbits: those nearest to the origin, in an order that does not vary."""
    first: dict[int, int] = {}
    coordinates = cell.structure.frac_coords.tolist()
    for k in sorted(range(len(coordinates)), key=lambda k: coordinates[k]):
        first.setdefault(int(cell.orbits[k]), k)
    return sorted(first.values(), key=lambda k: (cell.structure[k].species.average_electroneg, coordinates[k]))
