"""The form of a text in which names are looked up, and the way back to the offsets of the text as it stands."""

import re
import unicodedata
from typing import Final

_VARIANTS: Final = {
    "’": "'", "ʼ": "'", "`": "'", "‘": "'", "\u02b9": "'", "\u00a0": " ", "\u202f": " ", "\u2011": "-", "\u2010": "-",
}  # fmt: skip
_VARIANT: Final = re.compile(f"[{''.join(_VARIANTS)}]")


def lower(text: str) -> str:
    """Return a text in lower case, character by character, so that offsets stay."""
    result = text.lower()
    return result if len(result) == len(text) else "".join(map(_lower, text))


def _lower(character: str) -> str:
    result = character.lower()
    return result if len(result) == 1 else character


def align(text: str) -> tuple[str, list[int] | None]:
    """Return a text in NFC with one kind of apostrophe, space and hyphen, and the offsets of its characters in the original.

    The offsets have one more entry than the text, for ends; they are None where both texts have the same length.
    """
    if unicodedata.is_normalized("NFC", text):
        return (_plain(text) if _VARIANT.search(text) else text), None
    characters: list[str] = []
    offsets: list[int] = []
    start = 0
    for end in range(1, len(text) + 1):
        if end < len(text) and unicodedata.combining(text[end]):
            continue
        composed = unicodedata.normalize("NFC", text[start:end])
        characters.append(composed)
        offsets.extend([start] * len(composed))
        start = end
    offsets.append(len(text))
    return _plain("".join(characters)), offsets


def _plain(text: str) -> str:
    return _VARIANT.sub(lambda match: _VARIANTS[match.group()], text)
