"""InputError, the exception for input that cannot be used, and the words of its message."""

from __future__ import annotations

import re
from typing import Final

MOST_CHARACTERS: Final = 290
"""Length of the longest message: with the program's name before it, a line of 300 characters at most."""
_LONG_WORD: Final = 60  # characters; longer ones, such as paths, are shortened before anything else is
_TAIL: Final = 120  # characters of the end that are kept, where the remedy stands
_CUT: Final = "…"


class InputError(ValueError):
    """Input from the user that cannot be used.

    The message is one sentence that says what is wrong, what was expected, what was given, and what to do about it.
    The command line prints the message and exits with status 2. Whatever the input was, the message is one line of at
    most 290 characters: long words such as paths lose their beginning, then the middle is left out.

    Args:
        message: The sentence.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(str(message)))


def counted(number: int, thing: str) -> str:
    """Return a number of things in words.

    Args:
        number: How many there are.
        thing: What one of them is called; more get an s.
    """
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def one_line(text: str, most: int = MOST_CHARACTERS) -> str:
    """Return a text as one line that is not too long, its beginning and its end kept.

    Args:
        text: Any text. What a terminal would not print, such as a line break, is replaced.
        most: Number of characters of the longest line.

    Returns:
        The line.
    """
    line = "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in text.strip()).strip()
    if len(line) <= most:
        return line
    # only as much as a text of any size needs: a word has to lose its beginning, the middle is left out below
    words = re.split(r"( +)", line if len(line) <= 20 * most else line[: 10 * most] + line[-10 * most :])
    excess = sum(map(len, words)) - most
    for k in sorted(range(len(words)), key=lambda k: -len(words[k])):
        if excess <= 0 or len(words[k]) <= _LONG_WORD:
            break
        kept = max(_LONG_WORD, len(words[k]) - excess - 1)
        excess -= len(words[k]) - kept
        words[k] = _CUT + words[k][1 - kept :]
    line = "".join(words)
    if len(line) <= most:
        return line
    tail = min(_TAIL, most // 2)
    return f"{line[: most - tail - 3].rstrip()} {_CUT} {line[-tail:].lstrip()}"
