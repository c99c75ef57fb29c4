"""The normaliser's rule: one raw article in, one or several clean, dated articles out, every change recorded.

Repair, then language, then clean-up and splitting on the repaired text; all changes are chained back onto the raw text, so that
`rebuild` returns it exactly.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from services.normaliser import language as languages
from services.normaliser.changes import Change, Track, apply, chain, join_neighbours, rebuild, rebuild_title, to_edits
from services.normaliser.cleaning import clean
from services.normaliser.closing import cut_between, cut_closing_dates, cut_closing_zones, cut_roles, cut_signatures
from services.normaliser.lines import Line
from services.normaliser.markup import FAMILY_MARKUP, strip_markup
from services.normaliser.moments import named_zone
from services.normaliser.publication import Clue, choose, feed_clue, metadata_clue, url_clue
from services.normaliser.remains import cut_remains, holds_text
from services.normaliser.repair import FAMILIES as REPAIR_FAMILIES
from services.normaliser.repair import FAMILY_CONTROL, FAMILY_ENCODING, repair
from services.normaliser.rules import Rules
from services.normaliser.splitting import Cut, find_cuts
from services.normaliser.titles import Title, choose_title, tidy, tidy_title
from shared.errors import Reason, Rejected
from shared.ids import part_id
from shared.models import DateOrigin, Edit, Flag, Language, NormalisedArticle, RawArticle

__all__ = ["NORMALISER_VERSION", "normalise", "rebuild", "rebuild_title"]

NORMALISER_VERSION: Final = "1"
_JOINED_FAMILIES: Final = REPAIR_FAMILIES | {FAMILY_MARKUP}


@dataclass(frozen=True)
class _Part:
    """One article of a text: its lines, its place in the repaired text, and what cut it off from the one before."""

    lines: list[Line]
    start: int
    end: int
    evidence: str


def normalise(raw: RawArticle, *, rules: Rules) -> Iterator[NormalisedArticle]:
    """Yield the articles of a raw record, in order; usually one.

    Raises `Rejected(EMPTY_BODY)` when no text is left. A date that cannot be true is refused as a value, kept as a claim and
    flagged.
    """
    to_repaired, repaired = _repaired(raw)
    document = languages.identify(repaired, rules.languages)
    unaccented = languages.is_unaccented(repaired, document.code)
    selection = rules.for_outlet(raw.source.name, unaccented)
    title_changes = _title_changes(raw.title or "")
    given_title = apply(raw.title or "", title_changes)
    has_title = bool(given_title)
    lines = clean(repaired, selection, rules.date_words, has_title)
    cut_remains(lines, selection)
    cuts = find_cuts(lines, frozenset(rules.words.get("opener", ())))
    starts = [cut.line for cut in cuts]
    cut_closing_dates(lines, starts, rules.date_words)
    cut_closing_zones(lines, starts, selection)
    cut_signatures(lines, starts, selection, has_title)
    cut_roles(lines, starts, has_title)
    cut_between(lines, starts)
    parts = list(_parts(lines, _with_text(lines, cuts), len(repaired)))
    back = Track(to_repaired)
    finished = [_PartText(part, repaired, "" if number else given_title) for number, part in enumerate(parts)]
    if not any(text.body for text in finished):
        raise Rejected(Reason.EMPTY_BODY, f"{len(raw.text)} characters, none of them the article's own text")
    changes = chain(to_repaired, [change for text in finished for change in text.changes], repaired)
    change_starts = [change.start for change in changes]
    bounds = [0, *(back.before(part.start) for part in parts[1:]), len(raw.text)]
    for number, text in enumerate(finished, 1):
        start, end = bounds[number - 1], bounds[number]
        inside = changes[bisect_left(change_starts, start) : bisect_left(change_starts, end)]
        edits = to_edits(raw.text, join_neighbours(raw.text, inside, _JOINED_FAMILIES), "text", rules.files)
        if number == 1 and text.title_is_given:
            edits = to_edits(raw.title or "", title_changes, "title") + edits
        damage = {change.family for change in to_repaired if start <= change.start < end}
        if number == 1:
            damage |= {change.family for change in title_changes}
        yield _record(raw, rules, text, number, len(parts), (start, end), edits, damage, document)


def _repaired(raw: RawArticle) -> tuple[list[Change], str]:
    """Return the changes from the raw text to plain, undamaged text, and that text."""
    changes = strip_markup(raw.text) if raw.media_type == "text/html" else []
    text = apply(raw.text, changes)
    repairs = repair(text)
    return chain(changes, repairs, text), apply(text, repairs)


def _title_changes(title: str) -> list[Change]:
    repairs = repair(title)
    repaired = apply(title, repairs)
    return chain(repairs, tidy_title(repaired), repaired)


def _with_text(lines: Sequence[Line], cuts: Sequence[Cut]) -> list[Cut]:
    """Return the cuts before text, the first always among them: what holds boilerplate alone is no article of its own."""
    ends = [*(cut.line for cut in cuts[1:]), len(lines)]
    filled = [cut for cut, end in zip(cuts, ends, strict=True) if any(map(holds_text, lines[cut.line : end]))]
    return [cuts[0], *filled[1:]]


def _parts(lines: list[Line], cuts: Sequence[Cut], length: int) -> Iterator[_Part]:
    for position, cut in enumerate(cuts):
        following = cuts[position + 1].line if position + 1 < len(cuts) else len(lines)
        start = lines[cut.line].start if position else 0
        end = lines[following].start if following < len(lines) else length
        yield _Part(lines[cut.line : following], start, end, cut.evidence)


class _PartText:
    """The clean title and body of one part, and the changes that lead to the body, against the repaired text."""

    def __init__(self, part: _Part, repaired: str, given_title: str) -> None:
        self.part = part
        self.title_is_given = bool(given_title)
        chosen: Title = choose_title(part.lines, given_title)
        self.title = chosen.text
        of_lines = [cut for line in part.lines for cut in line.cuts]
        cuts = sorted({cut.start: cut for cut in (*of_lines, *chosen.cuts)}.values(), key=attrgetter("start"))
        piece = repaired[part.start : part.end]
        local = [
            Change(cut.start - part.start, cut.end - part.start, cut.replacement, cut.rule, cut.family) for cut in cuts
        ]
        cleaned = apply(piece, local)
        tidied = tidy(cleaned, [start for start, _ in Track(local).after_spans()])
        self.body = apply(cleaned, tidied)
        self.changes = [
            Change(change.start + part.start, change.end + part.start, change.replacement, change.rule, change.family)
            for change in chain(local, tidied, cleaned)
        ]
        self.captions = [repaired[cut.start : cut.end].strip() for cut in cuts if cut.family == "caption"]
        self.credits = [repaired[cut.start : cut.end].strip() for cut in cuts if cut.family == "credit"]

    def clues(self) -> list[Clue]:
        """Return what the text itself says about its publication."""
        found: list[Clue] = []
        for line in self.part.lines:
            for origin, moment in ((DateOrigin.PREFIX, line.prefix), (DateOrigin.VISIBLE, line.visible)):
                if (moment or (origin is DateOrigin.PREFIX and line.has_prefix)) and all(
                    clue.origin != origin for clue in found
                ):
                    found.append(Clue(origin, line.text[:60] if moment is None else moment.iso(), moment))
        return found

    @property
    def truncated(self) -> bool:
        """Whether the text breaks off in a sentence."""
        kept = [line for line in self.part.lines if not line.removed]
        return bool(kept) and kept[-1].is_truncated


def _record(
    raw: RawArticle,
    rules: Rules,
    text: _PartText,
    number: int,
    total: int,
    bounds: tuple[int, int],
    edits: list[Edit],
    damage: Set[str],
    document: Language,
) -> NormalisedArticle:
    language = document if total == 1 else languages.identify(f"{text.title}\n{text.body}", rules.languages)
    zone = raw.source.timezone
    clues = [
        feed_clue(raw.feed_published, zone, rules.date_words, raw.fetched_at),
        metadata_clue(raw.page_published, zone, rules.date_words),
        url_clue(raw.url),
        *(_localised(clue, zone) for clue in text.clues()),
    ]
    dated = choose(clues, raw.fetched_at)
    flags = {*dated.flags, *_flags_of(damage)}
    if language.code == languages.UNDETERMINED:
        flags.add(Flag.LANGUAGE_UNCERTAIN)
    return NormalisedArticle(
        article_id=part_id(raw.article_id, number, total),
        parent_id=raw.article_id,
        part=number,
        parts_total=total,
        truncated=text.truncated,
        split_evidence=[text.part.evidence] if number > 1 else [],
        feed=raw.feed,
        source=raw.source,
        url=raw.url,
        author=raw.author,
        section=raw.section,
        title=text.title,
        body=text.body,
        raw_start=bounds[0],
        raw_end=bounds[1],
        edits=edits,
        captions=text.captions,
        credits=text.credits,
        language=language,
        passages=languages.passages(text.body, language, rules.languages),
        published=dated.published,
        flags=sorted(flags),
        fetched_at=raw.fetched_at,
        first_seen_at=raw.first_seen_at,
        revision=raw.revision,
        backlog=raw.backlog,
        replay=raw.replay,
        trace_id=raw.trace_id,
        normaliser_version=f"{NORMALISER_VERSION}+{rules.version}",
    )


def _localised(clue: Clue, zone: str | None) -> Clue:
    moment = clue.moment.in_zone(named_zone(zone)) if clue.moment else None
    return Clue(clue.origin, clue.written, moment)


def _flags_of(damage: Set[str]) -> Iterator[Flag]:
    if FAMILY_CONTROL in damage:
        yield Flag.CONTROL_CHARACTERS_REMOVED
    if FAMILY_ENCODING in damage:
        yield Flag.ENCODING_REPAIRED
