"""De novo crystals: the same however they are computed, in the space group asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chggen
from chggen.campaign import resources as resources
from chggen.errors import InputError
from chggen.io.toml import read_toml
from chggen.potential.registry import digest_of_potential
from chggen.results.candidate import Candidate
from chggen.symmetry.detection import group_of, space_group


def _same(some: Sequence[Candidate], others: Sequence[Candidate]) -> None:
    by_id = {c.id: c for c in others}
    assert {c.id for c in some} == set(by_id)
    for c in some:
        other = by_id[c.id]
        assert c.seed == other.seed
        assert c.raw is not None
        assert other.raw is not None
        assert c.raw == other.raw
        assert np.array_equal(c.raw.frac_coords, other.raw.frac_coords)


def test_candidates_do_not_depend_on_the_batch_size() -> None:
    def made(size: int) -> list[Candidate]:
        return chggen.generate("MgO", n=4, formula_units=[1, 2], levels=8, relax=False, workers=1, batch_size=size)

    together = made(8)
    for size in (1, 3):
        _same(together, made(size))


def test_another_seed_gives_other_candidates_and_more_candidates_keep_the_first() -> None:
    def made(seed: int, n: int) -> list[Candidate]:
        return chggen.generate("MgO", n=n, seed=seed, levels=4, relax=False, workers=1)

    first = made(0, 2)
    _same(first, made(0, 3)[:2])
    other = made(1, 2)[0]
    assert first[0].raw is not None
    assert other.raw is not None
    assert np.abs(first[0].raw.frac_coords - other.raw.frac_coords).max() > 0.1


def test_without_relaxation_the_raw_structures_come_back() -> None:
    found = chggen.generate("Cu", n=2, levels=4, relax=False, workers=1)
    assert len(found) == 2
    for c in found:
        assert c.raw is not None
        assert c.structure == c.raw
        assert c.energy_per_atom is c.level is c.relax_steps is c.converged is c.n_found is None


def test_symmetric_candidates_contain_their_group_whatever_the_batches() -> None:
    def made(**machine: Any) -> list[Candidate]:
        return chggen.generate(
            "MgO", n=4, space_group="auto", formula_units=[2], levels=4, best_of=2, relax=False, **machine
        )

    alone = made(workers=1, batch_size=1)
    assert len(alone) == 4
    _same(alone, made(workers=1, batch_size=4))
    for c in alone:
        assert c.raw is not None
        assert (space_group(c.raw, 1e-4) or 0) > 2
        assert c.seed_source == "space-group"


def test_a_chosen_space_group_is_a_part_of_what_comes() -> None:
    found = chggen.generate("MgO", n=3, space_group=62, formula_units=[4], levels=4, relax=False, workers=1)
    assert len(found) == 3
    for c in found:
        assert c.raw is not None
        group = group_of(c.raw, 1e-4)
        assert group is not None
        assert len(group) % 8 == 0  # the order of mmm
    with pytest.raises(InputError, match=r"do not fit space group 62 .* formula units that fit: 4, 8, 12"):
        chggen.generate("MgO", n=1, space_group=62, formula_units=[1], relax=False)


def test_a_larger_n_keeps_what_was_made_and_adds_to_it(tmp_path: Path) -> None:
    def made(n: int, **options: Any) -> list[Candidate]:
        return chggen.generate("MgO", n=n, levels=4, relax=False, workers=1, formula_units=[1, 2], **options)

    first = made(2, out=tmp_path)
    more = made(5, out=tmp_path)
    _same(more, made(5))
    assert [c for c in more if c.id in {f.id for f in first}] == first
    assert len(more) == 10
    assert read_toml(tmp_path / "config.toml")["n"] == 5
    _same(made(5, out=tmp_path), more)
    with pytest.raises(InputError, match="was made with -n 5, now 2;"):
        made(2, out=tmp_path)


def test_what_was_run_is_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["chggen", "generate", "Cu"])
    for _ in range(2):
        chggen.generate("Cu", n=1, levels=4, potential="ase:ase.calculators.emt:EMT", workers=1, out=tmp_path)
        with (tmp_path / "runs.jsonl").open("a") as file:
            file.write('{"cut off')
    first, cut, second, _ = (tmp_path / "runs.jsonl").read_text().splitlines()
    assert cut == '{"cut off'
    told = json.loads(first)
    assert told["command_line"] == ["chggen", "generate", "Cu"]
    assert told["chggen"] == chggen.__version__
    assert told["options"]["formula"] == "Cu"
    assert told["options"]["seed"] == 0
    assert told["machine"]["workers"] == 1
    assert told["packages"]["numpy"] == np.__version__
    assert {"references.npz", "prototypes.npz", "score_model", "potentials"} <= set(told["digests"])
    assert told["digests"]["potentials"]["ase:ase.calculators.emt:EMT"]
    assert {**told, "started": 0} == {**json.loads(second), "started": 0}
    assert digest_of_potential("chgnet") != digest_of_potential("chgnet-r2scan")
    assert digest_of_potential("ase:no.such:thing") is None


def test_an_option_that_is_left_out_when_a_run_is_repeated_is_named(tmp_path: Path) -> None:
    quick: dict[str, Any] = {"n": 1, "levels": 4, "relax": False, "workers": 1, "out": tmp_path}
    chggen.generate("Cu", volume=14.0, **quick)
    with pytest.raises(InputError, match=r"was made with --volume 14\.0, now not given; repeat the old options"):
        chggen.generate("Cu", **quick)
