"""Guests in a region: they stay in it, atoms taken out come back, and what is held does not move."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

import chggen
from chggen.cli.app import app
from chggen.regions import atoms_of, region_of
from chggen.report import write_report

CELL = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.6), ["Cu"], [[0, 0, 0]])
EMT: dict[str, Any] = {"potential": "ase:ase.calculators.emt:EMT", "workers": 1, "levels": 6, "best_of": 1}


def _supercell() -> Structure:
    whole = CELL.copy()
    whole.make_supercell([2, 2, 2])
    return whole


def _slab() -> Structure:
    cell = Lattice.tetragonal(3.6, 20.0)
    return Structure(cell, ["Cu"] * 4, [[0, 0, 0.1], [0.5, 0.5, 0.1], [0.5, 0, 0.19], [0, 0.5, 0.19]])


def test_guests_stay_in_their_region() -> None:
    region = region_of("z 2 4", _supercell())
    found = chggen.inpaint(_supercell(), {"H": 3}, region="z 2 4", n=3, relax=False, **_raw())
    assert {c.seed_source for c in found} == {"orbits", "anywhere"}
    for c in found:
        assert c.raw is not None
        assert region.contains(c.raw.cart_coords[c.raw.site_properties["guest"]]).all()


def test_the_same_seed_gives_the_same_guests_in_any_batch() -> None:
    asked: dict[str, Any] = {"guests": {"H": 2}, "region": "sphere 0.3 0.3 0.3 2", "n": 3, "relax": False} | _raw()
    one, other = (chggen.inpaint(_supercell(), batch_size=size, **asked) for size in (1, 3))
    for a, b in zip(one, other, strict=True):
        assert a.raw is not None
        assert b.raw is not None
        assert np.array_equal(a.raw.frac_coords, b.raw.frac_coords)


def test_atoms_that_are_taken_out_are_what_is_put_back_in() -> None:
    (made,) = chggen.inpaint(CELL, remove="sphere 0.5 0.5 0.5 2.0", supercell=(2, 2, 2), n=1, relax=False, **_raw())
    assert made.raw is not None
    guests = np.array(made.raw.site_properties["guest"])
    assert len(made.raw) == 32
    taken = region_of("sphere 0.5 0.5 0.5 2.0", _supercell()).contains(_supercell().cart_coords).sum()
    assert guests.sum() == taken > 0
    assert region_of("sphere 0.5 0.5 0.5 2.0", _supercell()).contains(made.raw.cart_coords[guests]).all()


def test_a_hole_is_filled_by_the_pattern_around_it() -> None:
    whole = Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.6, 2.96), ["Ti", "O"], [[0, 0, 0], [0.3, 0.3, 0]]
    )
    whole.make_supercell([2, 2, 4])
    whole.perturb(0.03)
    found = chggen.inpaint(whole, remove="sphere 0.5 0.5 0.5 4", n=2, relax=False, **_raw())
    assert [c.seed_source for c in sorted(found, key=lambda c: c.id)] == ["pattern", "orbits"]
    (made,) = (c.raw for c in found if c.seed_source == "pattern")
    assert made is not None
    assert StructureMatcher(stol=0.1).fit(made, whole)


def test_a_host_without_a_pattern_says_so() -> None:
    lone = Structure(Lattice.cubic(8.0), ["Cu", "Ni", "Pt"], [[0, 0, 0], [0.4, 0.1, 0.2], [0.1, 0.5, 0.7]])
    with pytest.raises(chggen.InputError, match="the pattern of this host has no sites for H=2"):
        chggen.inpaint(lone, {"H": 2}, region="z 5 7", guests_from="pattern", n=1)


def _fluorite() -> Structure:
    whole = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.46), ["Ca", "F"], [[0, 0, 0], [0.25, 0.25, 0.25]])
    whole.make_supercell([2, 2, 2])
    return whole


def test_where_the_pattern_tells_some_sites_the_others_are_sampled_and_repeat_as_the_host_does() -> None:
    """Fluorine all gone, and a layer of calcium: the pattern tells where calcium was, and nothing of fluorine."""
    whole = _fluorite()
    whole.remove_species(["F"])
    whole.remove_sites(np.flatnonzero(whole.frac_coords[:, 2] > 0.7).tolist())
    asked: dict[str, Any] = {"region": "z 0.1 10.8", "n": 2, "relax": False} | _raw()
    found = chggen.inpaint(whole, {"Ca": 8, "F": 64}, **asked)
    by_source = {c.seed_source: c for c in found}
    assert set(by_source) == {"pattern", "orbits"}
    for c in found:
        assert c.raw is not None
        guests = np.array(c.raw.site_properties["guest"])
        assert guests.sum() == 72
        fixed = c.raw.frac_coords[~guests] - whole.frac_coords
        assert np.abs(fixed - fixed.round()).max() < 1e-9
        shifted = c.raw.copy()
        shifted.translate_sites(range(len(shifted)), [0.5, 0, 0])
        gap = shifted.lattice.get_all_distances(shifted.frac_coords, c.raw.frac_coords).min(1).max()
        assert gap < 1e-6


def test_host_atoms_near_the_region_give_way_when_asked_to() -> None:
    whole = _supercell()
    asked: dict[str, Any] = {"guests": {"Cu": 2}, "region": "sphere 0.5 0.5 0.5 2.5", "remove": "near 0 0.5", "n": 2}
    asked |= {"relax": False, "seed": 3} | _raw()
    still = chggen.inpaint(whole, **asked)
    moved = chggen.inpaint(whole, host_sigma=0.2, move_within=None, **asked)
    for a, b in zip(still, moved, strict=True):
        assert a.raw is not None
        assert b.raw is not None
        host = ~np.array(b.raw.site_properties["guest"])
        assert host.sum() == 31
        off = b.raw.frac_coords[host] - whole.frac_coords[1:]
        off = np.linalg.norm((off - off.round()) @ whole.lattice.matrix, axis=1)
        far = whole.lattice.get_all_distances(whole.frac_coords[1:], [[0.5, 0.5, 0.5]])[:, 0] > 2.5 + 4.0 + 0.3
        assert off[far].max(initial=0.0) < 1e-9
        assert 1e-3 < off[~far].max() < 1.0
        assert np.array_equal(a.raw.frac_coords[host] % 1, whole.frac_coords[1:] % 1)


def test_held_atoms_do_not_move_while_others_do() -> None:
    whole = _supercell()
    whole.perturb(0.1)
    (made,) = chggen.inpaint(
        whole, {"Ni": 1}, remove="0", hold="z 0 2", n=1, fix_cell=True, fmax=0.2, references=None, **EMT
    )
    assert made.status == "ok", made.reason
    assert made.raw is not None
    assert made.structure is not None
    held = region_of("z 0 2", whole).contains(made.raw.cart_coords) & ~np.array(made.raw.site_properties["guest"])
    moved = np.linalg.norm(made.structure.cart_coords - made.raw.cart_coords, axis=1)
    assert 0 < held.sum() < 31
    assert (moved[held] == 0).all()
    assert (moved[~held] > 0).all()


def test_what_is_far_from_the_region_is_held() -> None:
    whole = _supercell()
    whole.perturb(0.15)
    (made,) = chggen.inpaint(whole, remove="sphere 0 0 0 1.0", move_within=2.8, n=1, fix_cell=True, fmax=0.1, **EMT)
    assert made.raw is not None
    assert made.structure is not None
    moved = np.linalg.norm(made.structure.cart_coords - made.raw.cart_coords, axis=1) > 0
    far = whole.lattice.get_all_distances(made.raw.frac_coords, [[0, 0, 0]])[:, 0] > 4.5
    assert not moved[far].any()
    assert moved[~far].sum() > 4


def test_a_slab_keeps_its_cell_its_vacuum_stays_empty_and_it_has_no_place_on_the_hull(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "chggen.io.notes"):
        found = chggen.inpaint(_slab(), {"H": 1}, n=2, fmax=0.5, **EMT)
    assert "vacuum along its third axis: its cell is kept" in caplog.text
    for c in found:
        assert c.raw is not None
        height = c.raw.cart_coords[-1, 2] % 20
        assert height < 3.8 + 3.0 or height > 20 + 2.0 - 3.0
        if c.structure is not None:
            assert np.array_equal(c.structure.lattice.matrix, _slab().lattice.matrix)
        if c.status == "ok":
            assert c.e_decomposition is None
            assert "Å of vacuum is no bulk phase" in str(c.hull_warning)
    assert any(c.status == "ok" for c in found)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"guests": {"H": 1}, "region": "z 30 40"}, "lies outside the cell"),
        ({"guests": {"Cs": 3}, "region": "sphere 0 0 0 2"}, "room for about"),
        ({"remove": "Cu"}, "takes all 4 atoms out"),
        ({}, "no guests asked for"),
        ({"guests": {"H": 1}, "region": "Li: z 0 2"}, "is for Li, of which there are no guests"),
        ({"guests": {"H": 1}, "region": "z 0 2", "symmetry": "host"}, "not in a region"),
        ({"guests": {"H": 1}, "region": "z 0 2", "guests_from": "prototype"}, "or no region"),
        ({"guests": {"H": 1}, "move_within": 3.0}, "there is none"),
        ({"guests": {"H": 1}, "mu": {"H": -3.0}}, "--mu is for"),
        ({"guests": {"H": 1}, "region": "z 0 2", "mu": {"Hx": -3.0}}, "got 'Hx'"),
        ({"guests": {"H": 1}, "region": "z 0 2", "mu": {"O": -3.0}}, "nothing is put in or taken out; expected H"),
        ({"guests": {"H": 1}, "host_sigma": 0.1}, "there is none"),
        ({"guests": {"H": 1}, "region": "z 0 2", "host_sigma": 0.1, "anchor": "paper"}, "goes with anchor clamp"),
        ({"guests": {"H": 1}, "hold": "Cu", "relax": False}, "has no effect on structures that are not relaxed"),
    ],
)
def test_what_makes_no_sense_is_refused(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(chggen.InputError, match=said) as raised:
        chggen.inpaint(CELL, **asked)
    assert len(str(raised.value)) <= 290


def test_the_command_takes_regions_several_times(tmp_path: Path) -> None:
    file, out = tmp_path / "host.cif", tmp_path / "out"
    _supercell().to(str(file))
    asked = [
        "inpaint", str(file), "--guest", "H=1", "--guest", "Ni=1", "--region", "H: z 2 4", "--region",
        "Ni: near 0,5-6 3", "--remove", "0", "-n", "1", "--no-relax", "--levels", "4", "--best-of", "1",
        "--workers", "1", "-o", str(out),
    ]  # fmt: skip
    made = CliRunner().invoke(app, asked)
    assert made.exit_code == 0, made.output
    again = CliRunner().invoke(app, [*asked[:-3], "1", "-o", str(out), "--hold", "Cu"])
    assert isinstance(again.exception, chggen.InputError)
    assert "--hold has no effect" in str(again.exception)


def _raw() -> dict[str, Any]:
    return {"levels": 6, "best_of": 1, "workers": 1}


def test_a_vacancy_has_its_formation_energy() -> None:
    whole = _supercell()
    lone = whole.copy()
    lone.remove_sites([0])
    options: dict[str, Any] = {"potential": EMT["potential"], "fix_cell": True, "fmax": 0.01}
    full, vacant = chggen.relax([whole, lone], **options)
    assert full.energy_per_atom is not None
    assert vacant.energy_per_atom is not None
    expected = 31 * (vacant.energy_per_atom - full.energy_per_atom)
    assert 0.5 < expected < 2  # eV, as vacancies of copper are
    made = chggen.inpaint(
        whole, {"Cu": 12}, remove="sphere 0.5 0.5 0.5 2.6", mu={"Cu": full.energy_per_atom}, n=2, references=None,
        workers=1, levels=8, best_of=1, **options,
    )  # fmt: skip
    assert made[0].e_insertion == pytest.approx(expected, abs=0.01)


def test_an_adsorbate_has_its_adsorption_energy_also_after_a_stop(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"guests": {"H": 1}, "mu": {"H": -3.0}, "n": 2, "fmax": 0.3, "hold": "z 1 3", **EMT}
    found = chggen.inpaint(_slab(), out=tmp_path / "out", **asked)
    (bare,) = chggen.relax([_slab()], potential=EMT["potential"], hold="z 1 3", fix_cell=True, fmax=0.3)
    assert bare.energy_per_atom is not None
    good = [c for c in found if c.status == "ok"]
    assert good
    for c in good:
        assert c.energy_per_atom is not None
        assert c.e_insertion == pytest.approx(5 * c.energy_per_atom - 4 * bare.energy_per_atom + 3.0, abs=1e-6)
    again = chggen.inpaint(_slab(), out=tmp_path / "out", **asked)
    assert [c.e_insertion for c in again] == [c.e_insertion for c in found]
    assert "e_insertion" in (tmp_path / "out" / "summary.csv").read_text()
    page = write_report(tmp_path / "out").read_text()
    assert "E inserted, eV" in page
    assert f"{good[0].e_insertion:.4f}" in page


def test_without_a_reference_there_is_no_insertion_energy_and_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "chggen.campaign.runner"):
        found = chggen.inpaint(_slab(), {"H": 1}, n=1, fmax=0.5, **EMT)
    assert all(c.e_insertion is None for c in found)
    assert "state it by --mu H=" in caplog.text


class _Ball:
    """A region of one's own: a sphere about a point, without periodic images."""

    def __init__(self, centre: list[float], radius: float) -> None:
        self.centre, self.radius = np.array(centre), radius

    def contains(self, positions: np.ndarray) -> np.ndarray:
        return np.asarray(np.linalg.norm(positions - self.centre, axis=1) <= self.radius)

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        step = rng.standard_normal((n, 3))
        step *= self.radius * rng.random((n, 1)) ** (1 / 3) / np.linalg.norm(step, axis=1, keepdims=True)
        return np.asarray(self.centre + step)


