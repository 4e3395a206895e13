"""Known prototypes laid over hosts: guests come back to their sites in any frame, and starts take turns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

import chggen
from chggen.errors import InputError
from chggen.generation.filling_order import fillings, same_start
from chggen.generation.host import Host, strip_guests
from chggen.generation.host_orbits import on_orbits, symmetrised
from chggen.generation.host_starts import GivenHost, OnOrbits, PrototypeSites
from chggen.generation.made_symmetric import MadeSymmetric
from chggen.generation.prototype_mapping import CLOSE, analogues
from chggen.symmetry.detection import space_group

CUBE = Lattice.cubic
PEROVSKITE = Structure.from_spacegroup(221, CUBE(3.905), ["Sr", "Ti", "O"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]])
FLUORITE = Structure.from_spacegroup(225, CUBE(5.46), ["Ca", "F"], [[0, 0, 0], [0.25, 0.25, 0.25]])
RUTILE = Structure.from_spacegroup(136, Lattice.tetragonal(4.594, 2.959), ["Ti", "O"], [[0] * 3, [0.305, 0.305, 0]])
SPINEL = Structure.from_spacegroup(227, CUBE(8.08), ["Mg", "Al", "O"], [[0] * 3, [0.625] * 3, [0.3874] * 3])
CASES = {
    "one guest": (PEROVSKITE, ("Sr",)),
    "anions": (PEROVSKITE, ("O",)),
    "a conventional cell": (FLUORITE, ("F",)),
    "two species": (SPINEL.get_primitive_structure(), ("Mg", "Al")),
    "two species, the other way round": (SPINEL.get_primitive_structure(), ("Al", "Mg")),
    "free coordinates": (RUTILE, ("O",)),
    "a supercell": (PEROVSKITE * (2, 1, 2), ("Sr",)),
    "a large one": (RUTILE * (2, 2, 3), ("Ti",)),
}


def _filled(host: Host, sites: np.ndarray) -> Structure:
    made = host.framework.copy()
    symbols = [s for s, n in host.guests.items() for _ in range(n)]
    for symbol, site in zip(symbols, sites, strict=True):
        made.append(symbol, site)
    return made


def _moved(structure: Structure) -> Structure:
    """The same crystal in another basis, turned and shifted."""
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    basis = np.array([[1, 1, 0], [0, 1, 0], [0, 1, -1]])
    moved = structure * basis
    sites = moved.frac_coords + rng.random(3)
    return Structure(moved.lattice.matrix @ turn, moved.species, sites)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("moved", [False, True])
def test_the_closest_analogue_has_the_guests_of_textbook_structures(name: str, moved: bool) -> None:
    known, guests = CASES[name]
    crystal = _moved(known) if moved else known
    host = strip_guests(crystal, guests)
    host = Host(framework=host.framework, guests={s: host.guests[s] for s in guests})
    best = analogues(host)[0]
    assert best.closeness > CLOSE
    assert best.frac_coords.shape == (sum(host.guests.values()), 3)
    matcher = StructureMatcher(ltol=0.01, stol=0.15, angle_tol=1)
    assert matcher.fit(crystal, _filled(host, best.frac_coords))


def test_a_host_that_is_a_little_off_costs_closeness() -> None:
    host = strip_guests(SPINEL.get_primitive_structure(), ["Mg"])
    rough = host.framework.copy()
    for i, step in enumerate(np.random.default_rng(0).normal(0, 0.15, (len(rough), 3))):
        rough.translate_sites([i], step, frac_coords=False)
    exact, off = analogues(host)[0], analogues(Host(framework=rough, guests=host.guests))[0]
    assert exact.rms < 0.1 < off.rms
    assert off.closeness < exact.closeness


def test_arrangements_come_once() -> None:
    host = strip_guests(FLUORITE.get_primitive_structure(), ["F"])
    found = analogues(host)
    matcher = StructureMatcher(ltol=0.01, stol=0.01, angle_tol=1)
    made = [_filled(host, a.frac_coords) for a in found]
    assert len(found) > 1
    assert not any(matcher.fit(a, b) for k, a in enumerate(made) for b in made[:k])
    assert [a.closeness for a in found] == sorted((a.closeness for a in found), reverse=True)


def test_close_analogues_orbits_and_anywhere_take_turns() -> None:
    host = strip_guests(FLUORITE.get_primitive_structure(), ["F"])
    every = [a.closeness for a in analogues(host)]
    close = [a.closeness for a in analogues(host, CLOSE)]
    assert 0 < len(close) < len(every)
    assert close == [c for c in every if c >= CLOSE]
    expected = [PrototypeSites, OnOrbits, GivenHost] * len(close) + [OnOrbits, GivenHost]
    assert [type(s) for s in fillings(host, len(expected))] == expected
    assert [type(s) for s in fillings(host, 3, "anywhere")] == [GivenHost] * 3
    laid = fillings(host, len(every) + 1, "prototype")
    assert [type(s) for s in laid] == [PrototypeSites] * (len(every) + 1)
    assert laid[-1] is laid[0]


def test_where_no_analogue_is_close_all_take_turns_after_anywhere() -> None:
    stretched = strip_guests(FLUORITE.get_primitive_structure(), ["F"]).framework.copy()
    stretched.apply_strain([0, 0, 0.1])
    far = Host(framework=stretched, guests={"Xe": 2})
    known = len(analogues(far))
    assert known > 0
    assert not analogues(far, CLOSE)
    expected = [OnOrbits, GivenHost, PrototypeSites] * known + [OnOrbits, GivenHost, OnOrbits]
    assert [type(s) for s in fillings(far, len(expected))] == expected


def test_what_no_prototype_has_and_no_orbits_have_room_for_starts_anywhere() -> None:
    odd = Host(framework=PEROVSKITE * (1, 1, 2), guests={"Li": 7})
    assert not analogues(odd)
    assert [type(s) for s in fillings(odd, 3)] == [GivenHost] * 3
    with pytest.raises(InputError, match="use guests from auto or anywhere"):
        fillings(odd, 3, "prototype")


def test_a_host_without_symmetry_has_no_orbits() -> None:
    rough = (PEROVSKITE * (1, 1, 2)).perturb(0.3, seed=1)
    bare = Host(framework=rough, guests={"Li": 7})
    assert [type(s) for s in fillings(bare, 3)] == [GivenHost] * 3
    with pytest.raises(InputError, match="Li=7 fit no orbits"):
        fillings(bare, 3, "orbits")


def test_orbits_are_a_start_only_and_leave_the_host_as_it_is() -> None:
    rough = RUTILE.copy().perturb(0.02, seed=2)
    given = strip_guests(rough, ["O"])
    start = fillings(given, 1, "orbits")[0]
    assert start.on_orbits
    assert not start.symmetric
    host, orbits = start.draw(3)
    assert orbits is not None
    assert host.framework == given.framework
    found = chggen.inpaint(given.framework, given.guests, n=2, guests_from="orbits", relax=False, levels=4, best_of=1)
    assert len(found) == 2
    for candidate in found:
        assert candidate.seed_source == "orbits"
        assert candidate.raw is not None
        np.testing.assert_array_equal(candidate.raw.frac_coords[: len(given.framework)], given.framework.frac_coords)
        symmetric = candidate.raw.copy()
        for i, site in enumerate(symmetrised(given.framework).structure):
            symmetric.translate_sites([i], site.frac_coords - symmetric[i].frac_coords)
        assert space_group(symmetric, 1e-3) > 2  # type: ignore[operator]


@pytest.mark.parametrize(("known", "guests", "number"), [(PEROVSKITE, ("Sr",), 221), (RUTILE, ("O",), 136)])
def test_a_symmetric_host_keeps_what_the_prototype_keeps_of_its_group(
    known: Structure, guests: tuple[str, ...], number: int
) -> None:
    host = on_orbits(strip_guests(known, guests))
    start = fillings(host, 1)[0]
    assert isinstance(start, PrototypeSites)
    assert start.symmetric
    held, orbits = start.draw(0)
    assert orbits is not None
    assert held.sites is not None
    assert len(orbits.frac) == len(known)
    assert space_group(_filled(host, held.sites), 1e-4) == number
    assert isinstance(start.redraw(1), GivenHost)


def test_sites_that_keep_no_symmetry_are_not_laid_on_a_symmetric_host() -> None:
    from chggen.generation.host_orbits import kept_orbits

    host = on_orbits(strip_guests(PEROVSKITE * (1, 1, 2), ["Sr"]))
    assert kept_orbits(host, np.array([[0.21, 0.33, 0.07], [0.62, 0.11, 0.55]])) is None


def _inpainted(guests: Mapping[str, int], **settings: object) -> list[chggen.Candidate]:
    framework = strip_guests(PEROVSKITE, ["Sr"]).framework
    return chggen.inpaint(framework, guests, seed=0, relax=False, workers=1, levels=4, best_of=1, **settings)


def test_guests_sampled_freely_are_made_symmetric() -> None:
    host = on_orbits(strip_guests(PEROVSKITE, ["Sr"]))
    start = fillings(host, 1, "anywhere")[0]
    assert isinstance(start, MadeSymmetric)
    assert start.symmetric
    assert start.draw(0)[1] is None
    off = _filled(host, np.array([[0.02, -0.01, 0.015]]))
    off.add_site_property("guest", [False] * 4 + [True])
    made = start.settled(off)
    assert isinstance(made, Structure)
    assert made.site_properties["guest"] == [False] * 4 + [True]
    assert space_group(made, 1e-4) == 221
    np.testing.assert_allclose(made.frac_coords[-1] - np.round(made.frac_coords[-1]), 0, atol=1e-6)
    np.testing.assert_array_equal(made.frac_coords[:-1], host.framework.frac_coords)


def test_guests_that_keep_no_symmetry_are_drawn_anew_on_orbits() -> None:
    host = on_orbits(strip_guests(PEROVSKITE * (1, 1, 2), ["Sr"]))
    start = fillings(host, 1, "anywhere")[0]
    assert isinstance(start, MadeSymmetric)
    made = start.settled(_filled(host, np.array([[0.21, 0.33, 0.07], [0.62, 0.11, 0.55]])))
    assert made == "the guests keep nothing of the host's group above P1 and P-1"
    assert start.redraw(1).on_orbits


def test_guests_start_anywhere_first_where_the_network_alone_chooses() -> None:
    stretched = strip_guests(FLUORITE.get_primitive_structure(), ["F"]).framework.copy()
    stretched.apply_strain([0, 0, 0.1])
    far = Host(framework=stretched, guests={"Xe": 2})
    assert [type(s) for s in fillings(far, 2, by_energy=False)] == [GivenHost, OnOrbits]
    held = on_orbits(Host(framework=symmetrised(stretched).structure, guests={"Xe": 2}))
    assert [type(s) for s in fillings(held, 2, by_energy=False)] == [MadeSymmetric, GivenHost]
    assert [type(s) for s in fillings(held, 2)] == [GivenHost, MadeSymmetric]


def test_the_first_start_anywhere_is_thorough() -> None:
    bare = Host(framework=(PEROVSKITE * (1, 1, 2)).perturb(0.3, seed=1), guests={"Li": 7})
    starts = fillings(bare, 3)
    assert [start.thorough for start in starts] == [True, False, False]  # type: ignore[attr-defined]
    assert same_start(starts[0], starts[1])
    taking_turns = fillings(strip_guests(FLUORITE.get_primitive_structure(), ["F"]), 6)
    assert [getattr(start, "thorough", None) for start in taking_turns] == [None, False, True, False, False, False]
    assert not same_start(taking_turns[1], taking_turns[2])


@pytest.mark.parametrize("symmetry", ["none", "host"])
def test_inpainting_begins_with_the_known_prototype(symmetry: str) -> None:
    found = _inpainted({"Sr": 1}, n=3, symmetry=symmetry)
    by_id = sorted(found, key=lambda c: c.id)
    assert [c.seed_source for c in by_id] == ["prototype", "anywhere", "orbits"]
    assert StructureMatcher().fit(by_id[0].structure, PEROVSKITE)
    if symmetry == "host":
        assert all(c.space_group is not None and c.space_group > 2 for c in by_id)
        assert by_id[0].space_group == 221


def test_the_paper_s_way_leaves_prototypes_alone() -> None:
    assert {c.seed_source for c in _inpainted({"Sr": 1}, n=2, anchor="renoise")} == {"anywhere"}
    assert {c.seed_source for c in _inpainted({"Sr": 1}, n=2, guests_from="anywhere")} == {"anywhere"}
    with pytest.raises(InputError, match="guests_from"):
        _inpainted({"Sr": 1}, n=2, guests_from="nowhere")
