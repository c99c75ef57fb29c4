"""Bytes to text, whatever their label says: outlets declare the wrong charset more often than they write wrong UTF-8."""

import codecs
import re
from typing import Final

from charset_normalizer import from_bytes

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HEADER_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]+)", re.IGNORECASE)
_META_CHARSET: Final = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([A-Za-z0-9_.:-]+)", re.IGNORECASE)
_CONTROLS: Final = bytes(set(range(32)) - set(b"\t\n\r\f\x1b"))
_META_WITHIN: Final = 4096
_GUESS_WITHIN: Final = 64 * 1024
_BINARY_SHARE: Final = 0.05


def decode(body: bytes, content_type: str | None = None) -> str:
    """Return bytes as text: by byte order mark, as UTF-8 when it is that, as declared (header, then meta), then by guess.

    Raises UnicodeError when nothing fits.
    """
    for mark, name in _BOMS:
        if body.startswith(mark):
            return body.decode(name)
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        pass
    for name in _declared(body, content_type):
        try:
            return body.decode(name)
        except (LookupError, UnicodeDecodeError):
            continue
    best = from_bytes(body[:_GUESS_WITHIN]).best()
    # What no charset fits may be TCVN3: read as windows-1252 its letters survive, and the normaliser knows them.
    return body.decode(best.encoding if best is not None else "windows-1252")


def is_binary(body: bytes) -> bool:
    """Return whether bytes are no text at all: zero bytes or many control characters without a byte order mark."""
    head = body[:_GUESS_WITHIN]
    if any(head.startswith(mark) for mark, _ in _BOMS):
        return False
    controls = len(head) - len(head.translate(None, _CONTROLS))
    return b"\0" in head or controls > len(head) * _BINARY_SHARE


def _declared(body: bytes, content_type: str | None) -> list[str]:
    header = _HEADER_CHARSET.search(content_type or "")
    meta = _META_CHARSET.search(body[:_META_WITHIN])
    return [name for name in (header and header[1], meta and meta[1].decode("ascii")) if name]
