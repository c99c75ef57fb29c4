"""What an article is about, as a few weighted terms: the names and numbers by which articles on one event are brought together.

A linked name counts under its canonical id, so that outlets in different languages and scripts meet; other capitalised words
count as they stand, when they are capitalised inside a sentence. Headlines and leads weigh more.
"""

import re
from collections import defaultdict
from pathlib import Path
from typing import Final

from ruamel.yaml import YAML

from services.deduplicator.comparison import plain_number
from services.deduplicator.sketching import MAX_WEIGHT
from shared.models import DateMention, ExtractedArticle

MAX_TERMS: Final = 24

_TITLE_WEIGHT: Final = 3.0
_LEAD_WEIGHT: Final = 2.0
_LEAD_SENTENCES: Final = 2
_NUMBER_WEIGHT: Final = 0.5
_MAX_CHARACTERS: Final = 20_000
_STEM: Final = 5
"""Letters that a Cyrillic word is cut to: its case endings come after."""

_SENTENCE_END: Final = re.compile(r"[.!?…][\"”»)]*\s+|\n+")
_CAPITALS: Final = "".join(filter(str.isupper, map(chr, (*range(0x530), *range(0x1E00, 0x1F00)))))
"""The capital letters of the Latin and Cyrillic alphabets, Vietnamese ones included."""
_TOKEN: Final = re.compile(rf"[{_CAPITALS}][^\W\d_]+|\d+(?:[.,/]\d+)*")
_OPENING: Final = " \"“«'([–-"
_ENDS: Final = ".!?…:\n"
_YEAR: Final = re.compile(r"(?:19|20)\d\d")


def story_terms(article: ExtractedArticle) -> list[tuple[str, int]]:
    """Return the article's terms with their weights (1 to `MAX_WEIGHT`): at most `MAX_TERMS`, the heaviest first."""
    weights: defaultdict[str, float] = defaultdict(float)
    unsure: defaultdict[str, float] = defaultdict(float)
    for field, text in (("title", article.title), ("body", article.body[:_MAX_CHARACTERS])):
        lead_end = _lead_end(text)
        linked = [(e.start, e.end, f"entity {e.canonical}") for e in article.entities if e.field == field]
        dated = [(d.start, d.end, f"day {d.from_}") for d in article.dates if d.field == field and _is_day(d)]
        for start, _, term in linked + dated:
            weights[term] += _weight(field, start, lead_end)
        masked = _without(text, linked + dated)
        for token in _TOKEN.finditer(masked):
            weight = _weight(field, token.start(), lead_end)
            if token[0][0].isdigit():
                _count_number(weights, token[0], weight)
            else:
                sure = field == "body" and not _starts_sentence(masked, token.start())
                (weights if sure else unsure)[f"name {_stem(token[0].lower())}"] += weight
    for name, weight in unsure.items():
        if name in weights:
            weights[name] += weight
    heaviest = sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:MAX_TERMS]
    return [(term, max(1, min(MAX_WEIGHT, round(4 * weight**0.5)))) for term, weight in heaviest]


def common_terms() -> dict[str, float]:
    """Return the terms that news holds anyway, each with the share of articles that do (common_names.yaml)."""
    data = YAML(typ="safe").load(Path(__file__).with_name("common_names.yaml"))
    return {term: per_hundred / 100 for term, per_hundred in data.items()}


def _lead_end(text: str) -> int:
    """Return where the first sentences end."""
    ends = [end.end() for end, _ in zip(_SENTENCE_END.finditer(text), range(_LEAD_SENTENCES), strict=False)]
    return ends[-1] if len(ends) == _LEAD_SENTENCES else len(text)


def _weight(field: str, start: int, lead_end: int) -> float:
    if field == "title":
        return _TITLE_WEIGHT
    return _LEAD_WEIGHT if start < lead_end else 1.0


def _starts_sentence(text: str, at: int) -> bool:
    before = text[max(0, at - 3) : at].rstrip(_OPENING)
    return not before or before[-1] in _ENDS


def _is_day(mention: DateMention) -> bool:
    return mention.from_ is not None and mention.from_ == mention.to


def _without(text: str, spans: list[tuple[int, int, str]]) -> str:
    """Return the text with the spans (start, end, term) blanked out."""
    pieces, at = [], 0
    for start, end, _ in sorted(spans):
        if at <= start and end <= len(text):
            pieces += [text[at:start], "_" * (end - start)]
            at = end
    return "".join((*pieces, text[at:]))


def _count_number(weights: defaultdict[str, float], number: str, weight: float) -> None:
    plain = plain_number(number)
    if len(plain) > 1 and not _YEAR.fullmatch(plain):
        weights[f"number {plain}"] += _NUMBER_WEIGHT * weight


def _stem(name: str) -> str:
    return name[:_STEM] if "а" <= name[0] <= "я" or name[0] in "ёїієґ" else name
