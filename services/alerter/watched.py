"""One watched keyword: its new stories of the last day, and whether a window of them stands out."""

from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from services.alerter.baseline import DAY, HOUR, Noise, Series
from services.alerter.statistics import spread, upper_tail
from shared.alerts import Alert, AlertRule, LoggedArticle, Sensitivity

THRESHOLDS: Final = {Sensitivity.LOW: 1e-6, Sensitivity.NORMAL: 2.5e-4, Sensitivity.HIGH: 1e-3}
HOLDS_BELOW: Final = 1e-3
"""An open alert goes on while a window is less likely than this."""
MIN_RATIO: Final = 2.0
NEAR_SPREADS: Final = 2.5
"""A count nearer than so many standard deviations is never unlikely enough: the negative binomial leans to the right."""
MAX_SOURCE_SHARE: Final = 0.6
"""No source may tell so much of a window's stories; where two sources suffice, three quarters."""
WITHOUT_LOUDEST: Final = 0.01
"""Without its loudest source a window must still be less likely than this: one feed's backfill is no event."""
LATE: Final = 6 * HOUR
STORY_MEMORY: Final = 72 * HOUR
"""A story that comes again within this time is no new story."""
TOLD: Final = 50
"""So many of the latest stories keep their title and link."""

Exposure = Callable[[float, float], float]
"""The sum of the season's factors between two times, in hours."""


@dataclass(slots=True)
class Story:
    """A new story: its first article, when it counts, and how many articles there are of it."""

    at: int
    cluster_id: str
    story_id: str
    article_id: str
    source: str
    language: str
    title: str
    url: str | None
    articles: int = 1
    late: bool = False


@dataclass(slots=True)
class Window:
    """One window as it was judged; times in seconds."""

    hours: int
    start: int
    end: int
    stories: int
    expected: float
    shape: float
    probability: float

    @property
    def ratio(self) -> float:
        """Stories over expected; where nothing is expected, over a hundredth of a story."""
        return self.stories / max(self.expected, 0.01)

    @property
    def spread(self) -> float:
        """The standard deviation of what is expected."""
        return spread(self.expected, self.shape)


