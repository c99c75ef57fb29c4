"""HTTP with limits: every hop of a redirect is checked and waits its turn, every connection is checked at its socket.

aiohttp holds memory flat under compression bombs (measured: +1 MB for 60 MB), and its connector shows the very address that is
about to be connected to, so that no second resolution of the name can slip past the guard.
"""

import asyncio
import contextvars
import errno
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urljoin

import aiohttp

from services.fetcher.addresses import host_and_port, is_public
from services.fetcher.manners import Held, Manners, Pace
from services.fetcher.robots import RobotsBook
from services.fetcher.schedule import hold_after
from shared.links import clean_link, host_of

MAX_BODY_BYTES: Final = 10 * 1024 * 1024
MAX_URL_CHARACTERS: Final = 4096
MAX_REDIRECTS: Final = 5
MAX_HEADER_BYTES: Final = 16 * 1024
TOTAL_SECONDS: Final = 30.0
CONNECT_SECONDS: Final = 10.0
# Times the largest body, this bounds memory.
PARALLEL_CONNECTIONS: Final = 32
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PERMANENT: Final = frozenset({301, 308})
# aiohttp passes on the words of an error at the socket, not its type.
_GUARD: Final = "refused by the guard"

_private_allowed: contextvars.ContextVar[bool] = contextvars.ContextVar("private_allowed", default=False)


class Failure(StrEnum):
    """Why a document could not be had. The value is the metric label and stands in the feed's state."""

    BAD_ADDRESS = "bad_address"
    BLOCKED_ADDRESS = "blocked_address"
    CONNECTION = "connection"
    HELD = "held"
    HTTP_CLIENT_ERROR = "http_4xx"
    HTTP_SERVER_ERROR = "http_5xx"
    NO_CREDENTIAL = "no_credential"
    RATE_LIMITED = "rate_limited"
    ROBOTS = "robots"
    TIMEOUT = "timeout"
    TOO_LARGE = "too_large"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    TRUNCATED = "truncated"
    UNPARSABLE = "unparsable"


# Trying again soon can help against these only.
PASSING: Final = frozenset({
    Failure.CONNECTION, Failure.HELD, Failure.HTTP_SERVER_ERROR, Failure.RATE_LIMITED, Failure.TIMEOUT, Failure.TRUNCATED,
})  # fmt: skip


class FetchFailed(Exception):
    """The document could not be had; `wait` is what the host asked for, if it did."""

    def __init__(self, failure: Failure, detail: str, wait: timedelta | None = None) -> None:
        super().__init__(f"{failure}: {detail}")
        self.failure = failure
        self.detail = detail
        self.wait = wait


