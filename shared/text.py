"""Folding of text for search: lower case, Latin marks and đ folded, Cyrillic untouched."""

import re
import unicodedata
from functools import cache
from typing import Any, Final

import numpy as np

_STROKED: Final = str.maketrans({"đ": "d", "ð": "d"})
# After NFD the marks follow their base letter: those on Latin letters go, й, ї and ё keep theirs.
_MARKS_ON_LATIN: Final = re.compile("(?<=[a-z])[\u0300-\u036f]+")
_MARKS: Final = slice(0x300, 0x370)
# Letters above this are not folded: those that lower-casing or composition changes take the slow way.
_LAST_CHANGED: Final = 0x2000
_TABLE_SIZE: Final = 0x10000
_SURROGATES: Final = slice(0xD800, 0xE000)
# Lower-cased by its place in the word.
_SIGMA: Final = 0x3A3


def fold(text: str) -> str:
    """Return the search form of a text: lower case, without the marks on Latin letters; й, ї and ё stay.

    >>> fold("Đầu hàng ở Київ")
    'dau hang o київ'
    """
    if text.isascii():
        return text.lower()
    # Composed text is looked up letter by letter, many times as fast; 0 stands for what depends on its neighbours.
    units = np.frombuffer(text.encode("utf-16-le", "surrogatepass"), np.uint16)
    folded = _table().take(units, mode="clip").tobytes().decode("utf-16-le")
    return _fold_any(text.lower()) if "\0" in folded else folded


def _fold_any(lowered: str) -> str:
    decomposed = unicodedata.normalize("NFD", lowered.translate(_STROKED))
    return unicodedata.normalize("NFC", _MARKS_ON_LATIN.sub("", decomposed))


@cache
def _table() -> Any:
    """Return what each UTF-16 unit becomes by itself; 0 where that depends on its neighbours, or is more than one unit."""
    table = np.arange(_TABLE_SIZE, dtype=np.uint16)
    for code in range(_LAST_CHANGED):
        folded = _fold_any(chr(code).lower())
        table[code] = ord(folded) if len(folded) == 1 else 0
    joining: set[str] = set()
    for code in range(_TABLE_SIZE):
        letter = chr(code)
        joining.update(unicodedata.normalize("NFD", letter)[1:])
        changed = code >= _LAST_CHANGED and unicodedata.normalize("NFC", letter.lower()) != letter
        if changed or unicodedata.combining(letter):
            table[code] = 0
    table[[ord(letter) for letter in joining if ord(letter) < _TABLE_SIZE]] = 0
    table[_MARKS] = table[_SURROGATES] = table[_SIGMA] = 0
    return table
