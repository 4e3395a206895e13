"""Results folders that were damaged, made by another version, or by a stranger: refused by name, or they work."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.reliability.folders import edit_row
from tests.reliability.processes import ended, start
from tests.reliability.trials import Bench, Trial

_EITHER: Final = ("refused", "done")
_RESUMED: Final = ("refused", "accepted", "done")
_TAG: Final = "<script>alert(1)</script>"
_IMAGE: Final = "<img src=x onerror=alert(1)>"


class Copies:
    """Copies of a good results folder to damage, and what the commands say to them.

    Args:
        bench: The bench.
        inputs: Folder of `make_inputs`.
    """

    def __init__(self, bench: Bench, inputs: Path) -> None:
        self.bench = bench
        self.resume = ["relax", str(inputs / "three"), "--workers", "1"]
        self.good = inputs / "results"

    def copy(self) -> Path:
        """Return a fresh copy."""
        shutil.rmtree(self.bench.out, ignore_errors=True)
        shutil.copytree(self.good, self.bench.out)
        return self.bench.out

    def all_commands(
        self, name: str, report: Sequence[str] = ("refused",), resumed: Sequence[str] = ("refused",)
    ) -> Iterator[Trial]:
        """Give each command that reads the folder; arguments are the right outcomes."""
        out = str(self.bench.out)
        for arguments, expected in (
            (["report", out], report),
            (["export", out, "--to", "cif"], report),
            ([*self.resume, "-o", out], resumed),
        ):
            yield self.bench.call(arguments, f"{arguments[0]}: {name}", expected=expected, fresh=False)


def make_results(inputs: Path) -> None:
    """Make a good results folder, `inputs/results`, unless it is there. Computes for seconds.

    Args:
        inputs: Folder of `make_inputs`.
    """
    making = inputs / "results.making"
    if not (inputs / "results").exists():
        shutil.rmtree(making, ignore_errors=True)
        arguments = ["relax", str(inputs / "three"), "--workers", "1", "-o", str(making)]
        code = ended(start(arguments, inputs / "results.log", inputs), 600)
        if code != 0:
            raise RuntimeError(f"the results ended with {code}: {inputs / 'results.err'}")
        making.rename(inputs / "results")


def damaged_folders(bench: Bench, inputs: Path, short: bool) -> Iterator[Trial]:
    """Damage configuration, database and rows in many ways; every twelfth way in the short form."""
    copies = Copies(bench, inputs)
    copies.copy()
    yield from copies.all_commands("whole", ("done",), ("accepted", "done"))
    ways = [*_configurations(copies.good), *_databases(), *_rows(), *_files(copies.good)]
    for name, damage, report, resumed in ways[:: 12 if short else 1]:
        folder = copies.copy()
        damage(folder)
        yield from copies.all_commands(name, report, resumed)


Way = tuple[str, Callable[[Path], object], Sequence[str], Sequence[str]]


def _configurations(good: Path) -> Iterator[Way]:
    whole = (good / "config.toml").read_text()
    texts: dict[str, str | bytes] = {
        "empty": "", "binary": b"\xff\xfe\0" * 100, "cut": "command = ", "of a seed": "seed = 1",
        "of one number": "references = 5", "of nothing": 'references = ["/nonexistent.npz"]',
        "of a stranger": 'references = ["/etc/passwd"]', "of numbers": "references = [5]",
        "nested": "a = " + "[" * 20000,
        "of long keys": "a" + ".a" * 20000 + " = 1", "of the future": whole + "\n[future]\nx = 1\n",
        "of long numbers": "a = " + "9" * 5000,
    }  # fmt: skip
    for name, text in texts.items():
        content = text if isinstance(text, bytes) else text.encode()

        def damage(folder: Path, content: bytes = content) -> None:
            (folder / "config.toml").write_bytes(content)

        yield f"a configuration {name}", damage, _EITHER, _RESUMED
    yield "no configuration", lambda folder: (folder / "config.toml").unlink(), _EITHER, _RESUMED


def _databases() -> Iterator[Way]:
    """The database changed by statements: a name, the statements, and whether the folder may still be resumed."""
    statements: Mapping[str, Sequence[str]] = {
        "no table of information": ["DROP TABLE information"],
        "a version of the future": ["UPDATE information SET value='99' WHERE name='version'"],
        "a version that is a text": ["UPDATE information SET value='x' WHERE name='version'"],
        "a version of the past": ["UPDATE information SET value='4' WHERE name='version'"],
        "no table of keys": ["DROP TABLE keys"],
        "no table of rows": ["DROP TABLE systems"],
        "rows without data": ["UPDATE systems SET data=NULL"],
        "rows of empty data": ["UPDATE systems SET data=''"],
        "rows of other data": ["UPDATE systems SET data='{}'"],
        "rows of noise": ["UPDATE systems SET data=x'00112233445566778899'"],
        "broken keys": ["UPDATE systems SET key_value_pairs='{'"],
        "no keys": ["UPDATE systems SET key_value_pairs='{}'"],
        "no rows": ["DELETE FROM systems"],
        "no positions": ["UPDATE systems SET positions=NULL"],
        "broken metadata": ["INSERT INTO information VALUES('metadata', '{')"],
        "a trigger": ["CREATE TRIGGER t BEFORE UPDATE ON systems BEGIN SELECT RAISE(FAIL, 'no'); END"],
    }
    for name, given in statements.items():

        def damage(folder: Path, given: Sequence[str] = given) -> None:
            connection = sqlite3.connect(folder / "candidates.db")
            for statement in given:
                connection.execute(statement)
            connection.commit()
            connection.close()

        yield f"a database with {name}", damage, _EITHER, _RESUMED


def _rows() -> Iterator[Way]:
    fields: Mapping[str, dict[str, Any]] = {
        "a field of the future": {"future": 1}, "an id that is a number": {"id": 5}, "no id": {"id": None},
        "an energy that is a text": {"energy_per_atom": "x"}, "an energy of NaN": {"energy_per_atom": float("nan")},
        "an odd status": {"status": "maybe"}, "a structure that is a text": {"structure": "x"},
        "an empty structure": {"structure": {}}, "no structure": {"structure": None},
        "an odd formula": {"formula": "!!"}, "no formula": {"formula": None}, "a long id": {"id": "x" * 10_000},
    }  # fmt: skip
    for name, change in fields.items():
        yield f"a row with {name}", lambda f, change=change: edit_row(f, 0, change), _EITHER, _RESUMED
    texts = {
        "no record": '{"x": 1}', "a broken record": '{"record": "{"}', "a list": '{"record": "[]"}',
        "a number": '{"record": 5}', "nested lists": '{"record": "' + "[" * 50_000 + '"}',
        "no field": '{"record": "{}"}',
    }  # fmt: skip
    for name, text in texts.items():
        yield f"a row of {name}", lambda f, text=text: edit_row(f, 0, None, text), _EITHER, _RESUMED


def _files(good: Path) -> Iterator[Way]:
    """Each file of the folder emptied, cut, swapped for noise, or for a folder."""
    noise = random.Random(3).randbytes(5000)
    for path in sorted(p for p in good.rglob("*") if p.is_file()):
        name, whole = str(path.relative_to(good)), path.read_bytes()
        contents = {
            "empty": b"",
            "cut in half": whole[: len(whole) // 2],
            "noise": noise,
            "its first bytes": whole[:100],
        }
        for kind, content in contents.items():

            def damage(folder: Path, name: str = name, content: bytes = content) -> None:
                (folder / name).write_bytes(content)

            yield f"{name} {kind}", damage, _EITHER, _RESUMED

        def swap(folder: Path, name: str = name) -> None:
            (folder / name).unlink()
            (folder / name).mkdir()

        yield f"{name} a folder", swap, _EITHER, _RESUMED


def damaged_bytes(bench: Bench, inputs: Path, short: bool) -> Iterator[Trial]:
    """Change random bytes of the database, which is then refused or works."""
    copies = Copies(bench, inputs)
    for number in range(4 if short else 200):
        rng = random.Random(f"bytes-{number}")
        path = copies.copy() / "candidates.db"
        data = bytearray(path.read_bytes())
        for _ in range(rng.choice([1, 5, 50])):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data[: rng.randrange(len(data))] if rng.random() < 0.3 else data)
        yield from copies.all_commands(f"bytes {number}", _EITHER, _RESUMED)


def escapes(bench: Bench, inputs: Path, short: bool) -> Iterator[Trial]:
    """Give folders whose ids are paths: nothing is written or deleted outside of them."""
    copies = Copies(bench, inputs)
    victim = bench.box / "victim.cif"
    ids = (
        "../../../ESCAPED",
        str(bench.work / "a" / "ESCAPED"),
        "x/../../../y/ESCAPED",
        "..",
        "a/b",
        "a\0b",
        "x\\..\\y",
    )
    for name in ids[:: 3 if short else 1]:
        for to in ("cif", "vasp"):
            edit_row(copies.copy(), 0, {"id": name, "duplicate_of": None})
            arguments = ["export", str(bench.out), "--to", to]
            yield bench.call(arguments, f"export --to {to}, id {name[-30:]!r}", expected=_EITHER, fresh=False)
    for name in ("../../victim", str(victim.with_suffix(""))):
        for command in (["export", str(bench.out), "--to", "cif"], ["report", str(bench.out)]):
            edit_row(copies.copy(), 1, {"id": name, "status": "failed"})
            victim.write_text("mine")

            def survived() -> str:
                return (
                    "" if victim.exists() and victim.read_text() == "mine" else "a file outside was deleted or changed"
                )

            told = f"{command[0]}, failed id {name[-20:]!r}"
            yield bench.call(command, told, expected=_EITHER, check=survived, fresh=False)


def markup(bench: Bench, inputs: Path, short: bool) -> Iterator[Trial]:
    """Give folders with markup in every text of a row: none gets into the page."""
    copies = Copies(bench, inputs)
    fields = (
        "id",
        "reason",
        "known_as",
        "decomposition_products",
        "level",
        "found_by",
        "formula",
        "stage",
        "failed_at",
    )
    for field in fields[:: 3 if short else 1]:
        for text in (_TAG, _IMAGE, f"</script>{_TAG}"):
            folder = copies.copy()
            (folder / "report.html").unlink()
            failed = (
                {"status": "failed", "failed_at": "relax", "reason": "x"} if field in ("reason", "failed_at") else {}
            )
            edit_row(folder, 0, failed | {field: text})

            def clean(page: Path = folder / "report.html") -> str:
                content = page.read_text() if page.exists() else ""
                return "; ".join(f"{found} of the input in the page" for found in (_TAG, _IMAGE) if found in content)

            arguments = ["report", str(folder)]
            yield bench.call(arguments, f"report, {text} in {field}", expected=_EITHER, check=clean, fresh=False)


def build_folders(bench: Bench, inputs: Path, short: bool) -> Iterator[Trial]:
    """Damage the folder of `references build`, which then goes on, or says that it cannot."""
    from chggen.stability.references import BUILD

    row = {"id": "a", "level": "pbe", "static": 1, "formula": "Li", "space_group": 1, "n_atoms": 1}
    log = "rows.jsonl"
    ways = {
        f"{BUILD} empty": (BUILD, b""), f"{BUILD} a list": (BUILD, b"[]"), f"{BUILD} a table": (BUILD, b"{}"),
        f"{BUILD} cut": (BUILD, b"{"), f"{log} of noise": (log, b"x\n"), f"{log} binary": (log, b"\xff\xfe\n"),
        f"{log} a list": (log, b"[1]\n"), f"{log} cut": (log, b'{"id": "a"'),
        f"{log} without fields": (log, b'{"id": "a", "level": "pbe", "static": 1}\n'),
        f"{log} of NaN": (log, json.dumps(row | {"static": float("nan")}).encode()),
        f"{log} of texts": (log, json.dumps(row | {"static": "x"}).encode()),
    }  # fmt: skip
    for name, (file, content) in list(ways.items())[:: 4 if short else 1]:
        shutil.rmtree(bench.out, ignore_errors=True)
        bench.out.mkdir()
        if file == log:
            (bench.out / BUILD).write_text('{"fmax": 0.1, "files": {}}\n')
        (bench.out / file).write_bytes(content)
        arguments = ["references", "build", str(inputs / "li2o.cif"), "--workers", "1", "-o", str(bench.out)]
        yield bench.call(arguments, f"references build, {name}", expected=_RESUMED, fresh=False)
