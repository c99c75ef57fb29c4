"""Folding of text for search: lower case, Latin marks and đ folded, Cyrillic untouched."""

import unicodedata
from typing import Final

_STROKED: Final = str.maketrans({"đ": "d", "Đ": "d", "ð": "d"})
_COMBINING_LATIN_BASES: Final = frozenset("abcdefghijklmnopqrstuvwxyz")


def fold(text: str) -> str:
    """Return the search form of a text: lower case, without the marks on Latin letters; й, ї and ё stay.

    >>> fold("Đầu hàng ở Київ")
    'dau hang o київ'
    """
    if text.isascii():
        return text.lower()
    folded: list[str] = []
    base = ""
    for character in unicodedata.normalize("NFD", text.lower().translate(_STROKED)):
        if unicodedata.combining(character):
            if base in _COMBINING_LATIN_BASES:
                continue
        else:
            base = character
        folded.append(character)
    return unicodedata.normalize("NFC", "".join(folded))
