"""Everything the detector knows, as plain data: what a checkpoint holds."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from pydantic import TypeAdapter

from services.alerter.baseline import Noise, Season
from services.alerter.terms import Terms
from services.alerter.voices import Voice
from services.alerter.watched import Watched
from shared.alerts import Alert, AlertRule, Coverage, NewTermRule, SilenceTarget, WatchedKeyword

EVERYTHING: Final = "*"
"""The voice of all feeds together, kept among the languages."""


@dataclass(slots=True)
class Silence:
    """An operator's silence: no alerts of its target until `until`."""

    target: SilenceTarget
    until: int
    author: str
    reason: str


@dataclass(slots=True)
class State:
    """The detector's state; times in seconds since 1970 UTC.

    `exposure` is that of a keyword watched from the start; `sources` says when each was first seen, `young` which are still too
    young to count; `standing_terms` are the names, by their ids, whose alerts are open.
    """

    started: int = 0
    clock: int = 0
    ticked: int = 0
    exposure: float = 0.0
    season: Season = field(default_factory=Season)
    noise: Noise = field(default_factory=Noise)
    voice_noise: Noise = field(default_factory=Noise)
    keywords: dict[str, Watched] = field(default_factory=dict)
    sources: dict[str, int] = field(default_factory=dict)
    young: set[str] = field(default_factory=set)
    config_hash: str = ""
    rules: dict[str, WatchedKeyword] | None = None
    feeds: dict[str, Voice] = field(default_factory=dict)
    languages: dict[str, Voice] = field(default_factory=dict)
    last_article: str = ""
    silent_feeds: tuple[str, ...] = ()
    silences: list[Silence] = field(default_factory=list)
    silence_alerts: dict[str, Alert] = field(default_factory=dict)
    new_terms: NewTermRule | None = None
    terms: Terms = field(default_factory=Terms)
    standing_terms: dict[str, Watched] = field(default_factory=dict)

    def all_watched(self) -> Iterator[Watched]:
        """Yield the keywords, and the names whose alerts are open."""
        yield from self.keywords.values()
        yield from list(self.standing_terms.values())

    def rule(self, keyword: str) -> AlertRule:
        """Return how a keyword is watched; the default where no configuration names it."""
        known = (self.rules or {}).get(keyword)
        return known.rule if known else AlertRule()

    def rule_of(self, watched: Watched) -> AlertRule:
        """Return how a keyword or a name is watched."""
        return self.rule(watched.name) if watched.entity_id is None else self.new_terms or AlertRule()

    def rule_hash(self, keyword: str) -> str:
        """Return the hash of a keyword's configuration, empty where none names it."""
        known = (self.rules or {}).get(keyword)
        return known.hash if known else ""

    def muted(self) -> frozenset[str]:
        """Return the sources that are silenced now."""
        return frozenset(silence.target.name for silence in self.silences if silence.target.scope == "source")

    def silence_of(self, keyword: str, group: str | None) -> Silence | None:
        """Return the silence that covers a keyword or a name now, by its own name or its group."""
        for silence in self.silences:
            target = silence.target
            if (target.scope, target.name) == ("keyword", keyword) or (
                target.scope == "group" and target.name == group
            ):
                return silence
        return None

    def coverage(self) -> Coverage:
        """Return which share of the usual hits comes from feeds that can be read now."""
        total = sum(voice.series.rate for voice in self.feeds.values())
        silent = sum(self.feeds[feed].series.rate for feed in self.silent_feeds if feed in self.feeds)
        return Coverage(share=round(1 - silent / total, 4) if total else 1.0, silent_feeds=self.silent_feeds)


STATE: Final = TypeAdapter(State)


def load_state(data: bytes) -> State:
    """Return the state that `dump_state` wrote; raises `ValidationError` for anything else."""
    return STATE.validate_json(data)


def dump_state(state: State) -> bytes:
    """Return the state as JSON bytes from which it can be restored without any difference."""
    return STATE.dump_json(state)
