"""The copy of a text that patterns are matched on: NFC, lower case, one kind of blank, dash and apostrophe, and its offsets."""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

_VARIANTS: Final = {
    **dict.fromkeys("\t\u00a0\u2002\u2003\u2007\u2009\u200a\u202f\u3000", " "),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
    **dict.fromkeys("\u2019\u02bc\u2018`", "'"),
    "ё": "е",
    "Ё": "Е",
}
_VARIANT: Final = re.compile(f"[{''.join(_VARIANTS)}]")
_STOP: Final = re.compile(r"""[.!?…;\r\n]+["'”»)\]]*[ ]*""")
_OPENING: Final = frozenset('"“«„(-')
_REACH: Final = 600
_CLUSTER: Final = re.compile(r"[^\u0300-\u036f]?[\u0300-\u036f]+")


@dataclass(frozen=True, slots=True)
class Surface:
    """A text ready for matching. `shown` keeps capitals, `plain` has the same length in lower case.

    `sentences` are the offsets at which a sentence (or a clause after a semicolon) begins; `clusters` and `lengths` map
    offsets back to a text that was not in NFC.
    """

    shown: str
    plain: str
    sentences: list[int]
    clusters: list[int]
    gained: list[int]

    @classmethod
    def of(cls, text: str) -> "Surface":
        """Return the surface of any text."""
        clusters: list[int] = []
        gained: list[int] = []
        if not text.isascii() and not unicodedata.is_normalized("NFC", text):
            text, clusters, gained = _composed(text)
        text = _VARIANT.sub(lambda found: _VARIANTS[found[0]], text)
        plain = text.lower()
        if len(plain) != len(text):
            plain = "".join(low if len(low := character.lower()) == 1 else character for character in text)
        return cls(text, plain, _sentences(text), clusters, gained)

    def origin(self, offset: int) -> int:
        """Return the offset in the given text of an offset in the surface."""
        if not self.clusters:
            return offset
        index = bisect_right(self.clusters, offset - 1)
        return offset + (self.gained[index - 1] if index else 0)

    def place(self, origin: int) -> int:
        """Return the offset in the surface of an offset in the given text."""
        return bisect_left(range(len(self.plain)), origin, key=self.origin)

    def sentence(self, offset: int) -> tuple[int, int]:
        """Return the bounds of the sentence an offset lies in, at most `_REACH` characters to either side."""
        index = bisect_right(self.sentences, offset)
        end = self.sentences[index] if index < len(self.sentences) else len(self.plain)
        return max(self.sentences[index - 1], offset - _REACH), min(end, offset + _REACH)


def _sentences(text: str) -> list[int]:
    """Return where sentences begin: behind a line end or semicolon, or a stop and a blank before a capital or a quotation."""
    starts = [0]
    for found in _STOP.finditer(text):
        end, stop = found.end(), found[0]
        following = text[end : end + 1]
        if (
            "\n" in stop
            or "\r" in stop
            or (stop[-1] == " " and (stop[0] == ";" or following.isupper() or following in _OPENING))
        ):
            starts.append(end)
    return starts


def _composed(text: str) -> tuple[str, list[int], list[int]]:
    """Return a text in NFC, where its composed clusters begin, and by how much offsets after each run behind the given text."""
    pieces: list[str] = []
    starts: list[int] = []
    lost: list[int] = []
    done = length = 0
    for found in _CLUSTER.finditer(text):
        piece = unicodedata.normalize("NFC", found[0])
        gap = text[done : found.start()]
        length += len(gap)
        pieces += (gap, piece)
        done = found.end()
        if len(piece) != len(found[0]):
            starts.append(length)
            lost.append(len(found[0]) - len(piece))
        length += len(piece)
    pieces.append(text[done:])
    return "".join(pieces), starts, list(accumulate(lost))
