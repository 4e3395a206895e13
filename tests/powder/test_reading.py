"""Powder patterns are read from the text of many programs; what is none is refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chggen.errors import InputError
from chggen.powder import PowderPattern, PreparedPattern, as_pattern, read_pattern

X = np.arange(10, 60, 0.5)
Y = 100 + 50 * np.sin(X) ** 2
ROWS = list(zip(X, Y, strict=True))


def written(folder: Path, text: str, name: str = "pattern.xy") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "line", "heading"),
    [
        ("a.xy", "{:.3f} {:.3f}", ""),
        ("a.xye", "{:.3f}\t{:.3f}\t1.5", "# sample of a colleague, d. 3\n"),
        ("a.csv", "{:.3f},{:.3f}", "2theta,intensity\n"),
        ("a.csv", "{:.3f}; {:.3f};", '"Angle";"Counts"\n'),
        ("a.dat", "  {:.3e}   {:.3e}  ", "! comment\n' another\n\nTwo Theta Intensity\n"),
    ],
)
def test_text_of_many_kinds_is_read(tmp_path: Path, name: str, line: str, heading: str) -> None:
    text = heading + "\n".join(line.format(x, y) for x, y in ROWS) + "\n# end\n"
    found = read_pattern(written(tmp_path, text, name))
    assert np.allclose(found.two_theta, X, atol=1e-2)
    assert np.allclose(found.intensity, Y, rtol=1e-3)
    assert found.name == name


def test_a_decimal_comma_is_understood(tmp_path: Path) -> None:
    text = "\n".join(f"{x:.2f};{y:.2f}".replace(".", ",") for x, y in ROWS)
    assert np.allclose(read_pattern(written(tmp_path, text)).intensity, Y, atol=0.01)


def _lines(rows: list[tuple[float, ...]]) -> str:
    return "\n".join(" ".join(f"{v:.4f}" for v in row) for row in rows)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no line of two numbers"),
        ("PK\x01binary\n\x02", "no line of two numbers"),
        ("\n".join(f"{x}" for x in X), "1 columns"),
        (_lines([(x, y, 1.0, 2.0) for x, y in ROWS]), "4 columns"),
        (_lines(ROWS) + "\n61 1 2", "lines of 2 and 3 numbers"),
        (_lines(ROWS) + "\n61 high", "line 101"),
        (_lines(ROWS[:20]), "20 points"),
        (_lines(ROWS[:60] + ROWS[:60]), "does not increase"),
        (_lines([(12 / (k + 1), y) for k, (_, y) in enumerate(ROWS)]), "falls from 12"),
        (_lines([(x, y - 120) for x, y in ROWS]), "negative intensities"),
        (_lines([(x, 7.0) for x, _ in ROWS]), "all intensities"),
        (_lines([(x + 150, y) for x, y in ROWS]), "between 0 and 180"),
        ("d(A) I\n" + _lines(ROWS), "names no 2θ"),
        ("# d-spacing, counts\n" + _lines(ROWS), "names no 2θ"),
        ("q I\n" + _lines(ROWS), "names no 2θ"),
    ],
)
def test_what_is_no_pattern_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InputError, match=told) as refused:
        read_pattern(written(tmp_path, text))
    assert len(str(refused.value)) <= 300


def test_d_spacings_that_increase_are_refused() -> None:
    spacings = PowderPattern(np.linspace(1, 10, 200), 1 + np.arange(200.0) % 7)
    with pytest.raises(InputError, match="ends at 10, which as 2θ"):
        PreparedPattern.of(spacings, 1.54184)


def test_arrays_and_files_are_patterns_and_other_things_are_none(tmp_path: Path) -> None:
    pattern = as_pattern(np.array(ROWS))
    assert as_pattern(pattern) is pattern
    assert np.allclose(as_pattern(str(written(tmp_path, _lines(ROWS)))).two_theta, X)
    for wrong in (np.zeros(5), "no-such-file.xy", 3, [[1, "a"]]):
        with pytest.raises(InputError, match="pattern"):
            as_pattern(wrong)


def test_points_are_averaged_onto_an_even_grid() -> None:
    x = np.concatenate([np.arange(10, 40, 0.01), np.arange(40, 100, 0.04)])
    prepared = PreparedPattern.of(PowderPattern(x, 50 + 2 * x), 1.54184)
    assert len(prepared.two_theta) <= 3001
    assert prepared.two_theta[-1] < 90.1  # planes 1.09 Å apart
    inner = slice(3, -3)
    assert np.allclose(prepared.measured[inner], 50 + 2 * prepared.two_theta[inner], rtol=1e-3)
    assert np.abs(prepared.net).max() < 1  # all of it is background
