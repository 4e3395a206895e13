"""Known phases of one's own: computed entries, and structures from a Materials Project server."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import pytest
from monty.serialization import dumpfn
from pymatgen.core import Lattice, Structure
from pymatgen.entries.computed_entries import ComputedEntry, ComputedStructureEntry

from chggen.errors import InputError
from chggen.io.structure_archive import NamedStructures
from chggen.stability.decomposition import hull
from chggen.stability.importing import entries_table
from chggen.stability.materials_project import fetch_entries, fetch_structures
from chggen.stability.references import References
from chggen.symmetry import structure_fingerprint

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture
def entries(tmp_path: Path) -> Path:
    given = [
        ComputedEntry("Na2", -2.6, entry_id="sodium"),
        ComputedEntry("Cl4", -7.2, entry_id="chlorine"),
        ComputedStructureEntry(SALT, -8 * 3.4, correction=-8 * 0.1, entry_id="salt"),
        ComputedEntry("Na3Cl", -8.0),
    ]
    dumpfn(given, tmp_path / "entries.json")
    return tmp_path / "entries.json"


def test_entries_become_a_table_at_their_level(entries: Path, tmp_path: Path) -> None:
    table = References.load(entries_table(entries, "pbe-dft", tmp_path / "out"))
    found = {e.id: e for e in table.system(["Na", "Cl"], "pbe-dft")}
    assert found["sodium"].energy_per_atom == pytest.approx(-1.3)
    assert found["salt"].energy_per_atom == pytest.approx(-3.5)  # with its correction
    assert (found["salt"].formula, found["salt"].space_group, found["salt"].n_atoms) == ("NaCl", 225, 8)
    assert found["entry-3"].space_group == 0
    assert found["salt"].fingerprint == structure_fingerprint(SALT)
    assert found["entry-3"].fingerprint == ""  # an energy without its structure
    assert table.known_as("NaCl", -3.499, "pbe-dft", 225, SALT.get_primitive_structure()) == "salt"
    position = hull("NaCl", -3.4, level="pbe-dft", references=table)
    assert position.e_decomposition == pytest.approx(0.1, abs=1e-6)


def test_levels_are_not_compared(entries: Path, tmp_path: Path) -> None:
    table = References.load(entries_table(entries, "pbe-dft", tmp_path / "out"))
    position = hull("NaCl", -3.4, level="pbe", references=table)
    assert position.reason == "no pbe reference energies, only pbe-dft ones, and different levels cannot be compared"
    with pytest.raises(InputError, match="not at 'scan'; energies of different levels cannot be compared"):
        hull("NaCl", -3.4, level="scan", references=table)


@pytest.mark.parametrize("level", [None, ""])
def test_entries_without_a_level_are_refused(entries: Path, tmp_path: Path, level: str | None) -> None:
    with pytest.raises(InputError, match=r"need a level of theory; give one with --level"):
        entries_table(entries, level, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("level", ["pbe", "r2scan"])
def test_computed_energies_do_not_pass_for_predicted_ones(entries: Path, tmp_path: Path, level: str) -> None:
    with pytest.raises(
        InputError, match=rf"'{level}' is that of energies predicted by a potential.*such as {level}-dft"
    ):
        entries_table(entries, level, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_entries_of_two_functionals_are_refused(tmp_path: Path) -> None:
    mixed = [ComputedEntry("Na", -1.3, parameters={"run_type": kind}) for kind in ("GGA", "GGA+U", "R2SCAN")]
    dumpfn(mixed, tmp_path / "mixed.json")
    with pytest.raises(InputError, match="holds energies of GGA and R2SCAN, which cannot be compared"):
        entries_table(tmp_path / "mixed.json", "mine", tmp_path / "out")
    dumpfn(mixed[:2], tmp_path / "plus-u.json")
    assert entries_table(tmp_path / "plus-u.json", "mine", tmp_path / "out").exists()


def test_a_build_is_not_overwritten(entries: Path, tmp_path: Path) -> None:
    (tmp_path / "build.json").write_text("")
    with pytest.raises(InputError, match="holds energies of `chggen references build`; choose another --out"):
        entries_table(entries, "pbe-dft", tmp_path)


def test_imported_levels_do_not_overwrite_each_other(entries: Path, tmp_path: Path) -> None:
    path = entries_table(entries, "pbe-dft", tmp_path)
    with pytest.raises(InputError, match="holds energies at level 'pbe-dft'; choose another --out for those at 'hse'"):
        entries_table(entries, "hse", tmp_path)
    assert "pbe-dft" in References.load(entries_table(entries, "pbe-dft", tmp_path)).levels  # the same level, anew
    assert path.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "[1, 2]", '"entries"', '{"a": {"b": 1}}'])
def test_what_is_no_list_of_entries_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "wrong.json").write_text(text)
    with pytest.raises(InputError, match="expected a JSON list of pymatgen ComputedEntries"):
        entries_table(tmp_path / "wrong.json", "pbe-dft", tmp_path / "out")
    with pytest.raises(InputError, match="no file of entries at"):
        entries_table(tmp_path / "missing.json", "pbe-dft", tmp_path / "out")


def test_a_module_that_an_entry_names_is_not_imported(
    entries: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "imported"
    (tmp_path / "harmful_module.py").write_text(f"open({str(mark)!r}, 'w').close()\nclass Harm: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    harm = {"@module": "harmful_module", "@class": "Harm"}
    given = json.loads(entries.read_text())
    for entry in given:
        entry["data"] = {"x": harm}
        entry["parameters"] = {"run_type": {"@module": "harmful_module", "@class": "Harm", "value": "GGA"}}
    for site in given[2]["structure"]["sites"]:
        site["properties"] = {"x": harm}
    entries.write_text(json.dumps(given))
    table = References.load(entries_table(entries, "mine", tmp_path / "a"))
    assert "salt" in {e.id for e in table.system(["Na", "Cl"], "mine")}
    for alone in ([harm], harm, {"a": harm}):
        entries.write_text(json.dumps(alone))
        with pytest.raises(InputError, match="expected a JSON list of pymatgen ComputedEntries"):
            entries_table(entries, "mine", tmp_path / "b")
    assert not mark.exists()
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"energy": float("nan")}, {"energy": float("inf")}, {"energy": "x"}, {"energy": None}, {"composition": {}},
        {"composition": {"X": 1}}, {"composition": {"Li": -1}}, {"composition": {"Li": 1e9, "O": 1}},
        {"parameters": 5}, {"composition": {"Li": "x"}}, {"energy_adjustments": [5]},
    ],
)  # fmt: skip
def test_entries_that_mean_nothing_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    entry = ComputedEntry("Li2O", -14.0, entry_id="a").as_dict()
    (tmp_path / "entries.json").write_text(json.dumps([entry | change]))
    with pytest.raises(InputError, match="expected"):
        entries_table(tmp_path / "entries.json", "mine", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("level", [" ", "a" * 10_000, "pbe ", "a\nb", "\x07"])
def test_levels_that_are_no_names_are_refused(entries: Path, tmp_path: Path, level: str) -> None:
    with pytest.raises(InputError, match="is no name; expected up to 40 letters"):
        entries_table(entries, level, tmp_path / "out")


class Server:
    """Stands in for mp-api's client: remembers what it is asked for."""

    def __init__(self, *structures: Any) -> None:
        self.asked: list[dict[str, Any]] = []
        self.rows = [{"material_id": f"mp-{k}", "structure": s} for k, s in enumerate(structures)]
        self.materials = SimpleNamespace(summary=SimpleNamespace(search=self.search))

    def search(self, **query: Any) -> list[dict[str, Any]]:
        self.asked.append(query)
        return self.rows


