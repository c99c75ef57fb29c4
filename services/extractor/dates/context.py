"""What the words around an expression say about its tense."""

import re
from typing import Final

from services.extractor.dates.grammar import Cues
from services.extractor.dates.surface import Surface
from services.extractor.dates.values import Tense

_REACH: Final = 300
"""Characters of a sentence that are searched for cues on either side."""
_ADJACENT: Final = 24
"""Characters before an expression that a word saying "long over" must end in; behind it, it must be the next word."""


def tense_at(surface: Surface, cues: Cues, start: int, end: int) -> Tense:
    """Return what the sentence says about the side of publication an expression lies on.

    The nearest cue before it decides; with none, the first after it, where a verb of saying counts as past.
    """
    first, last = surface.sentence(start)
    head = surface.plain[max(first, start - _REACH) : start]
    if _last(cues.surely_past, head[-_ADJACENT:].rstrip()) == len(head[-_ADJACENT:].rstrip()):
        return Tense.SURELY_PAST
    if cues.surely_past.match(surface.plain, end + 1):
        return Tense.SURELY_PAST
    future, past = _last(cues.future, head), _last(cues.past, head)
    if max(future, past) >= 0:
        return Tense.FUTURE if future >= past else Tense.PAST
    limit = min(last, end + _REACH)
    clause = cues.clause.search(surface.plain, end, limit)
    tail = surface.plain[end : clause.start() if clause else limit]
    ahead = cues.future.search(tail)
    if ahead is None:
        return Tense.UNKNOWN
    behind = [found.start() for pattern in (cues.past, cues.speech) if (found := pattern.search(tail))]
    return Tense.FUTURE if not behind or ahead.start() <= min(behind) else Tense.PAST


def _last(pattern: re.Pattern[str], text: str) -> int:
    position = -1
    for match in pattern.finditer(text):
        position = match.end()
    return position
