"""The words of a message, in the language of its channel. Pure: everything it says is in the envelope."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from services.notifier.channels import Channels
from services.notifier.standing import lateness
from services.notifier.steps import Step
from services.notifier.transform import Envelope
from shared import yaml_config
from shared.alerts import Action, Alert, AlertKind, EvidenceStory, Severity, Tally
from shared.kibana_links import FEEDS_DASHBOARD, Kibana, Period, dashboard, is_exactly
from shared.notifications import Delivery, MessageKind, Trouble
from shared.yaml_config import ConfigModel

# Below this nobody asks why a message took so long.
LATE_FROM: Final = timedelta(minutes=5)
# The name by which the detector speaks of all feeds at once.
EVERYTHING: Final = "*"
MAX_STORIES: Final = 3
MAX_NAMES: Final = 5
MAX_DIGEST_LINES: Final = 30
MAX_TITLE: Final = 160
MAX_URL: Final = 500
MAX_ERROR: Final = 200


class Phrases(ConfigModel):
    """The phrases of one language, each with the words in braces that its place in the message fills in."""

    severity: dict[Severity, str]
    kind: dict[AlertKind, str]
    label: dict[MessageKind, str]
    action: dict[Action, str]
    decimal: str
    and_more: str
    numbers: str
    numbers_unusual: str
    sources: str
    languages: str
    coverage: str
    everything: str
    stories: str
    copies: str
    look: str
    acknowledge: str
    check_feed: str
    late: str
    repeat: str
    escalated: str
    joined: str
    reminder: str
    resolved: str
    handled: str
    digest: str
    trouble: str
    trouble_text: str
    trouble_do: str
    trouble_over: str
    test: str
    test_text: str
    day: str
    hour: str
    minute: str


class _File(ConfigModel):
    en: Phrases
    vi: Phrases


@cache
def phrases(language: str) -> Phrases:
    """Return the phrases of a language (`vi` or `en`)."""
    file = yaml_config.load(Path(__file__).parent / "phrases.yaml", _File)
    return file.en if language == "en" else file.vi


class Writer:
    """Writes messages for one channel's language and the desk's time zone."""

    def __init__(self, language: str, config: Channels) -> None:
        self._say = phrases(language)
        self._language = language
        self._zone = ZoneInfo(config.timezone)
        self._kibana = Kibana(config.kibana, config.kibana_space)

    def subject(self, envelope: Envelope) -> str:
        """Return the one line that must be enough on a locked screen."""
        if len(envelope.steps) == 1:
            return self._headline(envelope.steps[0])
        severity = self._say.severity[envelope.steps[0].standing.severity]
        return f"[{severity}] {self._say.digest.format(count=len(envelope.steps))}"

    def body(self, envelope: Envelope) -> str:
        """Return the whole text below the subject, lines of plain text."""
        lines = [self._say.repeat] if envelope.repeat else []
        if len(envelope.steps) == 1:
            lines += self._one(envelope.steps[0], envelope)
        else:
            for step in envelope.steps[:MAX_DIGEST_LINES]:
                lines += [f"- {self._headline(step)}", *(f"  {line}" for line in self._lateness(step, envelope))]
            if len(envelope.steps) > MAX_DIGEST_LINES:
                lines.append(self._say.and_more.format(count=len(envelope.steps) - MAX_DIGEST_LINES))
        return "\n".join(lines)

    def test_subject(self) -> str:
        """Return the subject of a test message."""
        return f"Frontwire: {self._say.test}"

    def test_body(self, channel: str) -> str:
        """Return the text of a test message."""
        return self._say.test_text.format(channel=channel)

    def links(self, step: Step) -> dict[str, str]:
        """Return the address to look at for each alert of a step, by alert id."""
        return {alert.alert_id: self._link(alert) for alert in _concerned(step)}

    def _headline(self, step: Step) -> str:
        severity = self._say.severity[step.standing.severity]
        label = self._say.label[step.kind]
        trouble = step.notification.trouble
        if trouble is not None:
            return f"[{severity}] {label}{self._say.trouble.format(channel=trouble.channel)}"
        alerts = _concerned(step)
        names = self._some([self._name(alert) for alert in alerts])
        return f"[{severity}] {label}{self._say.kind[alerts[0].kind]}: {names}"

    def _one(self, step: Step, envelope: Envelope) -> Iterator[str]:
        yield from self._lateness(step, envelope)
        if step.notification.trouble is not None:
            yield from self._trouble(step, step.notification.trouble)
            return
        yield from self._since_last(step, envelope)
        for alert in _concerned(step):
            yield alert.reason_en if self._language == "en" else alert.reason_vi
            if step.kind is MessageKind.RESOLVED:
                yield from self._ending(alert)
            else:
                yield from self._facts(alert)
        yield from self._stories(_stories_of(step))
        for alert in _concerned(step):
            yield from self._what_to_do(alert, step.kind)

    def _lateness(self, step: Step, envelope: Envelope) -> Iterator[str]:
        late = lateness(step.news_at, envelope.planned_at)
        if late >= LATE_FROM and step.kind is not MessageKind.REMINDER:
            yield self._say.late.format(duration=self.duration(late), since=self._day_time(step.news_at))

    def _since_last(self, step: Step, envelope: Envelope) -> Iterator[str]:
        delivery = step.notification.deliveries.get(envelope.channel.name, Delivery())
        if step.kind is MessageKind.REMINDER:
            opened = lateness(step.standing.opened_at, envelope.planned_at)
            yield self._say.reminder.format(number=delivery.reminders + 1, duration=self.duration(opened))
        if step.kind is MessageKind.UPDATE and delivery.told is not None:
            new = [self._name(alert) for alert in _concerned(step) if alert.alert_id not in delivery.told.alert_ids]
            if new:
                yield self._say.joined.format(names=self._some(new))
            else:
                yield self._say.escalated.format(severity=self._say.severity[delivery.told.severity])

    def _facts(self, alert: Alert) -> Iterator[str]:
        reading = alert.peak
        pattern = self._say.numbers if reading.ratio >= 1 else self._say.numbers_unusual
        yield pattern.format(
            stories=reading.stories,
            hours=reading.hours,
            start=self._day_time(reading.start),
            end=self._time(reading.end),
            expected=self._number(reading.expected),
            ratio=self._number(reading.ratio),
        )
        if alert.sources:
            yield self._say.sources.format(count=len(alert.sources), names=self._tallies(alert.sources))
        if len(alert.languages) > 1:
            yield self._say.languages.format(names=self._tallies(alert.languages))
        if alert.coverage.share < 1 or alert.coverage.silent_feeds:
            feeds = self._some(alert.coverage.silent_feeds)
            yield self._say.coverage.format(percent=round(100 * alert.coverage.share), feeds=feeds)

    def _ending(self, alert: Alert) -> Iterator[str]:
        ended = alert.resolved_at or alert.updated_at
        yield self._say.resolved.format(
            duration=self.duration(ended - alert.opened_at),
            stories=alert.peak.stories,
            hours=alert.peak.hours,
            articles=alert.articles,
        )
        if alert.handling:
            last = alert.handling[-1]
            reason = flat(last.reason, MAX_TITLE) or "–"
            yield self._say.handled.format(action=self._say.action[last.action], author=last.author, reason=reason)

    def _stories(self, stories: Sequence[EvidenceStory]) -> Iterator[str]:
        if not stories:
            return
        yield self._say.stories
        for number, story in enumerate(stories[:MAX_STORIES], 1):
            copies = f", {self._say.copies.format(count=story.articles)}" if story.articles > 1 else ""
            yield f"{number}. {flat(story.title, MAX_TITLE)} ({flat(story.source, 60)}, {self._time(story.at)}{copies})"
            if story.url and len(story.url) <= MAX_URL:
                yield f"   {story.url}"

    def _what_to_do(self, alert: Alert, kind: MessageKind) -> Iterator[str]:
        link = self._link(alert)
        if kind is MessageKind.RESOLVED:
            yield self._say.look.format(link=link)
        elif alert.kind is AlertKind.SILENCE:
            yield self._say.check_feed.format(link=link, id=alert.alert_id)
        else:
            yield self._say.look.format(link=link)
            yield self._say.acknowledge.format(id=alert.alert_id)

    def _link(self, alert: Alert) -> str:
        period = Period.of_window(alert.peak.start, alert.peak.end)
        if alert.subject == "keyword":
            return dashboard(self._kibana, is_exactly("keywords", alert.keyword), period)
        if alert.entity_id is not None:
            return dashboard(self._kibana, is_exactly("entity_ids", alert.entity_id), period)
        query = "" if alert.keyword == EVERYTHING else is_exactly(alert.subject, alert.keyword)
        return dashboard(self._kibana, query, period, dashboard_id=FEEDS_DASHBOARD)

    def _name(self, alert: Alert) -> str:
        return self._say.everything if alert.keyword == EVERYTHING else flat(alert.keyword, MAX_TITLE)

    def _trouble(self, step: Step, trouble: Trouble) -> Iterator[str]:
        if step.kind is MessageKind.RESOLVED:
            yield self._say.trouble_over.format(
                duration=self.duration((trouble.ended_at or trouble.since) - trouble.since)
            )
            return
        yield self._say.trouble_text.format(
            since=self._day_time(trouble.since), failures=trouble.failures, error=flat(trouble.error, MAX_ERROR)
        )
        yield self._say.trouble_do.format(channel=trouble.channel)

    def _some(self, names: Sequence[str]) -> str:
        shown = ", ".join(names[:MAX_NAMES])
        return (
            shown if len(names) <= MAX_NAMES else f"{shown} {self._say.and_more.format(count=len(names) - MAX_NAMES)}"
        )

    def _tallies(self, tallies: Sequence[Tally]) -> str:
        return self._some([f"{flat(tally.name, 60)} {tally.stories}" for tally in tallies])

    def _number(self, value: float) -> str:
        return f"{value:.1f}".replace(".", self._say.decimal)

    def _time(self, moment: datetime) -> str:
        return f"{moment.astimezone(self._zone):%H:%M}"

    def _day_time(self, moment: datetime) -> str:
        return f"{moment.astimezone(self._zone):%d/%m %H:%M}"

    def duration(self, span: timedelta) -> str:
        """Return a length of time in its two largest units of days, hours and minutes."""
        minutes = max(0, round(span.total_seconds() / 60))
        days, rest = divmod(minutes, 24 * 60)
        hours, minutes = divmod(rest, 60)
        parts = [(days, self._say.day), (hours, self._say.hour), (minutes, self._say.minute)]
        told = [f"{count} {unit}" for count, unit in parts if count][:2]
        return " ".join(told) or f"0 {self._say.minute}"


def _concerned(step: Step) -> list[Alert]:
    """Return the alerts that a step is about, the most severe of them first as they stand in the notification."""
    return [alert for alert in step.notification.alerts if alert.alert_id in step.standing.alert_ids]


def _stories_of(step: Step) -> list[EvidenceStory]:
    """Return the stories behind a step, each once, in the alerts' own order."""
    by_cluster = {story.cluster_id: story for alert in reversed(_concerned(step)) for story in reversed(alert.stories)}
    return list(reversed(by_cluster.values()))


def flat(text: str, limit: int) -> str:
    """Return foreign text as one printable line of at most so many characters."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
