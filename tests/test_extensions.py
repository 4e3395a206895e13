"""Every extension point takes something from outside, without a change of the package.

Another package is imitated by a folder with a module and the metadata of its entry points.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pymatgen.core import Lattice, Structure

import chggen
from chggen.generation.sources import cell_sources, guest_sources
from chggen.potential.registry import level_of, potentials
from chggen.results.candidate import Candidate
from chggen.results.protocol import MemoryResults
from chggen.sampling.recipes import known_recipes
from chggen.stability.references import ReferenceEntry, write_references

_QUICK: dict[str, Any] = {"levels": 4, "best_of": 1, "workers": 1, "seed": 0}
Install = Callable[[str, str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a package of one module with entry points."""
    caches = (potentials, cell_sources, guest_sources, known_recipes)

    def add(module: str, source: str, points: str) -> None:
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(source))
        metadata = tmp_path / f"{module}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(textwrap.dedent(points))
        monkeypatch.syspath_prepend(str(tmp_path))
        for cached in caches:
            cached.cache_clear()

    yield add
    for name in ("outside_potential", "outside_source", "outside_recipe", "outside_model"):
        sys.modules.pop(name, None)
    for cached in caches:
        cached.cache_clear()


def test_a_potential_brings_its_own_level(install: Install, tmp_path: Path) -> None:
    install(
        "outside_potential",
        """
        from ase.calculators.emt import EMT
        from chggen.potential import Level, RegisteredPotential
        from chggen.potential.ase import AsePotential

        emt = RegisteredPotential(
            name="emt",
            level=Level(name="emt", label="EMT", error=0.2),
            load=lambda device: AsePotential(EMT(), name="emt", level="emt"),
        )
        """,
        """
        [chggen.potentials]
        emt = outside_potential:emt
        """,
    )
    entries = [
        ReferenceEntry(id=f"{name}-{level}", formula=name, level=level, energy_per_atom=energy)
        for name, energy in (("Cu", 0.0), ("Au", 0.01))
        for level in ("emt", "pbe")
    ]
    write_references(entries, tmp_path / "own.npz")
    options = {**_QUICK, "cells_from": "bravais", "fmax": 0.2, "references": tmp_path / "own.npz"}
    placed = [c for c in chggen.generate("CuAu", n=3, potential="emt", **options) if c.status == "ok"]
    assert placed
    for candidate in placed:
        assert candidate.level == "emt"
        assert candidate.e_decomposition == pytest.approx(candidate.energy_per_atom - 0.005, abs=1e-6)
    # An ASE calculator without a level of its own is placed on nobody's hull.
    foreign = "ase:ase.calculators.emt:EMT"
    assert level_of(foreign).name == foreign
    lone = [c for c in chggen.generate("CuAu", n=1, potential=foreign, **options) if c.status == "ok"]
    assert all(c.e_decomposition is None for c in lone)


def test_two_potentials_never_share_a_level(install: Install) -> None:
    install(
        "outside_potential",
        """
        from chggen.potential import Level, RegisteredPotential

        other = RegisteredPotential(name="other", level=Level(name="pbe", label="PBE"), load=print)
        """,
        """
        [chggen.potentials]
        other = outside_potential:other
        """,
    )
    with pytest.raises(chggen.InputError, match="two potentials never share a level"):
        chggen.generate("CuAu", n=1, potential="other", **_QUICK)


def test_a_source_of_cells_and_a_source_of_guests(install: Install) -> None:
    install(
        "outside_source",
        """
        from dataclasses import dataclass

        from chggen.generation import empty_host, BravaisCell, PrototypeSites, GivenHost
        import numpy as np


        class CubicCells:
            name = "cubic"
            share = 0.0

            def available(self, species, draws_cells):
                return True

            def start(self, request):
                volume = request.volume.draw(request.rng) * sum(request.species.values())
                return CubicCell(request.species, volume, source="cubic")


        class CubicCell(BravaisCell):
            def draw(self, seed, cell_drawer=None):
                return empty_host((np.eye(3) * self.cell_volume ** (1 / 3)).tolist(), self.species), None


        class CentreGuests:
            name = "centre"

            def starts(self, host, n):
                count = sum(host.guests.values())
                sites = np.full((count, 3), 0.5)
                return [PrototypeSites(GivenHost(host), sites, source="centre")] if count == 1 else []

            def refusal(self, host):
                return "one guest fits the centre; ask for one"
        """,
        """
        [chggen.sources]
        cubic = outside_source:CubicCells
        centre = outside_source:CentreGuests
        """,
    )
    found = chggen.generate("NaCl", n=2, cells_from=["cubic", "bravais"], relax=False, **_QUICK)
    assert {c.seed_source for c in found} == {"cubic", "bravais"}
    (cubic,) = (c for c in found if c.seed_source == "cubic")
    assert cubic.raw.lattice.abc == pytest.approx([cubic.raw.lattice.a] * 3)
    host = Structure(Lattice.cubic(4.0), ["Al"], [[0, 0, 0]])
    (centred,) = chggen.inpaint(host, {"Li": 1}, n=1, guests_from="centre", relax=False, **_QUICK)
    assert centred.seed_source == "centre"
    with pytest.raises(chggen.InputError, match="ask for one"):
        chggen.inpaint(host, {"Li": 2}, n=1, guests_from="centre", relax=False, **_QUICK)
    every = chggen.inpaint(host, {"Li": 1}, n=4, relax=False, **_QUICK)
    assert "centre" in {c.seed_source for c in every}


