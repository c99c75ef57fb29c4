"""Manners towards hosts: few requests at a time, spaced, and none while a host asked to be left alone."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, NamedTuple

FORGET_ABOVE_HOSTS: Final = 10_000


class Held(Exception):
    """The host asked to be left alone for so many more seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the host is left alone for {seconds:.0f} s more")
        self.seconds = seconds


class Pace(NamedTuple):
    """How a host is asked: pause in seconds between two requests, requests at a time, and the longest hold obeyed in seconds."""

    delay: float
    parallel: int = 1
    longest_hold: float = 86_400.0


@dataclass
class _Lane:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0
    free_at: float = 0.0


@dataclass
class _Host:
    lanes: list[_Lane] = field(default_factory=list)
    held_until: float = 0.0


class Manners:
    """Turns at hosts. `clock` gives seconds that only grow; everything is used from one event loop."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self.hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def turn(self, host: str, pace: Pace) -> AsyncIterator[None]:
        """Wait for a turn at this host, and keep the pause free after it. Raises `Held` while the host is left alone."""
        self._forget_idle()
        state = self.hosts.setdefault(host, _Host())
        state.lanes += [_Lane() for _ in range(pace.parallel - len(state.lanes))]
        lane = min(state.lanes[: pace.parallel], key=lambda lane: (lane.waiting, lane.free_at))
        lane.waiting += 1
        try:
            async with lane.lock:
                await self._wait(state, lane)
                try:
                    yield
                finally:
                    lane.free_at = self._clock() + pace.delay
        finally:
            lane.waiting -= 1

    async def _wait(self, host: _Host, lane: _Lane) -> None:
        """Wait until the lane is free. A hold may begin while one waits, so it is looked at last."""
        if (wait := lane.free_at - self._clock()) > 0 and host.held_until <= self._clock():
            await self._sleep(wait)
        if (held := host.held_until - self._clock()) > 0:
            raise Held(held)

    def hold(self, host: str, seconds: float) -> None:
        """Leave a host alone for so many seconds; a longer hold in force stands."""
        state = self.hosts.setdefault(host, _Host())
        state.held_until = max(state.held_until, self._clock() + seconds)

    def held_for(self, host: str) -> float:
        """Return how many seconds a host is still left alone; 0 when it may be asked."""
        state = self.hosts.get(host)
        return max(0.0, state.held_until - self._clock()) if state else 0.0

    def _forget_idle(self) -> None:
        if len(self.hosts) > FORGET_ABOVE_HOSTS:
            now = self._clock()
            idle = [
                name for name, state in self.hosts.items()
                if state.held_until < now and not any(lane.waiting or lane.free_at >= now for lane in state.lanes)
            ]  # fmt: skip
            for name in idle:
                del self.hosts[name]
