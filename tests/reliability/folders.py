"""Comparing results folders: files byte by byte, rows by their ids, what was left behind."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from typing import Any, Final

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TITLE: Final = re.compile(r"<title>.*?</title>|<h1>.*?</h1>", re.DOTALL)
_VOLATILE: Final = ("log.txt", "candidates.db", "candidates.db-wal", "candidates.db-shm", ".lock")


def rows(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of a results folder as they are stored.

    Args:
        folder: The folder; it may have no database yet.

    Returns:
        Records by id.

    Raises:
        ValueError: For a database that is not sound or holds an id twice.
    """
    path = folder / "candidates.db"
    if not path.exists():
        return {}
    connection = sqlite3.connect(path, timeout=30)
    try:
        sound = connection.execute("PRAGMA integrity_check").fetchone()[0]
        if sound != "ok":
            raise ValueError(f"integrity_check: {sound}")
        if not connection.execute("SELECT name FROM sqlite_master WHERE name='systems'").fetchall():
            return {}
        found: dict[str, dict[str, Any]] = {}
        for (data,) in connection.execute("SELECT data FROM systems"):
            record = json.loads(json.loads(_text(data))["record"])
            if record["id"] in found:
                raise ValueError(f"two rows of {record['id']}")
            found[record["id"]] = record
        return found
    finally:
        connection.close()


def edit_row(folder: Path, which: int, change: dict[str, Any] | None, whole: str | None = None) -> None:
    """Change a row of a results folder behind the program's back.

    Args:
        folder: The folder.
        which: Number of the row.
        change: Fields to set in its record.
        whole: Text in place of the row's whole data.
    """
    connection = sqlite3.connect(folder / "candidates.db")
    query = "SELECT id, data FROM systems ORDER BY id LIMIT 1 OFFSET ?"
    row, data = connection.execute(query, (which,)).fetchone()
    if whole is None:
        record = json.loads(json.loads(_text(data))["record"]) | (change or {})
        whole = json.dumps({"record": json.dumps(record)})
    connection.execute("UPDATE systems SET data=? WHERE id=?", ((8).to_bytes(8, "little") + whole.encode(), row))
    connection.commit()
    connection.close()


def _text(data: str | bytes) -> str:
    """The JSON text in ASE's format of data: its place as an 8-byte number, arrays, the text."""
    return data if isinstance(data, str) else data[int.from_bytes(data[:8], "little") :].decode()


def differences(reference: Path, other: Path) -> list[str]:
    """Return what differs between two results folders.

    Args:
        reference: The folder that is right.
        other: The folder to look at.

    Returns:
        A line for each file or row that is missing, left over or another. Random ids and titles of pages, logs and
        notes of when and how the runs were started do not count.
    """
    a, b = _files(reference), _files(other)
    told = [f"missing {name}" for name in sorted(set(a) - set(b))]
    told += [f"left over {name}" for name in sorted(set(b) - set(a))]
    told += [f"differs {name}" for name in sorted(set(a) & set(b)) if a[name] != b[name]]
    try:
        right, found = rows(reference), rows(other)
    except (ValueError, KeyError, sqlite3.Error) as error:
        return [*told, f"database: {error}"]
    told += [f"row missing {k}" for k in sorted(set(right) - set(found))]
    told += [f"row more {k}" for k in sorted(set(found) - set(right))]
    for k in sorted(set(right) & set(found)):
        if fields := [f for f in right[k] if right[k][f] != found[k].get(f)]:
            told.append(f"row {k} differs in {', '.join(fields)}")
    return told


def _files(folder: Path) -> dict[str, bytes]:
    """Every file below that the same run makes again, by relative name."""
    found = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.name not in _VOLATILE and not file.name.startswith("run"):
            content = file.read_bytes()
            if file.suffix == ".html":
                content = _TITLE.sub("", _UUID.sub("UUID", content.decode())).encode()
            found[str(file.relative_to(folder))] = content
    return found


def leftovers(folder: Path) -> list[str]:
    """Return the temporary files in a results folder whose run has ended.

    Args:
        folder: The folder.

    Returns:
        Their relative names.
    """
    marks = (".part", "-journal", ".tmp", ".making")
    return [str(f.relative_to(folder)) for f in folder.rglob("*") if any(mark in f.name for mark in marks)]
