"""The three outcomes of a stage, and the closed list of reasons for which a record is refused or left out.

A transform returns a result, raises `Rejected` (the record goes to the dead-letter topic and its neighbours pass) or raises
`Transient` (the same record is tried again). Anything else that escapes is a bug: dead-lettered as `Reason.BUG`, and
`MAX_CONSECUTIVE_BUGS` in a row stop the service, so that a bad deployment does not divert a whole topic.
"""

from enum import StrEnum
from typing import Final

MAX_CONSECUTIVE_BUGS: Final = 100
MAX_ERROR_CHARACTERS: Final = 200


class Reason(StrEnum):
    """Why a record is a dead letter. The value is the metric label and the `dlq-reason` header."""

    BROKEN_JSON = "broken_json"
    BUG = "bug"
    EMPTY_BODY = "empty_body"
    INDEX_REFUSED = "index_refused"
    INVALID_UTF8 = "invalid_utf8"
    MISSING_FIELD = "missing_field"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"
    UNSUPPORTED_SCHEMA = "unsupported_schema"
    WRONG_TYPE = "wrong_type"


REMEDIES: Final[dict[Reason, str]] = {
    Reason.BROKEN_JSON: "The value is not JSON: mend the producer, then `frontwire dlq replay`.",
    Reason.BUG: "A fault of ours: the log has the traceback under the same trace id; deploy a fix, then replay.",
    Reason.EMPTY_BODY: "No text is left to search: check the feed's selectors, or leave it.",
    Reason.INDEX_REFUSED: "Elasticsearch refused the document: compare it with the index template, then replay.",
    Reason.INVALID_UTF8: "The value is not UTF-8: give the feed its charset, then fetch again.",
    Reason.MISSING_FIELD: "A required field is absent: mend the producer, then replay.",
    Reason.TOO_LARGE: "Larger than the topic takes: only the hash, the size and the first 64 kB are kept.",
    Reason.UNREADABLE: "The file or page holds no article that can be read: look at the first bytes of the dead letter.",
    Reason.UNSUPPORTED_SCHEMA: "Written by a newer major version: upgrade this stage, then replay.",
    Reason.WRONG_TYPE: "A field holds a value of the wrong type: mend the producer, then replay.",
}


class Drop(StrEnum):
    """Why a record ends here on purpose, without being a dead letter. The value is the metric label."""

    REPEATED = "repeated"
    STALE_VERSION = "stale_version"
    TAKEN_DOWN = "taken_down"
    TOMBSTONE = "tombstone"
    UNCHANGED = "unchanged"


class Rejected(Exception):
    """The record can never pass: dead-letter it and go on."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Transient(Exception):
    """Something outside is unwell: retry the same record with capped backoff, dead-letter nothing."""


class EngineError(Exception):
    """A local engine could not be fetched, started or stopped; the message says which, why and what to do."""
