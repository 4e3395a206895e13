"""Seeded fuzzing of what is read: structure files of each format, and training configurations."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

from tests.reliability.fuzz_text import mutated

_NUMBERS: Final = (
    b"nan", b"inf", b"-1", b"0", b"1e308", b"1e-308", b"99999999999", b"0.5", b"-0.0", b"1e400", b"x",
)  # fmt: skip
_VALUES: Final = (
    "nan", "inf", "-inf", "-1", "0", "1e308", "100000000000", "true", '""', '"x"', "[]", "{}", "[1,2]", '"../../x"',
    "1979-05-27", "[[1]]", "0.5", '"painn"', '"nequip"', '"\\u0000"', "9" * 400, "9" * 5000,
)  # fmt: skip
_KEYS: Final = (
    "train", "steps", "features", "layers", "cutoff", "n_basis", "n_radial", "strain_features", "seed", "ema",
    "clip_norm", "largest", "smallest", "max_atoms", "part", "validate_every", "checkpoint_minutes", "species_share",
    "architecture", "weight_decay", "decay_share", "warmup_steps", "atoms_per_batch", "crystals_per_batch",
    "focus_share", "focus_smallest", "hidden", "radial_mlp", "l_max",
)  # fmt: skip


def make_seeds(folder: Path) -> list[Path]:
    """Write a good structure file of each format.

    Args:
        folder: The folder, which is made.

    Returns:
        The files.
    """
    from pymatgen.core import Lattice, Structure

    from chggen.io import cif_text, write_extxyz

    folder.mkdir(parents=True, exist_ok=True)
    cubic = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.63), ["Li", "O"], [[0.25] * 3, [0] * 3])
    small = cubic.get_primitive_structure()
    (folder / "symmetric.cif").write_text(cif_text(small, 0.1))
    (folder / "plain.cif").write_text(cif_text(small, None))
    small.to(filename=str(folder / "POSCAR"), fmt="poscar")
    small.to(filename=str(folder / "a.vasp"), fmt="poscar")
    small.to(filename=str(folder / "a.json"), fmt="json")
    write_extxyz([small, cubic], folder / "frames.extxyz", [{"id": "x", "e": 1.0}, {"id": "y"}])
    write_extxyz([small], folder / "one.xyz")
    return sorted(folder.iterdir())


def mutated_bytes(rng: random.Random, data: bytes) -> bytes:
    """Return a file's content with bytes, numbers or lines changed.

    Args:
        rng: Random numbers.
        data: The content of a good file.

    Returns:
        Content that may still be one.
    """
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        kind, at = rng.random(), rng.randint(0, max(0, len(data) - 1))
        if kind < 0.3 and data:
            data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
        elif kind < 0.45:
            data = data[:at]
        elif kind < 0.6:
            data = data[:at] + data[at + rng.randint(1, 60) :]
        elif kind < 0.7:
            data = data[:at] + data[max(0, at - 80) : at] * rng.randint(1, 5) + data[at:]
        elif kind < 0.9:
            data = _another_number(rng, data)
        else:
            lines = data.split(b"\n")
            if rng.random() < 0.3:
                rng.shuffle(lines)
            else:
                lines.insert(rng.randint(0, len(lines)), rng.choice(lines))
            data = b"\n".join(lines)
    return data


def _another_number(rng: random.Random, data: bytes) -> bytes:
    words = data.split(b" ")
    places = [k for k, w in enumerate(words) if w.strip().replace(b".", b"").replace(b"-", b"").isdigit()]
    if places:
        words[rng.choice(places)] = rng.choice(_NUMBERS)
    return b" ".join(words)


def file_command(rng: random.Random, number: int, seeds: list[Path], box: Path, out: Path) -> tuple[list[str], str]:
    """Write a damaged structure file and return a command that reads it.

    Args:
        rng: Random numbers of the trial.
        number: Its number, by which the commands take turns.
        seeds: Good files.
        box: Folder for the damaged file.
        out: The results folder.

    Returns:
        The arguments, and the name of the good file.
    """
    source = rng.choice(seeds)
    for old in box.glob("damaged*"):
        old.unlink()
    given = box / ("damaged-POSCAR" if source.name == "POSCAR" else f"damaged{source.suffix}")
    given.write_bytes(mutated_bytes(rng, source.read_bytes()))
    where = ["-o", str(out)]
    if number % 5 == 0:
        return ["relax", str(given), *where], source.name
    if number % 5 == 1:
        return ["inpaint", str(given), "--guest", "Li=1", "-n", "1", *where], source.name
    if number % 25 == 2:
        return ["references", "build", str(given), *where], source.name
    if number % 25 == 3:
        return ["hull", str(given)], source.name
    return ["refine", str(given), *where], source.name


def configuration(rng: random.Random, data: Path, out: Path) -> str:
    """Return a damaged training configuration.

    Args:
        rng: Random numbers of the trial.
        data: A file to train on.
        out: Folder of the run.

    Returns:
        The text of a TOML file, which never asks for several processes.
    """
    lines = _configuration(data, out).splitlines()
    for _ in range(rng.choice([1, 1, 2, 3])):
        kind, at = rng.random(), rng.randrange(len(lines))
        if kind < 0.55 and "=" in lines[at]:
            lines[at] = lines[at].split("=")[0] + "= " + rng.choice(_VALUES)
        elif kind < 0.75:
            lines.insert(at, f"{rng.choice(_KEYS)} = {rng.choice(_VALUES)}")
        elif kind < 0.85 and len(lines) > 2:
            del lines[at]
        else:
            lines = mutated(rng, "\n".join(lines)).splitlines() or [""]
    return "\n".join(line for line in lines if "processes" not in line)


def _configuration(data: Path, out: Path) -> str:
    return f"""[data]
train = ["{data}"]
validation = ["{data}"]
max_atoms = 52
[model]
architecture = "painn"
features = 16
layers = 1
[optimizer]
steps = 2
learning_rate = 1e-3
[noise]
smallest = 0.005
[run]
out = "{out}"
seed = 0
"""
