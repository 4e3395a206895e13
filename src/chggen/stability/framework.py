"""What an electrode is measured against: the element of its ion, and the framework of the host that was given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chggen.stability.references import References

if TYPE_CHECKING:
    from pymatgen.core import Structure


def element_energies(ion: str, references: References) -> dict[str, float]:
    """Return the energy of an element at each level of theory that has one, eV/atom.

    Args:
        ion: Symbol of the element.
        references: The reference entries.
    """
    found = {level: references.same_formula(ion, level) for level in references.levels}
    return {level: entries[0].energy_per_atom for level, entries in found.items() if entries}


def framework_displacement(host: Structure, structure: Structure) -> float | None:
    """Return how far the framework of a structure moved from the host, as a root mean square over its atoms, Å.

    A change of the cell alone, and a common shift, count as none.

    Args:
        host: The framework alone, in the cell of the structure.
        structure: The structure: the framework's atoms in the order of the host, and its ions behind them.

    Returns:
        The displacement, or None where the first atoms are not those of the host.
    """
    import torch

    from chggen.crystals import rms_displacement

    symbols = [site.specie.symbol for site in structure]
    if [site.specie.symbol for site in host] != symbols[: len(host)]:
        return None
    shift = torch.from_numpy(structure.frac_coords[: len(host)] - host.frac_coords)
    mean = torch.from_numpy((host.lattice.matrix + structure.lattice.matrix) / 2)
    return float(rms_displacement(shift, mean))
