"""DFT results read back into the table of the candidates that they are of, as a level of their own."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Final

from chggen.campaign import StructureComparison, with_duplicates, write_down
from chggen.crystals import parse_formula, reduced
from chggen.errors import InputError, counted
from chggen.io import writable_folder
from chggen.potential import levels, refining_levels
from chggen.results import (
    Calculation,
    Candidate,
    Store,
    ranked,
    read_calculations,
    read_candidates,
    read_options,
    write_cif,
)
from chggen.stability import References, hull, joined_doubts

log = logging.getLogger(__name__)
FOLDER: Final = "dft"
"""Folder of a results folder that holds the structures that DFT relaxed."""
_WITHOUT_NAME: Final = "dft"
_SYMPREC: Final = 0.1  # Å, as of the structures of candidates


def import_dft(folder: Path, calculations: Path | None, level: str | None, references: References) -> list[Candidate]:
    """Read finished DFT calculations of candidates back into their results folder.

    Each gives its candidate an energy at a level of its own, and a decomposition energy where the references hold
    energies of that level. A candidate whose calculation has not converged, is of another compound, or of another
    functional than most, stays what it is and is marked. Reading the same again changes nothing.

    Args:
        folder: A results folder.
        calculations: A folder of VASP runs or documents, or a file of documents, see `read_calculations`. None stands
            for `FOLDER/export/vasp`.
        level: Name of the level; None stands for the functional with `-dft` behind it, such as `r2scan-dft`.
        references: Entries at that level, such as those of a hull of the Materials Project, for decomposition energies.

    Returns:
        All candidates, best first, failed ones last.

    Raises:
        InputError: The folder holds no results, there is no calculation of a candidate, none of them has a result, or
            the level is that of a potential.
    """
    formulas = {candidate.id: candidate.formula for candidate in read_candidates(folder)}
    found = read_calculations(calculations or folder / "export" / "vasp", formulas)
    found = [_of_compound(one, formulas[one.candidate]) for one in found]
    of_each = Counter(one.functional for one in found if one.reason is None)
    if not of_each:
        first = found[0]
        raise InputError(f"none of {counted(len(found), 'calculation')} has a result ({first.place}: {first.reason})")
    functional = of_each.most_common(1)[0][0]
    name = level or f"{functional or 'energies'}-{_WITHOUT_NAME}"
    if name in levels():
        raise InputError(f"level '{name}' is that of a potential; give DFT a level of its own, such as {name}-dft")
    options = {key: value for key, value in read_options(folder).items() if key != "chggen_version"}
    with Store(folder, options, levels=(*refining_levels(), name)) as store:
        write_down(folder, {**options, "dft_level": name, "dft": [one.place for one in found]})
        before, comparison = store.candidates(), StructureComparison()  # as they are while no run goes on
        made = [_placed(before[one.candidate], one, functional, name, references, comparison) for one in found]
        store.put(c for c in made if c != before[c.id])
        for one, candidate in zip(found, made, strict=True):
            if name in candidate.energies and one.structure is not None:
                place = writable_folder(folder / FOLDER)
                write_cif(one.structure, place, one.candidate, _SYMPREC, f"relaxed by DFT ({name})\n{one.place}\n")
        known = store.candidates()
        final = with_duplicates(ranked(known.values()), comparison)
        store.put(c for c in final if c != known[c.id])
        store.export(final)
    return final


def _placed(
    candidate: Candidate,
    one: Calculation,
    functional: str,
    level: str,
    references: References,
    comparison: StructureComparison,
) -> Candidate:
    """Return a candidate with what a calculation says of it; marked, where that is of no use."""
    reason = one.reason
    if reason is None and one.functional != functional:
        reason = f"its functional is {one.functional}, that of the others {functional}"
    if one.structure is None or one.energy is None or reason is not None:
        log.warning("%s: no energy at level %s: %s (%s)", candidate.id, level, reason, one.place)
        return candidate if level in candidate.energies else candidate.changed(unplaced_at=level)
    energy = round(one.energy / len(one.structure), 9)
    warning = candidate.hull_warning
    e_d = None
    if level in references.levels:
        position = hull(candidate.formula, energy, level=level, references=references)
        e_d, warning = position.e_decomposition, joined_doubts(warning, position.warning, level)
        if position.reason:
            log.warning("%s: no E_d at level %s: %s", candidate.id, level, position.reason)
    if candidate.structure is not None and not comparison.same(candidate.structure, one.structure):
        warning = joined_doubts(warning, f"relaxed to another structure ({FOLDER}/{candidate.id}.cif)", level)
    return candidate.changed(hull_warning=warning, unplaced_at=None).with_energy(level, energy, e_d)


def _of_compound(one: Calculation, formula: str) -> Calculation:
    """Return a calculation; without a result, where it is one of another compound than that of a formula."""
    if one.structure is None:
        return one
    composition = one.structure.composition
    counts = {str(symbol): round(n) for symbol, n in composition.get_el_amt_dict().items()}
    if reduced(counts) == reduced(parse_formula(formula)):
        return one
    return replace(one, reason=f"it is one of {composition.reduced_formula}")
