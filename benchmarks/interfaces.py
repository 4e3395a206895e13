"""A gap between two crystals, filled: which filling ends lowest after relaxation?

    python benchmarks/interfaces.py DATA --out FOLDER [--n 6] [--raffle PYTHON] [--table]

Li3PS4 (010) below LiCoO2 (104), 216 atoms on 96 Å², with two Li3PO4 in a gap of 4 Å between them. Li3PS4 is mp-2646995
of the data, LiCoO2 that of Orman and Wiseman (Acta Cryst. C 40, 12, 1984). Arms, each with as many relaxations by
CHGNet in the same run, by the same options, with the same atoms held (0.1 eV/Å, cell fixed):

- program: the jobs of `chggen interface` as they stand;
- random: the same atoms at random in the gap, no closer than 1.6 Å or as far apart as they fit, by `random_filling`;
- raffle: RAFFLE (Taylor et al., 2024), which places atoms by distributions learnt from known crystals; PYTHON is
  that of an environment with the package `raffle`. Without it this arm is left out.

Shifts of the two rivals are random ones, a new one for each relaxation, the first is none. Interface energies are
against the two slabs, relaxed alike, and the elements. Rows go to FOLDER/rows.jsonl as they end, structures beside; a
run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from hosts import structures
from kept_rows import KeptRows
from pymatgen.core import Lattice, Structure

from chggen.campaign import InterfaceOptions, Interfaces, Resources
from chggen.campaign.evaluation import relaxed_as_asked
from chggen.campaign.insertion_energy import insertion_of
from chggen.campaign.interface_layer import InterfaceLayer, LayerOfInterface
from chggen.campaign.production import make_candidates
from chggen.generation import GivenHost, Job, SamplerOptions
from chggen.io import with_held_atoms
from chggen.relaxation import RelaxOptions
from chggen.results import Candidate
from chggen.stability import References
from regions import fill_at_random

ARMS: Final = ("program", "random", "raffle")
GUESTS: Final = {"Li": 6, "P": 2, "O": 8}
J_PER_M2: Final = 16.02176634  # of 1 eV/Å²
OPTIONS: Final = InterfaceOptions(
    host="Li3PS4", other="LiCoO2", guests=GUESTS, miller_a="010", miller_b="104", termination=1, gap=4.0,
    thickness=11.0, strain_on="a", relax=RelaxOptions(fix_cell=True, fmax=0.1),
)  # fmt: skip


def crystals(data: Path) -> tuple[Structure, Structure]:
    """Li3PS4 and LiCoO2."""
    path = data / "mp_structures.npz"
    (below,) = structures(path, lambda *_: True, np.load(path)["ids"].astype(str) == "mp-2646995").values()
    sites = [[0, 0, 0.5], [0, 0, 0], [0, 0, 0.2395]]
    return below, Structure.from_spacegroup("R-3m", Lattice.hexagonal(2.8166, 14.052), ["Li", "Co", "O"], sites)


def raffle_filling(data: Path, python: str, framework: Structure, gap: tuple[float, float], seed: int) -> Structure:
    """The framework with the guests where RAFFLE puts them."""
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder) / "asked.json"
        known = [{"structure": s.as_dict(), "energy": e} for s, e in known_crystals(data)]
        asked.write_text(json.dumps({
            "host": framework.as_dict(), "guests": GUESTS, "seed": seed, "known": known,
            "bounds": [height / framework.lattice.c for height in gap], "elements": element_energies(),
        }))  # fmt: skip
        script = Path(__file__).with_name("raffle_filling.py")
        made = subprocess.run([python, script, asked], capture_output=True, text=True, check=True).stdout
    filled = framework.copy()
    for symbol, place in json.loads(made.splitlines()[-1]):
        filled.append(symbol, place)
    return filled


def known_crystals(data: Path) -> list[tuple[Structure, float]]:
    """What RAFFLE learns from: crystals of at most 20 atoms of Li, P, O, S and Co on or near the hull, and energies."""
    from chggen.crystals import from_structures
    from chggen.potential import energies_of, load_potential

    path, own = data / "mp20.npz", {3, 8, 15, 16, 27}
    arrays = np.load(path)
    near = arrays["e_above_hull"] < 0.03
    found = [*structures(path, lambda numbers, _: set(numbers.tolist()) <= own, near).values(), *crystals(data)]
    energies = energies_of(load_potential("chgnet", "cpu"), from_structures(found)).energy.tolist()
    return list(zip(found, energies, strict=True))


def element_energies() -> dict[str, float]:
    """Lowest energies of the elements among the references, eV/atom."""
    table = References.load()
    return {s: min(e.energy_per_atom for e in table.system([s], "pbe")) for s in ("Li", "P", "O", "S", "Co")}


def row_of(data: Path, folder: Path, arm: str, index: int, python: str) -> dict[str, Any]:
    """One relaxation of an arm, or the two slabs alone."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    options = OPTIONS.model_copy(update={"n": index + 1})
    assert options.relax is not None
    interfaces = Interfaces.of(*crystals(data), options)
    resources = Resources(sampler=SamplerOptions(), relax=options.relax)
    resources.potential(), resources.score()
    began = time.process_time()
    if arm == "slabs":
        found = insertion_of(interfaces.asked, {}, resources, References.load(), None)
        assert not isinstance(found, str), found
        return {"arm": arm, "index": 0, "apart": found.as_dict(), "s": time.process_time() - began,
                "area": interfaces.cell.area, "atoms": len(interfaces.cell.structure)}  # fmt: skip
    job = interfaces.jobs()[index]
    if arm == "program":
        made = program_candidate(job, resources)
        end, energy, steps = made.structure, made.energy_per_atom if made.status == "ok" else None, made.relax_steps
    else:
        assert isinstance(job.start, GivenHost)
        host, _ = job.start.draw(job.candidate.seed)
        if arm == "random":
            filled = fill_at_random(host.framework, GUESTS, interfaces.asked.regions[""], np.random.default_rng(index))
        else:
            filled = raffle_filling(data, python, host.framework, interfaces.cell.gap, index)
            began = time.process_time()  # its own time is little, and of another process
        (relaxed,) = relaxed_as_asked([with_held_atoms(filled, interfaces.asked.held)], [None], resources)
        end, energy, steps = relaxed.structure, relaxed.energy_per_atom if relaxed.converged else None, relaxed.n_steps
    seconds = time.process_time() - began
    (folder / f"{arm}-{index}.json").write_text(json.dumps(end.as_dict()))
    print(arm, index, energy, steps, f"{seconds:.0f} s", flush=True)
    return {"arm": arm, "index": index, "energy": None if energy is None else energy * len(end), "steps": steps,
            "s": seconds}  # fmt: skip


