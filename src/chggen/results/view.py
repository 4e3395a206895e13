"""Looking at a structure: by a viewer of the notebook, or by ASE's window."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from chggen.errors import InputError
from chggen.io import atoms_of_structure

if TYPE_CHECKING:
    from pymatgen.core import Structure

_SIZE: Final = 420  # pixels


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook, which shows HTML."""
    ipython = sys.modules.get("IPython")  # loaded where one is used
    shell = None if ipython is None else ipython.get_ipython()
    return type(shell).__name__ == "ZMQInteractiveShell" or "google.colab" in type(shell).__module__


def view_structure(structure: Structure, viewer: str | None = None) -> Any:
    """Show a structure.

    Args:
        structure: The structure.
        viewer: `py3Dmol`, `weas`, `nglview` or `ase`. None: in a notebook the first of these that is installed, else
            ASE's window.

    Returns:
        What the viewer returns. A notebook shows it where it is the last thing of a cell.

    Raises:
        InputError: The viewer is unknown or not installed.
    """
    if viewer is None:
        installed = (name for name, (module, _) in _VIEWERS.items() if find_spec(module) is not None)
        viewer = next(installed, "ase") if in_notebook() else "ase"
    if viewer not in _VIEWERS:
        raise InputError(f"viewer: expected one of {', '.join(_VIEWERS)}, got {viewer!r}")
    module, show = _VIEWERS[viewer]
    if find_spec(module) is None:
        raise InputError(f"the viewer {viewer} is not installed; run `pip install {_PACKAGES.get(viewer, module)}`")
    return show(structure)


def _by_3dmol(structure: Structure) -> Any:
    shown = import_module("py3Dmol").view(width=_SIZE, height=_SIZE)
    shown.addModel(structure.to(fmt="cif"), "cif")
    shown.setStyle({"sphere": {"scale": 0.3, "colorscheme": "Jmol"}, "stick": {"radius": 0.12, "colorscheme": "Jmol"}})
    shown.addUnitCell()
    shown.zoomTo()
    return shown


def _by_weas(structure: Structure) -> Any:
    shown = import_module("weas_widget").WeasWidget()
    shown.from_pymatgen(structure)
    return shown


def _by_nglview(structure: Structure) -> Any:
    shown = import_module("nglview").show_pymatgen(structure)
    shown.add_unitcell()
    return shown


def _by_ase(structure: Structure) -> Any:
    from ase.visualize import view

    atoms = atoms_of_structure(structure)
    return view(atoms, viewer="x3d") if in_notebook() else view(atoms)


_VIEWERS: Final[dict[str, tuple[str, Callable[[Structure], Any]]]] = {
    "py3Dmol": ("py3Dmol", _by_3dmol),
    "weas": ("weas_widget", _by_weas),
    "nglview": ("nglview", _by_nglview),
    "ase": ("ase", _by_ase),
}
_PACKAGES: Final = {"weas": "weas-widget"}
