"""Names that no rule covers, by a trained tagger: in languages that have one, in sentences that hold such a name."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import regex

from services.extractor.entities.context import opens_sentence
from services.extractor.entities.document import Document, Span
from services.extractor.entities.persons import name_again, person_slug, stem_slug
from services.extractor.entities.runs import Run, free_runs
from services.extractor.entities.tagger_ru import load_russian
from services.extractor.entities.tagging import Tagger, Taggers
from shared.models import EntityType
from shared.settings import SettingsError

# By ISO 639-1 code. docs/decisions/0007 says which taggers were measured, and why the others are not here.
_LOADERS: Final[Mapping[str, Callable[[], Tagger]]] = {"ru": load_russian}
_BREAK: Final = regex.compile(r"(?<=[.!?…][»\"”)]?)(?<!(?<!\w)\p{Lu}\.)[^\S\n]+(?=[^\p{Ll}\s])|\n+")
_EDGES: Final = regex.compile(r"(?:.*[«\"“„])?\W*(?P<name>\w[^«»\"“”„]*?)\W*\Z")
_QUOTES: Final = frozenset('«»"“”„')
_LONGEST: Final = 1000  # characters: more is a table or a list, and a tagger takes memory by the length
_RULE: Final = "tagger"


def load_taggers(wanted: bool) -> Taggers:
    """Return the tagger of each language that has one; none when they are not wanted.

    Raises `SettingsError` when their packages (the extra `names`) are not installed.
    """
    try:
        return {language: load() for language, load in _LOADERS.items()} if wanted else {}
    except ImportError as error:
        raise SettingsError(
            f"FRONTWIRE_NAME_TAGGERS: {error}; install the project with its extra `names`, or leave it off"
        ) from None


def name_by_tagger(document: Document, tagger: Tagger | None) -> None:
    """Add the names that a tagger sees where no rule has found any, and the same names where it does not see them."""
    if tagger is None:
        return
    runs = list(free_runs(document))
    sentences = list(_uncovered(document, runs, tagger))
    if not sentences:
        return
    known = {
        (span.type, stem_slug(document.text[span.start : span.end])): span
        for span in document.in_order()
        if span.canonical.startswith(f"{span.type.value.lower()}:")
    }
    found = _places(document, sentences, tagger)
    added: dict[str, Span] = {}
    for several in (True, False):
        for start, end, kind in found:
            if (" " in document.text[start:end]) is several and _may_name(document, start, end, kind, runs, tagger):
                span = _named(document, start, end, kind, known)
                document.add(span)
                added.setdefault(stem_slug(span.alias), span)
        name_again(document, runs)
    for run in runs:
        again = added.get(stem_slug(run.text(document)))
        if again is not None and document.is_free(run.start, run.end):
            document.add(replace(again, start=run.start, end=run.end, alias=run.text(document)))


def _uncovered(document: Document, runs: Sequence[Run], tagger: Tagger) -> Iterator[tuple[int, int]]:
    """Yield start and end of the sentences with a run that may be a name, outside of headlines in capitals."""
    bounds = list(_sentences(document.text))
    starts = [start for start, _ in bounds]
    asked = {
        bisect_right(starts, run.start) - 1
        for run in runs
        if not _is_doubtful(document, run.start, run.end, tagger) and not document.shouted(run.start, run.end)
    }
    for start, end in (bounds[index] for index in sorted(asked)):
        if end - start <= _LONGEST:
            yield start, end


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for pause in _BREAK.finditer(text):
        yield start, pause.start()
        start = pause.end()
    yield start, len(text)


def _is_doubtful(document: Document, start: int, end: int, tagger: Tagger) -> bool:
    """Return whether this is a single word that opens a sentence, is an ordinary one, too, or a first name.

    Quotation marks around just this word make it a name.
    """
    text = document.text
    if " " in text[start:end] or (text[start - 1 : start] in _QUOTES and text[end : end + 1] in _QUOTES):
        return False
    if opens_sentence(text, start) or (start, end) in document.cues.first_names:
        return True
    return tagger.knows(document.folded[start:end])


def _places(
    document: Document, sentences: Sequence[tuple[int, int]], tagger: Tagger
) -> list[tuple[int, int, EntityType]]:
    """Return what a tagger sees, without the marks around a name and what is in front of a quotation."""
    tagged = tagger.tag([document.text[start:end] for start, end in sentences])
    return [
        (*bare.span("name"), name.type)
        for (start, _), names in zip(sentences, tagged, strict=True)
        for name in names
        if (bare := _EDGES.match(document.text, start + name.start, start + name.end))
    ]


def _may_name(document: Document, start: int, end: int, kind: EntityType, runs: Iterable[Run], tagger: Tagger) -> bool:
    """Return whether a tagger may name this: free, in a run of capitalised words, beyond doubt.

    What the alias sets know but refuse here, by its context, is refused from a tagger, too.
    """
    if not document.is_free(start, end) or not document.text[start].isupper() or document.shouted(start, end):
        return False
    if not any(run.start < end and start < run.end for run in runs):
        return False
    if _is_doubtful(document, start, end, tagger):
        return False
    at = (start, end)
    return not any(name.meaning.type is kind for hit in document.hits if hit[:2] == at for name in hit.names)


def _named(
    document: Document, start: int, end: int, kind: EntityType, known: Mapping[tuple[EntityType, str], Span]
) -> Span:
    """Return the mention under the id of the same name in this article, or under a slug of its own."""
    name = document.text[start:end]
    same = known.get((kind, stem_slug(name)))
    if same is not None:
        return Span(start, end, kind, same.canonical, same.label, _RULE, name)
    slug = person_slug(document, name) if kind is EntityType.PERSON else f"{kind.value.lower()}:{stem_slug(name)}"
    return Span(start, end, kind, slug, name, _RULE, name)
