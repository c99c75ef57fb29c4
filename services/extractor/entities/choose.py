"""The names of the alias sets in a text: the longest at each place whose context holds."""

from typing import Final

from services.extractor.entities.document import Document, Span
from services.extractor.entities.lexicon import Hit, Meaning

_LOUD_ENOUGH: Final = 5


def choose_names(document: Document) -> None:
    """Add a span for every known name; of overlapping ones the leftmost, then the longest."""
    end = 0
    for hit in sorted((hit for hit in document.hits if hit.entry.names), key=lambda hit: (hit.start, -hit.end)):
        if hit.start < end:
            continue
        span = _resolve(document, hit)
        if span is not None:
            document.add(span)
            end = hit.end


def _resolve(document: Document, hit: Hit) -> Span | None:
    """Return the best meaning whose context holds: with a context before without, then by rank, then the larger place."""
    entry = hit.entry
    if entry.capitals and hit.end - hit.start < _LOUD_ENOUGH and not document.shouted(hit.start, hit.end):
        return None
    if len(entry.names) == 1 and entry.names[0][0].condition is None:
        return document.span_of(hit.start, hit.end, *entry.names[0])
    best: tuple[Meaning, str] | None = None
    place = document.place(hit.start, hit.end, entry.capitals)
    for meaning, alias in entry.names:
        if meaning.condition is not None and not meaning.condition.holds(place):
            continue
        if best is None or _order(meaning) < _order(best[0]):
            best = (meaning, alias)
    return document.span_of(hit.start, hit.end, *best) if best else None


def _order(meaning: Meaning) -> tuple[bool, int, int, str]:
    return (meaning.condition is None, meaning.rank, -meaning.weight, meaning.id)
