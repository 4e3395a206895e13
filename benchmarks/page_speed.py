"""The page of a run: how large is it, and how long until it opens and answers?

    make test-browser                     # installs chromium and playwright, once
    python benchmarks/page_speed.py [--candidates 50 500] [--atoms 20] [--rounds 5]

Pages of made-up candidates: crystals of a ternary with random positions and energies, each with its sites, CIF and
powder pattern as of any run. In headless Chromium, which draws without a GPU: time from opening the file until the
table can be used, until the 3-D view is drawn and until all figures are, and from a click on a row until what is told
of another candidate is there (its drawing follows). The median of some rounds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Lattice, Structure

from chggen.report import write_report
from chggen.results import Candidate
from chggen.results.folder import Store

_FLAGS = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
_WATCH = """
    window.seen = {};
    new MutationObserver(() => {
        const page = document.documentElement.dataset, canvas = document.getElementById("canvas");
        for (const [name, there] of [["ready", page.ready], ["drawn", page.drawn], ["atoms", canvas?.dataset.atoms]])
            if (there && !(name in seen)) seen[name] = performance.now();
    }).observe(document, { subtree: true, attributes: true });
"""
_CLICK = """(id) => new Promise(resolve => {
    const began = performance.now();
    document.querySelector(`#${id} td:nth-child(2)`).click();
    const look = () => document.getElementById("chosen-name").textContent === id
        ? requestAnimationFrame(() => resolve(performance.now() - began)) : setTimeout(look, 1);
    look();
})"""


def made_up(k: int, atoms: int, rng: np.random.Generator) -> Candidate:
    """A candidate of a random crystal of Li, P and S."""
    species = ["Li"] * (atoms // 4) + ["P"] * (atoms // 8) + ["S"] * (atoms - atoms // 4 - atoms // 8)
    structure = Structure(Lattice.orthorhombic(*(5 + 3 * rng.random(3))), species, rng.random((atoms, 3)))
    energy = float(rng.random())
    return Candidate(
        id=f"c{k:04d}", stage="generate", formula=structure.formula.replace(" ", ""), seed=k, level="pbe",
        raw=structure, structure=structure, space_group_loose=int(rng.integers(1, 231)), n_found=1,
        energies={"pbe": energy - 5}, decomposition_energies={"pbe": energy},
    )  # fmt: skip


def page_of(folder: Path, n: int, atoms: int) -> Path:
    """The page of a run of made-up candidates."""
    rng = np.random.default_rng(0)
    candidates = [made_up(k, atoms, rng) for k in range(n)]
    with Store(folder, {"seed": 0}) as store:
        store.put(candidates)
        store.export(candidates)
    return write_report(folder)


def timed(browser: Any, page: Path, rounds: int) -> tuple[float, ...]:
    """Seconds until table, 3-D view and figures are there; milliseconds until another row is chosen."""
    found = []
    for _ in range(rounds):
        opened = browser.new_page(viewport={"width": 1400, "height": 1000})
        opened.set_default_timeout(120_000)
        opened.add_init_script(_WATCH)
        opened.goto(page.as_uri())
        opened.wait_for_selector("html[data-drawn]")
        at = opened.evaluate("[seen.ready, seen.atoms, seen.drawn].map(time => time / 1000)")
        last = opened.eval_on_selector_all("#candidates tbody tr", "rows => rows.map(row => row.id)")[-1]
        found.append([*at, opened.evaluate(_CLICK, last)])
        opened.close()
    return tuple(np.median(found, axis=0).tolist())


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, nargs="+", default=[50, 500])
    parser.add_argument("--atoms", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    print("| candidates | writing, s | size, MB | usable, s | 3-D view, s | figures, s | choosing a row, ms |")
    print("|---|---|---|---|---|---|---|")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=list(_FLAGS))
        for n in args.candidates:
            with tempfile.TemporaryDirectory() as folder:
                began = time.perf_counter()
                page = page_of(Path(folder) / "run", n, args.atoms)
                wrote = time.perf_counter() - began
                usable, view, figures, choosing = timed(browser, page, args.rounds)
                size = page.stat().st_size / 1e6
                print(
                    f"| {n} | {wrote:.1f} | {size:.1f} | {usable:.2f} | {view:.2f} | {figures:.2f} | {choosing:.0f} |",
                    flush=True,
                )
        browser.close()


if __name__ == "__main__":
    main()
