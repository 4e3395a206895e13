"""A checkpoint is loaded once a process, and again once its file or the device is another."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from chggen.errors import InputError
from chggen.score import build_score_model, kept_score_model, load_score_model, save_checkpoint


def _saved(path: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    options = {"features": 8, "layers": 1, "cutoff": 3.0, "n_basis": 4, "n_radial": 2}
    save_checkpoint(path, "painn", build_score_model("painn", options), {})
    return path


def test_the_same_file_gives_the_same_object_and_a_changed_one_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _saved(tmp_path / "model.pt", 0)
    first = kept_score_model(path)
    assert kept_score_model(str(path)) is first
    monkeypatch.chdir(tmp_path)
    assert kept_score_model("model.pt") is first
    assert load_score_model(path) is not first  # whoever asks for a model of his own gets one
    _saved(path, 1)
    os.utime(path, ns=(1, 1))
    changed = kept_score_model(path)
    assert changed is not first
    weights = [next(iter(m.parameters())) for m in (first, changed)]  # type: ignore[attr-defined]
    assert not torch.equal(*weights)


def test_the_shipped_one_is_kept_and_what_is_no_model_is_refused(tmp_path: Path) -> None:
    assert kept_score_model() is kept_score_model(None)
    with pytest.raises(InputError, match="no score model at"):
        kept_score_model(tmp_path / "missing.pt")
