"""The operator's list of feeds: deploy/config/feeds.yaml as a validated, immutable model."""

import re
from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator
from ruamel.yaml import YAML

from shared import yaml_config
from shared.config_types import Duration, Name, Zone
from shared.links import clean_link, host_of
from shared.models import Source
from shared.yaml_config import ConfigError, ConfigModel, Problem

FILE_HOST_PREFIX: Final = "file:"
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


HostPort = Annotated[str, AfterValidator(_host_port)]
Period = Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(days=7))]
Delay = Annotated[Duration, Field(ge=timedelta(0), le=timedelta(minutes=5))]


class Kind(StrEnum):
    """What a feed's address or path holds."""

    ATOM = "atom"
    FILES = "files"
    JSONFEED = "jsonfeed"
    JSONL = "jsonl"
    RSS = "rss"


FILE_KINDS: Final = frozenset({Kind.FILES, Kind.JSONL})


class Feed(ConfigModel):
    """One feed. It reads either a `url` or files (`path` or `paths`: files, folders or patterns)."""

    name: Name
    url: Annotated[str, AfterValidator(_web_address)] | None = None
    path: Path | None = None
    paths: tuple[Path, ...] = ()
    kind: Kind | None = None
    source: Name | None = None
    language: Annotated[str, Field(pattern=r"^[a-z]{2}$")] | None = None
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    side: Name | None = None
    timezone: Zone | None = None
    every: Period | None = None
    full_text: Literal["page", "feed"] = "page"
    allow_private: tuple[HostPort, ...] = ()
    enabled: bool = True

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.url is None) == (not self.all_paths):
            raise ValueError("needs either url, or path or paths")
        if self.kind is not None and (self.kind in FILE_KINDS) == (self.url is not None):
            raise ValueError(f"kind {self.kind} does not go with {'url' if self.url else 'path'}")
        return self

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
    """How one host is to be treated: the pause between two requests."""

    delay: Delay


class Feeds(ConfigModel):
    """The whole file: a default pause between two requests to one host, exceptions by host, and the feeds."""

    delay: Delay = timedelta(seconds=1)
    hosts: dict[str, HostManners] = Field(default_factory=dict)
    feeds: tuple[Feed, ...] = ()

    def enabled(self) -> Iterator[Feed]:
        """Yield the feeds that are switched on."""
        return (feed for feed in self.feeds if feed.enabled)

    def delay_of(self, host: str) -> float | None:
        """Return the pause in seconds that the operator wrote for this very host, or None."""
        manners = self.hosts.get(host)
        return manners.delay.total_seconds() if manners else None


def load_feeds(path: Path) -> Feeds:
    """Return feeds.yaml; relative paths in it count from its own folder.

    Raises `ConfigError` with everything that is wrong at once: file, line, key, reason; duplicates included.
    """
    problems: list[Problem] = []
    feeds = Feeds()
    try:
        feeds = yaml_config.load(path, Feeds)
    except ConfigError as error:
        problems += error.problems
    problems += _duplicates(path)
    if problems:
        raise ConfigError(sorted(problems, key=lambda problem: problem.line))
    return feeds.model_copy(update={"feeds": tuple(feed.beside(path.parent) for feed in feeds.feeds)})


def _duplicates(path: Path) -> Iterator[Problem]:
    """Yield names and addresses that stand twice, found in the bare YAML so that other errors do not hide them."""
    try:
        text = yaml_config.read_text(path)
        data: Any = YAML(typ="safe", pure=True).load(text)
    except Exception:  # not readable at all: load has already said so
        return
    blocks = data.get("feeds") if isinstance(data, dict) else None
    first: dict[tuple[str, str], int] = {}
    for index, block in enumerate(blocks if isinstance(blocks, list) else []):
        for key, value in _identities(block):
            line = yaml_config.line_of(text, ("feeds", index, key))
            if (key, value) in first:
                reason = f"{block[key]!r} stands already in line {first[key, value]}"
                yield Problem(str(path), line, f"feeds.{index}.{key}", reason, "every feed once")
            first.setdefault((key, value), line)


def _identities(block: object) -> Iterator[tuple[str, str]]:
    if isinstance(block, dict):
        if isinstance(block.get("name"), str):
            yield "name", block["name"].casefold()
        if isinstance(block.get("url"), str):
            yield "url", clean_link(block["url"]) or block["url"]
