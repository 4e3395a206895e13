"""The database: read once, written batch by batch, whole after a kill, and refused in a sentence when damaged."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import ase.db.sqlite
import numpy as np
import pytest
from ase.db import connect
from pymatgen.core import Lattice, Structure

from chggen.errors import InputError
from chggen.results.candidate import Candidate
from chggen.results.database import FILE, CandidateDatabase, from_record, read_candidates, to_record


def _salt() -> Structure:
    corners = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    return Structure(Lattice.cubic(5.64), ["Na"] * 4 + ["Cl"] * 4, corners + [[x + 0.5, y, z] for x, y, z in corners])


def _candidate(name: str = "a", structure: Structure | None = None) -> Candidate:
    shown = _salt() if structure is None else structure
    return Candidate(
        id=name, stage="generate", formula="NaCl", seed=2**62, structure=shown, raw=shown, level="pbe",
        energies={"pbe": -1 / 3},
    )  # fmt: skip


def _odd_structures() -> Iterator[Structure]:
    yield _salt().perturb(0.1)
    charged = _salt()
    charged.add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    yield charged
    moments = _salt()
    moments.add_site_property("magmom", [0.1] * 8)
    yield moments
    labels = _salt()
    labels[0].label = "Na_first"
    yield labels
    yield Structure(_salt().lattice, ["Na"], [[-0.3, 1.7, math.pi]], charge=1, properties={"from": "a test"})
    yield Structure(Lattice.cubic(3, pbc=(True, True, False)), ["Na"], [[0, 0, 0]])


@pytest.mark.filterwarnings("ignore:Structure charge")  # pymatgen: one of them has a charge that no site has
@pytest.mark.parametrize("structure", list(_odd_structures()))
def test_structures_come_back_equal_to_the_last_bit(tmp_path: Path, structure: Structure) -> None:
    put = _candidate("a", structure)
    CandidateDatabase(tmp_path).put([put])
    (found,) = read_candidates(tmp_path)
    assert found == put
    assert found.structure is not None
    assert found.structure.as_dict() == structure.as_dict()
    assert np.array_equal(found.structure.frac_coords, structure.frac_coords)


def test_every_field_comes_back() -> None:
    known: dict[str, Any] = {
        "decomposition_energies": {"pbe": 0.1, "r2scan": -0.2},
        "reason": '"π"\n',
        "converged": False,
    }
    for put in (replace(_candidate(), **known), Candidate(id="b", stage="relax", formula="K", seed=0, status="failed")):
        assert from_record(to_record(put)) == put


def test_structures_as_versions_before_wrote_them_are_read() -> None:
    import json

    record = json.loads(to_record(_candidate()))
    old = json.dumps(record | {"structure": _salt().as_dict(), "raw": _salt().as_dict()})
    assert from_record(old) == _candidate()


def test_the_file_is_read_when_it_is_opened_and_never_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    CandidateDatabase(tmp_path).put([_candidate(f"c{k}") for k in range(3)])
    database = CandidateDatabase(tmp_path)

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("the file is read")

    with monkeypatch.context() as patched:
        patched.setattr(ase.db.sqlite.SQLite3Database, "_select", refused)
        database.put([replace(_candidate("c1"), seed=7), _candidate("c0"), replace(_candidate("c0"), seed=8)])
        database.put([_candidate("b")])
        found = database.candidates()
    assert list(found) == ["b", "c0", "c1", "c2"]
    assert [c.seed for c in found.values()] == [2**62, 8, 7, 2**62]
    assert read_candidates(tmp_path) == list(found.values())
    assert connect(tmp_path / FILE).count() == 4
    assert connect(tmp_path / FILE).get(candidate="c0").formula == "Na4Cl4"


def test_names_that_share_a_label_are_two_candidates(tmp_path: Path) -> None:
    database = CandidateDatabase(tmp_path)
    for name in ("1", "id 1"):
        database.put([_candidate(name)])
    assert [c.id for c in read_candidates(tmp_path)] == ["1", "id 1"]


def test_a_run_killed_while_it_makes_the_file_can_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def up_to(count: int) -> Iterator[str]:
        yield from whole[:count]
        raise Killed

    def by_the_living(path: Path, missing_ok: bool = False) -> None:
        if sys.exc_info()[0] is not Killed:  # a process that is killed tidies nothing up
            unlink(path, missing_ok=missing_ok)

    unlink = Path.unlink
    whole = list(ase.db.sqlite.init_statements)
    for count in range(len(whole)):
        with monkeypatch.context() as patched:
            patched.setattr(ase.db.sqlite, "init_statements", up_to(count))
            patched.setattr(Path, "unlink", by_the_living)
            with pytest.raises(Killed):
                CandidateDatabase(tmp_path)
        assert not (tmp_path / FILE).exists()
    CandidateDatabase(tmp_path).put([_candidate()])
    assert [p.name for p in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("record", ["{", "[]", '{"id": "a"}', '{"structure": null, "raw": null, "hue": 1}', "{}"])
def test_a_damaged_row_is_refused_in_a_sentence(tmp_path: Path, record: str) -> None:
    CandidateDatabase(tmp_path).put([_candidate()])
    database = connect(tmp_path / FILE, use_lock_file=False)
    database.update(1, data={"record": record})
    for read in (CandidateDatabase, read_candidates):
        with pytest.raises(InputError, match=r"candidates\.db is no database of candidates .*; delete it or choose"):
            read(tmp_path)


def test_a_file_cut_short_is_refused_in_a_sentence(tmp_path: Path) -> None:
    CandidateDatabase(tmp_path).put([_candidate(f"c{k}") for k in range(40)])
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for read in (CandidateDatabase, read_candidates):
        with pytest.raises(InputError, match=r"candidates\.db is no database of candidates"):
            read(tmp_path)
