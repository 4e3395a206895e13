"""Files of score models: what is written comes back, and nothing else is taken for one."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from chggen.crystals.batch import Crystals
from chggen.diffusion.score_model import Noise
from chggen.errors import InputError
from chggen.score import build_score_model, checkpoint, load_score_model, read_checkpoint, save_checkpoint

_TINY: dict[str, dict[str, Any]] = {
    "painn": {"features": 8, "layers": 1, "cutoff": 4, "n_basis": 4, "n_radial": 2},
    "nequip": {"hidden": "4x0e+2x1o", "layers": 1, "cutoff": 4, "l_max": 1, "n_basis": 4, "radial_mlp": [4, 2]},
}


@pytest.fixture(params=list(_TINY))
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[torch.nn.Module, Path]:
    torch.manual_seed(1)
    model = build_score_model(request.param, _TINY[request.param])
    path = tmp_path / "folder" / "model.pt"
    save_checkpoint(path, request.param, model, {"steps": 7})
    return model, path


def test_a_model_comes_back_ready_for_evaluation(
    saved: tuple[torch.nn.Module, Path], random_crystal: Callable[..., Crystals]
) -> None:
    model, path = saved
    loaded = load_score_model(path)
    assert loaded.options == model.options
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())
    crystal = random_crystal(4 * np.eye(3), 4, dtype=torch.float32)
    noise = Noise(sigma=torch.full((4,), 0.5), tau=torch.zeros(1))
    with torch.no_grad():
        found, expected = loaded(crystal, noise).atoms, model(crystal, noise).atoms
    assert torch.allclose(found, expected, atol=1e-5 * float(expected.abs().max()))
    assert read_checkpoint(path)["provenance"] == {"steps": 7}
    assert [p.name for p in path.parent.iterdir()] == ["model.pt"]  # no half-written file is left


def test_other_formats_are_refused(saved: tuple[torch.nn.Module, Path]) -> None:
    _, path = saved
    torch.save(read_checkpoint(path) | {"format": 99}, path)
    with pytest.raises(InputError, match=r"checkpoint format 99, expected 1; retrain"):
        load_score_model(path)
    torch.save([1, 2], path)
    with pytest.raises(InputError, match="checkpoint format list"):
        load_score_model(path)


def test_weights_that_do_not_fit_are_refused(saved: tuple[torch.nn.Module, Path]) -> None:
    _, path = saved
    content = read_checkpoint(path)
    content["weights"].popitem()
    torch.save(content, path)
    with pytest.raises(InputError, match="do not fit its architecture"):
        load_score_model(path)


def test_unknown_architectures_and_options_are_refused(saved: tuple[torch.nn.Module, Path]) -> None:
    _, path = saved
    content = read_checkpoint(path)
    torch.save(content | {"architecture": "gpt"}, path)
    with pytest.raises(InputError, match="unknown architecture 'gpt'; expected painn or nequip"):
        load_score_model(path)
    torch.save(content | {"options": content["options"] | {"heads": 3}}, path)
    with pytest.raises(InputError, match="unknown key 'heads'"):
        load_score_model(path)


def test_files_that_are_no_checkpoint_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no score model at"):
        load_score_model(tmp_path / "absent.pt")
    text = tmp_path / "model.pt"
    text.write_text("not a checkpoint")
    with pytest.raises(InputError, match="not a chggen checkpoint"):
        load_score_model(str(text))


@pytest.mark.parametrize("key", ["architecture", "options", "weights", "provenance"])
@pytest.mark.parametrize("value", [None, 5, [1, 2]])
def test_parts_that_are_missing_or_of_another_type_are_named(
    saved: tuple[torch.nn.Module, Path], key: str, value: Any
) -> None:
    _, path = saved
    content = read_checkpoint(path)
    torch.save({k: v for k, v in content.items() if k != key}, path)
    with pytest.raises(InputError, match=f"holds no '{key}'; expected a (str|dict)"):
        load_score_model(path)
    torch.save(content | {key: value}, path)
    with pytest.raises(InputError, match=f"holds a {type(value).__name__} as '{key}'"):
        load_score_model(path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda w: w * float("nan"), "NaN or infinite"),
        (lambda w: w / 0, "NaN or infinite"),
        (lambda w: w.to_sparse(), "no plain numbers"),
        (lambda w: w.to("meta"), "no plain numbers"),
        (lambda w: w.to(torch.complex64), "of type torch.complex64"),
        (lambda w: w.long(), "of type torch.int64"),
        (lambda w: w.new_zeros(1).expand(10**12), "fewer than they claim"),
        (lambda w: "x", "a str"),
        (lambda w: w[:1], "do not fit its architecture"),
    ],
)
def test_weights_that_are_no_finite_numbers_are_refused(
    saved: tuple[torch.nn.Module, Path], change: Callable[[torch.Tensor], Any], told: str
) -> None:
    _, path = saved
    content = read_checkpoint(path)
    content["weights"]["species.weight"] = change(content["weights"]["species.weight"])
    torch.save(content, path)
    with pytest.raises(InputError, match=told):
        load_score_model(path)


_ABSURD = {
    "features": [10**9, 10**30, 0, -1, "x", None, [1], 1.5],
    "layers": [10**9, 0, -1],
    "cutoff": [0, -1, 1e9, float("nan"), float("inf"), "x"],
    "n_basis": [10**9, 0],
    "n_radial": [10**9, 0],
    "strain_features": [10**9, -1],
}
_ABSURD_NEQUIP = {
    "hidden": ["1000000x0e+2x1o", "4x0e", "", "x" * 10**6, "4x0e+2x1o+1x99e", 5, "0x0e+2x1o"],
    "layers": [10**9, 0],
    "cutoff": [0, -1, 1e9, float("nan")],
    "l_max": [10**9, 0, -1],
    "n_basis": [10**9],
    "radial_mlp": [[], [10**9], [0], ["x"], 5, [4] * 10**4],
    "max_neighbours": [-1],
    "sigma_input": ["x", 5],
    "strain_features": [10**9],
}


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [("painn", k, v) for k, values in _ABSURD.items() for v in values]
    + [("nequip", k, v) for k, values in _ABSURD_NEQUIP.items() for v in values],
)
def test_absurd_options_are_refused_before_anything_is_built(
    name: str, option: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(self: torch.nn.Module, options: Any) -> None:
        raise AssertionError("the network is built")

    if option != "hidden":  # irreps are told apart by the network
        monkeypatch.setattr(checkpoint.architecture(name)[1], "__init__", build)
    with pytest.raises(InputError, match=option) as refused:
        build_score_model(name, _TINY[name] | {option: value})
    assert len(str(refused.value)) <= 300


def test_a_model_of_too_many_parameters_is_refused_before_memory_is_taken() -> None:
    largest = {"features": 1024, "layers": 32}  # each within its limits
    with pytest.raises(InputError, match=r"would have 408,550,240 parameters; expected at most 100,000,000"):
        build_score_model("painn", largest)


def test_planning_a_model_changes_neither_weights_nor_random_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    planned = build_score_model("nequip", _TINY["nequip"])
    monkeypatch.setattr(checkpoint, "_plan", lambda network, options: {})
    torch.manual_seed(1)
    plain = build_score_model("nequip", _TINY["nequip"])
    for name, tensor in plain.state_dict().items():
        assert torch.equal(planned.state_dict()[name], tensor), name


def test_a_checkpoint_cut_anywhere_is_refused(saved: tuple[torch.nn.Module, Path]) -> None:
    _, path = saved
    whole = path.read_bytes()
    for share in (0.0, 0.01, 0.5, 0.9, 0.999):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(InputError, match="is not a chggen checkpoint"):
            load_score_model(path)


class _Harm:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("harm-done"),))


def test_a_checkpoint_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"format": 1, "weights": _Harm()}, "model.pt")
    with pytest.raises(InputError, match="not a chggen checkpoint"):
        load_score_model("model.pt")
    assert not Path("harm-done").exists()
    torch.save({"format": 1, "weights": _Harm()}, "model.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(InputError, match="not a chggen checkpoint"):
        load_score_model("model.pt")
    Path("model.pt").write_bytes(pickle.dumps({"format": 1, "weights": _Harm()}))
    with pytest.raises(InputError, match="not a chggen checkpoint"):
        load_score_model("model.pt")
    assert not Path("harm-done").exists()
