"""Record headers: trace context (W3C), schema version, content type, and what a dead letter says of itself."""

import secrets
from datetime import UTC, datetime
from typing import Final

from shared.errors import MAX_ERROR_CHARACTERS, Reason
from shared.models import SCHEMA_VERSION

Headers = tuple[tuple[str, bytes], ...]

TRACEPARENT: Final = "traceparent"
SCHEMA_VERSION_HEADER: Final = "schema-version"
CONTENT_TYPE: Final = "content-type"
DLQ_STAGE: Final = "dlq-stage"
DLQ_REASON: Final = "dlq-reason"
DLQ_ERROR: Final = "dlq-error"
DLQ_ORIGIN: Final = "dlq-origin"
DLQ_AT: Final = "dlq-at"
DLQ_KEY: Final = "dlq-key"
DLQ_SIZE: Final = "dlq-size"
DLQ_SHA256: Final = "dlq-sha256"
_DLQ_PREFIX: Final = "dlq-"


def for_article(trace_id: str) -> Headers:
    """Return the headers of a record of ours; each hop is a new span of the article's trace."""
    traceparent = f"00-{trace_id}-{secrets.token_hex(8)}-01"
    return (
        (TRACEPARENT, traceparent.encode()),
        (SCHEMA_VERSION_HEADER, SCHEMA_VERSION.encode()),
        (CONTENT_TYPE, b"application/json"),
    )


def value_of(headers: Headers, name: str) -> str | None:
    """Return the last value of a header as text (undecodable bytes replaced), or None."""
    for key, value in reversed(headers):
        if key == name and value is not None:
            return value.decode("utf-8", "replace")
    return None


def bytes_of(headers: Headers, name: str) -> bytes | None:
    """Return the last value of a header as it stands, or None."""
    return next((value for key, value in reversed(headers) if key == name), None)


def major_version(headers: Headers) -> int | None:
    """Return the major schema version a record was written with; None when absent or not a number."""
    text = value_of(headers, SCHEMA_VERSION_HEADER)
    major = (text or "").partition(".")[0]
    # Python refuses to read thousands of digits as a number: nine of them are newer than anything.
    return int(major[:9]) if major.isascii() and major.isdigit() else None


def for_dead_letter(
    original: Headers, *, key: bytes | None, stage: str, reason: Reason, detail: str, origin: str, at: datetime
) -> Headers:
    """Return a refused record's own headers with its key and what happened to it; `origin` is topic/partition/offset."""
    kept = tuple((name, value) for name, value in original if not name.startswith(_DLQ_PREFIX))
    detail = " ".join(detail.split())[:MAX_ERROR_CHARACTERS]
    named = ((DLQ_KEY, key),) if key is not None else ()
    return (
        kept
        + named
        + (
            (DLQ_STAGE, stage.encode()),
            (DLQ_REASON, reason.value.encode()),
            (DLQ_ERROR, detail.encode("utf-8", "replace")),
            (DLQ_ORIGIN, origin.encode()),
            (DLQ_AT, at.astimezone(UTC).isoformat(timespec="milliseconds").encode()),
        )
    )


def without_dead_letter(headers: Headers) -> Headers:
    """Return the headers as they were before the record was refused, for a replay."""
    return tuple((name, value) for name, value in headers if not name.startswith(_DLQ_PREFIX))
