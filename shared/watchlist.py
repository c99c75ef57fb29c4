"""watchlist.yaml as operators write it: the extractor reads what to look for, the alerter reads how to watch it."""

import hashlib
from collections.abc import Iterator
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ConfigDict, Field, field_validator, model_validator

from shared.alerts import AlertRule, NewTermRule
from shared.yaml_config import ConfigModel

WATCHLIST: Final = "watchlist.yaml"
"""The file's name in the configuration folder."""
ID_PATTERN: Final = r"^(Q[1-9][0-9]*|gn:[1-9][0-9]*|[a-z]+:[a-z0-9]+(-[a-z0-9]+)*)$"
"""An alias set's id: Wikidata, GeoNames or a slug of our own."""

Term = Annotated[str, Field(min_length=2)]
LanguageCode = Literal["en", "ru", "uk", "vi"]


class AlertSettings(AlertRule):
    """The `alert` block of a keyword: an `AlertRule` in which unknown keys and values that make no sense are errors."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("windows")
    @classmethod
    def _ascending(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or list(value) != sorted(set(value)):
            raise ValueError("one or more hours, ascending, each once")
        return value

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"unknown time zone `{value}`") from None
        return value

    @model_validator(mode="after")
    def _severities_ascend(self) -> "AlertSettings":
        if self.critical_at < self.warning_at:
            raise ValueError("critical_at must not be below warning_at")
        return self


class NewTermSettings(NewTermRule, AlertSettings):
    """The `new_terms` block of the file."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="after")
    def _makes_sense(self) -> "NewTermSettings":
        meaningless = sorted(self.model_fields_set & {"sensitivity", "silence", "windows"})
        if meaningless:
            raise ValueError(f"has no meaning for new terms: {', '.join(meaningless)}")
        if self.at_most >= self.min_stories:
            raise ValueError("at_most must be below min_stories: a term that has alarmed is new no more")
        return self


class Keyword(ConfigModel):
    """One watched keyword: terms are alias set ids ("gn:703656", "Q7747") or exact phrases.

    It is found in an article that has any of `any_of`, all of `all_of` and none of `none_of`, in one of `languages` and from
    one of `sources` (source names; empty means all).
    """

    name: Annotated[str, Field(min_length=1)]
    any_of: tuple[Term, ...] = ()
    all_of: tuple[Term, ...] = ()
    none_of: tuple[Term, ...] = ()
    languages: tuple[LanguageCode, ...] = ()
    sources: tuple[str, ...] = ()
    accents: Literal["exact", "folded"] = "exact"
    alert: AlertSettings = AlertSettings()

    @model_validator(mode="after")
    def _looks_for_something(self) -> "Keyword":
        if not (self.any_of or self.all_of):
            raise ValueError("needs any_of or all_of")
        return self

    def terms(self) -> Iterator[tuple[str, int, str]]:
        """Yield every term with the key and the position at which it is written."""
        for key in ("any_of", "all_of", "none_of"):
            for position, term in enumerate(getattr(self, key)):
                yield key, position, term

    def content_hash(self) -> str:
        """Return a hash over everything that is written about the keyword (16 hexadecimal digits)."""
        return hashlib.blake2b(self.model_dump_json().encode(), digest_size=8).hexdigest()


class WatchlistFile(ConfigModel):
    """The file watchlist.yaml."""

    keywords: tuple[Keyword, ...] = ()
    new_terms: NewTermSettings = NewTermSettings()
