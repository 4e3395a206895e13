"""Interfaces of two crystals by EMT, whose energies can be computed by hand."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

import chggen
from chggen.cli.app import app
from chggen.generation import InterfaceRequest, interface_cell

EMT: dict[str, Any] = {"potential": "ase:ase.calculators.emt:EMT", "workers": 1, "fmax": 0.1, "references": None}


def _fcc(symbol: str, a: float) -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [symbol], [[0, 0, 0]])


CU, NI, AU = _fcc("Cu", 3.6), _fcc("Ni", 3.52), _fcc("Au", 4.08)


@pytest.mark.parametrize(("strain_on", "side"), [("b", 3.6), ("a", 3.52), ("both", 3.56)])
def test_the_crystal_asked_for_is_strained(strain_on: Any, side: float) -> None:
    asked = InterfaceRequest(miller_a=(0, 0, 1), miller_b=(0, 0, 1), gap=2.0, strain_on=strain_on)
    cell = interface_cell(CU, NI, asked)
    net = side / np.sqrt(2)
    assert cell.structure.lattice.a == pytest.approx(net, abs=1e-6)
    assert cell.area == pytest.approx(net**2, abs=1e-5)
    assert cell.strain == pytest.approx(3.6 / 3.52 - 1, abs=1e-3)
    heights = cell.structure.frac_coords[:, 2] * cell.structure.lattice.c
    assert heights[cell.of_b].min() - heights[~cell.of_b].max() == pytest.approx(2.0)
    assert cell.gap == pytest.approx((heights[~cell.of_b].max(), heights[cell.of_b].min()))
    for of_b, symbol, spacing in ((False, "Cu", 1.8), (True, "Ni", 1.76)):
        slab = cell.alone(of_b)
        assert {site.specie.symbol for site in slab} == {symbol}
        own = np.sort(slab.frac_coords[:, 2]) * slab.lattice.c
        assert np.diff(own) == pytest.approx(spacing)  # planes are as far apart as in the crystal
        assert own[-1] - own[0] >= 7


def test_the_energy_is_that_of_adhesion_per_area(tmp_path: Path) -> None:
    found = chggen.interface(CU, NI, n=3, gap=1.8, move_within=2.0, out=tmp_path / "out", **EMT)
    cell = interface_cell(CU, NI, InterfaceRequest(miller_a=(0, 0, 1), miller_b=(0, 0, 1), gap=1.8))
    alone = [cell.alone(of_b) for of_b in (False, True)]
    held = [(slab.cart_coords[:, 2] < cell.gap[0] - 2.0).tolist() for slab in alone]
    assert [sum(mask) for mask in held] == [4, 0]  # the second crystal is free
    ends = chggen.relax(alone, potential=EMT["potential"], fixed_atoms=held, fix_cell=True, fmax=0.1)
    apart = sum(len(s) * float(end.energy_per_atom or 0.0) for s, end in zip(alone, ends, strict=True))
    assert len(found) == 3
    good = [c for c in found if c.e_insertion is not None]
    assert good
    for c in good:
        assert c.energy_per_atom is not None
        assert c.e_decomposition is None
        assert c.e_insertion == pytest.approx(len(cell.structure) * c.energy_per_atom - apart, abs=1e-5)
        assert c.e_insertion < -0.1  # metals stick
    said = json.loads((tmp_path / "out" / "interface.json").read_text())
    lowest = min(row["interface_energy"] for row in said["candidates"])
    assert lowest == pytest.approx(min(float(c.e_insertion or 0) for c in good) / cell.area * 16.0218, rel=1e-4)
    assert -8 < lowest < -1  # J/m²
    for row in said["candidates"]:
        assert row["work_of_adhesion"] == -row["interface_energy"]
        assert row["work_of_separation"] >= row["work_of_adhesion"] - 0.01  # slabs that may relax gain energy
        assert row["thickness"] < 6
        assert row["new_bonds"].keys() <= {"Ni-Cu", "Cu-Ni"}
        assert 8 <= sum(row["coordination"]["Cu"]["layer"].values()) <= 12.5
        assert row["coordination"]["Cu"]["first"] == {"Cu": 12.0}
    assert (
        said["reaction"] == "no reaction energy: the references have no energies at level ase:ase.calculators.emt:EMT"
    )


def test_atoms_in_the_gap_stay_there_and_shifts_differ() -> None:
    found = chggen.interface(
        CU, AU, {"H": 2}, miller_b="111", gap=4.0, n=2, levels=4, best_of=1, **(EMT | {"fmax": 5.0})
    )
    for c in found:
        assert c.raw is not None
        guests = np.array(c.raw.site_properties["guest"])
        assert guests.sum() == 2
        heights = c.raw.frac_coords[:, 2] * c.raw.lattice.c
        symbols = np.array([site.specie.symbol for site in c.raw])
        assert heights[symbols == "Cu"].max() - 1e-6 <= heights[guests].min()
        assert heights[guests].max() <= heights[symbols == "Au"].min() + 1e-6
    first, second = sorted(found, key=lambda c: c.id)
    assert first.raw is not None
    assert second.raw is not None
    gold = [k for k, site in enumerate(first.raw) if site.specie.symbol == "Au"]
    off = first.raw.frac_coords[gold] - second.raw.frac_coords[gold]
    same = off - off[0]
    assert np.abs(same - np.round(same)).max() < 1e-9  # all of the second crystal by the same
    assert np.abs(off[:, :2]).max() > 1e-3


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"miller_a": "000"}, "not all 0"),
        ({"miller_b": "12"}, "expected Miller indices"),
        ({"max_strain": 0.001, "max_area": 40.0}, "do not match within 40 Å² and a strain of 0.001; the nearest has"),
        ({"termination": 7}, "numbered from 0; got 7"),
        ({"guests": {"Cs": 40}, "gap": 3.0}, "room for about"),
        ({"thickness": 1.0}, "thickness"),
        ({"guests": {"H2O": 1}, "miller_a": "971"}, "guest 'H2O' is a molecule"),  # before slabs are looked for
    ],
)
def test_what_makes_no_interface_is_refused(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(chggen.InputError, match=said) as raised:
        chggen.interface(CU, NI, **(EMT | asked))
    assert len(str(raised.value)) <= 290


def test_the_command_shows_energies_per_area_and_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name, crystal in (("Cu", CU), ("Ni", NI)):
        crystal.to(str(tmp_path / f"{name}.cif"))
    asked = [
        "interface", str(tmp_path / "Cu.cif"), str(tmp_path / "Ni.cif"), "--miller-a", "1,1,1", "--miller-b", "111",
        "--potential", EMT["potential"], "-n", "2", "--workers", "1", "-o", str(tmp_path / "out"),
    ]  # fmt: skip
    with caplog.at_level(logging.WARNING, "chggen.workflows.interface"):
        made = CliRunner().invoke(app, asked)
    assert made.exit_code == 0, made.output
    assert "J/m²: interface  adhesion  separation" in made.output
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<h2>Interface</h2>" in page
    assert "of separation, J/m²" in page
    assert "pairs of terminations, 0 being taken: 0: Cu_R-3m_1 | Ni_R-3m_1" in caplog.text
    again = CliRunner().invoke(app, asked)
    assert again.exit_code == 0, again.output
    assert again.output.splitlines()[-2:] == made.output.splitlines()[-2:]


def test_a_gap_too_wide_closes_to_the_spacing_of_the_crystal() -> None:
    crystal = _fcc("Cu", 3.58)
    cell = interface_cell(crystal, crystal, InterfaceRequest(miller_a=(1, 1, 1), miller_b=(1, 1, 1), gap=3.3))
    found = chggen.interface(crystal, crystal, miller_a="111", miller_b="111", gap=3.3, n=6, **(EMT | {"fmax": 0.03}))
    lowest = min(found, key=lambda c: c.e_insertion or 0.0)
    assert lowest.structure is not None
    assert lowest.e_insertion is not None
    heights = lowest.structure.cart_coords[:, 2]
    spacing = 3.58 / np.sqrt(3)
    assert heights[cell.of_b].min() - heights[~cell.of_b].max() == pytest.approx(spacing, abs=0.03)
    (bulk,) = chggen.relax([crystal], potential=EMT["potential"], fix_cell=True)
    slabs = chggen.relax([cell.alone(False), cell.alone(True)], potential=EMT["potential"], fix_cell=True, fmax=0.03)
    ends = sum(float(s.energy_per_atom or 0.0) * len(s.structure) for s in slabs)
    assert bulk.energy_per_atom is not None
    surfaces = (ends - bulk.energy_per_atom * len(cell.structure)) / 2  # a slab has two
    assert lowest.e_insertion == pytest.approx(-surfaces, rel=0.03)
