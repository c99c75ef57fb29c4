"""A stage whose start never ends, or comes too early: the process begins anew, unless it was asked to stop."""

import asyncio
import os
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from faust.exceptions import ConsumerNotStarted

from shared import faust_runner
from shared.faust_runner import StageRunner


def runner_that_starts(start: Any) -> StageRunner:
    """Return a runner around an app of which only the start is wanted."""
    made = StageRunner.__new__(StageRunner)
    made.name = "tried"
    made.app = SimpleNamespace(start=start)  # type: ignore[assignment]
    return made


@pytest.fixture
def replaced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """The command lines that the process was replaced with."""
    calls: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(os, "execv", lambda path, arguments: calls.append((path, arguments)))
    monkeypatch.setattr(faust_runner, "START_SECONDS", 0.01)
    return calls


async def hang() -> None:
    await asyncio.Event().wait()


def test_a_start_that_hangs_begins_the_process_anew(replaced: list[tuple[str, list[str]]]) -> None:
    assert not asyncio.run(runner_that_starts(hang)._started(asyncio.Event()))
    assert replaced == [(sys.executable, sys.orig_argv)]


def test_a_start_that_overtook_its_consumer_begins_the_process_anew(replaced: list[tuple[str, list[str]]]) -> None:
    async def overtake() -> None:
        raise ConsumerNotStarted("Consumer thread not yet started")

    assert not asyncio.run(runner_that_starts(overtake)._started(asyncio.Event()))
    assert replaced == [(sys.executable, sys.orig_argv)]


def test_a_start_that_fails_fails(replaced: list[tuple[str, list[str]]]) -> None:
    async def fail() -> None:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        asyncio.run(runner_that_starts(fail)._started(asyncio.Event()))
    assert replaced == []


def test_a_stop_during_the_start_is_heeded(replaced: list[tuple[str, list[str]]]) -> None:
    async def stopped_while_starting() -> bool:
        stopping = asyncio.Event()
        stopping.set()
        return await runner_that_starts(hang)._started(stopping)

    assert not asyncio.run(stopped_while_starting())
    assert replaced == []


def test_a_good_start_goes_on(replaced: list[tuple[str, list[str]]]) -> None:
    async def start() -> None:
        return None

    assert asyncio.run(runner_that_starts(start)._started(asyncio.Event()))
    assert replaced == []
