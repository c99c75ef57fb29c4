"""Folding of text for search: lower case, Latin marks and đ folded, Cyrillic untouched."""

import re
import unicodedata
from typing import Final

_STROKED: Final = str.maketrans({"đ": "d", "ð": "d"})
# After NFD the marks follow their base letter: those on Latin letters go, й, ї and ё keep theirs.
_MARKS_ON_LATIN: Final = re.compile("(?<=[a-z])[\u0300-\u036f]+")


def fold(text: str) -> str:
    """Return the search form of a text: lower case, without the marks on Latin letters; й, ї and ё stay.

    >>> fold("Đầu hàng ở Київ")
    'dau hang o київ'
    """
    text = text.lower()
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFD", text.translate(_STROKED))
    return unicodedata.normalize("NFC", _MARKS_ON_LATIN.sub("", decomposed))
