"""Choosing the publication date among what the feed, the page, the text and the address say, and keeping the rest.

Order of trust: feed, metadata, visible line, prefix, address. A clue that is later than the moment of fetching, or no real date,
does not count and is kept as refused. Nothing is ever guessed: without a clue an article stays undated.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Final

import dateparser

from services.normaliser.moments import DateWords, Moment, named_zone, read_moment
from shared.models import DateClaim, DateOrigin, Flag, Published

EARLIEST_YEAR: Final = 1991  # no outlet published on the web before; feeds without a date say 1970
CLOCK_SKEW: Final = timedelta(minutes=5)
_CONFLICT = timedelta(days=1)
_CONFIDENCE: Final = {
    DateOrigin.FEED: 0.95,
    DateOrigin.METADATA: 0.95,
    DateOrigin.VISIBLE: 0.9,
    DateOrigin.PREFIX: 0.85,
    DateOrigin.URL: 0.75,
}
_ORDER: Final = tuple(_CONFIDENCE)
_NO_ZONE_PENALTY = 0.1
_CONFLICT_PENALTY = 0.3

_URL_DATE = re.compile(
    r"(?<!\d)(?P<y>(?:19|20)\d\d)(?P<sep>[/-])(?P<m>\d{1,2})(?P=sep)(?P<d>\d{1,2})(?!\d)"
    r"|(?<!\d)(?P<y2>20\d\d)(?P<m2>0[1-9]|1[0-2])(?P<d2>[0-2]\d|3[01])(?:\d{6}(?:\d{3})?)?(?!\d)"
    r"|(?<!\d)(?P<d3>[0-2]?\d|3[01])(?P<sep3>[/-])(?P<m3>0?[1-9]|1[0-2])(?P=sep3)(?P<y3>20\d\d)(?!\d)"
)


@dataclass(frozen=True)
class Clue:
    """What one origin says about the publication date: the text as it stands, and the moment it was read as."""

    origin: DateOrigin
    written: str
    moment: Moment | None


@dataclass(frozen=True)
class Dated:
    """The chosen publication date with what an operator should know of the choice."""

    published: Published
    flags: tuple[Flag, ...]


def feed_clue(written: str | None, zone_name: str | None, words: DateWords, now: datetime) -> Clue | None:
    """Return what a feed says; `zone_name` is the zone its times are in where they name none."""
    if not written or not written.strip():
        return None
    moment = read_moment(written, words) or _read_loosely(written, zone_name, now)
    return Clue(DateOrigin.FEED, written.strip(), moment.in_zone(named_zone(zone_name)) if moment else None)


def metadata_clue(written: str | None, zone_name: str | None, words: DateWords) -> Clue | None:
    """Return what the page's metadata say."""
    if not written or not written.strip():
        return None
    moment = read_moment(written, words)
    return Clue(DateOrigin.METADATA, written.strip(), moment.in_zone(named_zone(zone_name)) if moment else None)


def url_clue(url: str | None) -> Clue | None:
    """Return the day in the path of an address, if there is one."""
    if not url:
        return None
    path = url.partition("://")[2].partition("?")[0].partition("#")[0].partition("/")[2]
    for match in _URL_DATE.finditer(path[:1000]):
        parts = match.groupdict()
        for suffix in ("", "2", "3"):
            if not parts["y" + suffix]:
                continue
            try:
                day = date(int(parts["y" + suffix]), int(parts["m" + suffix]), int(parts["d" + suffix]))
            except ValueError:
                break
            return Clue(DateOrigin.URL, match[0], Moment(day))
    return None


def _read_loosely(written: str, zone_name: str | None, now: datetime) -> Moment | None:
    """Read what the strict readers could not, day first, complete dates only."""
    settings = {
        "DATE_ORDER": "DMY",
        "PARSERS": ["absolute-time"],
        "PREFER_LOCALE_DATE_ORDER": False,
        "RELATIVE_BASE": now.replace(tzinfo=None),
        "REQUIRE_PARTS": ["day", "month", "year"],
        "RETURN_AS_TIMEZONE_AWARE": False,
        "STRICT_PARSING": True,
    }
    try:
        found = dateparser.parse(written[:80], languages=["vi", "en", "ru", "uk"], settings=settings)
    except (ValueError, OverflowError, RecursionError):
        return None
    if not isinstance(found, datetime):
        return None
    zone: tzinfo | None = found.tzinfo or named_zone(zone_name)
    has_clock = ":" in written
    return Moment(found.date(), found.time().replace(microsecond=0) if has_clock else None, zone if has_clock else None)


