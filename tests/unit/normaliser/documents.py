"""The labelled raw documents of tests/data/normaliser/documents: what an outlet gives, and what must become of it."""

import random
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

FOLDER = Path(__file__).parents[2] / "data" / "normaliser" / "documents"
_LEGACY = Path(__file__).parents[3] / "services" / "normaliser" / "legacy.yaml"
_MARK = re.compile(r"⟦cut⟧|⟦(?P<family>[a-z]+):(?P<text>.*?)⟧|[^⟦]+", re.DOTALL)
_INVISIBLE = "\u200b\xad\u2060\ufeff"
_ENTITIES = {'"': "quot", "&": "amp", "“": "ldquo", "”": "rdquo", "'": "#x27", "–": "ndash", "—": "mdash"}


@dataclass(frozen=True)
class Document:
    """A raw document with its labels; places are into the raw, perhaps damaged, text."""

    name: str
    language: str
    given: dict[str, str]
    boilerplate: frozenset[int]
    free: frozenset[int]
    starts: tuple[int, ...]
    published: frozenset[tuple[str | None, str]]
    plain: str

    def body(self) -> frozenset[int]:
        """Return the places of the characters that must stay."""
        places = {place for place, letter in enumerate(self.given["text"]) if not letter.isspace()}
        return frozenset(places - self.boilerplate - self.free)


def read_documents() -> list[Document]:
    """Return the documents of every file, in order."""
    blocks = [
        block
        for path in sorted(FOLDER.glob("*.txt"))
        for block in re.split("(?m)^## ", path.read_text(encoding="utf-8"))[1:]
    ]
    return [_read(block) for block in blocks]


def _read(block: str) -> Document:
    head, _, marked = block.partition("\n---\n")
    first, *lines = head.split("\n")
    name, language = first.split()
    stated = [(key, value) for key, _, value in (line[1:].partition(": ") for line in lines)]
    header = dict(stated)
    published = [value.split() for key, value in stated if key == "published"]
    damage = _damage(header.get("damage", ""), name)
    text, plain = "", ""
    boilerplate, free, starts = set[int](), set[int](), [0]
    for mark in _MARK.finditer(marked.rstrip("\n")):
        if mark[0] == "⟦cut⟧":
            starts.append(len(text))
            continue
        piece = mark["text"] if mark["family"] else mark[0]
        start, text, plain = len(text), text + "".join(map(damage, piece)), plain + piece
        if mark["family"]:
            (free if mark["family"] == "either" else boilerplate).update(range(start, len(text)))
    given: dict[str, Any] = {"text": text, "fetched_at": header.get("fetched", "2025-11-08T02:00:00Z")}
    names = {"title": "title", "url": "url", "feed": "feed_published", "timezone": "feed_timezone"}
    given |= {names[key]: value for key, value in stated if key in names}
    return Document(
        name=name,
        language=language,
        given=given,
        boilerplate=frozenset(place for place in boilerplate if not text[place].isspace()),
        free=frozenset(free),
        starts=tuple(starts),
        published=frozenset((value[0], value[1]) if len(value) > 1 else (None, "none") for value in published),
        plain=unicodedata.normalize("NFC", plain),
    )


def _damage(kind: str, name: str) -> Callable[[str], str]:
    """Return what a way of damaging makes of each character."""
    chance = random.Random(name)
    if kind == "latin1":
        return lambda letter: letter.encode().decode("latin-1")
    if kind == "cp1252":
        return lambda letter: "".join(map(_as_cp1252, letter.encode()))
    if kind == "nfd":
        return lambda letter: unicodedata.normalize("NFD", letter)
    if kind == "entities2":
        return lambda letter: f"&amp;{_ENTITIES[letter]};" if letter in _ENTITIES else letter
    if kind == "zerowidth":
        return lambda letter: (
            letter + (chance.choice(_INVISIBLE) if letter.isalpha() and chance.random() < 0.02 else "")
        )
    if kind == "tcvn3":
        letters = YAML(typ="safe").load(_LEGACY)["tcvn3"]["letters"]
        written = {meant: byte for byte, meant in letters.items()}
        return lambda letter: written.get(letter, letter)
    return lambda letter: letter


def _as_cp1252(byte: int) -> str:
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:
        return chr(byte)