def test_a_region_may_be_an_object(tmp_path: Path) -> None:
    ball = _Ball([3.6, 3.6, 1.8], 1.5)
    asked: dict[str, Any] = {"n": 2, "relax": False, "out": tmp_path / "out"} | _raw()
    found = chggen.inpaint(_supercell(), {"H": 2}, region=ball, **asked)
    for c in found:
        assert c.raw is not None
        assert ball.contains(c.raw.cart_coords[-2:]).all()
    assert len(chggen.inpaint(_supercell(), {"H": 2}, region=_Ball([3.6, 3.6, 1.8], 1.5), **asked)) == 2
    with pytest.raises(chggen.InputError, match="--region"):
        chggen.inpaint(_supercell(), {"H": 2}, region=_Ball([3.6, 3.6, 1.8], 1.4), **asked)


def test_species_may_have_words_or_objects() -> None:
    ball = _Ball([3.6, 3.6, 1.8], 1.5)
    (made,) = chggen.inpaint(
        _supercell(), {"H": 1, "N": 1}, region={"H": ball, "N": "z 4 6"}, n=1, relax=False, **_raw()
    )
    assert made.raw is not None
    assert ball.contains(made.raw.cart_coords[-2:-1]).all()
    assert region_of("z 4 6", _supercell()).contains(made.raw.cart_coords[-1:]).all()


