"""Links into Kibana that open on the right data: pure functions of what is to be seen and when.

Times are always absolute: an alert read a day later must show what the alert was about. A link is rison (the notation of
Kibana's addresses, https://github.com/Nanonid/rison) and then percent-encoded to the last bracket, because chat programs end
a link at a quote or a closing bracket. The ids are those of deploy/kibana.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

ALERTS_DASHBOARD: Final = "frontwire-alerts"
FEEDS_DASHBOARD: Final = "frontwire-feeds"
KEYWORD_DASHBOARD: Final = "frontwire-keyword"
OVERVIEW_DASHBOARD: Final = "frontwire-overview"
ARTICLES_SEARCH: Final = "frontwire-articles"
STORIES_SEARCH: Final = "frontwire-stories"

# Around the window of an alert: what was usual before it, and what came late.
BEFORE_WINDOWS: Final = 3
AFTER_WINDOW: Final = timedelta(hours=1)
_PLAIN_WORD: Final = re.compile(r"[A-Za-z_./~][A-Za-z0-9_./~-]*")
_RISON_WORDS: Final = {None: "!n", True: "!t", False: "!f"}


@dataclass(frozen=True)
class Kibana:
    """Where Kibana is: its address as an operator types it, and the space when it is not the default one."""

    address: str
    space: str | None = None

    @property
    def base(self) -> str:
        """The address that every page begins with."""
        space = f"/s/{quote(self.space, safe='')}" if self.space else ""
        return self.address.rstrip("/") + space


@dataclass(frozen=True)
class Period:
    """An absolute time range of two aware instants, both ends included."""

    start: datetime
    end: datetime

    @classmethod
    def of_window(cls, start: datetime, end: datetime) -> "Period":
        """Return the period to show for an alert's window: three windows before it, an hour after it."""
        return cls(start - BEFORE_WINDOWS * (end - start), end + AFTER_WINDOW)

    @classmethod
    def around(cls, moment: datetime, margin: timedelta) -> "Period":
        """Return the period that has a moment in its middle."""
        return cls(moment - margin, moment + margin)


def discover(kibana: Kibana, query: str, period: Period, *, search: str = ARTICLES_SEARCH) -> str:
    """Return the address of a saved search in Discover with this KQL query and period."""
    return _page(kibana, f"discover#/view/{quote(search, safe='')}", query, period)


def dashboard(kibana: Kibana, query: str, period: Period, *, dashboard_id: str = KEYWORD_DASHBOARD) -> str:
    """Return the address of a dashboard with this KQL query and period."""
    return _page(kibana, f"dashboards#/view/{quote(dashboard_id, safe='')}", query, period)


def is_exactly(field: str, *values: str) -> str:
    """Return the KQL that a field holds one of these values, whatever characters they have.

    >>> is_exactly("keywords", 'Tàu "Moskva"')
    'keywords: "Tàu \\\\"Moskva\\\\""'
    """
    phrases = [kql_phrase(value) for value in values]
    return f"{field}: {phrases[0]}" if len(phrases) == 1 else f"{field}: ({' or '.join(phrases)})"


def kql_phrase(text: str) -> str:
    """Return a text as a quoted KQL value: one line, quotes and backslashes escaped."""
    escaped = " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def rison(value: Any) -> str:
    """Return a value (mapping, sequence, text, number, truth value, None) as rison. Raises TypeError for anything else."""
    if value is None or isinstance(value, bool):
        return _RISON_WORDS[value]
    if isinstance(value, str):
        return _rison_text(value)
    if isinstance(value, int | float):
        return repr(value).replace("e+", "e")
    if isinstance(value, Mapping):
        return f"({','.join(f'{_rison_text(name)}:{rison(item)}' for name, item in sorted(value.items()))})"
    if isinstance(value, Sequence):
        return f"!({','.join(rison(item) for item in value)})"
    raise TypeError(f"rison has no form for {type(value).__name__}")


def _rison_text(text: str) -> str:
    if _PLAIN_WORD.fullmatch(text):
        return text
    escaped = text.replace("!", "!!").replace("'", "!'")
    return f"'{escaped}'"


def _page(kibana: Kibana, path: str, query: str, period: Period) -> str:
    everywhere = {"time": {"from": _instant(period.start), "to": _instant(period.end)}}
    here = {"query": {"language": "kuery", "query": query}}
    return f"{kibana.base}/app/{path}?_g={_encoded(everywhere)}&_a={_encoded(here)}"


def _encoded(state: Mapping[str, Any]) -> str:
    return quote(rison(state), safe=":,")


def _instant(moment: datetime) -> str:
    """Return an aware time as Kibana writes it; raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("a link needs times with a time zone")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
