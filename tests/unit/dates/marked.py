"""Sentences whose expected mentions stand in square brackets."""

import re
from datetime import date

_MARK = re.compile(r"[\[\]]")


def unmarked(marked: str) -> tuple[str, list[tuple[int, int]]]:
    """Return a sentence without its square brackets, and the spans they held."""
    spans: list[tuple[int, int]] = []
    start = 0
    for removed, found in enumerate(_MARK.finditer(marked)):
        position = found.start() - removed
        if found[0] == "[":
            start = position
        else:
            spans.append((start, position))
    return _MARK.sub("", marked), spans


def interval(text: str | date) -> tuple[date | None, date | None]:
    """Return the interval "from..to" stands for; one day alone is both, a missing side is None."""
    start, _, end = str(text).partition("..")
    if ".." not in str(text):
        end = start
    return (date.fromisoformat(start) if start else None, date.fromisoformat(end) if end else None)
