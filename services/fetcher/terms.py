"""On which terms a feed's documents are asked for: its permissions, and its headers with the secrets they name."""

from services.fetcher.feeds import Feed
from services.fetcher.web import Failure, FetchFailed, Terms
from shared.config_types import SecretName
from shared.settings import SettingsError, read_secret


def terms_of(feed: Feed) -> Terms:
    """Return a feed's terms. Raises `FetchFailed` naming the variable or file of a secret that is not there."""
    headers = {header: _value(header, value) for header, value in feed.headers.items()}
    return Terms(feed.allow_private, feed.robots == "obey", headers, feed.host)


def _value(header: str, value: str | SecretName) -> str:
    if isinstance(value, str):
        return value
    try:
        secret = read_secret(value.env, value.file).get_secret_value()
    except SettingsError as error:
        raise FetchFailed(Failure.NO_CREDENTIAL, f"{header}: {error}") from None
    if not secret.isprintable():
        raise FetchFailed(Failure.NO_CREDENTIAL, f"{header}: {value} holds more than one line of text")
    return secret
