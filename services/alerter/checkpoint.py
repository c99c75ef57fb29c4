"""The detector's state in a table of text rows, together with the offset of the last record in it.

Two places are written in turn and the head last, so that a checkpoint cut short leaves the one before it. A checkpoint also holds
the alerts since the one before it: after a crash it is not known which of them were delivered.
"""

import base64
import zlib
from collections.abc import MutableMapping
from itertools import count
from typing import Final

from pydantic import BaseModel

from services.alerter.state import State, dump_state, load_state
from shared.alerts import Alert

PLACES: Final = 2
CHUNK: Final = 512 * 1024
_HEAD: Final = "head"
_LEVEL: Final = 1


class Head(BaseModel):
    """Which place holds the checkpoint, in how many rows, and up to which offset of the log."""

    place: int
    chunks: int
    offset: int
    alerts: list[Alert]


def save(rows: MutableMapping[str, str], state: State, offset: int, alerts: list[Alert]) -> None:
    """Write a checkpoint into the place that the last one does not use."""
    before = _head(rows)
    place = (before.place + 1) % PLACES if before else 0
    text = base64.b64encode(zlib.compress(dump_state(state), _LEVEL)).decode()
    chunks = [text[start : start + CHUNK] for start in range(0, len(text), CHUNK)]
    for number, chunk in enumerate(chunks):
        rows[f"{place}/{number}"] = chunk
    # A longer checkpoint that stood here may tell of an article that was taken down since.
    for number in count(len(chunks)):
        if rows.pop(f"{place}/{number}", None) is None:
            break
    rows[_HEAD] = Head(place=place, chunks=len(chunks), offset=offset, alerts=alerts).model_dump_json()


def load(rows: MutableMapping[str, str]) -> tuple[State, int, list[Alert]] | None:
    """Return the state of the last checkpoint, its offset and the alerts before it, or None when there is none."""
    head = _head(rows)
    if head is None:
        return None
    text = "".join(rows[f"{head.place}/{number}"] for number in range(head.chunks))
    return load_state(zlib.decompress(base64.b64decode(text))), head.offset, head.alerts


def _head(rows: MutableMapping[str, str]) -> Head | None:
    text = rows.get(_HEAD)
    return Head.model_validate_json(text) if text else None