@dataclass(frozen=True)
class Answer:
    """A document: final address, status (200 or 304), headers with lower-case names, decoded body.

    `moved` is the address that permanent redirects alone lead to, None when there were none.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    moved: str | None = None


@dataclass(frozen=True)
class Terms:
    """On which terms a feed's documents are asked for.

    `allow_private` lists host:port that may lead to a private address; `headers` are the operator's own and go to `host` only.
    """

    allow_private: tuple[str, ...] = ()
    obey_robots: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    host: str | None = None


class Web:
    """A client for many hosts. Use as an async context manager; `pace_of` tells how a link's host is to be asked."""

    def __init__(
        self,
        user_agent: str,
        manners: Manners,
        pace_of: Callable[[str, Sequence[str]], Pace],
        *,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self._manners = manners
        self._user_agent = user_agent
        self._pace_of = pace_of
        self._total_seconds = total_seconds
        self._session: aiohttp.ClientSession | None = None
        self._robots: dict[tuple[str, ...], RobotsBook] = {}

    async def __aenter__(self) -> "Web":
        # Kept-alive connections would carry one feed's permission for a private address over to another feed.
        connector = aiohttp.TCPConnector(
            socket_factory=_guarded_socket, limit=PARALLEL_CONNECTIONS, force_close=True, ttl_dns_cache=60
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": self._user_agent, "Accept-Encoding": "gzip, deflate"},
            timeout=aiohttp.ClientTimeout(total=self._total_seconds, connect=CONNECT_SECONDS),
            trust_env=False,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session:
            await self._session.close()

    async def get(self, url: str, terms: Terms, headers: Mapping[str, str] | None = None) -> Answer:
        """Return a document, following redirects; every hop obeys its own host's robots.txt and pace.

        Raises `FetchFailed`; after 429 and 503 the whole host is held.
        """
        moved, permanent = None, True
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._hop(url, terms, headers or {})
            if answer.status not in _REDIRECTS:
                return replace(answer, moved=moved)
            url = urljoin(url, answer.headers.get("location", ""))
            permanent = permanent and answer.status in _PERMANENT
            moved = url if permanent else moved
        raise FetchFailed(Failure.TOO_MANY_REDIRECTS, url[:200])

    async def _hop(self, url: str, terms: Terms, headers: Mapping[str, str]) -> Answer:
        """Ask for one document without following redirects. Raises `FetchFailed`."""
        host = host_of(url)
        if host is None or clean_link(url) is None or len(url) > MAX_URL_CHARACTERS:
            raise FetchFailed(Failure.BAD_ADDRESS, url[:200])
        pace = self._pace_of(url, terms.allow_private)
        if terms.obey_robots:
            rules = await self._robots_of(terms.allow_private).rules(url)
            if not rules.allow(url):
                raise FetchFailed(Failure.ROBOTS, f"robots.txt of {host} forbids {url[:200]}")
            pace = pace._replace(delay=max(pace.delay, rules.crawl_delay))
        own = terms.headers if host == terms.host else {}
        _private_allowed.set(host_and_port(url) in terms.allow_private)
        try:
            async with self._manners.turn(host, pace):
                answer = await self._request(url, {**headers, **own})
        except Held as held:
            raise FetchFailed(Failure.HELD, str(held), timedelta(seconds=held.seconds)) from None
        return answer if answer.status in _REDIRECTS else self._accepted(answer, host, pace)

    def _robots_of(self, allow_private: tuple[str, ...]) -> RobotsBook:
        """Return the rules met under one permission: what may reach a private address is not shared with what may not."""
        if allow_private not in self._robots:
            terms = Terms(allow_private, obey_robots=False)

            async def fetch(address: str) -> bytes | None:
                try:
                    return (await self.get(address, terms)).body
                except FetchFailed as failed:
                    if failed.failure in (Failure.HTTP_CLIENT_ERROR, Failure.TOO_MANY_REDIRECTS):
                        return None
                    raise

            self._robots[allow_private] = RobotsBook(robots_name(self._user_agent), fetch, time.monotonic)
        return self._robots[allow_private]

    async def _request(self, url: str, headers: Mapping[str, str]) -> Answer:
        if self._session is None:
            raise RuntimeError("use `async with Web(...)`")
        try:
            async with self._session.get(url, headers=headers, allow_redirects=False) as response:
                body = await _read(response) if response.status == 200 else b""
                lower = {name.lower(): value for name, value in response.headers.items()}
                return Answer(url, response.status, lower, body)
        except TimeoutError:
            raise FetchFailed(Failure.TIMEOUT, f"no answer within {self._total_seconds:g} s") from None
        except aiohttp.InvalidURL:
            raise FetchFailed(Failure.BAD_ADDRESS, url[:200]) from None
        except aiohttp.ClientPayloadError as error:
            raise FetchFailed(Failure.TRUNCATED, str(error)) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if _GUARD in str(error):
                detail = (
                    f"{host_and_port(url)} leads to a private address; if it is your own, list it under allow_private"
                )
                raise FetchFailed(Failure.BLOCKED_ADDRESS, detail) from None
            raise FetchFailed(Failure.CONNECTION, str(error)) from None

    def _accepted(self, answer: Answer, host: str, pace: Pace) -> Answer:
        if answer.status in (200, 304):
            return answer
        detail = f"HTTP {answer.status}"
        if answer.status in (429, 503):
            asked = hold_after(retry_after(answer.headers.get("retry-after"), datetime.now(UTC)))
            wait = min(asked, timedelta(seconds=pace.longest_hold))
            self._manners.hold(host, wait.total_seconds())
            raise FetchFailed(Failure.RATE_LIMITED, detail, wait)
        raise FetchFailed(Failure.HTTP_SERVER_ERROR if answer.status >= 500 else Failure.HTTP_CLIENT_ERROR, detail)


def robots_name(user_agent: str) -> str:
    """Return the product name of a User-Agent: what a robots.txt calls us."""
    return user_agent.partition("/")[0].partition(" ")[0] or "*"


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Return what a Retry-After header asks for (seconds or an HTTP date), or None when it says nothing readable."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), 10**8))
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(moment - now, timedelta(0))


async def _read(response: aiohttp.ClientResponse) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(64 * 1024):
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise FetchFailed(Failure.TOO_LARGE, f"more than {MAX_BODY_BYTES} bytes")
        chunks.append(chunk)
        await asyncio.sleep(0)
    return b"".join(chunks)


def _guarded_socket(address_info: Any) -> socket.socket:
    """Make the socket for one resolved address, or refuse it: what is checked here is what is connected to."""
    family, kind, protocol, _, address = address_info
    if not _private_allowed.get() and not is_public(str(address[0])):
        raise PermissionError(errno.EACCES, f"{_GUARD}: {address[0]} is not a public address")
    return socket.socket(family, kind, protocol)
