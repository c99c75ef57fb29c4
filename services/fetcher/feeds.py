"""The operator's list of feeds: deploy/config/feeds.yaml as a validated, immutable model."""

import codecs
import re
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from lxml.cssselect import CSSSelector, SelectorError
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from services.fetcher.addresses import host_and_port
from services.fetcher.documents import Reading
from services.fetcher.manners import Pace
from shared import yaml_config
from shared.config_types import Duration, Name, SecretName, Zone
from shared.links import clean_link, host_of
from shared.models import Source
from shared.yaml_config import ConfigModel

FILE_HOST_PREFIX: Final = "file:"
# Python has no TCVN3. Read as windows-1252 its bytes survive, and the normaliser knows the letters they stand for.
_TCVN3_AS: Final = "windows-1252"
_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,60}")
# They belong to the connection or to the conditional request.
_OUR_HEADERS: Final = frozenset({
    "accept-encoding", "connection", "content-length", "host", "if-modified-since", "if-none-match", "transfer-encoding",
})  # fmt: skip
_HOST_PORT: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:/@\[\]]+):(\d{1,5})", re.IGNORECASE)


def _web_address(url: str) -> str:
    if clean_link(url) is None:
        raise ValueError(f"{url!r} is not an http(s) address")
    if "@" in urlsplit(url).netloc:
        raise ValueError("an address must not hold a user name or password")
    return url


def _host_port(value: str) -> str:
    match = _HOST_PORT.fullmatch(value)
    if not match or not 0 < int(match[2]) < 65536:
        raise ValueError(f"{value!r} is not host:port")
    return value.lower()


def _selector(text: str) -> str:
    try:
        CSSSelector(text)
    except SelectorError as error:
        raise ValueError(f"{text!r} is no CSS selector: {error}") from None
    return text


def _charset(name: str) -> str:
    try:
        return codecs.lookup(_TCVN3_AS if name.lower() == "tcvn3" else name).name
    except LookupError:
        raise ValueError(f"{name!r} is no charset; examples are windows-1258, windows-1251 and tcvn3") from None


def _language(code: str) -> str:
    if not re.fullmatch("[a-z]{2}", code):
        raise ValueError(f"{code!r} is no language of two small letters, as vi, en, ru or uk")
    return code


def _country(code: str) -> str:
    if not re.fullmatch("[A-Z]{2}", code):
        raise ValueError(f"{code!r} is no country of two capital letters, as VN, US, RU or UA")
    return code


def _one_or_more(value: Any) -> Any:
    """Return a single text as a list of one: `keep: div.article` says what it means."""
    return (value,) if isinstance(value, str) else value


def _header(name: str) -> str:
    if not _HEADER.fullmatch(name) or name.lower() in _OUR_HEADERS:
        raise ValueError(f"{name!r} is no header that can be set here")
    return name


Charset = Annotated[str, AfterValidator(_charset)]
Country = Annotated[str, AfterValidator(_country)]
LanguageCode = Annotated[str, AfterValidator(_language)]
Selector = Annotated[str, Field(min_length=1), AfterValidator(_selector)]
Header = Annotated[str, AfterValidator(_header)]
HeaderValue = Annotated[str, Field(max_length=4096, pattern=r"^[\x20-\x7e]*$")]
HostPort = Annotated[str, AfterValidator(_host_port)]
Period = Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(days=7))]
Delay = Annotated[Duration, Field(ge=timedelta(0), le=timedelta(minutes=5))]


class Kind(StrEnum):
    """What a feed's address or path holds."""

    ATOM = "atom"
    FILES = "files"
    JSONFEED = "jsonfeed"
    JSONL = "jsonl"
    LISTING = "listing"
    RSS = "rss"
    SITEMAP = "sitemap"


# A host that the operator lists as private is the operator's own: it needs no more than order.
OWN_HOST_DELAY: Final = timedelta(milliseconds=10)
FILE_KINDS: Final = frozenset({Kind.FILES, Kind.JSONL})


class Selectors(ConfigModel):
    """CSS selectors: links of a listing page, and what of an article page is looked at and what is cut out."""

    listing: Selector | None = None
    keep: Annotated[tuple[Selector, ...], BeforeValidator(_one_or_more)] = ()
    remove: Annotated[tuple[Selector, ...], BeforeValidator(_one_or_more)] = ()


