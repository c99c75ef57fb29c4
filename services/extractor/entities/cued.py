"""Organisations, places and weapons that only the word beside them names: "hãng Rosneft", "làng Malynivka", "UAV Lyutyi"."""

import re
from dataclasses import replace
from functools import cache
from typing import Final

import regex

from services.extractor.entities.context import opens_sentence
from services.extractor.entities.document import Document, Span
from services.extractor.entities.persons import stem_slug
from services.extractor.entities.runs import Run, cue_before, cue_of_list, follows_places, free_runs, is_quoted_body
from services.extractor.entities.slugs import slug
from services.extractor.entities.tables import read_table
from services.extractor.entities.weapons import is_designation
from shared.models import EntityType

_KINDS: Final = {"ORG": EntityType.ORG, "LOC": EntityType.LOC, "PLACE": EntityType.LOC, "WEAPON": EntityType.WEAPON}
_ABBREVIATED: Final = regex.compile(r"(?![IVXLC]+\Z)[A-Z]{3,6}|[А-ЯІЇЄҐ]{3,6}")
_DATELINE: Final = regex.compile(
    r"^[ \t]*(?:date \S+ )?(?:\p{Lu}[\p{L}.,' ]{1,30},? )?\(((?:\p{Lu}[\p{L}\p{N}.+]*)(?: \p{Lu}[\p{L}\p{N}.+]*){0,3})\) ?[-–—] ",
    regex.MULTILINE,
)
_CYRILLIC: Final = re.compile("[а-яА-Я]")
_QUOTED_SOURCE: Final = regex.compile(
    r"(?<=(?:пишет|пише|передаёт|передает|передає|сообщает|повідомляє|цитирует|цитує|сообщили|повідомили|рассказали|розповіли) )"
    r"[«\"“](\p{Lu}[^«»\"“”.,:\n]{2,30})[»\"”]"
)
_LATIN_SOURCE: Final = regex.compile(
    r"(?<=[а-яєА-ЯЄ] )(?=\p{Lu})"
    r"(?<=(?i:пишет|пише|передаёт|передает|передає|сообщает|повідомляє|по (?:данным|информации|оценке)"
    r"|за (?:даними|інформацією|оцінкою)|со ссылкой на|з посиланням на) )"
    r"(\p{Latin}[\p{Latin}\d'-]+(?: \p{Lu}[\p{Latin}\d'-]*){0,3})(?![\p{L}\d])"
)
_VERSION: Final = regex.compile(
    r"(?: \d[xх]\d|\d{1,3}\p{Lu}?|-\d{1,3}\p{Lu}{0,2}\d?| \d{1,3}-\d{1,3}\p{Lu}?)(?![\p{L}\d-])"
)
_SERIES: Final = regex.compile(r"-\p{Lu}{1,2}\Z")
_MAX_WORDS: Final = 5
_PLACE_WORDS: Final = 2
_SHORTEST: Final = 2
_UNLISTED: Final = frozenset(("agency", "class-word"))
_CLOSING: Final = ('"', "”", "»")
_COMPASS: Final = frozenset(("Bắc", "Nam", "Tây", "Trung", "Đông", "East", "North", "South", "West"))


def name_by_cues(document: Document) -> None:
    """Add the free names that a class word leads to or follows, datelines, and abbreviations, which are organisations."""
    for line in _DATELINE.finditer(document.text):
        if document.is_free(line.start(1), line.end(1)):
            name = line[1]
            document.add(Span(*line.span(1), EntityType.ORG, f"org:{slug(name)}", name, "dateline", name))
    for pattern in (_QUOTED_SOURCE, _LATIN_SOURCE) if _CYRILLIC.search(document.text) else ():
        for source in pattern.finditer(document.text):
            if document.is_free(*source.span(1)):
                name = source[1]
                document.add(Span(*source.span(1), EntityType.ORG, f"org:{slug(name)}", name, "class-word", name))
    for run in list(free_runs(document)):
        kind = _kind(document, run)
        if _is_abbreviation(document, run):
            weapon = EntityType.WEAPON if is_designation(run.words[0]) else EntityType.ORG
            document.add(_abbreviation(document, run, kind or weapon))
        elif (whole := _in_brackets(document, run)) is not None:
            document.add(replace(whole, start=run.start, end=run.end, rule="brackets", alias=run.text(document)))
        elif kind is not None and len(run.words) <= _MAX_WORDS and _names(document, run):
            document.add(_named(document, run, kind))
        elif _is_company(run):
            document.add(_named(document, run, EntityType.ORG))
        elif document.language == "en" and len(run.words) > 1 and run.words[-1] in document.grammar.geography:
            document.add(_named(document, run, EntityType.LOC))


def _in_brackets(document: Document, run: Run) -> Span | None:
    """Return the organisation whose other name stands in brackets behind it: "… Hàng không Nga (Rosaviatsiya)"."""
    whole = _written_out(document, run) if document.text[run.end : run.end + 1] == ")" else None
    return whole if whole is not None and whole.type is EntityType.ORG else None


def _written_out(document: Document, run: Run) -> Span | None:
    """Return the name in front of the bracket that a run opens, unless it is an abbreviation itself: "của LHQ (UNRWA)"."""
    whole = document.span_ending(run.start - 2) if document.text[run.start - 2 : run.start] == " (" else None
    return whole if whole is not None and not document.text[whole.start : whole.end].isupper() else None


