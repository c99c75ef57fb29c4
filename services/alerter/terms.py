"""Names that no keyword looks for: how often each was told in the last weeks, so that a rare one stands out when it is told.

Of a name that is told often enough to be no news only that is kept: a few numbers, however often it comes.
"""

from bisect import insort
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Final

from services.alerter.baseline import DAY
from services.alerter.watched import Story, independent, time_of
from shared.alerts import NewTermRule

KEPT: Final = 50
"""Stories of the last day that are kept of a rare name; what is older counts as told before."""


@dataclass(slots=True)
class Term:
    """A name: its stories of the last day while it is rare, and how many it had before, by days since 1970."""

    recent: list[Story] = field(default_factory=list)
    days: dict[int, int] = field(default_factory=dict)

    def hear(self, story: Story, at_most: int) -> None:
        """Take in a story that may alarm."""
        if not self.is_rare(at_most):
            self.teach(story.at, at_most)
            return
        if any(known.cluster_id == story.cluster_id for known in self.recent):
            return
        insort(self.recent, story, key=time_of)
        if len(self.recent) > KEPT:
            self.teach(self.recent.pop(0).at, at_most)

    def teach(self, at: int, at_most: int) -> None:
        """Count a story as told before; of a name that is not rare only the latest days are kept that say so."""
        self.days[at // DAY] = self.days.get(at // DAY, 0) + 1
        while len(self.days) > 1 and sum(self.days.values()) - self.days[oldest := min(self.days)] > at_most:
            del self.days[oldest]

    def is_rare(self, at_most: int) -> bool:
        """Return whether it had no more stories before the last day."""
        return sum(self.days.values()) <= at_most

    def stands_out(self, rule: NewTermRule, muted: Container[str]) -> list[Story]:
        """Return its stories of the last day when it was rare and they are enough, else none."""
        stories = [story for story in self.recent if story.source not in muted]
        enough = len(stories) >= rule.min_stories and independent(stories, rule.min_sources)
        return stories if enough and self.is_rare(rule.at_most) else []

    def forget(self, clock: int, rule: NewTermRule) -> None:
        """Let the stories of the last day become those before it, and drop the days that are too long ago."""
        while self.recent and self.recent[0].at <= clock - DAY:
            self.teach(self.recent.pop(0).at, rule.at_most)
        while self.days and (oldest := min(self.days)) < clock // DAY - rule.days:
            del self.days[oldest]

    def settle(self, at_most: int) -> None:
        """Count all stories as told before: they have alarmed."""
        for story in self.recent:
            self.teach(story.at, at_most)
        self.recent.clear()


@dataclass(slots=True)
class Terms:
    """All names by their ids, since when they are counted, and since when the extractor knows them (seconds since 1970)."""

    known: dict[str, Term] = field(default_factory=dict)
    since: int = 0
    knowledge: str = ""
    knowledge_since: int = 0

    def learn(self, knowledge: str, clock: int) -> None:
        """Note under which knowledge an article was read."""
        self.since = self.since or clock
        if knowledge != self.knowledge:
            self.knowledge, self.knowledge_since = knowledge, clock

    def get(self, entity_id: str, clock: int, at_most: int) -> Term:
        """Return a name; one first met within a day of an edit of the alias sets is new to them only and counts as known."""
        term = self.known.get(entity_id)
        if term is None:
            term = self.known[entity_id] = Term()
            if clock - self.knowledge_since < DAY:
                term.days[clock // DAY] = at_most + 1
        return term

    def forget(self, clock: int, rule: NewTermRule) -> None:
        """Let an hour pass; names without a story for so long are forgotten."""
        for entity_id, term in list(self.known.items()):
            term.forget(clock, rule)
            if not (term.recent or term.days):
                del self.known[entity_id]
