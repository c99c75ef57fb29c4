"""Persons: by title, first name or initials, and their surnames later in the same article."""

from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import Final

import regex

from services.extractor.entities.context import opens_sentence
from services.extractor.entities.document import Document, Span
from services.extractor.entities.runs import Run, cue_before, free_runs, is_quoted_body
from services.extractor.entities.slugs import key, slug
from services.extractor.entities.tables import read_table
from shared.models import EntityType

People = Mapping[str, tuple[str, str]]

_INITIALS: Final = regex.compile(r"(?<![\p{L}.])(?:\p{Lu}\.[ -]?){1,3}$")
_ENDING: Final = regex.compile(r"(?<=[a-z]{3})(?:ogo|omu|imu|ovi|evi|iem|em|im|om|oi|oiu|iu|ia|u|a|e|i|o)$")
_FLEETING: Final = regex.compile(r"(?<=[a-z]{3})[eo](ts|k)$")
_ARTICLE: Final = regex.compile(r"^(?:al|el|as|аль|эль|ас|ель)-", regex.IGNORECASE)
_REIGN: Final = regex.compile(r"I{1,3}|IV|VI{0,3}|IX|X[IVX]*")
_LONGEST_NAME: Final = 3
_SURNAME: Final = regex.compile(
    r"(?<=\p{L}{2})(?:enko|chuk|shyn|sky|skyi|skiy|skyy|vych|vich|ov|ova|ev|eva|iev|ieva|dze|shvili|yan"
    r"|(?:ов|ев|ёв|єв|їв)(?:а|у|ым|ом|им|ой|ою|е|ої|ій)?|енко|(?:чук|юк|щук)(?:а|у|ом|ові)?|ск(?:ий|ого|ому|им|ая|ой|ую)"
    r"|ськ(?:ий|ого|ому|им|а|ої|ій|у|ою)|(?:ович|евич)(?:а|у|ем)?|дзе|швили|швілі)$"
)
_APPOSITION: Final = regex.compile(r", (?:\p{Ll}+ ){0,3}")
_WORDS_BEFORE: Final = regex.compile(r"(?<![\w-])(?:\p{L}[\p{L}-]* ){1,3}\p{Ll}+ \Z")
_OFFICE_REACH: Final = 80
_WORD_BEFORE: Final = regex.compile(r"(?<![\w'-])(\p{Lu}[\p{L}'-]+) $")


def name_persons(document: Document, people: People) -> None:
    """Add all persons. `people` gives id and label of known persons by the key of their full name."""
    for span in document.in_order():
        if span.type is EntityType.PERSON:
            _complete(document, span)
    _drop_places_in_names(document)
    runs = [_without_opener(document, run) for run in free_runs(document)]
    full = [run for run in runs if len(run.words) > 1 and _is_person(document, run)]
    for run in full:
        document.add(_full_name(document, run, people))
    surnames = name_again(document, runs)
    for run in runs:
        if len(run.words) == 1 and document.is_free(run.start, run.end) and _leads_to_person(document, run):
            document.add(_single_name(document, run))
    for span in document.in_order():
        if not span.sure and (known := surnames.get(stem(document.text[span.start : span.end]))) is not None:
            document.add(_again(document, Run(span.start, span.end, ()), known))


def name_again(document: Document, runs: Iterable[Run]) -> dict[str, Span]:
    """Add the free runs that are the name or surname of a person named in full; return those persons by their stems.

    The word that opens a sentence may be in front: "Позже Лапшова".
    """
    surnames = _surnames(document)
    for run in runs if surnames else ():
        if not document.is_free(run.start, run.end):
            continue
        known = surnames.get(" ".join(map(stem, run.words)))
        if known is None and len(run.words) > 1 and opens_sentence(document.text, run.start):
            run = Run(run.start + len(run.words[0]) + 1, run.end, run.words[1:])
            known = surnames.get(" ".join(map(stem, run.words)))
        if known is not None and not _is_homonym(document, run):
            document.add(_again(document, run, known))
    return surnames


def _is_homonym(document: Document, run: Run) -> bool:
    """Return whether a Vietnamese given name is something else here: "Pháp luật" beside "ông Pháp"."""
    if document.language != "vi" or len(run.words) > 1 or not document.grammar.is_vietnamese_given(run.words[0]):
        return False
    if not any(hit.names for hit in document.hits if (hit.start, hit.end) == (run.start, run.end)):
        return False
    cue = cue_before(document, run.start)
    return cue is None or cue.kind not in ("PERSON", "ADDRESS")


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """Return what the case forms and spellings of a surname have in common."""
    return _FLEETING.sub(r"\1", _ENDING.sub("", key(word)))