def test_a_region_is_filled_by_its_volume(caplog: pytest.LogCaptureFixture) -> None:
    """A hole of 14 atoms in rutile takes about five units again."""
    whole = Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.6, 2.96), ["Ti", "O"], [[0, 0, 0], [0.3, 0.3, 0]]
    )
    whole.make_supercell([2, 2, 4])
    taken = int(atoms_of("sphere 0.5 0.5 0.5 4", whole).sum())
    with caplog.at_level(logging.WARNING, "chggen.io.notes"):
        (made,) = chggen.inpaint(whole, remove="sphere 0.5 0.5 0.5 4", fill="TiO2", n=1, relax=False, **_raw())
    assert made.raw is not None
    guests = sum(made.raw.site_properties["guest"])
    assert abs(guests - taken) <= 6
    assert guests % 3 == 0
    assert f"the region is filled with {guests // 3} TiO2: {guests // 3} Ti, {2 * guests // 3} O" in caplog.text
    for asked, said in (
        ({"fill": "TiO2", "guests": {"O": 1}, "region": "z 0 4"}, "leave out --guest"),
        ({"fill": "TiO2"}, "needs one region"),
        ({"fill": "Cs9", "region": "sphere 0.5 0.5 0.5 1"}, "room for less than half of Cs9"),
        ({"fill": "Xx", "region": "z 0 4"}, "Xx"),
    ):
        with pytest.raises(chggen.InputError, match=said):
            chggen.inpaint(whole, **asked)  # type: ignore[arg-type]
