"""Reading of a record's fields by msgspec, in half of pydantic's time, with the topic's full model behind it.

What msgspec refuses is read by the full model: it says why, or accepts another spelling ("1" for 1). So both accept the same
values of every field that is read, if the struct is as strict as the model (a test damages records and compares the two); only a
time finer than a microsecond is rounded here and cut there. What a struct does not name is skipped: it must be JSON.
"""

from datetime import datetime
from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import Meta

from shared.models import Model

T = TypeVar("T")

# The types of shared.models; `\Z` because in Python `$` lets a newline follow.
ArticleId = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}(#[1-9][0-9]?)?\Z")]
TraceId = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
Score = Annotated[float, Meta(ge=0, le=1)]
Offset = Annotated[int, Meta(ge=0)]
Ordinal = Annotated[int, Meta(ge=1)]
Moment = Annotated[datetime, Meta(tz=True)]


class Reading(Generic[T]):
    """Reads the records of one topic as a msgspec struct: only the fields that it names, checked as by the topic's full model.

    With `whole` a record that is not UTF-8 is refused wherever the fault is, for a reader that passes its bytes on; without, a
    fault in what is skipped goes unseen.
    """

    def __init__(self, struct: type[T], full: type[Model], *, whole: bool = False) -> None:
        self._decoder = msgspec.json.Decoder(struct)
        self._full = full
        self._whole = whole

    def validate_json(self, value: bytes, /) -> T:
        """Return a record given as JSON bytes; raises pydantic's ValidationError."""
        try:
            if self._whole:
                value.decode("utf-8")
            return self._decoder.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._decoder.decode(self._full.model_validate_json(value).to_json())
