"""Russian and Ukrainian bodies nobody listed, by head word: "Институт стран СНГ", "Державне бюро розслідувань", "Росавиация"."""

from dataclasses import replace
from functools import cache
from typing import Final, NamedTuple

import regex

from services.extractor.entities.bodies import Countries, institution_at
from services.extractor.entities.context import opens_sentence
from services.extractor.entities.document import Document, Span
from services.extractor.entities.persons import stem_slug
from services.extractor.entities.tables import read_table
from shared.models import EntityType

_LANGUAGES: Final = ("ru", "uk")
_NEXT: Final = regex.compile(r" ((?:и|та|й|і|по|з|із|для|при|с) )?([\p{L}'-]+)")
_ADJECTIVE: Final = (
    r"\p{L}++(?<=\p{L}(?:ый|ий|ой|ое|ее|ая|яя|ого|его|ому|ему|ым|им|ом|ую|юю"
    r"|не|ське|цьке|на|ова|ська|цька|ну|ову|ську|цьку|ої|ій|ою))"
)
_CASES: Final = (
    "ам|ами|ах|а|ев|ей|ем|е|ии|ий|ией|ию|ия|и|ов|ою|ой|ок|ом|о|у|ы|ью|ь|ю|ям|ями|ях|я|єю|ів|ій|ії|ією|ію|ія|ові|і|ї"
)
_SHORTEST_WORD: Final = 4
_PREPOSITIONS: Final = frozenset(("по", "з", "із", "для", "при", "с"))
_MAX_WORDS: Final = 6


class _Words(NamedTuple):
    """What the names of bodies are made of in one language."""

    body: "regex.Pattern[str]"
    compound: "regex.Pattern[str]"
    verb: "regex.Pattern[str]"
    outside: frozenset[str]
    ordinary: tuple[str, ...]


def name_slavic_bodies(document: Document, countries: Countries) -> None:
    """Add bodies by their head word with what it governs, and by the first syllable of their short name ("Минкульт")."""
    if document.language not in _LANGUAGES:
        return
    words = _words(document.language)
    for match in words.compound.finditer(document.text):
        if match.start() not in document.spans and document.is_free(match.start(), match.end()):
            _add(document, match.start(), _over_country(document, match.end()))
    for match in words.body.finditer(document.text):
        start = match.start()
        known = document.spans.get(start)
        if not _is_open(document, start, match.end()) or _is_ordinary(document, match, words):
            continue
        end = _read_on(document, match.end(), words)
        if known is not None and known.type is EntityType.ORG and _over_country(document, known.end) == end:
            document.add(replace(known, end=end))
        elif (institution := institution_at(document, start, end, countries)) is not None:
            document.add(institution)
        elif end > match.end() or (match["adjective"] and (known is None or known.type is EntityType.LOC)):
            _add(document, start, end)


@cache
def _words(language: str) -> _Words:
    table = read_table("institutions.yaml")["slavic"]
    own = table[language]
    heads = "|".join(sorted(own["heads"], key=len, reverse=True))
    capital = "|".join(sorted((head.capitalize() for head in own["heads"]), key=len, reverse=True))
    compounds = "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in table["compounds"].items())
    body = (
        r"(?=\p{Lu})(?<![\p{L}'-])"
        rf"(?:(?P<adjective>(?=\p{{Lu}}\p{{Ll}}){_ADJECTIVE}(?: (?=\p{{Ll}}){_ADJECTIVE}){{0,2}} )(?:{heads})"
        rf"|(?:{capital}))(?:{_CASES})?(?![\p{{L}}-])"
    )
    return _Words(
        regex.compile(body),
        regex.compile(rf"(?<![\p{{L}}-])(?:{compounds})\p{{Ll}}*(?:'\p{{Ll}}+)?(?![\p{{L}}-])"),
        regex.compile(rf"(?:{'|'.join(own['verb'])})\Z"),
        frozenset(own["outside"]),
        tuple(own["ordinary"]),
    )


def _is_open(document: Document, start: int, end: int) -> bool:
    """Return whether nothing, a town of an adjective's name ("Головне"), or a body of just this name ("Рада") stands here."""
    inside = [document.spans[key] for key in range(start, end) if key in document.spans]
    if not inside:
        return document.is_free(start, end)
    return all(
        (span.type is EntityType.LOC and not span.territory and span.start == start)
        or (span.type is EntityType.ORG and span.end == end)
        for span in inside
    )


def _is_ordinary(document: Document, match: "regex.Match[str]", words: _Words) -> bool:
    """Return whether the head opens a sentence behind an adjective that only describes: "Районный суд", "Украинский фонд"."""
    if not match["adjective"]:
        return False
    first = match["adjective"].split(" ", 1)[0]
    if first.casefold().startswith(words.ordinary):
        return True
    end = match.start() + len(first)
    if any(cue.kind == "PERSON" and stop == end for stop, cue in document.cues.starting.get(match.start(), ())):
        return True
    return opens_sentence(document.text, match.start()) and bool(document.cues.adjectives.get(end))


def _read_on(document: Document, end: int, words: _Words) -> int:
    """Return where the name ends: over the words it governs, "по" and "и" with what they join, abbreviations and a country."""
    limit = end
    for count in range(_MAX_WORDS):
        match = _NEXT.match(document.text, limit)
        if match is None:
            break
        link, word, start = (match[1] or "").strip(), match[2], match.start(2)
        if word[0].isupper():
            reached = _over_capital(document, start, match.end(), first=count == 0)
            return max(end, reached) if not link or link in _PREPOSITIONS or reached > match.end() else end
        if len(word) < _SHORTEST_WORD or word in words.outside or words.verb.search(word):
            break
        limit = end = match.end()
    return end


def _over_capital(document: Document, start: int, end: int, *, first: bool) -> int:
    """Return the end of the capitalised word behind a body if it belongs to its name: a country, "РАН", "Центр Карнеги"; or 0."""
    span = document.spans.get(start)
    if span is not None:
        return span.end if span.territory or span.type is EntityType.ORG else 0
    word = document.text[start:end]
    if word.isupper():
        return end
    follows = document.text[end : end + 2]
    named = follows[:1] == " " and follows[1:].isupper()
    return end if first and document.is_free(start, end) and not named else 0


def _over_country(document: Document, end: int) -> int:
    country = document.spans.get(end + 1)
    joined = country is not None and country.territory and document.text[end] == " "
    return country.end if country is not None and joined else end


def _add(document: Document, start: int, end: int) -> None:
    name = document.text[start:end]
    document.add(Span(start, end, EntityType.ORG, f"org:{stem_slug(name)}", name, "agency", name))
