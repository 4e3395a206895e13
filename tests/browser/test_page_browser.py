"""The page in a real browser: sorting, filters, choosing, the 3-D view, widths, no requests, no errors of scripts.

Needs chromium and playwright; `make test-browser` installs both. Screenshots go to the folder of CHGGEN_SCREENSHOTS.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymatgen.analysis.diffraction.xrd import XRDCalculator
from pymatgen.core import Lattice, Structure

from chggen.report.page import write_report
from chggen.results.candidate import Candidate
from chggen.results.folder import Store

pytestmark = pytest.mark.browser
WIDTHS = (400, 900, 1400)
RUTILE = Structure.from_spacegroup(
    "P4_2/mnm", Lattice.tetragonal(4.6, 2.96), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
)
SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
_PATIENCE = 120_000  # ms, for machines that are busy
_FLAGS = (
    "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
)  # fmt: skip


def _good(name: str, structure: Structure, e_d: float, **values: Any) -> Candidate:
    guests = structure.copy(site_properties={"guest": [site.specie.symbol in ("Na", "Ti") for site in structure]})
    placed = {"level": "pbe", "energies": {"pbe": e_d - 3.5}, "decomposition_energies": {"pbe": e_d}}
    formula = structure.composition.reduced_formula
    return Candidate(
        id=name, stage="inpaint", formula=formula, seed=0, raw=guests, structure=guests.copy(), **{**placed, **values}
    )  # fmt: skip


CANDIDATES = [
    _good("rutile", RUTILE, -0.01, space_group_loose=136, n_found=2, found_by="prototype"),
    _good("salt", SALT, 0.04, space_group_loose=225, n_found=1, found_by="prototype"),
    _good("salt-again", SALT, 0.041, duplicate_of="salt"),
    _good("high", RUTILE, 0.2, space_group_loose=136, n_found=1),
    Candidate(
        id="lost", stage="inpaint", formula="TiO2", seed=1, status="failed", failed_at="screen", reason="overlap"
    ),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    with Store(folder, {"seed": 0}) as store:
        store.put(CANDIDATES)
        store.export(CANDIDATES)
    return write_report(folder)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    if not os.environ.get("CHGGEN_BROWSER"):
        pytest.skip("set CHGGEN_BROWSER, as make test-browser does")
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no chromium")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=list(_FLAGS))
        yield started
        started.close()


@pytest.fixture
def opened(browser: Any, report: Path) -> Iterator[Any]:
    """The page at 1400 pixels; errors of scripts and requests are gathered, and there must be none."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(_PATIENCE)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: wrong.append(request.url) if request.url.startswith(("http", "ws")) else None)
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.goto(report.as_uri())
    page.wait_for_selector("html[data-ready]")
    yield page
    page.close()
    assert wrong == []


def _ids(page: Any) -> list[str]:
    found: list[str] = page.eval_on_selector_all("#candidates tbody tr:not([hidden])", "rows => rows.map(r => r.id)")
    return found


def test_columns_sort_both_ways_and_what_has_no_value_comes_last(opened: Any) -> None:
    assert _ids(opened) == ["rutile", "salt", "high"]
    opened.click('#candidates th[data-column="e_d"] button')
    assert opened.get_attribute('#candidates th[data-column="e_d"]', "aria-sort") == "ascending"
    opened.click('#candidates th[data-column="e_d"] button')
    assert _ids(opened) == ["high", "salt", "rutile"]
    opened.click('#candidates th[data-column="group"] button')
    assert _ids(opened)[-1] == "salt"


def test_filters_leave_what_fits_and_reset_brings_all_back(opened: Any) -> None:
    opened.select_option('select[name="formula"]', "TiO2")
    assert _ids(opened) == ["rutile", "high"]
    opened.fill('input[name="below"]', "0.1")
    assert _ids(opened) == ["rutile"]
    assert opened.inner_text("#count") == "1 of 3 rows"
    opened.click('#filters button[type="reset"]')
    opened.wait_for_function("document.getElementById('count').textContent === '3 rows'")
    opened.fill('input[name="search"]', "fm-3m")
    assert _ids(opened) == ["salt"]


def test_columns_are_chosen(opened: Any) -> None:
    assert not opened.is_visible('#candidates td[data-column="density"] >> nth=0')
    opened.click("details.columns summary")
    opened.check('input[name="column"][value="density"]')
    assert opened.is_visible('#candidates td[data-column="density"] >> nth=0')


def test_a_row_a_link_a_duplicate_and_the_keyboard_choose(opened: Any) -> None:
    assert opened.inner_text("#chosen-name") == "rutile"
    opened.click("#salt td:nth-child(2)")
    opened.wait_for_function("document.getElementById('chosen-name').textContent === 'salt'")
    assert opened.url.endswith("#salt")
    opened.evaluate("location.hash = 'high'")
    opened.wait_for_function("document.getElementById('chosen-name').textContent === 'high'")
    opened.evaluate("location.hash = 'salt-again'")
    opened.wait_for_function("document.getElementById('chosen-name').textContent === 'salt'")
    opened.focus("#salt a")
    opened.keyboard.press("ArrowUp")
    opened.wait_for_function("document.getElementById('chosen-name').textContent === 'rutile'")


def test_choosing_a_row_leaves_the_page_where_it_is_and_the_keyboard_goes_on(opened: Any) -> None:
    before = opened.evaluate("scrollY")
    opened.click("#high td:nth-child(2)")
    opened.wait_for_function("document.getElementById('chosen-name').textContent === 'high'")
    assert opened.evaluate("scrollY") == before
    opened.focus("#rutile a")
    for name in ("salt", "high"):  # the focus stays in the table
        opened.keyboard.press("ArrowDown")
        opened.wait_for_function(f"document.getElementById('chosen-name').textContent === '{name}'")
    assert opened.evaluate("document.activeElement.closest('tr').id") == "high"


