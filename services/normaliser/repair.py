"""Undoing damage done to a text on its way here: wrong decodings, escaped entities, invisible characters, loose marks.

Each step returns the changes it makes and nothing else is touched: spelling, quotation marks and garbled words that an article
quotes as an example stay. The order matters: soft hyphens and C1 controls are letters of a wrongly decoded text.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import ftfy
import regex
from ruamel.yaml import YAML

from services.normaliser.changes import Change, apply, chain

FAMILY_CONTROL: Final = "control"
FAMILY_ENCODING: Final = "encoding"
FAMILY_ENTITY: Final = "entity"
FAMILY_FORM: Final = "form"
FAMILY_SPACE: Final = "space"
FAMILIES: Final = frozenset({FAMILY_CONTROL, FAMILY_ENCODING, FAMILY_ENTITY, FAMILY_FORM, FAMILY_SPACE})

_MAX_ROUNDS = 4
_MIN_MISREAD_LETTERS = 4
_MAX_MISREADINGS = 3  # UTF-8 read as windows-1252 and written as UTF-8 again, and again
_MIN_LEGACY_SHARE = (
    0.5  # of the odd words that must become Vietnamese syllables before a text counts as TCVN3 or cp1258
)
_MIN_LEGACY_WORDS = 4

_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});?")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f]+"
)
_SPACES = re.compile("\r\n?|[\x85\u2028\u2029]|[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_SUSPECT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\xa0\xad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_SECOND_HALF = (  # what windows-1252 makes of the bytes 80 to 9f
    "\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013\u2014\u2018-\u201a\u201c-\u201e\u2020-\u2022\u2026\u2030"
    "\u2039\u203a\u20ac\u2122"
)
_BEYOND_ONE_BYTE = re.compile(f"[^\x00-\xff{_SECOND_HALF}\ufffd]")
_UTF8_SEQUENCE = re.compile(
    "[\xc2-\xdf]{0}|[\xe0-\xef]{0}{{2}}|[\xf0-\xf4]{0}{{3}}".format(f"[\x80-\xbf{_SECOND_HALF}]"),
)
_MAYBE_MISREAD = re.compile(f"[\xc2-\xf4][\x80-\xbf{_SECOND_HALF}]|\xc2 ")
_HIGH = re.compile("[\x80-\xff]")
_WORD = re.compile("[^\\s\"'()\\[\\].,:;!?/0-9-]+")
_QUOTED = re.compile('["“«„‘\'][^"”»“\n]{1,80}["”»’\']')
_SYLLABLE = re.compile(
    "(?:ngh?|nh|ch|gh|gi|kh|ph|qu|th|tr|[bcdđghklmnprstvx])?(?:"
    "ai|ao|au|ay|âu|ây|eo|êu|iu|oi|ôi|ơi|ui|ưi|ưu|iêu|yêu|oai|oay|oeo|uôi|ươi|ươu|uây|uyu|ia|ya|ua|ưa|uơ|uya"
    "|(?:a|ă|â|e|ê|i|o|ô|ơ|u|ư|y|iê|yê|uô|ươ|oa|oă|oe|uâ|uê|uy|uyê)(?:ch|ng|nh|[cmnpt])?)"
)
_TONES = dict.fromkeys(map(ord, "\u0300\u0301\u0303\u0309\u0323"))


def repair(text: str) -> list[Change]:
    """Return every change that undoes damage to a text, against that text.

    One repair can lay another damage bare (an escaped soft hyphen, a zero-width character in a wrongly decoded line), so the
    steps are repeated while they find something.
    """
    changes: list[Change] = []
    current = text
    for _ in range(_MAX_ROUNDS):
        before = changes
        for step in (_misread, _legacy, _entities, _invisible, _composed):
            found = step(current)
            if found:
                changes = chain(changes, found, current)
                current = apply(current, found)
        if changes is before:
            break
    return changes


def _by_line(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    for line in text.split("\n"):
        yield start, line
        start += len(line) + 1


def _misread(text: str) -> list[Change]:
    """Undo UTF-8 that was read as latin-1 or windows-1252, line by line."""
    if not _MAYBE_MISREAD.search(text):
        return []
    changes: list[Change] = []
    for start, line in _by_line(text):
        if not _MAYBE_MISREAD.search(line) or _only_quoted(line):
            continue
        if _BEYOND_ONE_BYTE.search(line):
            changes.extend(_shifted(change, start) for change in _partly_misread(line))
            continue
        fixed = ftfy.fix_encoding(line)
        if fixed != line:
            changes.extend(_aligned(start, line, fixed))
    return changes


def _partly_misread(line: str) -> list[Change]:
    """Undo the damaged words of a line that also holds sound ones; a few of them, or quoted ones, may be an example."""
    quoted = [match.span() for match in _QUOTED.finditer(line)]
    found = [
        change
        for change in _one_misreading(line)
        if change.replacement.isalpha() and not any(start <= change.start < end for start, end in quoted)
    ]
    return found if len(found) >= _MIN_MISREAD_LETTERS else []


def _only_quoted(line: str) -> bool:
    """Whether all odd characters of a line stand in quotation marks: an example of garbled text, not a garbled text."""
    return not _HIGH.search(_QUOTED.sub("", line))


def _aligned(offset: int, line: str, fixed: str) -> Iterator[Change]:
    """Return the changes of a line letter by letter, or one for the line when the bytes cannot be followed."""
    current, changes = line, list[Change]()
    for _ in range(_MAX_MISREADINGS):
        step = _one_misreading(current)
        if not step:
            break
        changes = chain(changes, step, current)
        current = apply(current, step)
        if current == fixed:
            for change in changes:
                yield _shifted(change, offset)
            return
    yield Change(offset, offset + len(line), fixed, "repair.misread", FAMILY_ENCODING)


def _one_misreading(line: str) -> list[Change]:
    """Return the changes that read every run of high characters of a line as the UTF-8 bytes it was."""
    return [
        Change(match.start(), match.end(), letter, "repair.misread", FAMILY_ENCODING)
        for match in _UTF8_SEQUENCE.finditer(line)
        if (letter := _as_one_letter(match[0]))
    ]


def _as_one_letter(piece: str) -> str | None:
    try:
        return b"".join(_byte(character) for character in piece).decode("utf-8")
    except UnicodeError:
        return None


def _byte(character: str) -> bytes:
    """Return the byte that was read as this character, by windows-1252 or, where that has none, by latin-1."""
    try:
        return character.encode("cp1252")
    except UnicodeEncodeError:
        return character.encode("latin-1")


def _shifted(change: Change, offset: int) -> Change:
    return Change(change.start + offset, change.end + offset, change.replacement, change.rule, change.family)


def _load_legacy() -> dict[str, tuple[dict[int, str], dict[int, str]]]:
    data = YAML(typ="safe").load(Path(__file__).with_name("legacy.yaml"))
    return {name: (str.maketrans(table["letters"]), str.maketrans(table["tones"])) for name, table in data.items()}


_LEGACY: Final = _load_legacy()


def _legacy(text: str) -> list[Change]:
    """Read TCVN3 and windows-1258 text that was taken for windows-1252, when most odd words then are Vietnamese syllables."""
    if not _HIGH.search(text) or _BEYOND_ONE_BYTE.search(text):
        return []
    odd = [word for word in _WORD.findall(text[:20_000]) if _HIGH.search(word)]
    if len(odd) < _MIN_LEGACY_WORDS:
        return []
    before = sum(_is_syllable(word) for word in odd)
    best = max(_LEGACY, key=lambda name: sum(_is_syllable(_converted(word, name)) for word in odd))
    after = sum(_is_syllable(_converted(word, best)) for word in odd)
    if after < _MIN_LEGACY_SHARE * len(odd) or after < 2 * before:
        return []
    letters, tones = _LEGACY[best]
    return [
        Change(match.start(), match.end(), match[0].translate(letters | tones), f"repair.{best}", FAMILY_ENCODING)
        for match in _HIGH.finditer(text)
        if ord(match[0]) in letters or ord(match[0]) in tones
    ]


def _converted(word: str, encoding: str) -> str:
    letters, tones = _LEGACY[encoding]
    return unicodedata.normalize("NFC", word.translate(letters | tones))


def _is_syllable(word: str) -> bool:
    """Whether a word has the shape of one Vietnamese syllable with one tone at most."""
    decomposed = unicodedata.normalize("NFD", word.lower())
    if sum(ord(character) in _TONES for character in decomposed) > 1:
        return False
    return _SYLLABLE.fullmatch(unicodedata.normalize("NFC", decomposed.translate(_TONES))) is not None


def _entities(text: str) -> list[Change]:
    """Replace HTML entities, those that were escaped several times included; `AT&T` and unknown names stay."""
    if "&" not in text:
        return []
    changes: list[Change] = []
    current = text
    for _ in range(_MAX_MISREADINGS):
        found = [
            Change(match.start(), match.end(), meant, "repair.entity", FAMILY_ENTITY)
            for match in _ENTITY.finditer(current)
            if (meant := _entity(match[0])) is not None
        ]
        if not found:
            break
        changes = chain(changes, found, current)
        current = apply(current, found)
    return changes


def _entity(written: str) -> str | None:
    """Return what an entity stands for; one without its semicolon, or of an unknown name, stands for itself."""
    if not written.endswith(";"):
        return None
    meant = html.unescape(written)
    return None if meant == written or "\ufffd" in meant else meant


def _invisible(text: str) -> list[Change]:
    """Remove control, zero-width and direction characters and soft hyphens; write one kind of line break and of blank."""
    if not _SUSPECT.search(text):
        return []
    changes = [
        Change(match.start(), match.end(), "", "repair.invisible", FAMILY_CONTROL)
        for match in _INVISIBLE.finditer(text)
    ]
    for match in _SPACES.finditer(text):
        is_break = match[0][0] in "\r\x85\u2028\u2029"
        rule = "space.line-break" if is_break else "space.blank"
        changes.append(Change(match.start(), match.end(), "\n" if is_break else " ", rule, FAMILY_SPACE))
    return sorted(changes, key=lambda change: change.start)


def _composed(text: str) -> list[Change]:
    """Write letters and their marks as one character each (Unicode NFC)."""
    if unicodedata.is_normalized("NFC", text):
        return []
    changes: list[Change] = []
    for start, line in _by_line(text):
        if not unicodedata.is_normalized("NFC", line):
            changes.extend(_composed_line(start, line))
    return changes


def _each(pattern: "regex.Pattern[str]", line: str, change: Callable[[str], str]) -> Iterator[tuple[int, str, str]]:
    for match in pattern.finditer(line):
        changed = change(match[0])
        if changed != match[0]:
            yield match.start(), match[0], changed


_CLUSTER = regex.compile(r"\X")


def _composed_line(offset: int, line: str) -> list[Change]:
    changes = [
        Change(offset + start, offset + start + len(before), after, "repair.nfc", FAMILY_FORM)
        for start, before, after in _each(_CLUSTER, line, lambda cluster: unicodedata.normalize("NFC", cluster))
    ]
    moved = [_shifted(change, -offset) for change in changes]
    if apply(line, moved) == unicodedata.normalize("NFC", line):
        return changes
    return [Change(offset, offset + len(line), unicodedata.normalize("NFC", line), "repair.nfc", FAMILY_FORM)]
