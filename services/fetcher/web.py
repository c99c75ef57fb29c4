"""HTTP with limits: every hop of a redirect is checked and waits its turn, every connection is checked at its socket.

aiohttp holds memory flat under compression bombs (measured: +1 MB for 60 MB), and its connector shows the very address that is
about to be connected to, so that no second resolution of the name can slip past the guard.
"""

import asyncio
import contextvars
import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import aiohttp

from services.fetcher.addresses import is_public
from services.fetcher.manners import Held, Manners
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
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
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
    RATE_LIMITED = "rate_limited"
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
    """A document: final address, status (200 or 304), headers with lower-case names, decoded body."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


class Web:
    """A client for many hosts. Use as an async context manager; `delay` is the pause between two requests to one host."""

    def __init__(self, user_agent: str, manners: Manners, *, total_seconds: float = TOTAL_SECONDS) -> None:
        self._manners = manners
        self._user_agent = user_agent
        self._total_seconds = total_seconds
        self._session: aiohttp.ClientSession | None = None

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

    async def get(
        self, url: str, *, delay: float, headers: Mapping[str, str] | None = None, allow_private: tuple[str, ...] = ()
    ) -> Answer:
        """Return a document, following redirects. `allow_private` lists host:port that may lead to a private address.

        Raises `FetchFailed`; after 429 and 503 the whole host is held.
        """
        for _ in range(MAX_REDIRECTS + 1):
            host = host_of(url)
            if host is None or clean_link(url) is None or len(url) > MAX_URL_CHARACTERS:
                raise FetchFailed(Failure.BAD_ADDRESS, url[:200])
            _private_allowed.set(host_and_port(url) in allow_private)
            try:
                async with self._manners.turn(host, delay):
                    answer = await self._request(url, headers or {})
            except Held as held:
                raise FetchFailed(Failure.HELD, str(held), timedelta(seconds=held.seconds)) from None
            if answer.status not in _REDIRECTS:
                return self._accepted(answer, host)
            url = urljoin(url, answer.headers.get("location", ""))
        raise FetchFailed(Failure.TOO_MANY_REDIRECTS, url[:200])

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
            blocked = _GUARD in str(error)
            raise FetchFailed(Failure.BLOCKED_ADDRESS if blocked else Failure.CONNECTION, str(error)) from None

    def _accepted(self, answer: Answer, host: str) -> Answer:
        if answer.status in (200, 304):
            return answer
        detail = f"HTTP {answer.status}"
        if answer.status in (429, 503):
            wait = hold_after(retry_after(answer.headers.get("retry-after"), datetime.now(UTC)))
            self._manners.hold(host, wait.total_seconds())
            raise FetchFailed(Failure.RATE_LIMITED, detail, wait)
        raise FetchFailed(Failure.HTTP_SERVER_ERROR if answer.status >= 500 else Failure.HTTP_CLIENT_ERROR, detail)


def host_and_port(url: str) -> str:
    """Return an http(s) link's host:port in lower case, the default port filled in."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"[{host}]:{_port(parts)}" if ":" in host else f"{host}:{_port(parts)}"


def _port(parts: Any) -> int:
    return parts.port or _DEFAULT_PORTS.get(parts.scheme.lower(), 0)


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
