"""The names of the alias sets in a text: the longest at each place whose context holds."""

from typing import Final

from services.extractor.entities.context import opens_sentence
from services.extractor.entities.document import Document
from services.extractor.entities.lexicon import PLACE_RANK, Hit, Name
from shared.models import EntityType

_LOUD_ENOUGH: Final = 5
_OTHER_KINDS: Final = frozenset(("ORG", "WEAPON"))


def choose_names(document: Document) -> None:
    """Add a span for every known name; of overlapping ones the leftmost, then the longest."""
    end = 0
    for hit in sorted((hit for hit in document.hits if hit.names), key=lambda hit: (hit.start, -hit.end)):
        if hit.start < end or _within_phrase(document, hit):
            continue
        name = _resolve(document, hit)
        if name is not None:
            document.add(document.span_of(hit.start, hit.end, name))
            end = hit.end


def _within_phrase(document: Document, hit: Hit) -> bool:
    """Return whether a name is only a part of a longer cue: "kênh Telegram"."""
    marks = document.cues.phrases
    if hit.start == 0 or not marks[hit.start - 1] or marks.find(0, hit.start, hit.end) >= 0:
        return False
    return document.text[hit.start - 1] == " "


def _resolve(document: Document, hit: Hit) -> Name | None:
    """Return the best name whose context holds: with a context before without, then by rank, then the larger place."""
    if hit.capitals and hit.end - hit.start < _LOUD_ENOUGH and not _is_loud(document, hit):
        return None
    if hit.names[0].meaning.rank >= PLACE_RANK and _is_doubtful(document, hit):
        return None
    if _is_direction(document, hit):
        return None
    if len(hit.names) == 1 and hit.names[0].meaning.condition is None:
        return hit.names[0]
    place = document.place(hit.start, hit.end, hit.capitals)
    fitting = [name for name in hit.names if (condition := name.meaning.condition) is None or condition.holds(place)]
    return min(fitting, key=_order, default=None)


def _is_loud(document: Document, hit: Hit) -> bool:
    """Return whether short capitals are a name: among words in capitals, or as a dateline ("KYIV, Nov 7", "KYIV (Reuters)")."""
    opens_line = document.text[hit.start - 1 : hit.start] in ("", "\n")
    return document.shouted(hit.start, hit.end) or (opens_line and document.text[hit.end : hit.end + 2] in (", ", " ("))


def _is_doubtful(document: Document, hit: Hit) -> bool:
    """Return whether a town's name is something else here: "Hai bên", "Роман был", "công ty Kawasaki", "Ust-Luga"."""
    cue = document.cues.left.get(hit.start - 1)
    if cue is not None and cue.kind in _OTHER_KINDS:
        return True
    if (hit.start, hit.end) in document.cues.first_names and (cue or opens_sentence(document.text, hit.start)):
        return cue is None or cue.kind != "LOC"
    if document.text[hit.start - 1 : hit.start] == "-" and document.is_free(hit.start - 2, hit.start):
        return document.text[hit.start - 2].isalpha()
    word = document.text[hit.start : hit.end]
    return word in document.grammar.openers and opens_sentence(document.text, hit.start)


def _is_direction(document: Document, hit: Hit) -> bool:
    """Return whether a town's name is an adjective before its noun: "Південного командування"; "село Північне" is none."""
    if hit.names[0].meaning.type is not EntityType.LOC or not document.describes(hit.start, hit.end):
        return False
    cue = document.cues.left.get(hit.start - 1)
    return cue is None or cue.kind != "LOC"


def _order(name: Name) -> tuple[bool, int, int, str]:
    meaning = name.meaning
    return (meaning.condition is None, meaning.rank, -meaning.weight, meaning.id)