def program_candidate(job: Job, resources: Resources) -> Candidate:
    """The candidate of a job, drawn anew while atoms overlap, as a run does it: that costs no relaxation."""
    for k in range(4):
        ((_, (made,)),) = make_candidates([job.redraw(k) if k else job], resources)
        if made.failed_at != "screen":
            break
    return made


def interface_energies(rows: list[dict[str, Any]], arm: str) -> np.ndarray:
    """Interface energies of the relaxations of an arm, J/m², NaN for one that did not converge."""
    (slabs,) = (row for row in rows if row["arm"] == "slabs")
    apart = slabs["apart"]["energy"] + sum(n * slabs["apart"]["mu"][s] for s, n in GUESTS.items())
    own = sorted((row for row in rows if row["arm"] == arm), key=lambda row: row["index"])
    energies = np.array([np.nan if row["energy"] is None else row["energy"] for row in own])
    return (energies - apart) / slabs["area"] * J_PER_M2


def layers(folder: Path, data: Path, rows: list[dict[str, Any]]) -> dict[str, list[InterfaceLayer]]:
    """What became of the layer in each relaxation that converged, by arm."""
    pair = crystals(data)
    found: dict[str, list[InterfaceLayer]] = {}
    for row in rows:
        if row["arm"] != "slabs" and row["energy"] is not None:
            job = Interfaces.of(*pair, OPTIONS.model_copy(update={"n": row["index"] + 1}))
            end = Structure.from_dict(json.loads((folder / f"{row['arm']}-{row['index']}.json").read_text()))
            layer = LayerOfInterface(job.cell, pair, OPTIONS.move_within).of(end, end)
            assert layer is not None
            found.setdefault(row["arm"], []).append(layer)
    return found


def print_table(rows: list[dict[str, Any]]) -> None:
    print("| arm | relaxations | converged | lowest, J/m² | median, J/m² | steps, median | CPU-s each |")
    print("|---|---|---|---|---|---|---|")
    for arm in ARMS:
        own = [row for row in rows if row["arm"] == arm]
        if own:
            energies = interface_energies(rows, arm)
            steps, seconds = (np.median([row[key] for row in own if row[key] is not None]) for key in ("steps", "s"))
            print(
                f"| {arm} | {len(own)} | {np.isfinite(energies).sum()} | {np.nanmin(energies):.2f} | "
                f"{np.nanmedian(energies):.2f} | {steps:.0f} | {seconds:.0f} |"
            )


def print_neighbours(found: dict[str, list[InterfaceLayer]]) -> None:
    """Mean numbers of neighbours of each element in the layer, of all relaxations of an arm, and in the crystals."""
    arms = list(found)
    print(f"| | Li3PS4 | LiCoO2 | {' | '.join(arms)} |")
    print("|---|---|---|" + "---|" * len(arms))
    first = found[arms[0]][0].coordination
    for symbol, own in first.items():
        bulk = ["" if own[name] is None else f"{sum(own[name].values()):.1f}" for name in ("first", "second")]
        means = [np.mean([sum(layer.coordination[symbol]["layer"].values()) for layer in found[arm]]) for arm in arms]
        print(f"| {symbol} | {' | '.join(bulk)} | {' | '.join(f'{mean:.1f}' for mean in means)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--n", type=int, default=6)
    parser.add_argument("--raffle", default="", help="python of an environment with the package raffle")
    parser.add_argument("--table", action="store_true", help="print the table of the rows alone")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    kept = KeptRows(args.out / "rows.jsonl")
    if not args.table:
        done = {(row["arm"], row["index"]) for row in kept.rows}
        arms = [arm for arm in ARMS if arm != "raffle" or args.raffle]
        wanted = [("slabs", 0), *((arm, index) for index in range(args.n) for arm in arms)]
        todo = [(args.data, args.out, *key, args.raffle) for key in wanted if key not in done]
        kept.compute(row_of, todo, workers=1)
    print_table(kept.rows)
    print_neighbours(layers(args.out, args.data, kept.rows))


if __name__ == "__main__":
    main()
