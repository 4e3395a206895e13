"""InputError: one line that is not too long, whatever the input was, with its beginning and its remedy kept."""

from __future__ import annotations

import pickle

import pytest

from chggen.errors import InputError


@pytest.mark.parametrize(
    "middle",
    ["/tmp/" + "a" * 4000 + "/run", "a.cif, " * 2000, "9" * 10**6, "x" * 250 + " " + "y" * 250, " ".join("ab" * 300)],
)
def test_a_message_keeps_its_beginning_and_its_remedy(middle: str) -> None:
    told = str(InputError(f"cannot read {middle}; choose another folder with --out"))
    assert len(told) <= 290
    assert told.startswith("cannot read ")
    assert told.endswith("; choose another folder with --out")


def test_a_long_path_keeps_its_end() -> None:
    told = str(InputError("no file at /a/" + "deep/" * 100 + "salt.cif; check the path"))
    assert "deep/salt.cif; check the path" in told
    assert len(told) <= 290


def test_a_message_is_one_line_of_what_a_terminal_prints() -> None:
    assert str(InputError("no file x\ny\x1b[2J.cif\r\n")) == "no file x y?[2J.cif"


def test_a_short_message_stays_as_it_is_and_travels_between_processes() -> None:
    told = "unknown element “Xx” — expected one of H … Pu"
    assert str(InputError(told)) == told
    assert str(pickle.loads(pickle.dumps(InputError("a" * 5000)))) == str(InputError("a" * 5000))
