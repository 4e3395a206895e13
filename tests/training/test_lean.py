"""Training and sampling of atoms and of cell shapes run where pymatgen, chgnet, ase, pydantic and vesin are absent."""

import subprocess
import sys
from pathlib import Path

import numpy as np

ABSENT = ("pymatgen", "chgnet", "ase", "pydantic", "vesin", "spglib", "pyxtal", "plotly", "typer", "rich")
SCRIPT = """
import sys
for name in {absent!r}:
    sys.modules[name] = None
from pathlib import Path
import numpy as np
from chggen.io.toml import from_table
from chggen.sampling.cell_shape import ShapeSampler
from chggen.sampling.recipes import recipe
from chggen.score.checkpoint import load_score_model
from chggen.training.loop import train
from chggen.training.options import TrainingOptions
from chggen.training.dataset import read_dataset
options = from_table(TrainingOptions, {{
    "data": {{"train": ["data.npz"], "validation": ["data.npz"]}},
    "model": {{"architecture": {architecture!r}, "strain_features": 4, {size}}},
    "optimizer": {{"steps": 2}},
    "run": {{"out": "run"}},
}}, "test")
model = load_score_model(train(options))
data = read_dataset(["data.npz"], "train", 20)
made = recipe("de-novo", levels=3).run(model, data.take([0, 1]), [0, 1])
assert made.frac_coords.isfinite().all()
cell = ShapeSampler(model)({{"Na": 1, "Cl": 1}}, 50.0, 0)
assert abs(abs(np.linalg.det(cell)) - 50) < 1e-3
"""
SIZES = {
    "painn": '"features": 8, "layers": 1',
    "nequip": '"hidden": "4x0e+2x1o", "layers": 1, "l_max": 1',
}


def write_data(path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(
        path,
        cell=np.array([[4, 4, 4, 90, 90, 90.0]] * 4),
        offsets=np.arange(5) * 3,
        Z=rng.integers(1, 30, 12),
        frac=rng.random((12, 3)),
    )


def run_without_the_rest(architecture: str, tmp_path: Path) -> None:
    write_data(tmp_path / "data.npz")
    code = SCRIPT.format(absent=ABSENT, architecture=architecture, size=SIZES[architecture])
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_vector_network(tmp_path: Path) -> None:
    run_without_the_rest("painn", tmp_path)


def test_nequip(tmp_path: Path) -> None:
    run_without_the_rest("nequip", tmp_path)
