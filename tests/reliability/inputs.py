"""Small inputs of the trials: a host, an oxide, and eight rock salts that are a little out of shape."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

_SALTS: Final = (
    ("Na", "Cl", 5.64), ("Mg", "O", 4.2), ("Li", "F", 4.0), ("K", "Cl", 6.3), ("Li", "Cl", 5.1), ("Ca", "O", 4.8),
    ("Na", "Br", 6.0), ("Sr", "O", 5.2),
)  # fmt: skip


def make_inputs(folder: Path, few: bool = False) -> None:
    """Write the inputs, unless they are there.

    Args:
        folder: Gets `li2o.cif`, `host.cif` (its oxygen), `salts/` with eight files, and `three/` with three of them, of
            which `mgo.cif` alone has magnesium.
        few: Write four files to `salts/`.
    """
    import numpy as np
    from pymatgen.core import Lattice, Structure

    if folder.exists():
        return
    making = folder.with_name(folder.name + ".making")
    shutil.rmtree(making, ignore_errors=True)
    (making / "salts").mkdir(parents=True)
    (making / "three").mkdir()
    fluorite = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.63), ["Li", "O"], [[0.25] * 3, [0] * 3])
    oxide = fluorite.get_primitive_structure()
    oxide.to(filename=str(making / "li2o.cif"))
    host = oxide.copy()
    host.remove_species(["Li"])
    host.to(filename=str(making / "host.cif"))
    rng = np.random.default_rng(0)
    for cation, anion, edge in _SALTS[: 4 if few else None]:
        salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(edge), [cation, anion], [[0] * 3, [0.5] * 3])
        salt = salt.get_primitive_structure()
        salt.scale_lattice(salt.volume * 1.1)
        salt.translate_sites([1], rng.normal(scale=0.02, size=3))
        salt.to(filename=str(making / "salts" / f"{cation}{anion}.cif".lower()))
    for name in ("nacl", "mgo", "lif"):
        shutil.copy(making / "salts" / f"{name}.cif", making / "three")
    making.rename(folder)
