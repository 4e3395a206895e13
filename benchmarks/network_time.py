"""One evaluation of MatterGen's network and of ours, in one process on one thread.

    python benchmarks/network_time.py

MatterGen (`mattergen` 1.0.3, PyPI) needs neither its weights nor its pinned packages for this: install it without
dependencies into an environment of its own that has chggen, and beside it torch_geometric, torch_scatter and
torch_sparse, which are compiled for the installed torch (`pip install --no-build-isolation`). Its network is that of
its published checkpoint `mattergen_base` by numbers: GemNet-T of 512 features, 4 blocks, 7 Å and 50 neighbours. Weights
are random and scale factors one, which changes nothing in its time; it needs numpy below 2. Crystals are those of
score_network.py. Seconds are those of the process, the least of many, one network after the other in turn.

A sample of MatterGen takes 1,000 steps of predictor and corrector (its `sampling_conf`), which are 2,000 evaluations
without guidance; the paper's settings take 1,195 of ours, `quality best` 140 at most.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from floors import fastest
from score_network import batch
from score_network import network as our_network

from chggen.crystals import Crystals

SIZES = ((9, 1), (9, 8), (20, 1), (20, 8), (54, 1), (54, 8))
EVALUATIONS = {"mattergen": 2000, "paper": 1195, "best": 140}


def mattergen_network() -> Any:
    """MatterGen's denoiser as its published checkpoint is configured, with random weights."""
    from mattergen.common.gemnet import gemnet
    from mattergen.common.gemnet.layers.embedding_block import AtomEmbedding
    from mattergen.denoiser import GemNetTDenoiser

    with tempfile.TemporaryDirectory() as folder:
        scales = Path(folder) / "common" / "gemnet" / "gemnet-dT.json"  # the package comes without it
        scales.parent.mkdir(parents=True)
        scales.write_text("{}")
        gemnet.MODELS_PROJECT_ROOT = folder
        network = gemnet.GemNetT(
            atom_embedding=AtomEmbedding(emb_size=512, with_mask_type=True), num_targets=1, latent_dim=512,
            num_blocks=4, emb_size_atom=512, emb_size_edge=512, cutoff=7.0, max_neighbors=50, max_cell_images_per_dim=5,
            otf_graph=True, regress_stress=True,
        )  # fmt: skip
    return GemNetTDenoiser(network, hidden_dim=512).eval()


def as_mattergen(crystals: Crystals) -> tuple[Any, torch.Tensor]:
    """The same crystals and a time each, as MatterGen takes them."""
    from mattergen.common.data.chemgraph import ChemGraph
    from mattergen.common.data.collate import collate

    graphs = []
    for k, cell in enumerate(crystals.lattice):
        own = crystals.crystal_index == k
        numbers, places = crystals.atomic_numbers[own].long(), crystals.frac_coords[own]
        count = len(numbers)
        graphs.append(ChemGraph(numbers, places, cell[None], num_atoms=torch.tensor([count]), num_nodes=count))
    return collate(graphs), torch.full((len(graphs),), 0.5)


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    ours = our_network(None)
    theirs = mattergen_network()
    weights = [sum(p.numel() for p in model.parameters()) / 1e6 for model in (theirs, ours)]
    print(f"Parameters: MatterGen {weights[0]:.1f} million, chggen {weights[1]:.2f} million.\n")
    heads = ("atoms", "crystals", "MatterGen, ms", "chggen, ms", "ratio", *(f"{k}, s a sample" for k in EVALUATIONS))
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for atoms, size in SIZES:
        crystals, noise = batch(atoms, size)
        graph, when = as_mattergen(crystals)
        works: list[Callable[[], Any]] = [lambda g=graph, t=when: theirs(g, t), lambda c=crystals, n=noise: ours(c, n)]
        their_time, our_time = fastest(works, 20, time.process_time, 60)
        each = (n * (their_time if k == "mattergen" else our_time) / size for k, n in EVALUATIONS.items())
        cells = (atoms, size, f"{1000 * their_time:.0f}", f"{1000 * our_time:.1f}", f"{their_time / our_time:.0f}",
                 *(f"{x:.1f}" for x in each))  # fmt: skip
        print(f"| {' | '.join(map(str, cells))} |", flush=True)


if __name__ == "__main__":
    main()