def choose(clues: Sequence[Clue | None], fetched_at: datetime) -> Dated:
    """Return the publication date by the order of trust, never later than `fetched_at`, with the other clues kept."""
    stated = sorted((clue for clue in clues if clue), key=lambda clue: _ORDER.index(clue.origin))
    good = [clue for clue in stated if clue.moment and _refusal(clue.moment, fetched_at) is None]
    refused = [clue for clue in stated if clue not in good]
    flags = [Flag.DATE_REFUSED] if refused else []
    if not good:
        reasons = "; ".join(f"{clue.origin} refused: {_why(clue, fetched_at)}" for clue in refused)
        published = Published(explanation=reasons or "nothing states a date", other_claims=_claims(refused))
        return Dated(published, (*flags, Flag.UNDATED))
    chosen, others = good[0], good[1:]
    assert chosen.moment  # noqa: S101 - `good` holds clues with a moment only
    moment, skew = _not_after(chosen.moment, fetched_at)
    conflicts = [clue for clue in others if clue.moment and _disagree(chosen.moment, clue.moment)]
    if conflicts:
        flags.append(Flag.DATE_CONFLICT)
    confidence = _CONFIDENCE[chosen.origin] - (_CONFLICT_PENALTY if conflicts else 0)
    confidence -= _NO_ZONE_PENALTY if moment.clock and not moment.zone else 0
    published = Published(
        value=moment.iso(),
        precision=moment.precision,
        timezone=_zone_name(moment),
        origin=chosen.origin,
        confidence=round(confidence, 2),
        explanation=_explanation(chosen, others, conflicts, refused, skew, fetched_at),
        other_claims=_claims([*others, *refused]),
    )
    return Dated(published, tuple(flags))


def _refusal(moment: Moment, fetched_at: datetime) -> str | None:
    if moment.day.year < EARLIEST_YEAR:
        return f"before {EARLIEST_YEAR}"
    if moment.day.year > fetched_at.year + 1 or moment.earliest() > fetched_at + CLOCK_SKEW:
        return "later than it was fetched"
    return None


def _why(clue: Clue, fetched_at: datetime) -> str:
    return (_refusal(clue.moment, fetched_at) if clue.moment else None) or "no real date"


def _not_after(moment: Moment, fetched_at: datetime) -> tuple[Moment, timedelta]:
    """Return a moment that is not after `fetched_at`, and by how much a clock that runs ahead was set back."""
    if not moment.clock or not moment.zone:
        return moment, timedelta()
    ahead = moment.earliest() - fetched_at.astimezone(UTC)
    if ahead <= timedelta():
        return moment, timedelta()
    local = fetched_at.astimezone(moment.zone)
    return Moment(local.date(), local.time().replace(microsecond=0), moment.zone), ahead


def _disagree(one: Moment, other: Moment) -> bool:
    if not one.clock or not other.clock or not one.zone or not other.zone:
        return abs(one.day - other.day) > _CONFLICT
    return abs(one.earliest() - other.earliest()) > _CONFLICT


def _zone_name(moment: Moment) -> str | None:
    if not moment.clock or not moment.zone:
        return None
    if isinstance(moment.zone, timezone):
        return str(moment.zone)
    return getattr(moment.zone, "key", None)


def _claims(clues: Sequence[Clue]) -> list[DateClaim]:
    return [
        DateClaim(value=clue.moment.iso() if clue.moment else clue.written[:100], origin=clue.origin) for clue in clues
    ]


def _explanation(
    chosen: Clue,
    others: Sequence[Clue],
    conflicts: Sequence[Clue],
    refused: Sequence[Clue],
    skew: timedelta,
    fetched: datetime,
) -> str:
    pieces = [f"{chosen.origin} says {chosen.written[:60]!r}"]
    agreeing = [clue.origin.value for clue in others if clue not in conflicts]
    if agreeing:
        pieces.append(f"{', '.join(agreeing)} agree")
    pieces += [
        f"{clue.origin} disagrees ({clue.moment.iso() if clue.moment else ''}) and is trusted less"
        for clue in conflicts
    ]
    pieces += [f"{clue.origin} refused: {_why(clue, fetched)}" for clue in refused]
    if chosen.moment and chosen.moment.clock and not chosen.moment.zone:
        pieces.append("its time zone is not known")
    if skew:
        pieces.append(f"its clock was {int(skew.total_seconds())} s ahead and was set back to the time of fetching")
    return "; ".join(pieces)