class Feed(ConfigModel):
    """One feed. It reads either a `url` or files (`path` or `paths`: files, folders or patterns)."""

    name: Name
    url: Annotated[str, AfterValidator(_web_address)] | None = None
    path: Path | None = None
    paths: tuple[Path, ...] = ()
    kind: Kind | None = None
    source: Name | None = None
    language: LanguageCode | None = None
    country: Country | None = None
    side: Name | None = None
    timezone: Zone | None = None
    every: Period | None = None
    full_text: Literal["page", "feed"] = "page"
    selectors: Selectors = Selectors()
    charset: Charset | None = None
    robots: Literal["obey", "ignore"] = "obey"
    headers: dict[Header, HeaderValue | SecretName] = Field(default_factory=dict)
    max_age: Annotated[Duration, Field(gt=timedelta(0))] | None = None
    silent_after: Annotated[Duration, Field(ge=timedelta(minutes=10))] = timedelta(days=1)
    allow_private: Annotated[tuple[HostPort, ...], BeforeValidator(_one_or_more)] = ()
    enabled: bool = True

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.url is None) == (not self.all_paths):
            raise ValueError("needs either url, or path or paths")
        if self.kind is not None and (self.kind in FILE_KINDS) == (self.url is not None):
            raise ValueError(f"kind {self.kind} does not go with {'url' if self.url else 'path'}")
        if (self.kind is Kind.LISTING) != (self.selectors.listing is not None):
            raise ValueError("kind listing and selectors.listing (which links are articles) go together")
        return self

    @property
    def reading(self) -> Reading:
        """How this feed's documents are to be read."""
        return Reading(charset=self.charset, **self.selectors.model_dump())

    @property
    def all_paths(self) -> list[Path]:
        """Every file, folder or pattern this feed reads."""
        return [*([self.path] if self.path else []), *self.paths]

    @property
    def host(self) -> str:
        """The host that is visited, or a pseudo host for files: the unit of manners and ownership."""
        return (host_of(self.url) if self.url else None) or f"{FILE_HOST_PREFIX}{self.name}"

    @property
    def article_source(self) -> Source:
        """The outlet as it travels with every article."""
        return Source(
            name=self.source or self.name,
            language=self.language,
            country=self.country,
            side=self.side,
            timezone=self.timezone,
        )

    def beside(self, folder: Path) -> Self:
        """Return the feed with its relative paths counted from `folder`."""
        return self.model_copy(
            update={"path": None, "paths": tuple(folder / path.expanduser() for path in self.all_paths)},
        )


class HostManners(ConfigModel):
    """How one host is to be treated: pause between two requests, requests at a time, and how long at most it is left alone."""

    delay: Delay | None = None
    parallel: Annotated[int, Field(ge=1, le=16)] = 1
    longest_hold: Annotated[Duration, Field(ge=timedelta(0), le=timedelta(days=1))] = timedelta(days=1)


class Feeds(ConfigModel):
    """The whole file: a default pause between two requests to one host, exceptions by host, and the feeds."""

    delay: Delay = timedelta(seconds=1)
    hosts: dict[str, HostManners] = Field(default_factory=dict)
    feeds: tuple[Feed, ...] = ()

    def enabled(self) -> Iterator[Feed]:
        """Yield the feeds that are switched on."""
        return (feed for feed in self.feeds if feed.enabled)

    def named(self, name: str) -> Feed | None:
        """Return a feed by name, None when there is none."""
        return next((feed for feed in self.feeds if feed.name == name), None)

    def parallel_of(self, host: str) -> int:
        """Return how many requests a host takes at a time."""
        return self.hosts.get(host, HostManners()).parallel

    def pace_of(self, url: str, allow_private: Collection[str]) -> Pace:
        """Return how a link's host is to be asked: as the operator wrote for this host, else by whose host it is."""
        manners = self.hosts.get(host_of(url) or "", HostManners())
        usual = OWN_HOST_DELAY if host_and_port(url) in allow_private else self.delay
        delay = usual if manners.delay is None else manners.delay
        return Pace(delay.total_seconds(), manners.parallel, manners.longest_hold.total_seconds())


def load_feeds(path: Path) -> Feeds:
    """Return feeds.yaml; relative paths in it count from its own folder.

    Raises `ConfigError` with everything that is wrong at once: file, line, key, reason; duplicates included.
    """
    feeds = yaml_config.load_unique(path, Feeds, "feeds", _identities, "every feed once")
    return feeds.model_copy(update={"feeds": tuple(feed.beside(path.parent) for feed in feeds.feeds)})


def _identities(block: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield a feed's name and address, which no other feed may have."""
    if isinstance(block.get("name"), str):
        yield "name", block["name"].casefold()
    if isinstance(block.get("url"), str):
        yield "url", clean_link(block["url"]) or block["url"]
