"""Files of score models: what is written comes back, and nothing else is taken for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from chggen.crystals.batch import Crystals
from chggen.diffusion.score_model import Noise
from chggen.errors import InputError
from chggen.score import build_score_model, load_score_model, read_checkpoint, save_checkpoint

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
        assert torch.equal(loaded(crystal, noise).atoms, model(crystal, noise).atoms)
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


class _Harm:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("harm-done"),))


def test_a_checkpoint_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"format": 1, "weights": _Harm()}, "model.pt")
    with pytest.raises(InputError, match="not a chggen checkpoint"):
        load_score_model("model.pt")
    assert not Path("harm-done").exists()
