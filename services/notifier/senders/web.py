"""One HTTP request to a channel, without redirects, and what its answer means for a message."""

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from services.notifier.channels import AddressOrSecret, WebAddress
from services.notifier.transform import Failed
from shared.config_types import SecretName
from shared.settings import read_secret

MAX_ANSWER_BYTES: Final = 64 * 1024
MAX_ANSWER_SHOWN: Final = 200
USER_AGENT: Final = "Frontwire-notifier/1"
# Another address, another secret, a full queue: the channel is at fault. What else is 4xx means this message.
_CHANNEL_AT_FAULT: Final = frozenset({401, 402, 403, 404, 405, 407, 408, 410, 425, 429})


@dataclass(frozen=True)
class Answer:
    """What a channel answered: the status, the headers in lower case, the beginning of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON, None when it is none."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None


class NotSent(Exception):
    """The request could not be made, or was not answered; `doubtful` says that it may have arrived all the same."""

    def __init__(self, reason: str, *, doubtful: bool) -> None:
        super().__init__(reason)
        self.doubtful = doubtful


def address_of(url: "AddressOrSecret") -> "WebAddress":
    """Return an address that is written down or kept as a secret. Raises `SettingsError` when the secret is not there."""
    return secret(url) if isinstance(url, SecretName) else url


def secret(name: SecretName) -> str:
    """Return a secret. Raises `SettingsError` when it is not there."""
    return read_secret(name.env, name.file).get_secret_value()


def post(url: str, body: bytes, headers: Mapping[str, str], timeout: timedelta, ca_file: Path | None) -> Answer:
    """Send one POST and return the answer. Raises `NotSent`."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = _connection(parts.scheme, parts.hostname or "", parts.port, timeout.total_seconds(), ca_file)
    sent = False
    try:
        connection.connect()
        sent = True
        connection.request(
            "POST", path, body, {"Content-Type": "application/json", "User-Agent": USER_AGENT, **headers}
        )
        response = connection.getresponse()
        answered = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, answered, response.read(MAX_ANSWER_BYTES))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotSent(_reason(error), doubtful=sent) from None
    finally:
        connection.close()


def _connection(
    scheme: str, host: str, port: int | None, timeout: float, ca_file: Path | None
) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except OSError as error:
        raise NotSent(f"{ca_file}: {_reason(error)}", doubtful=False) from None
    return http.client.HTTPSConnection(host, port, timeout=timeout, context=context)


def _reason(error: Exception) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}".rstrip(": ")


def failure(answer: Answer, now: datetime, said: str = "") -> Failed | None:
    """Return what a status means for the message; None when the channel took it. `said` is the reason that it gave."""
    if 200 <= answer.status < 300:
        return None
    words = said or " ".join(answer.body[:MAX_ANSWER_SHOWN].decode("utf-8", "replace").split())
    return Failed(
        error=f"HTTP {answer.status} {words}".strip(),
        refused=400 <= answer.status < 500 and answer.status not in _CHANNEL_AT_FAULT,
        retry_after=retry_after(answer.headers.get("retry-after"), now),
    )


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Return the pause that a Retry-After header asks for, in seconds or as a date; None when it asks for none."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return timedelta(seconds=min(int(value.strip()[:9]), 86_400))
    try:
        return max(timedelta(0), parsedate_to_datetime(value) - now.astimezone(UTC))
    except (TypeError, ValueError):
        return None
