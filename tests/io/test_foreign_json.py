"""JSON of others names modules; none but those of crystals and entries is imported."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from monty.json import MontyDecoder
from pymatgen.core import Lattice, Structure

from chggen.errors import InputError
from chggen.io import read_foreign_json, without_foreign_classes

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture
def harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module whose import leaves a file, which is returned."""
    mark = tmp_path / "imported"
    (tmp_path / "harmful_module.py").write_text(f"open({str(mark)!r}, 'w').close()\nclass Harm: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "harmful_module", raising=False)
    return mark


_FOREIGN: list[dict[str, Any]] = [
    {"@module": "harmful_module", "@class": "Harm"},
    {"@module": "harmful_module", "@callable": "Harm"},
    {
        "@module": "numpy",
        "@class": "array",
        "@callable": "Harm",
        "@bound": {"@module": "harmful_module", "@class": "X"},
    },
    {"@module": "harmful_module", "@class": "Harm", "value": 1},
    {"@module": ["harmful_module"], "@class": "Harm"},
    {"a": [{"b": {"@module": "harmful_module", "@class": "Harm", "c": 2}}]},
]


@pytest.mark.parametrize("given", _FOREIGN)
def test_a_module_that_a_file_names_is_not_imported(harm: Path, given: dict[str, Any]) -> None:
    MontyDecoder().process_decoded(without_foreign_classes(given))
    table = SALT.as_dict()
    table["properties"] = {"x": given}
    for site in table["sites"]:
        site["properties"] = {"x": given}
    assert Structure.from_dict(without_foreign_classes(table)).composition == SALT.composition
    assert not harm.exists()


def test_monty_alone_would_import_it(harm: Path) -> None:
    MontyDecoder().process_decoded(_FOREIGN[0])
    assert harm.exists()


def test_crystals_stay_what_they_are() -> None:
    magnetic = SALT.copy(site_properties={"magmom": [float(k) for k in range(8)]})
    found = MontyDecoder().process_decoded(without_foreign_classes(json.loads(magnetic.to_json())))
    assert found == magnetic
    assert found.site_properties == magnetic.site_properties


def test_a_member_of_an_enumeration_becomes_its_value() -> None:
    member = {"@module": "emmet.core.types.enums", "@class": "RunType", "value": "GGA+U"}
    assert without_foreign_classes({"run_type": member}) == {"run_type": "GGA+U"}


def test_files_that_are_no_json_are_refused_and_packed_ones_read(tmp_path: Path) -> None:
    path = tmp_path / "x.json.gz"
    path.write_bytes(gzip.compress(b"[1, 2]"))
    assert read_foreign_json(path) == [1, 2]
    for content in (b"", b"[1", b"[" * 100_000, b"\xff\xfe"):
        path = tmp_path / "x.json"
        path.write_bytes(content)
        with pytest.raises(InputError, match="is no readable JSON file"):
            read_foreign_json(path)
    path.write_bytes(b"\x1f\x8b")
    with pytest.raises(InputError, match="cannot be read"):
        read_foreign_json(path)
    bomb = tmp_path / "bomb.json.gz"
    with gzip.open(bomb, "wb", compresslevel=1) as handle:
        for _ in range(17):
            handle.write(b" " * 2**25)
    with pytest.raises(InputError, match="holds more than 512 MiB of text"):
        read_foreign_json(bomb)
