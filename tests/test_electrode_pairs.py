"""Pairs of crystals with and without an ion are found, told from what only looks alike, and priced right."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def pairs() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("electrode_pairs", ROOT / "benchmarks" / "electrode_pairs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["electrode_pairs"] = module  # where dataclasses look for their annotations
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        del sys.modules["electrode_pairs"]


def layered(height: float, *, glide: bool = False, lithium: bool = False) -> Structure:
    """TiS2 of one layer a cell, or with its upper sulfur over the lower one."""
    sites = [[0, 0, 0], [1 / 3, 2 / 3, 0.25], [1 / 3, 2 / 3, 0.75] if glide else [2 / 3, 1 / 3, 0.75]]
    ions = [[0, 0, 0.5]] if lithium else []
    return Structure(Lattice.hexagonal(3.4, height), ["Ti", "S", "S", *["Li"] * len(ions)], [*sites, *ions])


def written(folder: Path, crystals: dict[str, tuple[Structure, float | None, bool]]) -> Path:
    """Development data of these crystals: raw energy in eV/atom, and whether they may be trained on."""
    structures = [structure for structure, _, _ in crystals.values()]
    arrays = {
        "ids": np.array(list(crystals)),
        "cell": np.array([s.lattice.parameters for s in structures]),
        "offsets": np.cumsum([0, *(len(s) for s in structures)]),
        "Z": np.concatenate([s.atomic_numbers for s in structures]),
        "frac": np.concatenate([s.frac_coords for s in structures]),
    }
    np.savez(folder / "mp_structures.npz", **arrays)
    np.savez(folder / "mp20.npz", **arrays, split=np.array(["test"] * len(structures)))
    table = pd.DataFrame({"material_id": list(crystals)})
    table["e_raw_mpf2021"] = [np.nan if energy is None else energy for _, energy, _ in crystals.values()]
    table[["eform_mp2019", "ehull_mp2019", "ehull_best"]] = np.nan
    table["may_train"] = [trained for _, _, trained in crystals.values()]
    table.to_csv(folder / "mp_table.csv.gz", index=False)
    hull = pd.DataFrame({"composition_fractions": ["Li:1.0"], "hull_eV_per_atom": [0.0]})
    hull.to_csv(folder / "hull_mp2019.csv.gz", index=False)
    return folder


METAL = {
    name: (Structure(Lattice.cubic(3.4), [name], [[0, 0, 0]]), -2.0, True)
    for name in ("Li", "Na", "K", "Mg", "Ca", "Zn")
}


def test_a_pair_is_found_with_its_voltage(pairs: ModuleType, tmp_path: Path) -> None:
    data = written(
        tmp_path,
        METAL
        | {
            "empty": (layered(5.7), -5.0, True),
            "glided": (layered(5.7, glide=True), -5.0, True),
            "filled": (layered(6.2, lithium=True), -4.8, False),
        },
    )
    crystals = pairs.Crystals(data)
    [match] = pairs.matches(crystals)
    assert (crystals.ids[match.filled], crystals.ids[match.empty]) == ("filled", "empty")
    assert match.voltage == pytest.approx(-(4 * -4.8 - 3 * -5.0 - -2.0))
    assert match.energies == "raw"
    entry = pairs.entry_of(crystals, match)
    assert (entry["ions"], entry["anion"], entry["multiplicity"]) == (1, "chalcogenide", 1)
    assert not entry["filled_in_training"]


def test_the_empty_cell_is_repeated_to_hold_all_ions(pairs: ModuleType, tmp_path: Path) -> None:
    filled = layered(6.2, lithium=True).make_supercell([2, 1, 1], in_place=False)
    filled.remove_sites([next(i for i, site in enumerate(filled) if site.specie.symbol == "Li")])
    data = written(tmp_path, METAL | {"empty": (layered(5.7), None, True), "filled": (filled, None, False)})
    crystals = pairs.Crystals(data)
    [match] = pairs.matches(crystals)
    entry = pairs.entry_of(crystals, match)
    assert entry["voltage"] is None
    assert entry["multiplicity"] == 2
    assert len(layered(5.7).make_supercell(entry["matrix"], in_place=False)) + entry["ions"] == len(filled)


def test_of_two_arrangements_in_one_host_the_lowest_is_kept(pairs: ModuleType, tmp_path: Path) -> None:
    crystals = {
        "empty": (layered(5.7), -5.0, True),
        "high": (layered(6.2, lithium=True), -4.6, False),
        "low": (layered(6.1, lithium=True), -4.7, False),
    }
    known = pairs.Crystals(written(tmp_path, METAL | crystals))
    known.above = np.array([{"high": 0.2, "low": 0.1}.get(key, 0.0) for key in known.ids])
    [match] = pairs.one_each(known, pairs.matches(known))
    assert known.ids[match.filled] == "low"


def test_the_committed_list_is_whole() -> None:
    cases = json.loads((ROOT / "benchmarks" / "ids" / "electrodes.json").read_text())["cases"]
    apart = [case for case in cases if not case["filled_in_training"]]
    assert len(apart) >= 150
    assert {case["ion"] for case in apart} == {"Li", "Na", "K", "Mg", "Ca", "Zn"}
    assert len({(case["filled"], case["empty"]) for case in cases}) == len(cases)
    for case in cases:
        assert round(abs(np.linalg.det(case["matrix"]))) == case["multiplicity"]
        assert case["voltage"] is None or -0.5 <= case["voltage"] <= 6
