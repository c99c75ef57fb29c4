"""The labelled texts of tests/data/normaliser/cleaning, read with their marks."""

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "data" / "normaliser" / "cleaning"
_MARK = re.compile(r"⟦cut⟧|⟦(?P<family>[a-z]+):(?P<text>.*?)⟧|[^⟦]+", re.DOTALL)


@dataclass(frozen=True)
class Sample:
    """A raw text, the places of what must go, and where its articles begin."""

    name: str
    raw: str
    boilerplate: frozenset[int]
    starts: tuple[int, ...]

    @property
    def language(self) -> str:
        return self.name[:2]

    @property
    def is_trap(self) -> bool:
        return "-trap-" in self.name


def read_samples() -> list[Sample]:
    return [_read(path) for path in sorted(FOLDER.glob("*.raw.txt"))]


def _read(path: Path) -> Sample:
    name = path.name.removesuffix(".raw.txt")
    text, places, starts = "", set[int](), [0]
    for mark in _MARK.finditer(path.with_name(f"{name}.expected.txt").read_text(encoding="utf-8")):
        if mark[0] == "⟦cut⟧":
            starts.append(len(text))
        elif mark["family"]:
            places.update(range(len(text), len(text) + len(mark["text"])))
            text += mark["text"]
        else:
            text += mark[0]
    raw = path.read_text(encoding="utf-8")
    assert text == raw, f"{name}: the expected text without its marks is not the raw text"
    return Sample(name, raw, frozenset(places), tuple(starts))
