"""Training: it learns, it goes on exactly where it stopped, and it refuses what would lose a run."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from chggen.errors import InputError
from chggen.io.toml import from_table
from chggen.score import build_score_model, load_score_model, read_checkpoint
from chggen.training import loop, run_state
from chggen.training.loop import learning_rate, train
from chggen.training.options import OptimizerOptions, TrainingOptions

_MODELS: dict[str, dict[str, Any]] = {
    "painn": {"architecture": "painn", "features": 16, "layers": 1, "cutoff": 4.0, "n_basis": 6, "n_radial": 4},
    "nequip": {
        "architecture": "nequip", "hidden": "12x0e+6x1o+3x2e", "layers": 1, "cutoff": 4.0, "n_basis": 6,
        "radial_mlp": [8, 4],
    },
}  # fmt: skip


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Rock salt of slightly varying size, 8 atoms each."""
    n = 12
    path = tmp_path / "data.npz"
    corners = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    size = np.linspace(4.0, 4.4, n)
    np.savez(
        path,
        cell=np.stack([size, size, size, *np.full((3, n), 90.0)], axis=1),
        offsets=8 * np.arange(n + 1),
        Z=np.tile([11] * 4 + [17] * 4, n),
        frac=np.tile(np.concatenate([corners, corners + 0.5]) % 1.0, (n, 1)),
        split=np.array(["train"] * 10 + ["val"] * 2),
    )
    return path


def _options(archive: Path, out: str, model: str = "painn", steps: int = 20, **changes: Any) -> TrainingOptions:
    table = {
        "data": {"train": [str(archive)], "atoms_per_batch": 32, "max_atoms": 20} | changes.get("data", {}),
        "model": _MODELS[model],
        "optimizer": {"steps": steps, "learning_rate": 5e-3, "warmup_steps": 5} | changes.get("optimizer", {}),
        "run": {"out": str(archive.parent / out), "seed": 4, "validate_every": 0} | changes.get("run", {}),
        "noise": changes.get("noise", {}),
    }
    return from_table(TrainingOptions, table, "training")


class _KilledError(Exception):
    pass


def _killed_at(step: int) -> Any:
    def progress(now: int, loss: float) -> None:
        if now == step:
            raise _KilledError

    return progress


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(path)["weights"]


@pytest.mark.parametrize("model", _MODELS)
def test_loss_falls_on_crystals_it_can_learn(archive: Path, model: str) -> None:
    losses: list[float] = []
    options = _options(
        archive, "run", model, steps=120, noise={"largest": 0.3, "smallest": 0.05}, optimizer={"learning_rate": 1e-2}
    )
    path = train(options, progress=lambda step, loss: losses.append(loss))
    assert len(losses) == 120
    assert np.mean(losses[:10]) > 2.0  # an ignorant network pays 1 for each component that moves
    assert np.mean(losses[-20:]) < 0.6 * np.mean(losses[:10])
    loaded = load_score_model(path)
    assert loaded.options.cutoff == 4.0
    assert read_checkpoint(path)["provenance"]["steps"] == 120


@pytest.mark.parametrize("model", _MODELS)
def test_a_killed_run_goes_on_exactly(archive: Path, model: str) -> None:
    straight = train(_options(archive, "straight", model))
    options = _options(archive, "killed", model, run={"checkpoint_minutes": 0.0})
    with pytest.raises(_KilledError):
        train(options, progress=_killed_at(11))  # in its 11th step: what lies on disk is of the 10th
    assert torch.load(Path(options.run.out) / "resume" / "state.pt", weights_only=True)["step"] == 10
    steps: list[int] = []
    resumed = train(options, resume=True, progress=lambda step, loss: steps.append(step))
    assert steps == list(range(11, 21))
    expected, found = _tensors(straight), _tensors(resumed)
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        assert torch.equal(tensor, found[name]), name
    ends = [torch.load(p.parent / "resume" / "20-0.pt", weights_only=True) for p in (straight, resumed)]
    for name, tensor in ends[0].items():  # raw weights and optimizer moments as well as the average
        assert torch.equal(tensor, ends[1][name]), name
    assert any(name.startswith("moment.") for name in ends[0])


def test_a_run_that_stops_by_the_clock_can_be_resumed(archive: Path) -> None:
    options = _options(archive, "run", run={"max_minutes": 1e-9})
    train(options)
    state = Path(options.run.out) / "resume" / "state.pt"
    assert torch.load(state, weights_only=True)["step"] == 1
    train(dataclasses.replace(options, run=dataclasses.replace(options.run, max_minutes=0.0)), resume=True)
    assert torch.load(state, weights_only=True)["step"] == 20


