"""What symmetry saves: evaluations of whole crystals against those of their asymmetric units.

    python benchmarks/asymmetric_units.py [--batch 8] [--seconds 2]

Energies, forces and stress by CHGNet, and scores by the network, of batches of one crystal; one thread. The differences
are those of CHGNet: energy by atom, and the largest component of a force. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import torch
from pymatgen.core import Lattice, Structure

from chggen.crystals import collate, from_structures
from chggen.diffusion import AtomOrbits, Noise
from chggen.potential import evaluate, load_potential
from chggen.score import load_score_model
from chggen.symmetry import SymmetryConstraint

CRYSTALS = {
    "perovskite": ("Pm-3m", Lattice.cubic(3.9), ["Sr", "Ti", "O"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]),
    "rutile": ("P4_2/mnm", Lattice.tetragonal(4.6, 2.96), ["Ti", "O"], [[0, 0, 0], [0.3, 0.3, 0]]),
    "rock salt, conventional cell": ("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
    "quartz": ("P3_121", Lattice.hexagonal(4.9, 5.4), ["Si", "O"], [[0.47, 0, 1 / 3], [0.41, 0.27, 0.28]]),
    "baddeleyite": (
        "P2_1/c",
        Lattice.monoclinic(5.15, 5.2, 5.32, 99.2),
        ["Zr", "O", "O"],
        [[0.275, 0.04, 0.208], [0.07, 0.332, 0.345], [0.45, 0.758, 0.479]],
    ),
    "olivine": (
        "Pnma",
        Lattice.orthorhombic(10.2, 6.0, 4.7),
        ["Mg", "Mg", "Si", "O", "O", "O"],
        [
            [0, 0, 0],
            [0.278, 0.25, 0.99],
            [0.094, 0.25, 0.42],
            [0.09, 0.25, 0.77],
            [0.45, 0.25, 0.22],
            [0.16, 0.03, 0.27],
        ],
    ),
    "spinel, conventional cell": (
        "Fd-3m",
        Lattice.cubic(8.08),
        ["Mg", "Al", "O"],
        [[0, 0, 0], [0.625, 0.625, 0.625], [0.387, 0.387, 0.387]],
    ),
    "none (P1)": (
        "P1",
        Lattice.from_parameters(4, 4.4, 4.8, 80, 85, 95),
        ["Li", "O", "S"],
        [[0, 0, 0], [0.5, 0.4, 0.6], [0.2, 0.8, 0.4]],
    ),
}


def fastest(work: Callable[[], object], seconds: float) -> float:
    """Least time of a piece of work that is repeated for so many seconds, ms."""
    work()
    least, began = float("inf"), time.perf_counter()
    while time.perf_counter() - began < seconds:
        start = time.perf_counter()
        work()
        least = min(least, time.perf_counter() - start)
    return 1000 * least


def orbits_of(symmetry: SymmetryConstraint, batch: int) -> AtomOrbits:
    """The orbits of the atoms of a batch of one crystal, for the score network."""
    first = symmetry.images.min(dim=0).values
    through = [int(torch.nonzero(symmetry.images[:, r] == a)[0]) for a, r in enumerate(first.tolist())]
    turn = symmetry.rotations[through].float()
    representative = torch.cat([first + k * len(first) for k in range(batch)])
    return AtomOrbits(representative=representative, turn=turn.repeat(batch, 1, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=2.0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    chgnet, score = load_potential("chgnet"), load_score_model()
    columns = ("crystal", "operations", "atoms", "in the unit", "CHGNet, ms", "by the unit, ms", "times faster",
               "energies differ, eV/atom", "forces, eV/Å", "score, ms", "by the unit, ms", "times faster")  # fmt: skip
    print(f"| {' | '.join(columns)} |")
    print("|---|" + "---|" * 11)
    for name, given in CRYSTALS.items():
        structure = Structure.from_spacegroup(*given)
        symmetry = SymmetryConstraint.of(structure, 0.001)
        assert symmetry is not None
        assert symmetry.unit is not None
        crystals = collate([from_structures([structure])] * args.batch)
        known = [symmetry] * args.batch
        whole, unit = chgnet(crystals), evaluate(chgnet, crystals, known)
        energy = float((whole.energy - unit.energy).abs().max()) / len(structure)
        force = float((whole.forces - unit.forces).abs().max())
        seen = crystals.to("cpu", torch.float32)
        noise = Noise(sigma=torch.full((len(seen.atomic_numbers),), 0.3), tau=torch.zeros(args.batch))
        orbits = orbits_of(symmetry, args.batch)
        works = (
            partial(chgnet, crystals),
            partial(evaluate, chgnet, crystals, known),
            partial(score, seen, noise),
            partial(score.of_orbits, seen, noise, orbits),
        )
        with torch.no_grad():
            a, b, c, d = (fastest(work, args.seconds) for work in works)
        print(
            f"| {name} | {len(symmetry.images)} | {len(structure)} | {len(symmetry.unit.atoms)} | {a:.0f} | {b:.0f} | "
            f"{a / b:.1f} | {energy:.0e} | {force:.0e} | {c:.1f} | {d:.1f} | {c / d:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
