"""What the core logs is collected, not rendered: a traceback with its locals takes 100 ms to draw."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[EventDict]]:
    """The events logged during the test."""
    with capture_logs() as events:
        yield events
