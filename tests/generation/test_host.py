"""Hosts: what is held, what is generated, and refusals that say what is wrong."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pymatgen.core import Lattice, Structure

from chggen.crystals.batch import to_structures
from chggen.errors import InputError
from chggen.generation.host import Host, batched_hosts, default_guests, empty_host, strip_guests


@pytest.fixture
def framework() -> Structure:
    return Structure(
        Lattice.from_parameters(5, 6, 7, 80, 95, 105),
        ["P", "S", "Li", "S"],
        [[0.1] * 3, [0.4] * 3, [0.6] * 3, [0.9] * 3],
    )


def test_host_atoms_come_first_and_are_held(framework: Structure) -> None:
    crystals = Host(framework=framework, guests={"Zn": 1, "Li": 2}).crystals()
    assert crystals.atomic_numbers.tolist() == [15, 16, 3, 16, 30, 3, 3]
    assert crystals.guest.tolist() == [False] * 4 + [True] * 3  # lithium that is there already is host
    assert np.array_equal(crystals.frac_coords[:4].numpy(), framework.frac_coords)
    assert np.array_equal(crystals.lattice[0].numpy(), framework.lattice.matrix)
    assert crystals.frac_coords.dtype == torch.float64


def test_hosts_in_a_batch_are_the_hosts_one_by_one(framework: Structure) -> None:
    hosts = [
        Host(framework=framework, guests={"Zn": 2}),
        empty_host([[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 4.0]], {"Na": 1, "Cl": 1}),
    ]
    crystals = batched_hosts(hosts)
    assert crystals.n_atoms.tolist() == [6, 2]
    for part, host in zip(crystals.split(), hosts, strict=True):
        assert torch.equal(part.frac_coords, host.crystals().frac_coords)
        assert torch.equal(part.guest, host.crystals().guest)
    assert crystals.split()[1].guest.all()


def test_stripped_guests_can_be_put_back(framework: Structure) -> None:
    host = strip_guests(framework, ["S", "Zn"])
    assert host.guests == {"S": 2}
    assert host.framework.composition.as_dict() == {"P": 1, "Li": 1}
    assert len(framework) == 4  # the structure handed in is left alone
    assert to_structures(host.crystals())[0].composition == framework.composition


def test_oxidation_states_do_not_hide_the_species(framework: Structure) -> None:
    framework.add_oxidation_state_by_element({"P": 5, "S": -2, "Li": 1})
    host = strip_guests(framework, ["Li"])
    assert host.guests == {"Li": 1}
    assert host.crystals().atomic_numbers.tolist() == [15, 16, 16, 3]


@pytest.mark.parametrize(
    ("guests", "match"),
    [
        ({}, "no guests asked for; give at least one"),
        ({"Li": 0}, "guest count of Li must be a positive integer, got 0"),
        ({"S": 1, "Li": -2}, "guest count of Li must be a positive integer, got -2"),
        ({"Qq": 1}, "unknown guest element 'Qq'"),
        ({"li": 1}, "unknown guest element 'li'"),
        ({"": 1}, "unknown guest element ''"),
        ({"Li": 997}, "host and guests are 1001 atoms; expected at most 1000"),
    ],
)
def test_guests_that_cannot_be(framework: Structure, guests: dict[str, int], match: str) -> None:
    with pytest.raises(InputError, match=match):
        Host(framework=framework, guests=guests)


def test_a_disordered_host_is_refused_by_its_sites() -> None:
    mixed = Structure(
        Lattice.cubic(5), ["S", {"Na": 0.5, "K": 0.5}, {"Li": 0.4}], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0, 0]]
    )
    for make in (lambda: Host(framework=mixed, guests={"Li": 1}), lambda: strip_guests(mixed, ["Li"])):
        with pytest.raises(InputError, match=r"partially occupied sites: 2 \(.*Na:0.5.*\), 3 \(Li:0.4\); expected"):
            make()


def test_atoms_on_top_of_each_other_are_named() -> None:
    lattice = Lattice.cubic(5)
    overlap = Structure(lattice, ["P", "Na", "Cl"], [[0.5, 0.5, 0.5], [0.99, 0, 0], [0.01, 0, 0]])  # across the border
    with pytest.raises(InputError, match=r"atoms 2 \(Na\) and 3 \(Cl\) lie 0.10 Å apart; expected at least 0.5 Å"):
        Host(framework=overlap, guests={"Li": 1})
    with pytest.raises(InputError, match=r"lie 0.00 Å apart"):
        Host(framework=Structure(lattice, ["Na", "Na"], [[0, 0, 0], [0, 0, 0]]), guests={"Li": 1})


@pytest.mark.parametrize(
    ("species", "match"),
    [(["Na"], "no Na in"), (["P", "S", "Li"], "leaves no host"), ([], "name species"), (["Qq"], "no Qq in")],
)
def test_what_cannot_be_stripped(framework: Structure, species: list[str], match: str) -> None:
    with pytest.raises(InputError, match=match):
        strip_guests(framework, species)


@pytest.mark.parametrize(
    ("formula", "guests"),
    [
        ({"Zn": 1, "Li": 2, "S": 2}, ("Li",)),
        ({"Zn": 1, "P": 2, "S": 6}, ("Zn",)),
        ({"Si": 1, "O": 2}, ()),
        ({"Li": 1}, ()),
    ],
)
def test_the_most_mobile_species_is_the_guest(formula: dict[str, int], guests: tuple[str, ...]) -> None:
    assert default_guests(formula) == guests
