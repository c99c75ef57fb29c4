"""Naming the language of an article and of passages in another one."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from services.normaliser.language_model import Identifier, load_identifier
from shared.models import Language, Passage

UNDETERMINED: Final = "und"
MIN_SCORE: Final = 0.6
_SAMPLE = 350  # code points that are enough to name a language
_LONG_SAMPLE = 2500  # code points by which the script is told
_MINOR_SCRIPT = 10  # the other script's letters are counted out when there are a tenth as many, or more
_SHORTEST_PASSAGE = 40
_MIN_PASSAGE_SCORE = 0.85
_FEW_MARKS = 0.01  # of the letters: a Vietnamese text below it was typed without marks

_CYRILLIC = re.compile("[\u0400-\u04ff]+")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f\u1e00-\u1eff]+")
_MARKED = re.compile("[\u00c0-\u024f\u1ea0-\u1eff]")
_VIETNAMESE = re.compile("[ăâđêôơưĂÂĐÊÔƠƯ\u1ea0-\u1ef9]")
_UKRAINIAN = re.compile("[іїєґІЇЄҐ]")
_RUSSIAN = re.compile("[ыэёъЫЭЁЪ]")


@lru_cache(maxsize=8)
def _identifier(languages: tuple[str, ...]) -> Identifier:
    return load_identifier(languages)


def identify(text: str, languages: tuple[str, ...]) -> Language:
    """Return the language of a text among those configured, `und` below `MIN_SCORE`, with the identifier's score."""
    sample = _sample(text)
    if not any(character.isalpha() for character in sample):
        return Language(code=UNDETERMINED, score=0.0)
    code, score = _identifier(languages).classify(sample)
    score = round(min(1.0, max(0.0, float(score))), 3)
    return Language(code=code if score >= MIN_SCORE else UNDETERMINED, score=score)


def _count(letters: "re.Pattern[str]", text: str) -> int:
    return sum(map(len, letters.findall(text)))


def _sample(text: str) -> str:
    """Return the first lines in the script most letters of a text are in, so that a long quotation does not name the article."""
    head = text[:_LONG_SAMPLE]
    cyrillic = _count(_CYRILLIC, head)
    latin = _count(_LATIN, head) if cyrillic else len(head)
    if min(cyrillic, latin) * _MINOR_SCRIPT < max(cyrillic, latin):
        return head[:_SAMPLE]
    letters, others = (_CYRILLIC, _LATIN) if cyrillic > latin else (_LATIN, _CYRILLIC)
    lines = [line for line in head.split("\n") if _count(letters, line) > _count(others, line)]
    return "\n".join(lines)[:_SAMPLE]


def is_unaccented(text: str, language: str) -> bool:
    """Whether a Vietnamese text was typed without its marks."""
    if language != "vi":
        return False
    sample = text[:_SAMPLE]
    return sample.isascii() or _count(_MARKED, sample) < _FEW_MARKS * _count(_LATIN, sample)


def passages(body: str, article: Language, languages: tuple[str, ...]) -> list[Passage]:
    """Return the runs of paragraphs in a language other than the article's."""
    found: list[Passage] = []
    unaccented = is_unaccented(body, article.code)
    for start, end in _paragraphs(body):
        paragraph = body[start:end]
        if not _may_differ(paragraph, article.code, unaccented):
            continue
        language = identify(paragraph, languages)
        if language.code in (article.code, UNDETERMINED) or language.score < _MIN_PASSAGE_SCORE:
            continue
        last = found[-1] if found else None
        if last and last.language.code == language.code and not body[last.end : start].strip():
            found[-1] = Passage(start=last.start, end=end, language=last.language)
        else:
            found.append(Passage(start=start, end=end, language=language))
    return found


def _paragraphs(body: str) -> Iterable[tuple[int, int]]:
    position = 0
    for line in body.split("\n"):
        if len(line) >= _SHORTEST_PASSAGE:
            yield position, position + len(line)
        position += len(line) + 1


def _may_differ(paragraph: str, code: str, unaccented: bool) -> bool:
    """Whether a paragraph's letters allow another language than the article's: a quick look before the identifier's."""
    if code == "vi" and not unaccented and _VIETNAMESE.search(paragraph) and not _CYRILLIC.search(paragraph):
        return False
    sample = paragraph[:_SAMPLE]
    cyrillic = _count(_CYRILLIC, sample) > _count(_LATIN, sample)
    match code:
        case "vi":
            return cyrillic or not (unaccented or _VIETNAMESE.search(paragraph))
        case "ru":
            return not cyrillic or bool(_UKRAINIAN.search(paragraph))
        case "uk":
            return not cyrillic or bool(_RUSSIAN.search(paragraph))
        case "en":
            return cyrillic or bool(_VIETNAMESE.search(paragraph))
    return True
