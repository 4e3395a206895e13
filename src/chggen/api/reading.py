"""What is read or looked at, and not computed: `open`, `import_dft`, `view`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chggen.api.several import with_names
from chggen.errors import InputError
from chggen.io import as_structure
from chggen.results import Candidate, Candidates, ranked, view_structure
from chggen.stability import References, table_of
from chggen.workflows import import_dft as _import_dft
from chggen.workflows import read_results

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure


def open(folder: Path | str) -> Candidates:
    """Read the candidates of a results folder: the same list as the run returned. Nothing is written.

    A run may be under way there, or have been stopped: then the list holds what there is by now, best first, and
    duplicates are looked for.

    Args:
        folder: A results folder, or the folder of a call for several structures, which has one for each.

    Returns:
        The candidates, best first, failed ones last.

    Raises:
        InputError: The folder holds no results, or its database is damaged or made by a newer version.

    Example:
        >>> chggen.open("runs/znps").to_dataframe()  # doctest: +SKIP
    """
    if not isinstance(folder, (str, os.PathLike)):
        raise InputError(f"open expects the path of a results folder, got {folder!r:.60}")
    path = Path(folder)
    parts = [] if (path / "candidates.db").exists() else sorted(p.parent for p in path.glob("*/candidates.db"))
    if not parts:
        return Candidates(read_results(path))
    return Candidates(ranked(c for part in parts for c in with_names(read_results(part), part.name)))


def import_dft(
    folder: Path | str,
    calculations: Path | str | None = None,
    level: str | None = None,
    references: References | str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
) -> Candidates:
    """Read finished DFT calculations of candidates back into their table, as a level of its own.

    Args:
        folder: A results folder.
        calculations: A folder with folders of VASP runs named by candidates, as `chggen export` lays them out, or with
            JSON of atomate2 (TaskDocs, or documents of jobflow's store); or one file of these. None stands for
            `FOLDER/export/vasp`.
        level: Name of their level. None stands for the functional, as in `r2scan-dft`.
        references: Entries at that level, for decomposition energies: a table or files of it.

    Returns:
        All candidates, best first, failed ones last. One whose calculation has not converged, is of another compound
        or of another functional than the others has no energy at that level.

    Raises:
        InputError: The folder holds no results, there is no calculation of a candidate, none of them has a result, or
            the level is that of a potential.

    Example:
        >>> chggen.import_dft("runs/znps", level="r2scan-dft", references="mp/references.npz")  # doctest: +SKIP
    """
    return Candidates(
        _import_dft(Path(folder), None if calculations is None else Path(calculations), level, table_of(references))
    )


def view(shown: Candidate | Structure | Atoms | Path | str, viewer: str | None = None) -> Any:
    """Show a structure that can be turned.

    Args:
        shown: A candidate, a pymatgen Structure, ASE Atoms or a file.
        viewer: `py3Dmol`, `weas`, `nglview` or `ase`. None: in a notebook the first of these that is installed; outside
            of one the window of ASE.

    Returns:
        What the viewer returns; a notebook shows it where it is the last thing of a cell.

    Raises:
        InputError: There is no structure, or the viewer is unknown or not installed.

    Example:
        >>> chggen.view(found[0])  # doctest: +SKIP
    """
    return shown.view(viewer) if isinstance(shown, Candidate) else view_structure(as_structure(shown), viewer)
