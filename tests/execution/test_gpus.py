"""A machine with several GPUs: a process for each, which sees that one alone. No GPU is needed to tell."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from chggen.execution import Machine
from chggen.execution.batches import most_workers
from chggen.execution.device import gpus_of
from chggen.execution.failure import Failure
from chggen.execution.local_processes import LocalProcesses


def _seen(batch: Sequence[Any], folder: Path) -> list[Any]:
    """Say which GPU is seen, once two are: no process does all."""
    if "dies" in batch:
        os._exit(1)
    gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    (folder / gpu).touch()
    began = time.monotonic()
    while len(list(folder.iterdir())) < 2 and time.monotonic() - began < 120:
        time.sleep(0.05)
    return [(item, gpu, os.getpid()) for item in batch]


def _lost(item: Any, failure: Failure) -> list[Any]:
    return [(item, None, None)]


def test_each_process_sees_a_gpu_of_its_own_also_one_that_takes_the_place_of_another(tmp_path: Path) -> None:
    processes = LocalProcesses(2, ("3", "GPU-5"))
    try:
        batches: list[list[Any]] = [[k] for k in range(12)]
        found = [row for rows in processes.run(_seen, [["dies"], *batches], tmp_path, _lost) for row in rows]
    finally:
        processes.stop()
    of_each = {pid: gpu for item, gpu, pid in found if item != "dies"}
    assert len(found) == 13
    assert set(of_each.values()) == {"3", "GPU-5"}


@pytest.fixture
def _three_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)


@pytest.mark.usefixtures("_three_gpus")
def test_a_machine_has_a_process_for_each_gpu_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert gpus_of("cuda") == ("0", "1", "2")
    assert [most_workers(Machine(device="cuda", workers=n)) for n in (0, 2, 16)] == [3, 2, 3]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6,7")
    assert gpus_of("cuda") == ("4", "6", "7")
    assert gpus_of("cuda:1") == ()
    assert most_workers(Machine(device="cuda:1")) == 1
    assert gpus_of("cpu") == ()
