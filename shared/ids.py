"""Identities that never change: article ids, partitions, trace ids. What is frozen here is frozen for ever."""

import hashlib
import re
import zlib
from typing import Final

# A glued file is never cut into more; the indexer removes the parts of an earlier revision up to here.
MAX_PARTS: Final = 30
_WHITE_SPACE: Final = re.compile(r"\s+")
_ARTICLE_IN_KEY: Final = re.compile(rb"(?:^|\|)([0-9a-f]{32})(?:#[1-9][0-9]?)?(?:$|/)")


def article_id_for_link(cleaned_link: str) -> str:
    """Return the id of an article that a feed announced under this cleaned link (32 hexadecimal digits)."""
    return _digest("link", cleaned_link)


def article_id_for_text(text: str) -> str:
    """Return the id of an article that came as a file: a hash of its text with white space collapsed."""
    return _digest("text", _WHITE_SPACE.sub(" ", text).strip())


def root_id(article_id: str) -> str:
    """Return the id of the raw article that a part (`<id>#2`) was cut from; a whole article is its own root."""
    return article_id.partition("#")[0]


def part_id(parent_id: str, part: int, parts_total: int) -> str:
    """Return the id of one part: the parent's own id when it is the only one, else `<id>#<part>`."""
    return parent_id if parts_total == 1 else f"{parent_id}#{part}"


def family_of(article_id: str) -> tuple[str, ...]:
    """Return every id under which an article may travel: its own and, of a whole one, those of all parts it may be cut into."""
    if article_of_key(article_id.encode()) != article_id:
        return (article_id,)
    return (article_id, *(f"{article_id}#{part}" for part in range(1, MAX_PARTS + 1)))


def article_of_key(key: bytes | None) -> str | None:
    """Return the raw article that a record is about by its key, None when the key names none.

    >>> article_of_key(b"wire.example|0123456789abcdef0123456789abcdef#2/any")
    '0123456789abcdef0123456789abcdef'
    """
    found = _ARTICLE_IN_KEY.search(key or b"")
    return found[1].decode() if found else None


def partition_of(key: str, partitions: int) -> int:
    """Return the partition of a key; all parts of one raw article share one, so that they stay in order."""
    return zlib.crc32(root_id(key).encode()) % partitions


def trace_id_for(article_id: str, fetched_at_ms: int) -> str:
    """Return the trace id (W3C, 32 hexadecimal digits) of one revision of an article."""
    return _digest("trace", f"{article_id} {fetched_at_ms}")


def _digest(purpose: str, value: str) -> str:
    return hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=16, person=purpose.encode()).hexdigest()
