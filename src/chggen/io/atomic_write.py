"""Writing files so that they appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to, and move that file to `path` when the block ends.

    If the block raises, or the process is killed, the file that was at `path` before stays as it was. The folder is
    made where it does not exist.

    Args:
        path: Where the finished file goes.

    Yields:
        A hidden path in the same folder with the same suffix. The block writes the file there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file that appears whole or not at all.

    Args:
        path: The file to write. Its folder is made where it does not exist.
        text: The content of the file.
    """
    with whole(path) as temporary:
        temporary.write_text(text)
