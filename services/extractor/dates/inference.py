"""Between which days an undated article was published, as far as its own dates tell."""

from collections.abc import Iterable
from datetime import date

from services.extractor.dates.context import tense_at
from services.extractor.dates.engine import Mention
from services.extractor.dates.grammar import grammar
from services.extractor.dates.language import guess
from services.extractor.dates.surface import Surface
from services.extractor.dates.values import Tense


def latest_told(text: str, mentions: Iterable[Mention], *, language: str, fetched: date) -> Mention | None:
    """Return the mention of the latest time a text tells of as past: the text was not published before that began.

    Only what states its year counts, nothing that is counted from another date; what lies ahead of the sentence, or of the day
    the text was fetched, does not. `mentions` are those of `text`, with offsets into it as given.
    """
    surface, cues = Surface.of(text), grammar(guess(text, language)).cues
    best: Mention | None = None
    for mention in mentions:
        if mention.anchor != "none" or not mention.from_ or mention.kind == "open" or mention.from_ > fetched:
            continue
        if best and best.from_ and mention.from_ <= best.from_:
            continue
        start, end = surface.place(mention.start), surface.place(mention.end)
        if tense_at(surface, cues, start, end) is not Tense.FUTURE:
            best = mention
    return best
