"""On which terms a feed's documents are asked for: its permissions, and its headers with the credentials of the environment."""

from services.fetcher.feeds import Feed
from services.fetcher.web import Failure, FetchFailed, Terms
from shared.settings import SettingsError, environment_value


def terms_of(feed: Feed) -> Terms:
    """Return a feed's terms. Raises `FetchFailed` naming the environment variable that is not set."""
    credentials = {header: _credential(variable) for header, variable in feed.headers_from_env.items()}
    return Terms(feed.allow_private, feed.robots == "obey", {**feed.headers, **credentials}, feed.host)


def _credential(variable: str) -> str:
    try:
        value = environment_value(variable)
    except SettingsError as error:
        raise FetchFailed(Failure.NO_CREDENTIAL, str(error)) from None
    if not value or not value.isprintable():
        raise FetchFailed(Failure.NO_CREDENTIAL, f"{variable} is not set to one line of text in the environment")
    return value
