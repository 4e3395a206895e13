"""Which ordered structures are orderings of a disordered phase, for phases whose orderings are known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from chggen.cli.reference_table import reference_lines
from chggen.errors import InputError
from chggen.execution import silent
from chggen.stability.building import build_references
from chggen.stability.disordered_phases import DisorderedPhase, disordered_phases, parent_of
from chggen.stability.joined_references import references_of
from chggen.stability.reference_entry import ReferenceEntry
from chggen.stability.references import References, write_references
from chggen.symmetry import structure_fingerprint


def _crystal(group: str, lattice: Lattice, *sites: tuple[str | Mapping[str, float], list[float]]) -> Structure:
    return Structure.from_spacegroup(group, lattice, [held for held, _ in sites], [frac for _, frac in sites])


def _layered(**more: float) -> Structure:
    """Layered LiCoO2 as it relaxes, away from ideal rock salt, with the lithium that is given."""
    lattice = Lattice.hexagonal(2.83, 14.1)
    return _crystal("R-3m", lattice, (more or "Li", [0, 0, 0.5]), ("Co", [0, 0, 0]), ("O", [0, 0, 0.2395]))


def _half_empty(every: int) -> Structure:
    """Layered LiCoO2 of which every so manieth lithium is left out, moved a little."""
    made = _layered()
    made.make_supercell([[1, 0, 0], [1, 2, 0], [0, 0, 1]])
    made.remove_sites([k for k, site in enumerate(made) if site.specie.symbol == "Li"][::every])
    return _moved(made, 0.08)


def _moved(structure: Structure, by: float) -> Structure:
    """A structure with its atoms moved by so much, Å, the same each time."""
    rng = np.random.default_rng(0)
    way = rng.standard_normal((len(structure), 3))
    way *= by / np.linalg.norm(way, axis=1, keepdims=True)
    places = structure.cart_coords + way
    return Structure(structure.lattice, structure.species, places, coords_are_cartesian=True)


SALT = _crystal("Fm-3m", Lattice.cubic(4.2), ({"Li+": 0.5, "Co3+": 0.5}, [0, 0, 0]), ("O2-", [0.5, 0.5, 0.5]))
SPINEL = _crystal("Fd-3m", Lattice.cubic(8.0), ("Li", [0.125] * 3), ("Co", [0.625] * 3), ("O", [0.365] * 3))
FLAT = _crystal("I4_1/amd", Lattice.tetragonal(4.06, 8.6), ("Li", [0, 0, 0.5]), ("Co", [0, 0, 0]), ("O", [0, 0, 0.24]))
CAESIUM = Structure(
    Lattice.tetragonal(2.6, 5.2), ["Li", "Co", "O", "O"], [[0, 0, 0], [0, 0, 0.5], [0.5, 0.5, 0.25], [0.5, 0.5, 0.75]]
)
BLENDE = Structure(
    Lattice.tetragonal(3.25, 4.6), ["Li", "Co", "O", "O"], [[0, 0, 0], [0.5, 0.5, 0.5], [0, 0.5, 0.25], [0.5, 0, 0.75]]
)
FCC = _crystal("Fm-3m", Lattice.cubic(3.75), ({"Cu": 0.75, "Au": 0.25}, [0, 0, 0]))
L12 = _crystal("Pm-3m", Lattice.cubic(3.75), ("Au", [0, 0, 0]), ("Cu", [0, 0.5, 0.5]))
D022 = _crystal("I4/mmm", Lattice.tetragonal(3.75, 7.5), ("Au", [0] * 3), ("Cu", [0, 0, 0.5]), ("Cu", [0, 0.5, 0.25]))
A15 = _crystal("Pm-3n", Lattice.cubic(4.8), ("Au", [0, 0, 0]), ("Cu", [0.25, 0, 0.5]))
D03 = _crystal("Fm-3m", Lattice.cubic(6.0), ("Au", [0] * 3), ("Cu", [0.5] * 3), ("Cu", [0.25] * 3))
D019 = _crystal("P6_3/mmc", Lattice.hexagonal(5.3, 4.33), ("Au", [1 / 3, 2 / 3, 0.25]), ("Cu", [5 / 6, 2 / 3, 0.25]))


@pytest.mark.parametrize(
    ("average", "ordered", "is_one"),
    [
        (SALT, _layered(), True), (SALT, SPINEL, True), (SALT, FLAT, True), (SALT, CAESIUM, False),
        (SALT, BLENDE, False), (SALT, _half_empty(2), False), (FCC, L12, True), (FCC, D022, True), (FCC, A15, False),
        (FCC, D03, False), (FCC, D019, False), (_layered(Li=0.5), _half_empty(2), True),
        (_layered(Li=0.6), _half_empty(2), True), (_layered(Li=0.75), _half_empty(2), False),
        (_layered(Li=0.5), _layered(), False), (_layered(Li=0.9), FLAT, False),
    ],
    ids=lambda given: getattr(given, "formula", str(given)).replace(" ", ""),
)  # fmt: skip
def test_orderings_are_told_from_other_structures(average: Structure, ordered: Structure, is_one: bool) -> None:
    assert DisorderedPhase("x", average).has_ordering(ordered) == is_one


def test_cells_and_sizes_of_orderings_do_not_matter() -> None:
    """The same ordering in a large skewed cell, at another volume and with its atoms moved."""
    made = L12.copy()
    made.make_supercell([[1, 1, 0], [0, 2, 1], [0, 0, 2]])
    made.scale_lattice(made.volume * 1.15)
    assert DisorderedPhase("x", FCC).has_ordering(_moved(made, 0.05))
    rod = L12.copy()
    rod.make_supercell([1, 1, 60])
    rod[0], rod[1] = "Cu", "Au"  # no smaller cell holds it
    assert not DisorderedPhase("x", FCC).has_ordering(rod)  # too large to be compared


def test_species_of_which_there_is_little_may_be_missing() -> None:
    doped = _crystal("Fm-3m", Lattice.cubic(3.75), ({"Cu": 0.72, "Au": 0.25, "Ag": 0.03}, [0, 0, 0]))
    assert DisorderedPhase("x", doped).has_ordering(L12)
    assert not DisorderedPhase("x", FCC).has_ordering(L12.copy().replace_species({"Au": "Ag"}))


def test_of_several_phases_the_nearest_in_composition_is_named() -> None:
    far = _crystal("Fm-3m", Lattice.cubic(3.75), ({"Cu": 0.66, "Au": 0.34}, [0, 0, 0]))
    phases = [DisorderedPhase("far", far), DisorderedPhase("near", FCC), DisorderedPhase("salt", SALT)]
    assert parent_of(L12, phases) == "ordering of near"
    assert parent_of(L12, phases[:1]) == "ordering of far"
    assert parent_of(BLENDE, phases) is None


def test_references_hold_disordered_phases_beside_their_entries(tmp_path: Path) -> None:
    l12 = ReferenceEntry(
        id="l12", formula="Cu3Au", level="pbe", energy_per_atom=-3.9, fingerprint=structure_fingerprint(L12) or ""
    )
    write_references([l12], tmp_path / "t.npz", [DisorderedPhase("fcc", FCC)])
    table = References.load(tmp_path / "t.npz")
    assert (len(table), [phase.id for phase in table.disordered]) == (1, ["fcc"])
    assert table.known_as("Cu3Au", -3.9, "pbe", 221, L12) == "l12"  # the entry comes first
    assert table.known_as("Cu3Au", -3.7, "pbe", 221, L12) == "ordering of fcc"
    assert table.known_as("Cu3Au", -3.7, "pbe", 221, A15) is None
    assert table.known_as("Cu3Au", -3.7, "pbe", 221) is None
    with np.load(tmp_path / "t.npz") as file:
        arrays: dict[str, Any] = {key: file[key] for key in file.files}
    for text in (b"[1]", b"x", b'[{"id": "a", "structure": {}}]'):
        np.savez(tmp_path / "bad.npz", **{**arrays, "disordered": np.array(text)})
        with pytest.raises(InputError, match=r"bad\.npz holds disordered phases that cannot be read"):
            References.load(tmp_path / "bad.npz")
    del arrays["disordered"]
    np.savez(tmp_path / "old.npz", **{**arrays, "format": np.array(3)})
    assert References.load(tmp_path / "old.npz").disordered == ()


def test_files_and_folders_of_disordered_structures_are_references(tmp_path: Path) -> None:
    folder = tmp_path / "phases"
    folder.mkdir()
    FCC.to(str(folder / "fcc.cif"))
    SALT.to(str(folder / "salt.cif"))
    for names in ([str(folder)], ["shipped", str(folder / "fcc.cif"), str(folder / "salt.cif")]):
        table = references_of(names)
        assert len(table) == len(References.load())  # which spans the hulls
        assert table.known_as("Cu3Au", 9.0, "pbe", 221, L12) == "ordering of fcc"
    shown = reference_lines("Au-Cu", "pbe", ["shipped", str(folder)], None, None)
    said = [line.split() for line in shown if "disordered" in line]
    assert [(words[0], words[2:]) for words in said] == [("fcc", ["disordered:", "in", "no", "hull"])]
    L12.to(str(folder / "l12.cif"))
    with pytest.raises(InputError, match="phases is not a reference table, and l12 is an ordered structure without"):
        references_of([str(folder)])
    assert [phase.id for phase in disordered_phases([folder / "fcc.cif"])] == ["fcc"]


def test_building_keeps_disordered_structures(tmp_path: Path) -> None:
    out, given = tmp_path / "out", tmp_path / "given"
    given.mkdir()
    FCC.to(str(given / "fcc.cif"))
    table = References.load(build_references([given], ["pbe"], 0.1, "cpu", 1, out, silent))
    assert (len(table), [phase.id for phase in table.disordered]) == (0, ["fcc"])
    assert len(references_of([str(out / "references.npz")])) == len(References.load())
    SALT.to(str(tmp_path / "salt.cif"))
    build_references([tmp_path / "salt.cif"], ["pbe"], 0.1, "cpu", 1, out, silent)
    assert [phase.id for phase in References.load(out / "references.npz").disordered] == ["fcc", "salt"]
    (tmp_path / "more").mkdir()
    SALT.scale_lattice(70.0).to(str(tmp_path / "more" / "fcc.cif"))
    with pytest.raises(InputError, match="holds energies of another fcc already"):
        build_references([tmp_path / "more"], ["pbe"], 0.1, "cpu", 1, out, silent)
