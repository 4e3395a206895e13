"""Candidates as a notebook shows them: pictures, tables, data frames; and the one that is the answer."""

from __future__ import annotations

import pickle
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

import chggen
from chggen.results import Candidate, Candidates, structure_svg

_SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def _good(name: str, energy: float, **changes: Any) -> Candidate:
    made = Candidate(
        id=name, stage="generate", formula="NaCl", seed=0, structure=_SALT, raw=_SALT, level="pbe",
        energies={"pbe": -3.4 + energy}, decomposition_energies={"pbe": energy}, space_group_loose=225, n_found=1,
    )  # fmt: skip
    return replace(made, **changes)


def _list() -> Candidates:
    bad = Candidate(
        id="lost", stage="generate", formula="NaCl", seed=3, status="failed", failed_at="relax", reason="<no> end"
    )
    twin = _good("twin", 0.001, duplicate_of="best", n_found=None)
    return Candidates([_good("best", 0.0), twin, _good("other", 0.1), bad])


class _Balanced(HTMLParser):
    """Checks that each element that is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _check_html(text: str) -> None:
    parser = _Balanced()
    parser.feed(text)
    assert not parser.open
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")  # nothing is loaded from elsewhere


def test_a_picture_has_atoms_images_on_faces_and_edges() -> None:
    drawn = ET.fromstring(structure_svg(_SALT, 100))
    space = "{http://www.w3.org/2000/svg}"
    circles = drawn.findall(f".//{space}circle")
    assert len(circles) == 14 + 13  # of 4 Na and 4 Cl with their images: corners and faces, edges and the middle
    places = np.array([[float(c.attrib["cx"]), float(c.attrib["cy"])] for c in circles])
    assert places.min() > 0
    assert places.max() < 100
    path = drawn.find(f"{space}path")
    assert path is not None
    assert path.attrib["d"].count("M") == 12
    radii = {float(c.attrib["r"]) for c in circles}
    assert len(radii) == 2
    nearest = circles[-1].attrib["fill"]
    assert all(_white(c.attrib["fill"]) >= _white(nearest) for c in circles if c.attrib["r"] == circles[-1].attrib["r"])


def _white(colour: str) -> int:
    return min(int(colour[k : k + 2], 16) for k in (1, 3, 5))


def test_pictures_of_odd_cells_are_drawn() -> None:
    shared = Structure(Lattice.cubic(4), [{"Cu": 0.3, "Au": 0.7}], [[0.99, 0.5, -0.5]])
    assert structure_svg(shared).count("<circle") == 2
    assert structure_svg(Structure(Lattice.cubic(4), [], [])).count("<circle") == 0
    large = _SALT * (8, 8, 8)
    assert structure_svg(large).count("<circle") == 0


def test_a_list_shows_distinct_ones_with_pictures_and_why_others_failed() -> None:
    shown = _list()._repr_html_()
    _check_html(shown)
    assert shown.count("<svg") == 2
    assert "best ★" in shown
    assert "other ★" not in shown
    assert "Fm-3m (225)" in shown
    assert "twin" not in shown
    assert "1 failed at relax: &lt;no&gt; end" in shown
    assert "2 of 4 candidates, best first" in shown
    _check_html(Candidates()._repr_html_())


def test_a_candidate_is_a_card_and_a_short_line() -> None:
    best, _, _, bad = _list()
    card = best._repr_html_()
    _check_html(card)
    for told in ("<svg", "5.600 5.600 5.600 Å, 90.0 90.0 90.0°", "Fm-3m (225)", "-3.4000 eV/atom", "2.2"):
        assert told in card
    _check_html(bad._repr_html_())
    assert repr(best) == "Candidate(best: NaCl, ok, Fm-3m, -3.4000 eV/atom at the level pbe, E_d 0.0000)"
    assert repr(bad) == "Candidate(lost: NaCl, failed at relax: <no> end)"


def test_it_is_a_list_in_all_respects() -> None:
    found = _list()
    assert isinstance(found, list)
    assert found == list(found)
    assert isinstance(found[:2], Candidates)
    assert isinstance(found + found[:1], Candidates)
    assert pickle.loads(pickle.dumps(found)) == found
    many = Candidates([_good(str(k), 0.0) for k in range(30)])
    assert repr(many).count("Candidate(") == 10
    assert repr(many).endswith("… 20 more]")
    assert repr(Candidates()) == "[]"


def test_a_data_frame_has_the_rows_of_the_summary() -> None:
    frame = _list().to_dataframe()
    assert list(frame.index) == ["best", "twin", "other", "lost"]
    assert frame.loc["best", "e_decomposition"] == 0
    assert list(frame["answer"]) == [True, False, False, None]
    assert frame.loc["best", "structure"] == _SALT
    assert len(Candidates().to_dataframe()) == 0


def test_the_answer_is_the_one_that_tables_mark() -> None:
    found = _list()
    best = chggen.answer(found)
    assert best is found[0]
    likelier = _good("known", 0.01, prototype_log_odds=6.0)
    assert chggen.answer([*found, likelier]) is likelier  # 10 meV/atom cost less than a prototype gains
    assert chggen.answer([found[3]]) is None
    assert chggen.answer([]) is None
    raw = Candidate(id="raw", stage="generate", formula="NaCl", seed=0, raw=_SALT, structure=_SALT)
    assert chggen.answer([raw]) is None  # nothing tells it from others
    cheaper = replace(_good("k", -0.2), formula="KCl")
    assert chggen.answer([*found, cheaper]) is cheaper


def test_looking_at_what_is_not_there_is_refused() -> None:
    with pytest.raises(chggen.InputError, match="no structure to look at: it failed at relax"):
        _list()[3].view()
    with pytest.raises(chggen.InputError, match="expected one of py3Dmol, weas, nglview, ase, got 'vesta'"):
        chggen.view(_SALT, viewer="vesta")


def test_a_viewer_gets_the_structure(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr("ase.visualize.view", lambda atoms, **keywords: seen.append((atoms, keywords)))
    _list()[0].view()
    chggen.view(_SALT, viewer="ase")
    assert [re.sub(r"\d", "", str(atoms.symbols)) for atoms, _ in seen] == ["NaCl", "NaCl"]
    assert [keywords for _, keywords in seen] == [{}, {}]