def test_the_seed_decides(archive: Path) -> None:
    weights = [
        _tensors(train(_options(archive, f"run{k}", steps=3, run={"seed": seed}))) for k, seed in enumerate((4, 4, 5))
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not all(torch.equal(weights[0][name], weights[2][name]) for name in weights[0])


def test_a_run_is_neither_overwritten_nor_made_up(archive: Path) -> None:
    options = _options(archive, "run", steps=1)
    with pytest.raises(InputError, match=r"no training run to resume in .*; start without --resume"):
        train(options, resume=True)
    model = train(options)
    before = model.read_bytes()
    with pytest.raises(InputError, match="holds a training run; continue it with --resume or choose another folder"):
        train(options)
    assert model.read_bytes() == before


def test_the_state_lies_in_files_below_the_limit(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 20_000
    monkeypatch.setattr(run_state, "_SHARD", limit)
    options = _options(archive, "run", steps=2, run={"checkpoint_minutes": 0.0})
    train(options)
    shards = sorted((Path(options.run.out) / "resume").glob("*-*.pt"))
    assert len(shards) > 2
    assert all(p.name.startswith("2-") for p in shards)  # those of step 1 are gone
    for shard in shards:
        tensors = torch.load(shard, weights_only=True)
        assert sum(t.nbytes for t in tensors.values()) <= limit or len(tensors) == 1
    train(dataclasses.replace(options, optimizer=dataclasses.replace(options.optimizer, steps=3)), resume=True)


def test_a_start_from_other_weights(archive: Path) -> None:
    first = train(_options(archive, "first", steps=2))
    second = train(_options(archive, "second", steps=1, optimizer={"learning_rate": 0.0}), start_from=first)
    expected, found = _tensors(first), _tensors(second)
    assert all(torch.allclose(found[name], expected[name], atol=1e-7) for name in expected)
    assert read_checkpoint(second)["provenance"]["started_from"] == "model.pt"
    on = train(_options(archive, "second", steps=2, optimizer={"learning_rate": 0.0}), resume=True)
    assert read_checkpoint(on)["provenance"]["started_from"] == "model.pt"


def test_weights_of_another_architecture_are_refused(archive: Path) -> None:
    model = train(_options(archive, "small", steps=1))
    with pytest.raises(InputError, match="another architecture"):
        train(_options(archive, "other", "nequip", steps=1), start_from=model)
    with pytest.raises(InputError, match="another architecture"):
        train(_options(archive, "small", "nequip", steps=2), resume=True)


def test_validation_is_recorded_by_noise_band(archive: Path) -> None:
    options = _options(archive, "run", steps=4, data={"validation": [str(archive)]}, run={"validate_every": 2})
    train(options)
    history = json.loads((Path(options.run.out) / "history.json").read_text())
    assert [record["step"] for record in history][:2] == [2, 4]
    assert 0.1 < history[0]["loss"] < 10
    assert any(key.startswith("loss ") for key in history[0])


def test_validation_data_are_read_before_anything_is_learnt(archive: Path) -> None:
    def progress(step: int, loss: float) -> None:
        raise AssertionError("a step was taken")

    with pytest.raises(InputError, match=r"no training data at .*nope.npz"):
        train(_options(archive, "run", data={"validation": ["nope.npz"]}), progress=progress)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [("run", "processes", 0), ("run", "seed", -1), ("optimizer", "steps", 0), ("data", "max_atoms", 0)],
)
def test_numbers_out_of_range_are_refused(archive: Path, section: str, key: str, value: int) -> None:
    with pytest.raises(InputError, match=rf"{key} must be {max(value + 1, 0)} or more, got {value}"):
        _options(archive, "run", **{section: {key: value}})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**30, 10**400, -1, "x", True, [1]])
@pytest.mark.parametrize(
    ("section", "key"),
    [
        ("optimizer", "steps"), ("optimizer", "learning_rate"), ("optimizer", "weight_decay"), ("optimizer", "ema"),
        ("optimizer", "warmup_steps"), ("optimizer", "decay_share"), ("optimizer", "clip_norm"),
        ("run", "checkpoint_minutes"), ("run", "max_minutes"), ("run", "validate_every"), ("run", "processes"),
        ("run", "seed"), ("data", "max_atoms"), ("data", "atoms_per_batch"), ("noise", "smallest"),
        ("noise", "largest"), ("noise", "focus_share"), ("noise", "mobile_weight"), ("noise", "species_share"),
    ],
)  # fmt: skip
def test_no_absurd_number_is_taken(archive: Path, section: str, key: str, value: Any) -> None:
    with pytest.raises(InputError, match=key):
        _options(archive, "run", **{section: {key: value}})