@dataclass(slots=True)
class Watched:
    """The state of one keyword, or of a name (then with its `entity_id`) while its alert is open.

    `since` is when it was first watched, `floor` the time before which no story counts any more.
    """

    name: str
    since: int
    series: Series = field(default_factory=Series)
    recent: list[Story] = field(default_factory=list)
    seen: dict[int, int] = field(default_factory=dict)
    young: dict[str, int] = field(default_factory=dict)
    floor: int = 0
    last_story: int | None = None
    new_since: int | None = None
    alert: Alert | None = None
    held_at: int = 0
    told_ratio: float = 0.0
    changed: bool = False
    entity_id: str | None = None

    def is_new_story(self, cluster_id: str, clock: int) -> bool:
        """Return whether a story is new here, and remember it; of a known recent one another article is counted."""
        key = int.from_bytes(blake2b(cluster_id.encode(), digest_size=8).digest()) >> 1
        seen = self.seen.get(key)
        if seen is not None and clock - seen < STORY_MEMORY:
            return False
        self.seen.pop(key, None)
        self.seen[key] = clock
        return True

    def count_copy(self, cluster_id: str) -> None:
        """Count another article of a recent story."""
        for story in reversed(self.recent):
            if story.cluster_id == cluster_id:
                story.articles += 1
                self.changed = True
                return

    def add(self, story: Story) -> None:
        """Take in a new story that may alarm."""
        insort(self.recent, story, key=time_of)
        self.changed = True
        if len(self.recent) > TOLD:
            old = self.recent[-TOLD - 1]
            old.title, old.url = "", None

    def note(self, at: int, absence: int) -> None:
        """Remember when the keyword spoke; `absence` seconds without it make it a new term for a day."""
        if at - (self.since if self.last_story is None else self.last_story) >= absence:
            self.new_since = at
        self.last_story = max(at, self.last_story or 0)

    def forget(self, clock: int) -> None:
        """Drop what is older than any window, and the stories that may come again."""
        del self.recent[: bisect_right(self.recent, clock - DAY, key=time_of)]
        for key, seen in list(self.seen.items()):
            if clock - seen < STORY_MEMORY:
                break
            del self.seen[key]

    def stories(self, start: int, end: int, muted: Container[str]) -> list[Story]:
        """Return the stories after `start` and not after `end`, without those of muted sources."""
        found = self.recent[bisect_right(self.recent, start, key=time_of) : bisect_right(self.recent, end, key=time_of)]
        return [story for story in found if story.source not in muted] if muted else found

    def window(self, clock: int, hours: int, exposure: Exposure, noise: Noise, muted: Container[str]) -> Window:
        """Return one window up to now, judged in full."""
        start = max(clock - hours * HOUR, self.floor)
        return self._judged(hours, start, clock, len(self.stories(start, clock, muted)), exposure, noise)

    def standing_out(
        self, clock: int, rule: AlertRule, exposure: Exposure, noise: Noise, muted: Container[str]
    ) -> Window | None:
        """Return the least likely window that fires, if any: enough stories, enough sources, far above the usual."""
        best: Window | None = None
        threshold = THRESHOLDS[rule.sensitivity]
        for hours in rule.windows:
            start = max(clock - hours * HOUR, self.floor)
            count = bisect_right(self.recent, clock, key=time_of) - bisect_right(self.recent, start, key=time_of)
            if count < rule.min_stories or not self._may_stand_out(hours, start, clock, count, exposure, noise):
                continue
            stories = self.stories(start, clock, muted)
            if len(stories) < rule.min_stories or not independent(stories, rule.min_sources):
                continue
            window = self._judged(hours, start, clock, len(stories), exposure, noise)
            if window.stories < MIN_RATIO * window.expected or window.probability >= threshold:
                continue
            if upper_tail(len(stories) - loudest(stories), window.expected, window.shape) < WITHOUT_LOUDEST:
                best = window if best is None or window.probability < best.probability else best
        return best

    def _may_stand_out(self, hours: int, start: int, end: int, count: int, exposure: Exposure, noise: Noise) -> bool:
        """Return whether it is worth working out a probability: this is the path of every story, and few come further."""
        expected = self.series.rate * exposure(start, end)
        far = expected + NEAR_SPREADS * spread(expected, self.series.shape(noise, hours))
        return count >= max(MIN_RATIO * expected, far)

    def holds(self, clock: int, rule: AlertRule, exposure: Exposure, noise: Noise, muted: Container[str]) -> bool:
        """Return whether an open alert is still news: a window of at most six hours, or the shortest one, stands out."""
        for hours in [hours for hours in rule.windows if hours <= 6] or rule.windows[:1]:
            window = self.window(clock, hours, exposure, noise, muted)
            if window.stories >= max(2.0, MIN_RATIO * window.expected) and window.probability < HOLDS_BELOW:
                return True
        return False

    def _judged(self, hours: int, start: int, end: int, count: int, exposure: Exposure, noise: Noise) -> Window:
        expected = self.series.rate * exposure(start, end)
        shape = self.series.shape(noise, hours)
        return Window(hours, start, end, count, expected, shape, upper_tail(count, expected, shape))


def counts_at(article: LoggedArticle) -> int:
    """Return when an article counts: the earlier of the time it claims and its arrival."""
    arrived = int(article.arrived_at.timestamp())
    return min(arrived, int(article.claimed_at.timestamp())) if article.claimed_at else arrived


def story_of(article: LoggedArticle, at: int, late: int) -> Story:
    """Return an article as a new story that counts at a time, which was `late` seconds ago."""
    return Story(
        at, article.cluster_id, article.story_id, article.article_id, article.source, article.language, article.title,
        article.url, late=late > HOUR,
    )  # fmt: skip


def independent(stories: Sequence[Story], min_sources: int) -> bool:
    """Return whether stories come from enough sources, none of which tells most of them."""
    share = max(MAX_SOURCE_SHARE, 1.5 / min_sources)
    return len({story.source for story in stories}) >= min_sources and loudest(stories) < share * len(stories)


def loudest(stories: Sequence[Story]) -> int:
    """Return how many of the stories the source with the most of them told."""
    return max(Counter(story.source for story in stories).values())


def time_of(story: Story) -> int:
    """Return when a story counts."""
    return story.at
