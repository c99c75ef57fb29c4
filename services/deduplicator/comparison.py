"""The comparison form of a text: what is left when everything that differs between copies for technical reasons is gone.

Used for comparing only, never shown: Unicode form, entities, quotes, the place of Vietnamese tone marks, digit grouping, case
and white space are evened out, and furniture (captions, credits, link tails) is left out by its shape, not by its words.
"""

import html
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

import numpy as np
import xxhash

from services.deduplicator.characters import POINT, WORD, codes_of, inside_numbers, kinds_of, runs, text_of

MAX_WORDS: Final = 20_000
"""Words looked at in one article: what comes after is not compared, so that the work stays bounded."""

_MAX_CHARACTERS: Final = 200_000
_FURNITURE_WORDS: Final = 12
"""A line of fewer words that does not end like a sentence is furniture: a caption, a credit, a headline, a link."""

_SENTENCE_ENDS: Final = tuple(".!?…")
_CLOSING: Final = "])}\"'”’»"
_POINTED: Final = re.compile(r"\d+(?:[.,]\d+)+")
_GROUPED: Final = re.compile(r"[1-9]\d{0,2}(?:[.,]\d{3})+")
_AFTER_DIGITS: Final = ":"
"""The character after 9: a word that sorts before it begins with a digit."""
_THIN_SPACES: Final = "\u00a0\u2009\u202f"
_SPACED_DIGITS: Final = re.compile(r"(?<=\d)[\u00a0\u2009\u202f](?=\d{3}\b)")

_OLD_TONES: Final = ("òa óa ỏa õa ọa", "òe óe ỏe õe ọe", "ùy úy ủy ũy ụy")
_NEW_TONES: Final = ("oà oá oả oã oạ", "oè oé oẻ oẽ oẹ", "uỳ uý uỷ uỹ uỵ")
_TONE_PLACES: Final = dict(zip(" ".join(_NEW_TONES).split(), " ".join(_OLD_TONES).split(), strict=True))
_SPACE: Final = ord(" ")
_TONES: Final = (re.compile("o[àáảãạèéẻẽẹ]"), re.compile("u[ỳýỷỹỵ]"))
"""Two patterns: one that begins with a fixed letter is searched for twice as fast as a choice of two."""


def words_of(text: str) -> list[str]:
    """Return the words of a text in comparison form, at most `MAX_WORDS`; numbers are words without digit grouping.

    >>> words_of("«Hoà bình», 1.600 quân&nbsp;ở Кupyansk!")[:5]
    ['hòa', 'bình', '1600', 'quân', 'ở']
    """
    even = text[:_MAX_CHARACTERS]
    even = html.unescape(even) if "&" in even else even
    even = unicodedata.normalize("NFC", even).lower()
    if not even.isascii():
        for tone in _TONES:
            even = tone.sub(_place_tone, even)
    if any(space in even for space in _THIN_SPACES):
        even = _SPACED_DIGITS.sub("", even)
    return _split("\n".join(_prose(even)))[:MAX_WORDS]


def numbers_of(words: Sequence[str]) -> set[str]:
    """Return the distinct numbers among words in comparison form."""
    return {word for word in set(words) if word < _AFTER_DIGITS}


def exact_hash(words: Sequence[str]) -> str:
    """Return the hash of the comparison form: two texts with one hash are the same text (32 hexadecimal digits)."""
    return xxhash.xxh3_128_hexdigest(" ".join(words).encode("utf-8", "surrogatepass"))


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


def _split(text: str) -> list[str]:
    """Return the words of a text, numbers without digit grouping."""
    codes = codes_of(text)
    kinds = kinds_of(codes)
    points = inside_numbers(kinds, POINT)
    kept = kinds & WORD > 0
    kept[points] = True
    words = text_of(np.where(kept, codes, _SPACE)).split()
    if len(points):
        starts, _ = runs(kept)
        for at in set(np.searchsorted(starts, points, "right").tolist()):
            words[at - 1] = _POINTED.sub(_plain, words[at - 1])
    return words


def _plain(match: re.Match[str]) -> str:
    return plain_number(match[0])


def _place_tone(match: re.Match[str]) -> str:
    return _TONE_PLACES[match[0]]
