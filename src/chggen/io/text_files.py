"""Reading files as text, whatever their encoding and compression, with a bound on what they unpack to."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import zlib
from pathlib import Path
from typing import Final

from chggen.errors import InputError

MAX_TEXT_BYTES: Final = 2**28
"""Most bytes that the text of a structure file may have once it is unpacked."""
COMPRESSED: Final = (".gz", ".bz2", ".xz")
"""Endings of compressed files. What a file is compressed with is told from its first bytes, though."""
_PACKED: Final = {b"\x1f\x8b": gzip.GzipFile, b"BZh": bz2.BZ2File, b"\xfd7zXZ\x00": lzma.LZMAFile}
_UNKNOWN: Final = {b"\x28\xb5\x2f\xfd": "zstd", b"\x1f\x9d": "compress", b"PK\x03\x04": "zip"}
_MARKS: Final = (  # UTF-32 before UTF-16, whose mark its own begins with
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip


def read_text(path: Path, most: int = MAX_TEXT_BYTES) -> str:
    """Return the text of a file, unpacked if it is compressed with gzip, bzip2 or xz.

    UTF-8, UTF-16 and UTF-32 with a byte order mark, UTF-8 without, and else Latin-1 are understood. Crystallographic
    files are ASCII but for comments and names, so a wrong guess between the last two changes no number.

    Args:
        path: The file.
        most: Most bytes that it may hold once unpacked.

    Returns:
        The text, with line ends as `\\n`.

    Raises:
        InputError: The file cannot be read or unpacked, or holds more bytes than `most`.
    """
    return decoded(_unpacked(path, most))


def own_text(path: Path) -> str:
    """Return the text of a file that chggen wrote itself.

    Args:
        path: The file.

    Raises:
        OSError: There is none, or what is there is no file: a pipe would be waited at for ever.
        UnicodeDecodeError: It is no UTF-8.
    """
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is no file")
    return path.read_text(encoding="utf-8")


def decoded(data: bytes) -> str:
    """Return bytes as text, as `read_text` does.

    Args:
        data: Any bytes.

    Returns:
        The text, with line ends as `\\n`.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            text = data[len(mark) :].decode(encoding, errors="replace")
            break
    else:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _unpacked(path: Path, most: int) -> bytes:
    """Return the bytes of a file, read no further than the bound."""
    try:
        with path.open("rb") as file:
            head = file.read(6)
            file.seek(0)
            packed = next((kind for mark, kind in _PACKED.items() if head.startswith(mark)), None)
            unknown = next((name for mark, name in _UNKNOWN.items() if head.startswith(mark)), None)
            if unknown is not None:
                raise InputError(f"{path} is packed with {unknown}; expected plain text, .gz, .bz2 or .xz; unpack it")
            data = file.read(most + 1) if packed is None else _contents(packed(path), most)
    except InputError:
        raise
    except (OSError, EOFError, lzma.LZMAError, zlib.error, ValueError) as error:
        raise InputError(
            f"{path} cannot be read ({getattr(error, 'strerror', None) or error}); check the file"
        ) from None
    if len(data) > most:
        raise InputError(f"{path} holds more than {most // 2**20} MiB of text; expected less, so split the file")
    return data


def _contents(unpacked: gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile, most: int) -> bytes:
    """Return what an opened compressed file holds, one byte more than `most` at most, and close it."""
    with unpacked:
        return unpacked.read(most + 1)
