"""Hostile checkpoints, training states and arrays: no code of theirs runs, and each is refused in a sentence."""

from __future__ import annotations

import os
import pickle
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from tests.reliability.trials import Bench, Trial

_REFUSED: Final = ("refused", "usage")


class Harm:
    """Something whose unpickling makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.mark}",)


def ran(mark: Path) -> Callable[[], str]:
    """Return a check that a mark was not made.

    Args:
        mark: The file that harmful code makes.

    Returns:
        The check, which removes the mark.
    """

    def check() -> str:
        there = mark.exists()
        mark.unlink(missing_ok=True)
        return "CODE OF THE FILE RAN" if there else ""

    return check


def checkpoints(bench: Bench, inputs: Path, short: bool) -> Iterator[Trial]:
    """Give checkpoints that are pickles, cut, odd or absurd; every 20th of the odd options in the short form."""
    mark = bench.work / "ran"
    folder = bench.work / "checkpoints"
    folder.mkdir()
    _write_checkpoints(folder, mark)
    paths = sorted(folder.iterdir())
    options = [p for p in paths if p.name.startswith("option-")]
    for path in [p for p in paths if p not in options] + options[:: 20 if short else 1]:
        arguments = ["generate", "NaCl", "-n", "1", "--no-relax", "--model", str(path), "-o", str(bench.out)]
        yield bench.call(arguments, f"--model {path.name}", expected=_REFUSED, check=ran(mark))
    config = _configuration(bench, inputs / "li2o.cif")
    for name in ("raw-pickle.pt", "zip.pt", "legacy.pt", "no-weights.pt", "weights-list.pt", "half.pt"):
        arguments = ["train", str(config), "--from", str(folder / name)]
        yield bench.call(arguments, f"train --from {name}", expected=_REFUSED, check=ran(mark))
    yield from _training_states(bench, config, folder, mark)


def _write_checkpoints(folder: Path, mark: Path) -> None:
    import torch

    from chggen.score import save_checkpoint
    from chggen.score.checkpoint import load_score_model

    content = {"format": 1, "architecture": "painn", "options": {}, "weights": Harm(mark)}
    (folder / "raw-pickle.pt").write_bytes(pickle.dumps(Harm(mark)))
    (folder / "dict-pickle.pt").write_bytes(pickle.dumps(content))
    torch.save(content, folder / "zip.pt")
    torch.save(content, folder / "legacy.pt", _use_new_zipfile_serialization=False)
    save_checkpoint(folder / "good", "nequip", load_score_model(), {})
    whole = (folder / "good").read_bytes()
    good = torch.load(folder / "good", weights_only=True)
    (folder / "good").unlink()
    weights = good["weights"]
    changed: dict[str, dict[str, Any]] = {
        "options-list": {"options": [1]},
        "architecture-int": {"architecture": 5},
        "architecture-unknown": {"architecture": "x" * 10_000},
        "weights-list": {"weights": [1, 2]},
        "weights-text": {"weights": dict.fromkeys(weights, "x")},
        "weights-nan": {"weights": {k: v * float("nan") for k, v in weights.items()}},
        "weights-sparse": {"weights": {k: v.to_sparse() if v.dim() == 2 else v for k, v in weights.items()}},
        "weights-meta": {"weights": {k: v.to("meta") for k, v in weights.items()}},
        "weights-claimed": {"weights": {k: v.new_zeros(1).expand(10**11) for k, v in weights.items()}},
        "format-0": {"format": 0},
        "format-2": {"format": 2},
        "format-true": {"format": True},
        "provenance-list": {"provenance": [1]},
    }
    for name, changes in changed.items():
        torch.save(good | changes, folder / f"{name}.pt")
    for key in ("architecture", "options", "weights"):
        torch.save({k: v for k, v in good.items() if k != key}, folder / f"no-{key}.pt")
    for key in good["options"]:
        for number, odd in enumerate((10**9, -1, 0, float("nan"), "x", None, [1], 10**30)):
            if not (key in ("max_neighbours", "strain_features") and odd == 0):  # 0 has a meaning there
                torch.save(good | {"options": good["options"] | {key: odd}}, folder / f"option-{key}-{number}.pt")
    (folder / "empty.pt").write_bytes(b"")
    (folder / "noise.pt").write_bytes(random.Random(0).randbytes(1000))
    (folder / "half.pt").write_bytes(whole[: len(whole) // 2])
    (folder / "folder.pt").mkdir()
    os.mkfifo(folder / "fifo.pt")


def _configuration(bench: Bench, structure: Path) -> Path:
    """A good training configuration with one crystal to learn from."""
    from pymatgen.core import Structure

    from chggen.io import write_extxyz

    data, config = bench.box / "data.extxyz", bench.box / "training.toml"
    write_extxyz([Structure.from_file(structure)], data)
    config.write_text(
        f'[data]\ntrain=["{data}"]\n[model]\narchitecture="painn"\n[optimizer]\nsteps=1\n[run]\nout="{bench.out}"\n'
    )
    return config


def _training_states(bench: Bench, config: Path, folder: Path, mark: Path) -> Iterator[Trial]:
    import torch

    state = bench.out / "resume" / "state.pt"

    def resumed(name: str, write: Callable[[], object]) -> Trial:
        shutil.rmtree(bench.out, ignore_errors=True)
        state.parent.mkdir(parents=True)
        write()
        arguments = ["train", str(config), "--resume"]
        return bench.call(arguments, f"train --resume, {name}", expected=_REFUSED, check=ran(mark), fresh=False)

    for name in ("raw-pickle.pt", "zip.pt", "half.pt", "empty.pt"):
        yield resumed(f"state {name}", lambda name=name: shutil.copy(folder / name, state))  # type: ignore[misc]
    odd = {"step": "../../x", "shards": 1, "history": "[]"}
    yield resumed("a step that is a path", lambda: torch.save(odd, state))
    yield resumed("a part missing", lambda: torch.save(odd | {"step": 1}, state))


def arrays(bench: Bench, inputs: Path, short: bool) -> Iterator[Trial]:
    """Give archives of arrays with pickles, and reference tables of odd content, where arrays are read."""
    import numpy as np

    mark, folder = bench.work / "ran", bench.work / "arrays"
    folder.mkdir()
    harm = np.array([Harm(mark)], dtype=object)
    keys = ("ids", "cell", "offsets", "Z", "frac", "levels", "formulas", "masks", "energies", "n_atoms", "drops")
    np.savez(folder / "pickles.npz", format=np.array(2), **dict.fromkeys(keys, harm))
    np.save(folder / "x.npy", harm, allow_pickle=True)
    (folder / "x.npy").rename(folder / "array.npz")
    (folder / "raw.npz").write_bytes(pickle.dumps(Harm(mark)))
    config = bench.box / "training.toml"
    for path in sorted(folder.iterdir()):
        config.write_text(
            f'[data]\ntrain=["{path}"]\n[model]\narchitecture="painn"\n[optimizer]\nsteps=1\n[run]\nout="{bench.out}"\n'
        )
        for arguments in (
            ["hull", "--formula", "Li2O", "--energy", "-4", "--references", str(path)],
            ["references", "build", str(path), "-o", str(bench.out)],
            ["train", str(config)],
            ["generate", "NaCl", "-n", "1", "--cells-from", f"file:{path}", "-o", str(bench.out)],
        ):
            name = f"{' '.join(arguments[:2])} with {path.name}"
            failed = ("accepted",) if arguments[0] == "generate" else ()  # where what cannot be read is a failed row
            yield bench.call(arguments, name, expected=(*_REFUSED, *failed), check=ran(mark))
    for name, path in list(_odd_tables(folder))[:: 6 if short else 1]:
        arguments = ["hull", "--formula", "Li2O", "--energy", "-4", "--references", str(path)]
        yield bench.call(arguments, f"hull by a table with {name}", expected=("refused", "done"))
        arguments = ["references", "show", "Li-O", "--references", str(path)]
        yield bench.call(arguments, f"references show of a table with {name}", expected=("refused", "done"))


def _odd_tables(folder: Path) -> Iterator[tuple[str, Path]]:
    """Reference tables in which one array is odd."""
    import numpy as np
    from pymatgen.entries.computed_entries import ComputedEntry

    from chggen.stability.importing import _row
    from chggen.stability.references import write_references

    entries = [ComputedEntry("Li2", -4.0, entry_id="a"), ComputedEntry("O2", -10.0), ComputedEntry("Li2O", -14.0)]
    write_references([_row(k, entry, "pbe-dft") for k, entry in enumerate(entries)], folder / "good.npz")
    with np.load(folder / "good.npz") as file:
        good = {name: file[name] for name in file.files}
    n = len(good["ids"])
    odd: dict[str, dict[str, Any]] = {
        "formulas of noise": {"formulas": np.array([b"!!"] * n)},
        "formulas of markup": {"formulas": np.array([b"<script>"] * n)},
        "ids of markup": {"ids": np.array([b"</script><script>alert(1)</script>"] * n)},
        "ids that are no UTF-8": {"ids": np.array([b"\xff\xfe"] * n)},
        "levels of nothing": {"levels": np.array([""])},
        "a format of the future": {"format": np.array(99)},
        "a format that is a text": {"format": np.array("x")},
    }
    for key in good:
        numbers = good[key].dtype.kind in "iuf"
        half = good[key].ravel()[: max(1, good[key].size // 2)]
        odd |= {f"no {key}": {key: None}, f"half of {key}": {key: half}}
        odd |= (
            {f"{key} as texts": {key: good[key].astype(str)}} if numbers else {f"{key} as numbers": {key: np.arange(n)}}
        )
        odd |= {f"{key} of {value}": {key: np.full(good[key].shape, value)} for value in (np.nan, np.inf, -1, 0)}
    for number, (name, changes) in enumerate(odd.items()):
        path = folder / f"odd-{number}.npz"
        np.savez(path, **{k: v for k, v in (good | changes).items() if v is not None})
        yield name, path