def test_a_row_chosen_on_a_phone_brings_the_view_into_sight(opened: Any) -> None:
    opened.set_viewport_size({"width": 400, "height": 800})
    opened.click("#salt td:nth-child(1)", position={"x": 5, "y": 5})
    opened.wait_for_function("document.getElementById('chosen-name').textContent === 'salt'")
    place = "document.getElementById('canvas').getBoundingClientRect().top"
    assert 0 <= opened.evaluate(place) < 800


def test_the_search_finds_groups_as_they_are_typed_and_the_menu_says_what_is_shown(opened: Any) -> None:
    for typed in ("P4_2/mnm", "p42/mnm", "P4₂/mnm"):
        opened.fill('input[name="search"]', typed)
        assert _ids(opened) == ["rutile", "high"], typed
    opened.click("details.columns summary")
    for name in ("density", "group"):
        shown = opened.is_visible(f'#candidates th[data-column="{name}"]')
        assert opened.is_checked(f'input[name="column"][value="{name}"]') == shown
    opened.keyboard.press("Escape")
    assert not opened.is_visible('input[name="column"][value="density"]')


def test_what_is_told_of_a_candidate_is_right(opened: Any) -> None:
    facts = opened.inner_text("#facts")
    assert facts.count("4.600, 4.600, 2.960 Å; 90.0, 90.0, 90.0°; ") == 2  # of the conventional cell and of that drawn
    assert "Ti–O 1.9" in facts or "O–Ti 1.9" in facts
    sites = opened.inner_text("#sites tbody").split("\n")
    assert sorted(line.split("\t")[1] for line in sites) == ["2a", "4f"]
    assert {line.split("\t")[0]: line.split("\t")[-1] for line in sites} == {"Ti (guest)": "6", "O": "3"}
    assert "_cell_length_a" in opened.text_content("#cif")


def test_the_powder_pattern_is_that_of_pymatgen(opened: Any) -> None:
    expected = XRDCalculator("CuKa").get_pattern(RUTILE)
    found = opened.evaluate(
        "(() => { const d = JSON.parse(document.getElementById('data').textContent);"
        "return chggen.pattern(d.crystals.rutile.relaxed ?? d.crystals.rutile.raw, d.elements); })()"
    )
    strong = [(x, y) for x, y in zip(expected.x, expected.y, strict=True) if y > 5]
    assert len(strong) > 5
    for angle, intensity in strong:
        near = min(found, key=lambda peak: abs(peak["angle"] - angle))
        assert near["angle"] == pytest.approx(angle, abs=0.02)
        assert near["intensity"] == pytest.approx(intensity, rel=0.02)


def test_the_view_draws_and_answers_its_controls(opened: Any) -> None:
    from io import BytesIO

    from PIL import Image

    def colours() -> int:
        picture = Image.open(BytesIO(opened.locator("#canvas").screenshot()))
        return len(picture.convert("RGB").quantize(64).getcolors() or [])

    opened.wait_for_timeout(500)
    assert colours() > 10
    one = int(opened.get_attribute("#canvas", "data-atoms"))
    atoms = "Number(document.getElementById('canvas').dataset.atoms)"
    opened.select_option('select[name="times"]', "2")
    opened.wait_for_function(f"{atoms} > {2 * one}")
    opened.select_option('select[name="times"]', "1")
    opened.select_option('select[name="filled"]', "host")
    opened.wait_for_function(f"{atoms} < {one}")
    opened.select_option('select[name="filled"]', "all")
    opened.check('input[name="polyhedra"]')
    for button in ("#closer", "#farther", "#reset", "#spin"):
        opened.click(button)
    assert opened.get_attribute("#spin", "aria-pressed") == "true"


def test_light_and_dark_have_enough_contrast(opened: Any) -> None:
    for _ in range(2):
        ratio = opened.evaluate(
            """() => {
            const light = c => { const v = c.match(/\\d+/g).slice(0, 3).map(x => x / 255)
              .map(x => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
              return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
            const back = light(getComputedStyle(document.body).backgroundColor);
            return [...document.querySelectorAll('h1, .note, .soft, a, dt')].map(e => {
              const text = light(getComputedStyle(e).color);
              return (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05); }).reduce((x, y) => Math.min(x, y));
            }"""
        )
        assert ratio >= 4.5
        opened.click("#theme")


def test_figures_are_drawn_and_a_point_chooses_its_candidate(opened: Any) -> None:
    opened.wait_for_selector("html[data-drawn]")
    figures = opened.eval_on_selector_all(".plot", "boxes => boxes.map(box => box.querySelectorAll('svg').length)")
    assert len(figures) >= 2
    assert all(figures)
    opened.evaluate("document.querySelector('.plot').emit('plotly_click', { points: [{ customdata: 'salt-again' }] })")
    opened.wait_for_function("document.getElementById('chosen-name').textContent === 'salt'")


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_cut_off_at_any_width(browser: Any, report: Path, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(_PATIENCE)
    page.goto(report.as_uri())
    page.wait_for_selector("html[data-drawn]")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.querySelectorAll('button, input, select')].every(e => e.labels?.length || "
                         "e.textContent.trim() || e.getAttribute('aria-label'))")  # fmt: skip
    shots = os.environ.get("CHGGEN_SCREENSHOTS")
    if shots:
        page.screenshot(path=str(Path(shots) / f"page-{width}.png"), full_page=True)
    page.close()
