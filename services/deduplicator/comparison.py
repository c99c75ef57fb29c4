"""The comparison form of a text: what is left when everything that differs between copies for technical reasons is gone.

Used for comparing only, never shown: Unicode form, entities, quotes, the place of Vietnamese tone marks, digit grouping, case
and white space are evened out, and furniture (captions, credits, link tails) is left out by its shape, not by its words.
"""

import html
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
import xxhash

MAX_WORDS: Final = 20_000
"""Words looked at in one article: what comes after is not compared, so that the work stays bounded."""

_MAX_CHARACTERS: Final = 200_000
_FURNITURE_WORDS: Final = 12
"""A line of fewer words that does not end like a sentence is furniture: a caption, a credit, a headline, a link."""

_SENTENCE_ENDS: Final = tuple(".!?…")
_CLOSING: Final = "])}\"'”’»"
_WORD: Final = re.compile(r"\w+")
_POINTED: Final = re.compile(r"\d+(?:[.,]\d+)+")
_GROUPED: Final = re.compile(r"[1-9]\d{0,2}(?:[.,]\d{3})+")
_AFTER_DIGITS: Final = ":"
"""The character after 9: a word that sorts before it begins with a digit."""
_THIN_SPACES: Final = "\u00a0\u2009\u202f"
_SPACED_DIGITS: Final = re.compile(r"(?<=\d)[\u00a0\u2009\u202f](?=\d{3}\b)")

_OLD_TONES: Final = ("òa óa ỏa õa ọa", "òe óe ỏe õe ọe", "ùy úy ủy ũy ụy")
_NEW_TONES: Final = ("oà oá oả oã oạ", "oè oé oẻ oẽ oẹ", "uỳ uý uỷ uỹ uỵ")
_TONE_PLACES: Final = dict(zip(" ".join(_NEW_TONES).split(), " ".join(_OLD_TONES).split(), strict=True))
_TONE: Final = re.compile("o[àáảãạèéẻẽẹ]|u[ỳýỷỹỵ]")

_REMEMBERED: Final = 1 << 16
_REMEMBERED_LETTERS: Final = 32
"""Longer pieces are hardly ever seen again; without them what is remembered takes some 20 MB."""
_HASHED: Final = np.dtype([("hash", ">u8"), ("is_number", "?")])

Hashes = npt.NDArray[np.uint64]
T = TypeVar("T")


@dataclass(frozen=True)
class Form:
    """A text in comparison form: its words with a blank between them, and their 64-bit hashes, at most `MAX_WORDS`.

    Numbers are words without digit grouping; `numbers` holds the hash of each one.
    """

    text: str
    words: Hashes
    numbers: Hashes

    @property
    def exact(self) -> str:
        """The hash of the form: two texts with one hash are the same text (32 hexadecimal digits)."""
        return xxhash.xxh3_128_hexdigest(self.text.encode("utf-8", "surrogatepass"))


class Remembered(dict[str, T]):
    """What a function makes of words, a bounded number of them: a text's words are mostly those of the texts before."""

    def __init__(self, function: Callable[[str], T]) -> None:
        super().__init__()
        self._function = function

    def __missing__(self, word: str) -> T:
        made = self._function(word)
        if len(self) >= _REMEMBERED:
            self.clear()
        if len(word) <= _REMEMBERED_LETTERS:
            self[word] = made
        return made


def form_of(text: str) -> Form:
    """Return a text in comparison form.

    >>> form_of("«Hoà bình», 1.600 quân&nbsp;ở Kupyansk!").text
    'hòa bình 1600 quân ở kupyansk'
    """
    even = text[:_MAX_CHARACTERS]
    even = html.unescape(even) if "&" in even else even
    even = unicodedata.normalize("NFC", even)
    if any(space in even for space in _THIN_SPACES):
        even = _SPACED_DIGITS.sub("", even)
    # The one letter that is longer in lower case: how much of a text is prose is measured in letters.
    even = even.replace("İ", "i̇")
    pieces = list(map(_comparable, " ".join(_prose(even)).split(" ")))
    hashed = np.frombuffer(b"".join([hashes for _, hashes in pieces]), _HASHED)
    form = "".join([words for words, _ in pieces])[1:]
    if len(hashed) > MAX_WORDS:
        form, hashed = " ".join(form.split()[:MAX_WORDS]), hashed[:MAX_WORDS]
    hashes = hashed["hash"].astype(np.uint64)
    return Form(form, hashes, hashes[hashed["is_number"]])


def hash_of(word: str) -> bytes:
    """Return the 64-bit hash of a word, the highest byte first."""
    return xxhash.xxh3_64_digest(word.encode("utf-8", "surrogatepass"))


def plain_number(number: str) -> str:
    """Return a number without digit grouping and as one word: 1.600 is 1600, 12,5 is 12_5."""
    if _GROUPED.fullmatch(number):
        return number.replace(".", "").replace(",", "")
    return number.replace(",", "_").replace(".", "_")


def _prose(text: str) -> list[str]:
    """Return the lines that read as prose; all lines when prose is the smaller part (a list, a live ticker)."""
    lines = [line.strip() for line in text.splitlines()]
    prose = [line for line in lines if _is_prose(line)]
    return prose if 2 * sum(map(len, prose)) >= sum(map(len, lines)) else lines


def _is_prose(line: str) -> bool:
    return line.rstrip(_CLOSING).endswith(_SENTENCE_ENDS) or line.count(" ") + 1 >= _FURNITURE_WORDS


def _comparable_piece(piece: str) -> tuple[str, bytes]:
    """Return the words in a piece of text in comparison form, each after a blank, and their hashes as bytes of `_HASHED`."""
    even = _POINTED.sub(_plain, _TONE.sub(_place_tone, piece.lower()))
    words = _WORD.findall(even)
    hashes = (hash_of(word) + (b"\1" if word < _AFTER_DIGITS else b"\0") for word in words)
    return "".join(f" {word}" for word in words), b"".join(hashes)


def _plain(match: re.Match[str]) -> str:
    return plain_number(match[0])


def _place_tone(match: re.Match[str]) -> str:
    return _TONE_PLACES[match[0]]


_comparable: Final = Remembered(_comparable_piece).__getitem__
