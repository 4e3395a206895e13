"""Files of torch: read only where that runs nothing, and never more than a bounded size."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
import torch

from chggen.errors import InputError
from chggen.io import read_tensors


def test_tensors_and_plain_values_come_back(tmp_path: Path) -> None:
    torch.save({"x": torch.arange(3), "n": [1, "a"]}, tmp_path / "x.pt")
    found = read_tensors(tmp_path / "x.pt", "a file")
    assert found["x"].tolist() == [0, 1, 2]
    assert found["n"] == [1, "a"]


@pytest.mark.parametrize(("version", "safe"), [("2.9.1+cpu", False), ("1.13", False), ("2.10.0", True), ("3.0a", True)])
def test_an_unsafe_torch_reads_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, safe: bool
) -> None:
    torch.save([1], tmp_path / "x.pt")
    monkeypatch.setattr(torch, "__version__", version)
    if safe:
        assert read_tensors(tmp_path / "x.pt", "a file") == [1]
    else:
        with pytest.raises(InputError, match=r"cannot read files of others safely; expected torch 2\.10 or newer"):
            read_tensors(tmp_path / "x.pt", "a file")


def test_a_small_file_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("data/0", "w") as member:
        for _ in range(33):
            member.write(bytes(2**25))
    assert path.stat().st_size < 2**21
    with pytest.raises(InputError, match=r"unpacks to 1\.0 GiB; expected a file of at most 1 GiB"):
        read_tensors(path, "a file")


@pytest.mark.skipif(os.getuid() == 0, reason="rights of files do not bind root")
def test_a_file_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    torch.save([1], tmp_path / "x.pt")
    (tmp_path / "x.pt").chmod(0)
    with pytest.raises(InputError, match="check the rights to read it"):
        read_tensors(tmp_path / "x.pt", "a file")
