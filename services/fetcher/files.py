"""Files and folders as sources: `.txt`, `.html` and `.jsonl`. What cannot be an article is a refusal, its neighbours pass."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from pydantic import ConfigDict

from services.fetcher.charsets import decode, is_binary
from services.fetcher.documents import Item
from services.fetcher.feeds import Kind
from services.fetcher.outbox import Refusal
from shared import stage
from shared.errors import Reason, Rejected
from shared.models import Model
from shared.stage import Record
from shared.topics import DEAD_LETTER_HEAD_BYTES, MAX_RAW_BYTES

SUFFIXES: Final = frozenset({".htm", ".html", ".jsonl", ".txt"})
# JSON escapes may double a line; what is longer cannot become a raw article.
MAX_LINE_BYTES: Final = 2 * MAX_RAW_BYTES
_PATTERN: Final = frozenset("*?[")
_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True)
class HtmlFile:
    """A saved page: its text is still to be extracted. `markup` is the decoded file, the page's identity."""

    path: Path
    markup: str
    body: bytes


class Line(Model):
    """One line of a `.jsonl` file. Only `text` is required; unknown fields are left alone."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: str | None = None
    url: str | None = None
    title: str | None = None
    text: str
    published: str | None = None
    author: str | None = None
    section: str | None = None


Found = Item | HtmlFile | Refusal


class Missing(OSError):
    """A file or folder that the configuration names does not exist."""


def list_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files that paths, folders (searched through) and patterns stand for, sorted. Raises `Missing`."""
    found: set[Path] = set()
    for path in paths:
        if path.is_file():
            found.add(path)
        elif path.is_dir():
            found.update(file for file in path.rglob("*") if _is_article(file, path))
        elif _PATTERN.intersection(str(path)):
            anchor = Path(path.anchor) if path.is_absolute() else Path()
            found.update(file for file in anchor.glob(str(path.relative_to(anchor))) if file.is_file())
        else:
            raise Missing(f"{path} does not exist")
    return sorted(found)


def read_file(path: Path, kind: Kind | None = None) -> Iterator[Found]:
    """Yield what a file holds: one article, or one a line. A refusal's `line` is 0 for a whole file. Raises OSError."""
    if kind is Kind.JSONL or path.suffix.lower() == ".jsonl":
        with path.open("rb") as lines:
            yield from _read_lines(path, lines)
    else:
        with path.open("rb") as file:
            yield _read_whole(path, file)


def unreadable(path: Path, body: bytes, detail: str) -> Refusal:
    """Return the refusal of a whole file that holds no article."""
    return _refusal(path, 0, Rejected(Reason.UNREADABLE, detail), body)


def _is_article(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return file.suffix.lower() in SUFFIXES and not hidden and file.is_file()


def _read_whole(path: Path, file: IO[bytes]) -> Found:
    body = file.read(MAX_RAW_BYTES + 1)
    if len(body) > MAX_RAW_BYTES:
        return _too_large(path, 0, body, iter(lambda: file.read(_CHUNK), b""))
    if is_binary(body):
        return unreadable(path, body, "binary, not text")
    try:
        text = decode(body)
    except UnicodeError as error:
        return _refusal(path, 0, Rejected(Reason.INVALID_UTF8, str(error)), body)
    if not text.strip():
        return _refusal(path, 0, Rejected(Reason.EMPTY_BODY, "the file is empty"), body)
    if path.suffix.lower() in (".html", ".htm"):
        return HtmlFile(path, text, body)
    return Item(text=text)


def _read_lines(path: Path, lines: IO[bytes]) -> Iterator[Found]:
    number = 0
    while raw := lines.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(raw) > MAX_LINE_BYTES:
            yield _too_large(path, number, raw, _rest_of_line(lines))
            continue
        body = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
        if body.strip():
            yield _read_line(path, number, body.rstrip(b"\r\n"))


def _rest_of_line(lines: IO[bytes]) -> Iterator[bytes]:
    while part := lines.readline(_CHUNK):
        yield part
        if part.endswith(b"\n"):
            return


def _read_line(path: Path, number: int, body: bytes) -> Found:
    try:
        line = stage.decode(Record(str(path), 0, number, None, body), Line)
    except Rejected as refusal:
        return _refusal(path, number, refusal, body)
    if not line.text.strip():
        return _refusal(path, number, Rejected(Reason.EMPTY_BODY, "text is empty"), body)
    return Item(
        link=line.url,
        guid=line.id,
        title=line.title,
        text=line.text,
        author=line.author,
        section=line.section,
        published=line.published,
    )


def _refusal(path: Path, line: int, refusal: Rejected, body: bytes) -> Refusal:
    return Refusal(str(path), line, refusal.reason, refusal.detail, body, len(body), hashlib.sha256(body).hexdigest())


def _too_large(path: Path, line: int, head: bytes, rest: Iterator[bytes]) -> Refusal:
    """Return the refusal of what is too large, measured to its end without holding it."""
    digest, size = hashlib.sha256(head), len(head)
    for chunk in rest:
        digest.update(chunk)
        size += len(chunk)
    detail = f"{size} bytes, an article may have {MAX_RAW_BYTES}"
    kept = head[:DEAD_LETTER_HEAD_BYTES]
    return Refusal(str(path), line, Reason.TOO_LARGE, detail, kept, size, digest.hexdigest())