def test_structures_are_fetched_once_and_kept(tmp_path: Path) -> None:
    server = Server(SALT, json.loads(SALT.to_json()))
    path = fetch_structures("Na-Cl", tmp_path, server)
    assert path == tmp_path / "Cl-Na.npz"
    assert server.asked == [
        {"chemsys": ["Cl", "Na", "Cl-Na"], "deprecated": False, "fields": ["material_id", "structure"]}
    ]
    found = NamedStructures((path,))
    assert found.names == ["mp-0", "mp-1"]
    assert found.structure("mp-1").matches(SALT)
    assert fetch_structures("Cl-Na", tmp_path, server) == path
    assert len(server.asked) == 1


def test_entries_of_a_functional_are_fetched_and_become_a_table(tmp_path: Path) -> None:
    asked: list[Any] = []

    def get(elements: list[str], **query: Any) -> list[ComputedEntry]:
        asked.append((elements, query))
        return [ComputedEntry("Na", -1.3), ComputedStructureEntry(SALT, -8 * 3.4), ComputedEntry("Cl2", -3.6)]

    path = fetch_entries("Na-Cl", "R2SCAN", tmp_path, SimpleNamespace(get_entries_in_chemsys=get))
    assert asked == [(["Cl", "Na"], {"additional_criteria": {"thermo_types": ["R2SCAN"]}})]
    assert path == tmp_path / "Cl-Na-r2scan.json"
    table = References.load(entries_table(path, "r2scan-dft", tmp_path))
    assert hull("NaCl", -3.3, level="r2scan-dft", references=table).e_decomposition == pytest.approx(0.1, abs=1e-6)
    with pytest.raises(InputError, match="holds no R2SCAN entries of Na-Cl"):
        fetch_entries("Na-Cl", "R2SCAN", tmp_path, SimpleNamespace(get_entries_in_chemsys=lambda *_, **__: []))
    with pytest.raises(InputError, match="gave no answer"):
        fetch_entries("Na-Cl", "R2SCAN", tmp_path, SimpleNamespace())


