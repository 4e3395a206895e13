"""Phase diagrams: marks where they belong, lines between phases in equilibrium, labels that can be read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chggen.errors import InputError
from chggen.report.drawing import interactive, save
from chggen.report.phase_diagram import PhaseDiagramPicture, picture
from chggen.results.candidate import Candidate
from chggen.stability.references import ReferenceEntry, References


def table(**energies: float) -> References:
    return References.from_entries(
        ReferenceEntry(id=f"id-{name}", formula=name.rstrip("_"), level="pbe", energy_per_atom=energy)
        for name, energy in energies.items()
    )


BINARY = table(Li=-2.0, Si=-5.0, LiSi=-3.9, LiSi_=-3.7, Li3Si=-2.9, LiSi3=-4.0)
TERNARY = table(Zn=-1.0, P=-5.0, S=-4.0, ZnS=-3.5, P2S5=-4.8, ZnP2S6=-4.9)


def candidate(name: str, formula: str, energy: float, e_d: float | None, **more: Any) -> Candidate:
    values = {"stage": "generate", "seed": 0, "level": "pbe", **more}
    placed = {} if e_d is None else {values["level"]: e_d}
    return Candidate(
        id=name, formula=formula, energies={values["level"]: energy}, decomposition_energies=placed, **values
    )


CANDIDATES = [
    candidate("good", "Li2Si2", -3.95, -0.05),
    candidate("bad", "LiSi", -3.0, 0.9, status="failed", failed_at="relax"),
    candidate("double", "LiSi", -3.95, -0.05, duplicate_of="good"),
    candidate("unplaced", "LiSi", -3.95, None),
    candidate("other", "LiSi", -3.95, -0.05, level="other"),
]


def drawn(*elements: str, references: References = BINARY, **more: Any) -> PhaseDiagramPicture:
    found = picture(elements, "pbe", references=references, **more)
    assert found is not None
    return found


def test_a_binary_by_hand() -> None:
    found = drawn("Li", "Si", candidates=CANDIDATES)
    marks = {m.name: m for m in found.marks if m.kind == "known"}
    assert set(marks) == {"Li", "Si", "LiSi", "Li3Si"}  # LiSi3 is 0.45 eV/atom above the hull
    (good,) = (m for m in found.marks if m.kind == "candidate")
    assert (marks["LiSi"].x, marks["LiSi"].y) == pytest.approx((0.5, -0.4), abs=1e-6)
    assert (marks["Li3Si"].x, marks["Li3Si"].y) == pytest.approx((0.25, -0.15), abs=1e-6)
    assert marks["Li3Si"].e_hull == pytest.approx(0.05, abs=1e-6)
    assert "id-Li3Si" in marks["Li3Si"].text
    assert (good.name, good.note, good.y) == ("LiSi", " -50 meV/atom", pytest.approx(-0.45, abs=1e-6))
    assert np.allclose(found.lines, [[(0, 0, 0), (0.5, -0.4, 0)], [(0.5, -0.4, 0), (1, 0, 0)]], atol=1e-6)
    assert {m.name for m in marks.values() if m.side} == {"Li", "Si", "LiSi"}
    assert good.side
    assert "(CHGNet)" in found.title


def test_a_candidate_never_becomes_part_of_the_hull() -> None:
    below = [candidate("low", "Li3Si", -3.9, -1.0)]
    assert drawn("Li", "Si", candidates=below).lines == drawn("Li", "Si").lines


def test_a_ternary_by_hand() -> None:
    found = drawn("Zn", "P", "S", references=TERNARY)
    marks = {m.name: (m.x, m.y) for m in found.marks}
    height = np.sqrt(3) / 2
    assert marks["Zn"] == pytest.approx((0, 0))
    assert marks["P"] == pytest.approx((1, 0))
    assert marks["S"] == pytest.approx((0.5, height))
    assert marks["ZnS"] == pytest.approx((0.25, height / 2))

    def at(end: tuple[float, float]) -> str:
        return min(marks, key=lambda name: np.hypot(*np.subtract(marks[name], end)))

    nearest = [[at(end[:2]) for end in line] for line in found.lines]
    pairs = {frozenset(line) for line in nearest}
    assert frozenset({"Zn(PS3)2", "ZnS"}) in pairs
    assert frozenset({"P2S5", "ZnS"}) not in pairs  # ZnP2S6 lies below that line
    assert frozenset({"P", "ZnS"}) in pairs


def test_no_diagram_without_elements_or_beyond_three() -> None:
    assert picture(["Li"], "pbe", references=BINARY) is None
    assert picture(["Li", "O"], "pbe", references=BINARY) is None
    assert picture(["Li", "Si"], "r2scan", references=BINARY) is None
    assert picture(["Li", "Si", "P", "S"], "pbe", references=BINARY) is None


def test_labels_keep_off_each_other() -> None:
    crowd = {f"Li{n}Si": -2.0 - 3.0 / (n + 1) - 0.4 * (1 - (n / (n + 1) - 0.8) ** 2) for n in range(3, 8)}
    found = drawn("Li", "Si", references=table(Li=-2.0, Si=-5.0, **crowd))
    labelled = [m for m in found.marks if m.side]
    assert len(labelled) == 7
    assert len({m.side for m in labelled}) > 1


@pytest.mark.parametrize("ending", ["png", "svg", "pdf", "html"])
@pytest.mark.parametrize("elements", [("Li", "Si"), ("Zn", "P", "S")])
def test_every_format_is_written_whole(tmp_path: Path, ending: str, elements: tuple[str, ...]) -> None:
    references = BINARY if len(elements) == 2 else TERNARY
    save(drawn(*elements, references=references), tmp_path / f"diagram.{ending}")
    (path,) = tmp_path.iterdir()
    head = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF", "html": b"<"}[ending]
    assert path.read_bytes().startswith(head)
    assert path.name == f"diagram.{ending}"


def test_only_the_best_candidate_of_a_formula_is_labelled() -> None:
    many = [candidate(f"c{k}", "LiSi", -3.8 + 0.01 * k, 0.1 + 0.01 * k) for k in range(3)]
    labelled = [m.text for m in drawn("Li", "Si", candidates=many).marks if m.kind == "candidate" and m.side]
    assert labelled == ["c0<br>LiSi, E_d +100 meV/atom"]


def test_a_level_of_ones_own_is_not_called_chgnet_and_static_phases_are_marked(tmp_path: Path) -> None:
    rows = [
        ReferenceEntry(id=f, formula=f, level="pbe-dft", energy_per_atom=-2.0, relaxed=f != "Si") for f in ("Li", "Si")
    ]
    found = picture(["Li", "Si"], "pbe-dft", references=References.from_entries(rows))
    assert found is not None
    assert "CHGNet" not in found.title
    assert ["static" in m.text for m in found.marks] == [m.name == "Si" for m in found.marks]
    save(found, tmp_path / "new" / "diagram.svg")
    assert (tmp_path / "new" / "diagram.svg").exists()


def test_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot draw diagram.gif; expected a name that ends with .html, .png, .svg"):
        save(drawn("Li", "Si"), tmp_path / "diagram.gif")
    assert not list(tmp_path.iterdir())


def test_the_interactive_one_tells_energies() -> None:
    figure = interactive(drawn("Li", "Si", candidates=CANDIDATES))
    by_name = {trace.name: trace for trace in figure.data if trace.name}
    assert set(by_name) == {"known, above the hull", "known, stable", "candidate"}
    assert by_name["candidate"].hovertext == ("good<br>LiSi, E_d -50 meV/atom",)
    assert re.search("50 meV/atom above the hull", by_name["known, above the hull"].hovertext[0])
    assert [text for text in by_name["known, stable"].text if text]


QUATERNARY = table(Li=-2.0, P=-5.0, S=-4.0, Cl=-1.8, LiCl=-3.9, Li2S=-4.0, Li3PS4=-4.6, PCl3=-3.5, Li6PS5Cl=-4.4)


def test_a_quaternary_is_a_regular_tetrahedron_in_which_phases_lie_by_their_shares() -> None:
    found = drawn("Li", "P", "S", "Cl", references=QUATERNARY, candidates=[candidate("new", "Li5PS4Cl2", -4.3, 0.02)])
    corners = np.array(found.corners)
    assert corners.shape == (4, 3)
    apart = np.linalg.norm(corners[:, None] - corners, axis=-1)
    assert apart[~np.eye(4, dtype=bool)] == pytest.approx(np.ones(12))
    at = {m.name: np.array([m.x, m.y, m.depth]) for m in found.marks}
    assert at["LiCl"] == pytest.approx((corners[0] + corners[3]) / 2)
    (new,) = (np.array([m.x, m.y, m.depth]) for m in found.marks if m.kind == "candidate")
    assert new == pytest.approx(corners.T @ [5 / 12, 1 / 12, 4 / 12, 2 / 12])
    stable = {tuple(np.round(at[m.name], 6)) for m in found.marks if m.kind == "known" and m.e_hull < 1e-6}
    assert {tuple(np.round(end, 6)) for line in found.lines for end in line} <= stable


def test_a_quaternary_is_drawn_in_space_and_printed_in_one_view(tmp_path: Path) -> None:
    found = drawn("Li", "P", "S", "Cl", references=QUATERNARY, candidates=[candidate("new", "Li5PS4Cl2", -4.3, 0.02)])
    figure = interactive(found)
    assert {trace.type for trace in figure.data} == {"scatter3d"}
    (new,) = (trace for trace in figure.data if trace.name == "candidate")
    assert list(new.customdata) == ["new"]
    save(found, tmp_path / "quaternary.png")
    assert (tmp_path / "quaternary.png").stat().st_size > 10_000


def test_five_elements_have_no_diagram() -> None:
    assert picture(("Li", "P", "S", "Cl", "O"), "pbe", references=QUATERNARY) is None