def stem_slug(name: str) -> str:
    """Return the case forms' and spellings' common part of a name of any kind, for ids.

    >>> stem_slug("Приволжского аэроклуба") == stem_slug("Приволжский аэроклуб")
    True
    """
    return slug("-".join(filter(None, map(stem, name.split(" ")))))


def person_key(name: str) -> str:
    """Return what the spellings of a full name have in common, in Russian and Ukrainian too.

    >>> person_key("Sergey Kovalenko") == person_key("Сергій Коваленко")
    True
    """
    first, *rest = (stem(word) for word in name.split(" "))
    return "-".join(filter(None, (_twins().get(first, first) if rest else first, *rest)))


@cache
def _twins() -> dict[str, str]:
    """Return by the stem of a first name the stem of its Russian form."""
    return {stem(name): stem(names[0]) for names in read_table("names.yaml")["twins"] for name in names}


def _complete(document: Document, span: Span) -> None:
    """Take initials and a first name in front of a known surname in; another first name makes another person."""
    before = document.text[max(0, span.start - 24) : span.start]
    initials = _INITIALS.search(before)
    if initials:
        _move_start(document, span, span.start - len(initials[0]))
        return
    word = _WORD_BEFORE.search(before)
    surname = document.text[span.start : span.end]
    if word is None or (" " in surname and surname[0].isupper()):
        return
    start = span.start - len(word[0])
    if not document.is_free(start, span.start) and not _is_unsure(document, span.start - 1):
        return
    if _is_cue(document, start) or (opens_sentence(document.text, start) and not _is_first(document, start, word[1])):
        return
    if word[1].isupper():
        return
    if person_key(f"{word[1]} {surname}") == person_key(f"{span.label.split(' ')[0]} {surname}"):
        _move_start(document, span, start)
    else:
        name = document.text[start : span.end]
        document.add(Span(start, span.end, EntityType.PERSON, _slug_of(name), name, "first-name", name))


def _is_first(document: Document, start: int, word: str) -> bool:
    return (start, start + len(word)) in document.cues.first_names


def _is_unsure(document: Document, end: int) -> bool:
    span = document.span_ending(end)
    return span is not None and not span.sure


def _is_cue(document: Document, start: int) -> bool:
    return any(cue.side == "left" for _, cue in document.cues.starting.get(start, ()))


def _move_start(document: Document, span: Span, start: int) -> None:
    document.add(Span(start, span.end, span.type, span.canonical, span.label, span.rule, span.alias))


def _drop_places_in_names(document: Document) -> None:
    """Give up towns that are first names or surnames here: "Владимир Петров", "George Kent", "Michael Jordan"."""
    starts = {word.start: word for word in document.capitals}
    for span in document.in_order():
        if span.type is not EntityType.LOC or document.text[span.end : span.end + 1] != " ":
            continue
        following = starts.get(span.end + 1)
        first = (span.start, span.end) in document.cues.first_names
        if following is None or (span.sure and not first):
            continue
        if (
            first
            and (place := document.spans.get(following.start))
            and place.type is EntityType.LOC
            and place.end == following.end
        ):
            document.remove(place)
            document.remove(span)
        elif document.is_free(following.start, following.end) and not document.cues.leads_on(
            following.start, following.end
        ):
            document.remove(span)
    for word in document.capitals:
        place = document.spans.get(word.end + 1)
        if place is None or place.type is not EntityType.LOC or not document.is_free(word.start, word.end):
            continue
        first = (word.start, word.end) in document.cues.first_names
        cue = document.cues.left.get(word.start - 1)
        named = cue is not None and cue.kind in ("ORG", "PERSON", "WEAPON") and not place.sure
        if named or (first and " " not in document.text[place.start : place.end]):
            document.remove(place)


def _without_opener(document: Document, run: Run) -> Run:
    """Return a run without the noun in front of its first name: "Боєць Андрій Шевчук", "речник Держприкордонслужби Андрій …"."""
    second = run.start + len(run.words[0]) + 1
    if len(run.words) < 2 or (run.start, second - 1) in document.cues.first_names:
        return run
    cue = None if opens_sentence(document.text, run.start) else cue_before(document, run.start)
    if not opens_sentence(document.text, run.start) and (cue is None or cue.kind != "PERSON"):
        return run
    if (second, second + len(run.words[1])) not in document.cues.first_names:
        return run
    return Run(second, run.end, run.words[1:])


def _is_person(document: Document, run: Run) -> bool:
    grammar = document.grammar
    if run.words[-1] in grammar.no_surnames or all(_is_loud(word) for word in run.words):
        return False
    if document.language == "vi" and run.words[0] in grammar.vietnamese_surnames:
        return all(word in grammar.vietnamese_names or grammar.is_vietnamese_given(word) for word in run.words[1:])
    if (run.start, run.start + len(run.words[0])) in document.cues.first_names:
        return True
    if _leads_to_person(document, run) or _sounds_like_person(document, run):
        return True
    if len(run.words) > 1 and document.text[run.start - 3 : run.start] == "'s ":
        owner = document.span_ending(run.start - 3)
        return owner is not None and owner.territory is not None
    if any(cue.side == "right" and cue.kind == "PERSON" for _, cue in document.cues.starting.get(run.end + 1, ())):
        return True
    return _follows_office(document, run) or _has_apposition(document, run)


