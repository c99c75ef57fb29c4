"""What hosts ask of robots (RFC 9309): robots.txt of every origin, asked for once a day and remembered in memory.

A robots.txt that is not there (4xx) allows everything; one that cannot be had (network, 5xx) forbids everything until it can.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from protego import Protego

KEPT_SECONDS: Final = 86_400.0
# RFC 9309 wants at least 500 KiB read; what stands behind it is not looked at.
MAX_BYTES: Final = 512 * 1024
# What a host may ask for at most: a day between two requests would be a way to say no without saying so.
LONGEST_CRAWL_DELAY_SECONDS: Final = 120.0
MAX_ORIGINS: Final = 10_000


@dataclass(frozen=True)
class Rules:
    """The rules of one origin for our name; without `parsed` everything is allowed."""

    agent: str
    parsed: Protego | None = None

    def allow(self, url: str) -> bool:
        """Return whether a link may be asked for."""
        return self.parsed is None or self.parsed.can_fetch(url, self.agent)

    @property
    def crawl_delay(self) -> float:
        """The pause in seconds this origin asks for, 0 when it does not."""
        if self.parsed is None:
            return 0.0
        rate = self.parsed.request_rate(self.agent)
        by_rate = rate.seconds / rate.requests if rate and rate.requests else 0.0
        return min(max(self.parsed.crawl_delay(self.agent) or 0.0, by_rate), LONGEST_CRAWL_DELAY_SECONDS)


class RobotsBook:
    """The rules of all origins met. `fetch` returns the text of a robots.txt, None when there is none, or raises why not."""

    def __init__(self, agent: str, fetch: Callable[[str], Awaitable[bytes | None]], clock: Callable[[], float]) -> None:
        self._agent = agent
        self._fetch = fetch
        self._clock = clock
        self._kept: dict[str, tuple[float, Rules]] = {}
        self._asking: dict[str, asyncio.Lock] = {}

    async def rules(self, url: str) -> Rules:
        """Return the rules for a link's origin; raises what `fetch` raised when they cannot be had."""
        address = robots_address(url)
        async with self._asking.setdefault(address, asyncio.Lock()):
            until, rules = self._kept.get(address, (0.0, Rules(self._agent)))
            if until <= self._clock():
                self._forget_old()
                rules = read_rules(await self._fetch(address), self._agent)
                self._kept[address] = (self._clock() + KEPT_SECONDS, rules)
        return rules

    def _forget_old(self) -> None:
        if len(self._asking) > MAX_ORIGINS:
            now = self._clock()
            self._kept = {address: kept for address, kept in self._kept.items() if kept[0] > now}
            self._asking = {
                address: lock for address, lock in self._asking.items() if lock.locked() or address in self._kept
            }


def read_rules(body: bytes | None, agent: str) -> Rules:
    """Return what a robots.txt says to `agent`; bytes that are no text say nothing."""
    if body is None:
        return Rules(agent)
    return Rules(agent, Protego.parse(body[:MAX_BYTES].decode("utf-8-sig", "replace")))


def robots_address(url: str) -> str:
    """Return where the robots.txt for a link stands."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), "/robots.txt", "", ""))
