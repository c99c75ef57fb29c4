"""Logs: one JSON line an event that says which copy of which service wrote it, and never a flood."""

import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from shared.logs import FloodFilter

CHILD = """
import logging, structlog, warnings
from shared.logs import configure
from shared.settings import Settings

configure("info", "json", service="indexer", worker="indexer-1", absent=None)
log = structlog.get_logger("frontwire.indexer")
log.info("đã nhận", article="a1", trace="t1", settings=str(Settings(kafka_password="khong-duoc-lo")))
log.debug("too quiet")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("bug", service="of the event")
for _ in range(3):
    log.warning("the same of ours")
    logging.getLogger("kafka.conn").warning("broker %s is away", 7)
logging.getLogger("kafka.conn").info("too quiet for a library")
logging.getLogger("kafka.net.selector").warning("slow")
warnings.warn("an old way", RuntimeWarning, stacklevel=1)
"""


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    """What a child process logged."""
    child = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    assert child.stdout == ""
    assert "khong-duoc-lo" not in child.stderr
    return [json.loads(line) for line in child.stderr.splitlines()]


def test_every_line_says_who_when_and_how_bad(lines: list[dict[str, Any]]) -> None:
    for line in lines:
        assert line["worker"] == "indexer-1"
        assert line["service"]
        assert line["level"] in {"info", "warning", "error"}
        assert line["logger"]
        assert line["timestamp"].endswith("Z")
        assert "absent" not in line


def test_an_event_carries_its_fields(lines: list[dict[str, Any]]) -> None:
    first = lines[0]
    assert (first["event"], first["article"], first["trace"]) == ("đã nhận", "a1", "t1")
    assert (first["service"], first["logger"]) == ("indexer", "frontwire.indexer")


def test_a_traceback_stays_on_its_line(lines: list[dict[str, Any]]) -> None:
    (bug,) = (line for line in lines if line["event"] == "bug")
    assert bug["exception"].startswith("Traceback")
    assert bug["exception"].endswith("ZeroDivisionError: division by zero")
    assert bug["service"] == "of the event"


def test_libraries_say_the_same_thing_once_and_we_always(lines: list[dict[str, Any]]) -> None:
    events = [line["event"] for line in lines if line["logger"] != "py.warnings"]
    assert events == ["đã nhận", "bug", "the same of ours", "broker 7 is away", *["the same of ours"] * 2]


def test_a_warning_of_python_itself_is_a_line_too(lines: list[dict[str, Any]]) -> None:
    (warning,) = (line for line in lines if line["logger"] == "py.warnings")
    assert "RuntimeWarning: an old way" in warning["event"]
    assert warning["service"] == "indexer"


def record(name: str, message: str, *values: object) -> logging.LogRecord:
    return logging.LogRecord(name, logging.WARNING, __file__, 1, message, values, None)


def test_flood_filter_on_a_clock_set_by_hand() -> None:
    now = [0.0]
    passes = FloodFilter(clock=lambda: now[0]).filter
    assert passes(record("kafka", "broker %s is away", 1))
    assert not passes(record("kafka", "broker %s is away", 2))
    assert passes(record("aiokafka", "broker %s is away", 1))
    assert passes(record("kafka", "another message"))
    now[0] = 29.9
    assert not passes(record("kafka", "broker %s is away", 1))
    now[0] = 30.0
    assert passes(record("kafka", "broker %s is away", 1))
    assert not passes(record("kafka", "broker %s is away", 1))


def test_flood_filter_keeps_a_bounded_memory() -> None:
    flood = FloodFilter(clock=lambda: 0.0)
    for number in range(5000):
        assert flood.filter(record("kafka", f"message {number}"))
    assert len(flood._last) <= 1001