def test_a_recipe(install: Install) -> None:
    install(
        "outside_recipe",
        """
        from dataclasses import replace

        from chggen.sampling import known_recipes

        def gentle(settings):
            return known_recipes()["clamp"](replace(settings, levels=2, best_of=1))
        """,
        """
        [chggen.recipes]
        gentle = outside_recipe:gentle
        """,
    )
    host = Structure(Lattice.cubic(4.0), ["Al"], [[0, 0, 0]])
    (made,) = chggen.inpaint(host, {"Li": 1}, n=1, anchor="gentle", guests_from="anywhere", relax=False, workers=1)
    assert made.raw is not None
    with pytest.raises(chggen.InputError, match=r"anchor: .*gentle"):
        chggen.inpaint(host, {"Li": 1}, n=1, anchor="rough", relax=False)


def test_a_score_model_by_factory_and_by_name(install: Install) -> None:
    install(
        "outside_model",
        """
        import torch
        from chggen.diffusion import Score


        class ToOrigin:
            def __call__(self, crystals, noise):
                frac = crystals.frac_coords - crystals.frac_coords.round()
                cart = torch.einsum("ai,aij->aj", frac, crystals.lattice[crystals.crystal_index])
                return Score(atoms=-cart / noise.sigma[:, None].clamp(min=1e-3) ** 2, strain=None)


        def make():
            return ToOrigin()
        """,
        """
        [chggen.score_models]
        to-origin = outside_model:make
        """,
    )
    host = Structure(Lattice.cubic(6.0), ["Al"], [[0.5, 0.5, 0.5]])
    options = {"n": 1, "guests_from": "anywhere", "relax": False, "workers": 1, "quality": "fast"}
    by_factory, by_name = (
        chggen.inpaint(host, {"Li": 1}, model=model, **options)[0] for model in ("outside_model:make", "to-origin")
    )
    for made in (by_factory, by_name):
        assert made.raw is not None
        (site,) = (s for s in made.raw if s.specie.symbol == "Li")
        assert abs(site.frac_coords - site.frac_coords.round()).max() * 6.0 < 0.5
    assert by_factory.raw == by_name.raw
    with pytest.raises(chggen.InputError, match="cannot be imported"):
        chggen.load_score_model("outside_model:nothing")
    with pytest.raises(chggen.InputError, match="expected a score model"):
        chggen.load_score_model("pathlib:Path")


def test_an_executor_makes_the_same_candidates() -> None:
    host = Structure(Lattice.cubic(4.0), ["Al"], [[0, 0, 0]])
    options = {**_QUICK, "n": 3, "guests_from": "anywhere", "relax": False}
    here = chggen.inpaint(host, {"Li": 1}, **options)
    with ThreadPoolExecutor(2) as executor:
        there = chggen.inpaint(host, {"Li": 1}, executor=executor, batch_size=1, **options)
    assert [(c.id, c.raw) for c in here] == [(c.id, c.raw) for c in there]


def test_results_go_where_one_likes() -> None:
    class Counted(MemoryResults):
        puts = 0
        exported: tuple[str, ...] = ()

        def put(self, candidates: Any) -> None:
            self.puts += 1
            super().put(candidates)

        def export(self, candidates: Any) -> None:
            self.exported = tuple(c.id for c in candidates)

    results = Counted()
    found: list[Candidate] = chggen.generate("NaCl", n=2, relax=False, out=results, **_QUICK)
    assert results.puts
    assert results.exported == tuple(c.id for c in found)