def _follows_office(document: Document, run: Run) -> bool:
    """Return whether an office and what it is for stand in front of several words: "министр транспорта Абдулкадир Уралоглу"."""
    if document.language not in ("ru", "uk") or len(run.words) not in (2, 3) or not run.words[0][1:].islower():
        return False
    if cue_before(document, run.start) is not None:
        return False
    before = _WORDS_BEFORE.search(document.text, max(0, run.start - _OFFICE_REACH), run.start)
    return before is not None and any(
        word.startswith(document.grammar.office_stems) for word in before[0].casefold().split()[:-1]
    )


def _has_apposition(document: Document, run: Run) -> bool:
    """Return whether a title follows a comma behind a name of two or three words: "Mirjana Spoljaric, its president"."""
    behind = _APPOSITION.match(document.text, run.end)
    if behind is None or len(run.words) > _LONGEST_NAME or any(word.isupper() for word in run.words):
        return False
    return any(
        cue.side == "left" and cue.kind == "PERSON"
        for start in range(run.end + 2, behind.end() + 1)
        for _, cue in document.cues.starting.get(start, ())
    )


def _sounds_like_person(document: Document, run: Run) -> bool:
    """Return whether two or three words end like a Slavic or Caucasian surname: "Адамом Делимхановым", "Tymofii Mylovanov"."""
    if len(run.words) > _LONGEST_NAME or opens_sentence(document.text, run.start):
        return False
    if cue_before(document, run.start) is not None or not all(word[1:].islower() for word in run.words):
        return False
    return _SURNAME.search(run.words[-1]) is not None


def _leads_to_person(document: Document, run: Run) -> bool:
    """Return whether a title stands in front; one Vietnamese word behind an office must be a name ("Chủ tịch Quỹ …" is none)."""
    reigns = len(run.words) > 1 and _REIGN.fullmatch(run.words[-1])
    if any(map(_is_loud, run.words[:-1] if reigns else run.words)):
        return False
    if len(run.words[0]) == 1 and document.shouted(run.start, run.end):
        return False
    cue = cue_before(document, run.start)
    if cue is None or cue.kind not in ("PERSON", "ADDRESS") or is_quoted_body(document, run):
        return False
    word, grammar = run.words[0], document.grammar
    syllable = document.language == "vi" and len(run.words) == 1 and grammar.is_vietnamese_given(word)
    return not syllable or cue.kind == "ADDRESS" or word in grammar.vietnamese_given


def _is_loud(word: str) -> bool:
    """Return whether a word is all capitals and no initials."""
    return len(word) > 1 and word.isupper() and "." not in word


def _full_name(document: Document, run: Run, people: People) -> Span:
    name = run.text(document)
    known = people.get(person_key(name))
    if known:
        return Span(run.start, run.end, EntityType.PERSON, known[0], known[1], "spelling", name)
    private = document.language == "vi" and run.words[0] in document.grammar.vietnamese_names
    canonical = _private_slug(document, name) if private else _slug_of(name)
    return Span(run.start, run.end, EntityType.PERSON, canonical, name, "title", name)


def _single_name(document: Document, run: Run) -> Span:
    name = run.text(document)
    return Span(run.start, run.end, EntityType.PERSON, _private_slug(document, name), name, "title", name)


def _again(document: Document, run: Run, known: Span) -> Span:
    return Span(run.start, run.end, EntityType.PERSON, known.canonical, known.label, "surname", run.text(document))


def _surnames(document: Document) -> dict[str, Span]:
    """Return the persons with a full name in this article, by the full and by the last name (Vietnamese: the given name)."""
    found: dict[str, Span] = {}
    for span in document.in_order():
        name = document.text[span.start : span.end]
        if span.type is EntityType.PERSON and " " in name:
            words = [stem(_ARTICLE.sub("", word)) for word in name.split(" ")]
            found.setdefault(" ".join(words), span)
            found.setdefault(words[-1], span)
    return found


def person_slug(document: Document, name: str) -> str:
    """Return the id of a person nobody listed; one of a single word holds in this article only."""
    return _slug_of(name) if " " in name else _private_slug(document, name)


def _slug_of(name: str) -> str:
    return f"person:{person_key(name)}"


def _private_slug(document: Document, name: str) -> str:
    """Return an id that holds in this article only: the same name elsewhere is somebody else."""
    return f"{_slug_of(name)}-{document.private}"