@pytest.mark.parametrize(
    ("section", "changes", "told"),
    [
        ("noise", {"smallest": 2.0, "largest": 1.0}, "smallest must not be above largest"),
        ("noise", {"focus_smallest": 3.0}, "focus_smallest must not be above focus_largest"),
        ("noise", {"species_share": 0.9, "atoms_share": 0.9}, "must sum to at most 1, got 1.9"),
        ("data", {"train": []}, "names no file"),
        ("run", {"out": ""}, "must name a folder"),
        ("run", {"out": "a\0b"}, "must name a folder"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    archive: Path, section: str, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        _options(archive, "run", **{section: changes})


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "state.pt").write_bytes(b"x"),
        lambda folder: torch.save([1], folder / "state.pt"),
        lambda folder: torch.save({"step": "../../x", "shards": 1, "history": "[]"}, folder / "state.pt"),
        lambda folder: torch.save({"step": 2, "shards": 1, "history": "{"}, folder / "state.pt"),
        lambda folder: torch.save({"step": 2, "shards": 10**9, "history": "[]"}, folder / "state.pt"),
        lambda folder: (folder / "2-0.pt").unlink(),
        lambda folder: (folder / "2-0.pt").write_bytes((folder / "2-0.pt").read_bytes()[:500]),
        lambda folder: torch.save({"moment.a.b": torch.ones(1)}, folder / "2-0.pt"),
        lambda folder: torch.save([1], folder / "2-0.pt"),
    ],
)
def test_a_damaged_state_is_refused_in_a_sentence(archive: Path, damage: Callable[[Path], Any]) -> None:
    options = _options(archive, "run", steps=2)
    folder = train(options).parent / "resume"
    damage(folder)
    with pytest.raises(InputError, match=r"damaged|is not (the|a part of the) state|another architecture"):
        train(options, resume=True)


def test_a_broken_batch_leaves_the_weights_whole(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = loop.atom_losses
    monkeypatch.setattr(loop, "atom_losses", lambda model, task: whole(model, task) * float("nan"))
    path = train(_options(archive, "run", steps=2))
    assert all(bool(torch.isfinite(t).all()) for t in _tensors(path).values())


@pytest.mark.parametrize(
    ("section", "key"), [("data", "trian"), ("optimizer", "lr"), ("run", "folder"), ("noise", "sigma")]
)
def test_unknown_keys_are_refused(archive: Path, section: str, key: str) -> None:
    with pytest.raises(InputError, match=rf"unknown key '{key}' in \[training.{section}\]; expected one of"):
        _options(archive, "run", **{section: {key: 1}})


def test_unknown_model_options_are_refused(archive: Path) -> None:
    options = dataclasses.replace(_options(archive, "run"), model={"architecture": "nequip", "heads": 3})
    with pytest.raises(InputError, match=r"unknown key 'heads' in \[model\]"):
        train(options)


def test_learning_rate_warms_up_stays_and_decays() -> None:
    options = OptimizerOptions(steps=100, learning_rate=2.0, warmup_steps=10, decay_share=0.4)
    rates = [learning_rate(step, options) for step in range(101)]
    assert rates[0] == pytest.approx(0.2)
    assert rates[9:61] == pytest.approx([2.0] * 52)
    assert rates[80] == pytest.approx(1.0)
    assert rates[100] == pytest.approx(0.0)
    assert all(a >= b for a, b in itertools.pairwise(rates[60:]))


@pytest.mark.parametrize("name", list(_MODELS))
def test_the_score_of_shapes_is_learnt_alone_on_top_of_other_weights(
    archive: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = train(_options(archive, "first", name, steps=5))
    monkeypatch.setitem(_MODELS, name, _MODELS[name] | {"strain_features": 8})
    changes: dict[str, Any] = {
        "optimizer": {"part": "strain", "ema": 0.9},
        "data": {"validation": [str(archive)], "atoms_per_batch": 200},
        "run": {"validate_every": 1},
    }
    after = train(_options(archive, "second", name, steps=60, **changes), start_from=before)
    old, new = (read_checkpoint(path)["weights"] for path in (before, after))
    assert all(torch.equal(new[key], old[key]) for key in old)
    history = json.loads((after.parent / "history.json").read_text())
    first, last = (record["loss strain"] for record in (history[0], history[-1]))
    assert last < 0.5 * first  # all shapes are cubes, which is soon learnt


def test_both_parts_are_learnt_together(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_MODELS, "painn", _MODELS["painn"] | {"strain_features": 8})
    path = train(_options(archive, "both", steps=3))
    fresh = build_score_model("painn", {k: v for k, v in _MODELS["painn"].items() if k != "architecture"}).state_dict()
    new = read_checkpoint(path)["weights"]
    torch.manual_seed(4)
    assert any(not torch.equal(new[k], v) for k, v in fresh.items() if k.startswith("strain."))


def test_a_part_that_is_not_there_cannot_be_trained(archive: Path) -> None:
    for part in ("strain", "atoms"):
        with pytest.raises(InputError, match=r"optimizer\.part must be all, or strain"):
            train(_options(archive, "none", optimizer={"part": part}))
