"""Manners towards hosts: one request at a time, spaced, and none while a host asked to be left alone."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

FORGET_ABOVE_HOSTS: Final = 10_000


class Held(Exception):
    """The host asked to be left alone for so many more seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the host is left alone for {seconds:.0f} s more")
        self.seconds = seconds


@dataclass
class _Host:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    free_at: float = 0.0
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
    async def turn(self, host: str, delay: float) -> AsyncIterator[None]:
        """Wait for this host's turn, and keep `delay` seconds free after it. Raises `Held` while the host is left alone."""
        self._forget_idle()
        state = self.hosts.setdefault(host, _Host())
        async with state.lock:
            if (held := state.held_until - self._clock()) > 0:
                raise Held(held)
            if (wait := state.free_at - self._clock()) > 0:
                await self._sleep(wait)
            try:
                yield
            finally:
                state.free_at = self._clock() + delay

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
                if not state.lock.locked() and state.free_at < now and state.held_until < now
            ]  # fmt: skip
            for name in idle:
                del self.hosts[name]