def _is_company(run: Run) -> bool:
    """Return whether a run ends like the name of a company or outlet: "Wizz Air", "Times Radio", "Sovcombank", "Fontanka.ru"."""
    words, endings = _company_words()
    return (len(run.words) > 1 and run.words[-1] in words) or endings.search(run.words[-1]) is not None


@cache
def _company_words() -> tuple[frozenset[str], "regex.Pattern[str]"]:
    table = read_table("institutions.yaml")["companies"]
    return frozenset(table["words"]), regex.compile(rf"(?<=\p{{L}}{{3}})(?:{'|'.join(table['endings'])})\Z")


def _named(document: Document, run: Run, kind: EntityType) -> Span:
    """Return the mention of a name behind its class word; a weapon's has its version in: "UAV Molniya-2", "radar Podlet-K1"."""
    name = run.text(document)
    if kind is EntityType.WEAPON:
        return _weapon(document, run)
    identifier = stem_slug(name) if document.language in ("ru", "uk") else slug(name)
    return Span(run.start, run.end, kind, f"{kind.value.lower()}:{identifier}", name, "class-word", name)


def _weapon(document: Document, run: Run) -> Span:
    """Return the mention of a weapon: of a known one whose name is much else besides, or under an id without its version."""
    for hit in document.hits:
        if hit.start == run.start and hit.end >= run.end:
            for name in hit.names:
                if name.meaning.type is EntityType.WEAPON:
                    return document.span_of(hit.start, hit.end, name)
    version = _VERSION.match(document.text, run.end)
    end = version.end() if version else run.end
    name_only = _SERIES.sub("", run.text(document))
    text = document.text[run.start : end]
    return Span(run.start, end, EntityType.WEAPON, f"weapon:{slug(name_only)}", text, "class-word", text)


def bind_brackets(document: Document) -> None:
    """Give a body nobody listed the id of the known name in brackets behind it: "Viện … Stockholm (SIPRI)"."""
    for span in document.in_order():
        known = document.spans.get(span.end + 2) if document.text[span.end : span.end + 2] == " (" else None
        if known is None or document.text[known.end : known.end + 1] != ")":
            continue
        if span.type is known.type is EntityType.ORG and known.rule == "alias" and span.rule in _UNLISTED:
            document.add(replace(span, canonical=known.canonical, label=known.label))


def _is_abbreviation(document: Document, run: Run) -> bool:
    """Return whether a run is one unknown abbreviation among words that are not all capitals: "theo NABU"."""
    word = run.words[0]
    if len(run.words) > 1 or not _ABBREVIATED.fullmatch(word):
        return False
    if any(hit.names for hit in document.hits if hit.start == run.start and hit.end == run.end):
        return False
    return word not in document.grammar.abbreviations and not document.shouted(run.start, run.end)


def _abbreviation(document: Document, run: Run, kind: EntityType) -> Span:
    """Return the mention of an abbreviation; in brackets behind a name of its kind it stands for the same."""
    name = run.words[0]
    whole = _written_out(document, run)
    if whole is not None and whole.type is kind:
        return Span(run.start, run.end, kind, whole.canonical, whole.label, "abbreviation", name)
    return Span(run.start, run.end, kind, f"{kind.value.lower()}:{slug(name)}", name, "abbreviation", name)


def _names(document: Document, run: Run) -> bool:
    """Return whether a run can name something: no compass point, no single letter or Vietnamese syllable ("Nguồn: Tổng hợp")."""
    if len(run.words) == 1 and run.words[0] in document.grammar.abbreviations:
        return False
    if _COMPASS.issuperset(run.words) or run.end - run.start < _SHORTEST:
        return False
    if len(run.words) > 1 and run.words[-1] in document.grammar.no_surnames:
        return False
    if all(word.isupper() for word in run.words) and document.shouted(run.start, run.end):
        return document.language == "vi" and not any(map(document.grammar.is_syllable, run.words))
    if document.language != "vi" or len(run.words) > 1:
        return True
    word, grammar = run.words[0], document.grammar
    return not (grammar.is_vietnamese_given(word) or (grammar.is_syllable(word) and not word.isascii()))


def _kind(document: Document, run: Run) -> EntityType | None:
    cue = cue_before(document, run.start) or cue_of_list(document, run.start)
    if cue is not None and cue.kind in _KINDS:
        return _KINDS[cue.kind]
    if cue is not None and cue.kind == "PERSON" and is_quoted_body(document, run):
        return EntityType.ORG
    quoted = document.text[run.end : run.end + 1] in _CLOSING
    if opens_sentence(document.text, run.start) and not quoted:
        return None
    behind = run.end + 1 + quoted
    for _, following in document.cues.starting.get(behind, ()):
        if following.side == "right" and following.kind in _KINDS:
            return _KINDS[following.kind]
    is_place = cue is None and not quoted and (_sounds_like_place(run) or _closes_list(document, run))
    return EntityType.LOC if is_place else None


def _closes_list(document: Document, run: Run) -> bool:
    return len(run.words) == 1 and run.words[0][1:].islower() and follows_places(document, run.start)


def _sounds_like_place(run: Run) -> bool:
    """Return whether one or two words end like a Slavic town: "Novomykhailivka", "Верхняя Дубровка"."""
    word = run.words[-1]
    return len(run.words) <= _PLACE_WORDS and word[1:].islower() and _place_ending().search(word) is not None


@cache
def _place_ending() -> "regex.Pattern[str]":
    return regex.compile(rf"(?<=\p{{L}}{{2}})(?:{'|'.join(read_table('cues.yaml')['place_endings'])})\Z")
