"""What the words around an expression say: its tense, and the dated speech it stands in."""

import re
from typing import TYPE_CHECKING, Final

from services.extractor.dates.grammar import Cues
from services.extractor.dates.surface import Surface
from services.extractor.dates.values import Period, Tense

if TYPE_CHECKING:
    from services.extractor.dates.engine import Reading

_REACH: Final = 300
"""Characters of a sentence that are searched for cues on either side."""


def tense_at(surface: Surface, cues: Cues, start: int, end: int) -> Tense:
    """Return what the sentence says about the side of publication an expression lies on.

    The nearest cue before it decides; with none, the first after it, where a verb of saying counts as past.
    """
    first, last = surface.sentence(start)
    head = surface.plain[max(first, start - _REACH) : start]
    if cues.surely_past.search(head[-24:]) and cues.surely_past.search(head[-24:]).end() >= len(head[-24:]) - 1:
        return Tense.SURELY_PAST
    future, past = _last(cues.future, head), _last(cues.past, head)
    if max(future, past) >= 0:
        return Tense.FUTURE if future >= past else Tense.PAST
    tail = surface.plain[end : min(last, end + _REACH)]
    ahead = cues.future.search(tail)
    if ahead is None:
        return Tense.UNKNOWN
    behind = [found.start() for pattern in (cues.past, cues.speech) if (found := pattern.search(tail))]
    return Tense.FUTURE if not behind or ahead.start() <= min(behind) else Tense.PAST


def speech_anchor(
    surface: Surface, cues: Cues, found: "list[tuple[Reading, Period | None]]", reading: "Reading"
) -> Period | None:
    """Return the date of the speech an expression stands in, when the text gives one."""
    return None


def _last(pattern: re.Pattern[str], text: str) -> int:
    position = -1
    for match in pattern.finditer(text):
        position = match.end()
    return position