def test_a_corrupt_cache_is_fetched_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = Server(SALT)
    path = fetch_structures("Na-Cl", tmp_path, server)
    path.write_bytes(path.read_bytes()[:300])
    with caplog.at_level(logging.WARNING):
        assert NamedStructures((fetch_structures("Na-Cl", tmp_path, server),)).names == ["mp-0"]
    assert "is no archive of structures" in caplog.text
    assert len(server.asked) == 2


def test_what_the_server_cannot_give_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="holds no structures of Na-Cl"):
        fetch_structures("Na-Cl", tmp_path, Server())
    broken = Server(SALT)
    broken.materials.summary.search = lambda **_: 1 / 0
    with pytest.raises(InputError, match=r"gave no answer \(division by zero\); check the network and MP_API_KEY"):
        fetch_structures("Na-Cl", tmp_path, broken)
    with pytest.raises(InputError, match="'Na-Na' is no chemical system"):
        fetch_structures("Na-Na", tmp_path, Server(SALT))
    monkeypatch.delenv("MP_API_KEY", raising=False)
    with pytest.raises(InputError, match="fetching from the Materials Project needs"):
        fetch_structures("Na-Cl", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str, str]]]:
    """A server on this machine that answers as the Materials Project's does; what it was asked for, with which key."""
    asked: list[tuple[str, str, str]] = []
    answers = {
        "/heartbeat": {"version": "0.87.3", "db_version": "2025.09.25", "access_controlled_batch_ids": []},
        "/materials/summary/": {
            "data": [{"material_id": "mp-22862", "structure": SALT.as_dict()}], "meta": {"total_doc": 1},
        },
    }  # fmt: skip

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            asked.append((path, query, self.headers.get("x-api-key", "")))
            body = json.dumps(answers[path]).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing on the terminal."""

    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("CHGGEN_MP_ENDPOINT", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("MP_API_KEY", "k" * 32)
    yield asked
    server.shutdown()
    server.server_close()


def test_mp_api_fetches_from_a_recorded_server(recorded: list[tuple[str, str, str]], tmp_path: Path) -> None:
    pytest.importorskip("mp_api", reason="needs chggen[mp]")
    found = NamedStructures((fetch_structures("Na-Cl", tmp_path),))
    assert found.names == ["mp-22862"]
    assert found.structure("mp-22862").matches(SALT)
    path, query, key = recorded[-1]
    assert (path, key) == ("/materials/summary/", "k" * 32)
    asked = parse_qs(query)
    assert asked["chemsys"] == ["Cl,Na,Cl-Na"]
    assert asked["_fields"] == ["material_id,structure"]
