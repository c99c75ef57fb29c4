"""Labelled passages and the figures by which they are measured: exact spans with types, and ids on exact spans."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PASSAGES = Path(__file__).parents[2] / "data" / "entities" / "passages.tsv"
TYPES = {"E": "EVENT", "F": "FACILITY", "L": "LOC", "O": "ORG", "P": "PERSON", "W": "WEAPON"}
OPTIONAL = {"EVENT", "FACILITY"}
_MARK = re.compile(r"\[([^\[\]|]+)\|([EFLOPW])(?:=([^\]]+))?\]")


@dataclass(frozen=True)
class Label:
    """A labelled mention; `canonical` is None where any local id will do, but one only for all of a `group`."""

    start: int
    end: int
    type: str
    canonical: str | None
    group: str | None = None


@dataclass(frozen=True)
class Passage:
    """A labelled passage."""

    id: str
    language: str
    text: str
    labels: tuple[Label, ...]


def read_passages(path: Path = PASSAGES) -> Iterator[Passage]:
    """Yield the passages of a file of lines id, language, marked text ("[surface|type=id]" or "=~group"), separated by tabs."""
    for line in path.read_text(encoding="utf-8").splitlines():
        identifier, language, marked = unicodedata.normalize("NFC", line).split("\t")
        text, labels, position = "", [], 0
        for mark in _MARK.finditer(marked):
            text += marked[position : mark.start()]
            canonical, group = (None, mark[3]) if (mark[3] or "").startswith("~") else (mark[3], None)
            labels.append(Label(len(text), len(text) + len(mark[1]), TYPES[mark[2]], canonical, group))
            text += mark[1]
            position = mark.end()
        yield Passage(identifier, language, text + marked[position:], tuple(labels))


def f1(right: int, found: int, wanted: int) -> float:
    """Return the harmonic mean of precision and recall."""
    return 2 * right / (found + wanted) if found + wanted else 1.0


def strict_f1(pairs: Iterable[tuple[Passage, set[tuple[int, int, str]]]]) -> float:
    """Return F1 over exact spans and types; events and facilities are neither wanted nor wrong."""
    right = found = wanted = 0
    for passage, predicted in pairs:
        gold = {(label.start, label.end, label.type) for label in passage.labels if label.type not in OPTIONAL}
        optional = [label for label in passage.labels if label.type in OPTIONAL]
        kept = {
            (start, end, kind)
            for start, end, kind in predicted
            if (start, end, kind) in gold
            or not (kind in OPTIONAL or any(start < label.end and label.start < end for label in optional))
        }
        right += len(gold & kept)
        found += len(kept)
        wanted += len(gold)
    return f1(right, found, wanted)
