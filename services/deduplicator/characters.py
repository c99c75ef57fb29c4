"""Texts as numpy arrays of code points: what kind each character is, by one table, and the runs of characters of a kind.

Three times as fast as `re` for cutting names and numbers out of a text, with the same answers (tests hold the two together).
"""

import re
import sys
from typing import Final

import numpy as np
import numpy.typing as npt

DIGIT: Final = 2
LETTER: Final = 4
CAPITAL: Final = 8
"""A capital letter of the Latin and Cyrillic alphabets, Vietnamese ones included."""
OPENING: Final = 16
"""What may stand between the end of a sentence and the first word of the next."""
ENDING: Final = 32
"""What a sentence ends with; a colon as well: a quotation begins after it."""
POINT: Final = 64
"""What groups digits or begins a fraction."""
SLASH: Final = 128

Codes = npt.NDArray[np.uint32]
Kinds = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

_CAPITALS: Final = "".join(filter(str.isupper, map(chr, (*range(0x530), *range(0x1E00, 0x1F00)))))
_PATTERNS: Final = (
    (DIGIT, r"\d+"),
    (LETTER, r"[^\W\d_]+"),
    (CAPITAL, f"[{_CAPITALS}]+"),
    (OPENING, r"[ \"“«'(\[–-]+"),
    (ENDING, r"[.!?…:\n]+"),
    (POINT, "[.,]+"),
    (SLASH, "/+"),
)


def _table() -> Kinds:
    """Return the kinds of every code point: what each of the patterns matches."""
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    table = np.zeros(len(everything), np.uint8)
    for kind, pattern in _PATTERNS:
        for run in re.finditer(pattern, everything):
            table[run.start() : run.end()] |= kind
    return table


_TABLE: Final = _table()


def codes_of(text: str) -> Codes:
    """Return the code points of a text."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def kinds_of(codes: Codes) -> Kinds:
    """Return the kinds of each character, as bits."""
    return _TABLE.take(codes)


def inside_numbers(kinds: Kinds, points: int) -> Places:
    """Return where the characters of the kinds `points` are that have a digit on either side."""
    at = np.flatnonzero(kinds[1:-1] & points > 0) + 1
    return at[kinds[at - 1] & kinds[at + 1] & DIGIT > 0]


def runs(mask: Mask) -> tuple[Places, Places]:
    """Return where the runs of marked characters begin, and where they end."""
    padded = np.zeros(len(mask) + 2, np.bool_)
    padded[1:-1] = mask
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return edges[::2], edges[1::2]
