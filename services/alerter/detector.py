"""The detector: a pure fold over the log of hits, ticks, configuration and commands, giving alerts.

It reads no clock: time is what the log says. The same log gives the same alerts byte for byte, in one run or restored from a
state dumped after any record. It judges a keyword at every new story, and what is open at every tick.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from services.alerter.baseline import DAY, FORGET, HOUR, LEARN_AFTER, DayFactors, Series
from services.alerter.forgetting import forget_text
from services.alerter.lifecycle import (
    changed_alert,
    moved_alert,
    open_alert,
    state_without_silence,
)
from services.alerter.silence import notice_silence
from services.alerter.state import EVERYTHING, Silence, State
from services.alerter.terms import Term, Terms
from services.alerter.voices import Voice
from services.alerter.watched import LATE, Story, Watched, Window, counts_at, independent, story_of
from shared.alerts import (
    Action,
    Alert,
    AlertKind,
    AlertState,
    Command,
    ConfigSnapshot,
    Handling,
    Hit,
    LoggedArticle,
    LogRecord,
    Name,
    Named,
    NewTermRule,
    Tick,
)

MATURE: Final = 7 * DAY
"""A source younger than this neither alarms nor teaches; then its own rate is added at once."""
FOUNDING: Final = 3 * DAY
"""Sources seen in the first days of the log count as old: when everything is new, nothing is."""
LEARNING: Final = DAY
"""A keyword is not judged in its first day."""
NEW_TERM_ABSENCE: Final = 30 * DAY
NEW_TERM_WATCH: Final = 7 * DAY
NEW_TERM_STORIES: Final = 5
NEW_TERM_SOURCES: Final = 3
"""A term is new for a day after 30 days without it, or after all the time it was watched if that is at least a week."""
MAX_LEAD: Final = 600
"""A hit may not push the clock further than this beyond the last tick: the clock of one fetcher may be wrong.

A story from beyond it counts when the clock has come there: after a stop hits may stand in the log before the first tick.
"""
REFRESH: Final = 900
"""An open alert with new stories is written again this often."""
RESOLVE_AFTER: Final = 6 * HOUR


class Detector:
    """Folds the log into alerts; `state` is all it knows."""

    def __init__(self, state: State | None = None) -> None:
        self.state = state or State()
        self._factors = DayFactors()

    def apply(self, record: LogRecord) -> list[Alert]:
        """Take in the next record of the log; return the alert records that follow from it."""
        match record:
            case Hit():
                return list(self._hit(record))
            case Named():
                return list(self._named(record))
            case Tick():
                return list(self._tick(record))
            case ConfigSnapshot():
                return list(self._configure(record))
            case Command():
                return list(self._obey(record))

    def take_down(self, article_id: str | None) -> list[Alert]:
        """Forget title and link of an article; return the open alerts that had them as evidence, without them."""
        return forget_text(self.state, article_id)

    def _hit(self, hit: Hit) -> Iterator[Alert]:
        state = self.state
        if hit.replay:
            return
        yield from self._advance(self._clock_at(hit))
        at = counts_at(hit)
        self._hear(hit, at)
        watched = self._watched(hit.keyword)
        if watched is None:
            return
        if not watched.is_new_story(hit.cluster_id, state.clock):
            watched.count_copy(hit.cluster_id)
            return
        late = state.clock - at
        if hit.backlog or late > LATE:
            return
        if self._is_young(hit.source):
            watched.young[hit.source] = watched.young.get(hit.source, 0) + 1
            return
        watched.series.hours[at // HOUR] = watched.series.hours.get(at // HOUR, 0) + 1
        watched.note(at, min(NEW_TERM_ABSENCE, max(NEW_TERM_WATCH, at - watched.since)))
        watched.add(story_of(hit, at, late))
        yield from self._judge(watched)

    def _named(self, named: Named) -> Iterator[Alert]:
        """Count the names in a story; open an alert on a rare one that is suddenly told, follow the open ones."""
        state, rule = self.state, self.state.new_terms
        if named.replay or rule is None:
            return
        yield from self._advance(self._clock_at(named))
        at = counts_at(named)
        late = state.clock - at
        alarms = not (named.backlog or late > LATE or self._is_young(named.source))
        state.terms.learn(named.knowledge, state.clock)
        story = story_of(named, at, late)
        for name in named.names:
            term = state.terms.get(name.id, state.clock, rule.at_most)
            standing = state.standing_terms.get(name.id)
            if not alarms:
                term.teach(at, rule.at_most)
            elif standing is None:
                term.hear(story, rule.at_most)
                yield from self._judge_term(name, term, rule)
            elif standing.is_new_story(story.cluster_id, state.clock):
                term.teach(at, rule.at_most)
                yield from self._tell_more(standing, story)

    def _judge_term(self, name: Name, term: Term, rule: NewTermRule) -> Iterator[Alert]:
        """Open an alert on a name that was rare and is told by enough sources; from then on it is followed like a keyword."""
        state = self.state
        wanted = name.id not in rule.ignore and (not rule.types or name.type in rule.types)
        if not wanted or state.clock - state.terms.since < NEW_TERM_WATCH:
            return
        stories = term.stands_out(rule, state.muted())
        if not stories:
            return
        watched = Watched(name.label, state.clock, Series(exposure=state.exposure), entity_id=name.id)
        for story in stories:
            watched.is_new_story(story.cluster_id, state.clock)
            watched.add(replace(story))
        term.settle(rule.at_most)
        state.standing_terms[name.id] = watched
        window = watched.window(state.clock, 24, self._exposure, state.noise, state.muted())
        yield from self._open(watched, AlertKind.NEW_TERM, window)

    def _tell_more(self, standing: Watched, story: Story) -> Iterator[Alert]:
        hours = standing.series.hours
        hours[story.at // HOUR] = hours.get(story.at // HOUR, 0) + 1
        standing.add(replace(story))
        if standing.alert:
            yield from self._follow(standing, standing.alert)

    def _clock_at(self, article: LoggedArticle) -> int:
        arrived = _seconds(article.arrived_at)
        return min(arrived, self.state.ticked + MAX_LEAD) if self.state.ticked else arrived

    def _watched(self, keyword: str) -> Watched | None:
        """Return a keyword's state. Without a configuration every keyword counts as watched from the start."""
        state = self.state
        known = state.keywords.get(keyword)
        if known is None and state.rules is None:
            known = state.keywords[keyword] = Watched(keyword, state.started, Series(exposure=state.exposure))
        return known

    def _is_young(self, source: str) -> bool:
        state = self.state
        if source not in state.sources:
            state.sources[source] = state.clock
            if state.clock - state.started >= FOUNDING:
                state.young.add(source)
        return source in state.young

    def _hear(self, hit: Hit, at: int) -> None:
        """Count an article for its feed and language, once however many keywords it holds."""
        state = self.state
        if hit.article_id == state.last_article or hit.backlog or state.clock - at > LATE:
            return
        state.last_article = hit.article_id
        for voices, name in ((state.feeds, hit.feed), (state.languages, hit.language), (state.languages, EVERYTHING)):
            if name not in voices:
                voices[name] = Voice(state.clock)
            voices[name].hear(at // HOUR)

    def _judge(self, watched: Watched) -> Iterator[Alert]:
        """Open an alert on a keyword, or follow the open one."""
        state, rule = self.state, self.state.rule(watched.name)
        if not rule.enabled or state.clock - watched.since < LEARNING:
            return
        if watched.alert:
            yield from self._follow(watched, watched.alert)
            return
        window = watched.standing_out(state.clock, rule, self._exposure, state.noise, state.muted())
        window = window or self._new_term(watched)
        if window is None:
            return
        kind = AlertKind.NEW_TERM if self._is_new(watched) else AlertKind.SPIKE
        yield from self._open(watched, kind, window)

    def _open(self, watched: Watched, kind: AlertKind, window: Window) -> Iterator[Alert]:
        watched.alert = open_alert(self.state, watched, kind, window, self._windows(watched))
        watched.held_at = self.state.clock
        watched.told_ratio, watched.changed = window.ratio, False
        yield watched.alert

    def _is_new(self, watched: Watched) -> bool:
        return watched.new_since is not None and self.state.clock - watched.new_since <= DAY

    def _new_term(self, watched: Watched) -> Window | None:
        """Return the day's window of a term that was absent for long and now has stories enough."""
        state = self.state
        if not self._is_new(watched):
            return None
        stories = watched.stories(max(watched.floor, state.clock - DAY), state.clock, state.muted())
        if len(stories) < NEW_TERM_STORIES or not independent(stories, NEW_TERM_SOURCES):
            return None
        return watched.window(state.clock, 24, self._exposure, state.noise, state.muted())

    def _follow(self, watched: Watched, alert: Alert) -> Iterator[Alert]:
        """Write an open alert again when it escalates: another severity, or twice the ratio last told."""
        state, rule = self.state, self.state.rule_of(watched)
        if watched.holds(state.clock, rule, self._exposure, state.noise, state.muted()):
            watched.held_at = state.clock
        windows = self._windows(watched)
        strongest = min(windows, key=lambda window: window.probability)
        changed = changed_alert(state, watched, alert, strongest, windows)
        if changed.severity is not alert.severity or strongest.ratio >= 2 * watched.told_ratio:
            watched.alert, watched.told_ratio, watched.changed = changed, strongest.ratio, False
            yield changed

    def _windows(self, watched: Watched) -> list[Window]:
        state = self.state
        return [
            watched.window(state.clock, hours, self._exposure, state.noise, state.muted())
            for hours in state.rule_of(watched).windows
        ]

    def _tick(self, tick: Tick) -> Iterator[Alert]:
        state = self.state
        at = _seconds(tick.at)
        if at <= state.ticked:
            return
        state.ticked, state.silent_feeds = at, tick.silent_feeds
        yield from self._advance(at)
        yield from self._end_silences()
        for watched in state.all_watched():
            if watched.alert:
                yield from self._keep(watched, watched.alert)

    def _keep(self, watched: Watched, alert: Alert) -> Iterator[Alert]:
        """Resolve an open alert whose windows no longer hold, or write it again with its new stories."""
        state, rule = self.state, self.state.rule_of(watched)
        if watched.holds(state.clock, rule, self._exposure, state.noise, state.muted()):
            watched.held_at = state.clock
        if state.clock - watched.held_at >= RESOLVE_AFTER:
            yield from self._close(watched, moved_alert(state, alert, AlertState.RESOLVED))
        elif watched.changed and state.clock - alert.updated_at.timestamp() >= REFRESH:
            windows = self._windows(watched)
            strongest = min(windows, key=lambda window: window.probability)
            watched.alert = changed_alert(state, watched, alert, strongest, windows)
            watched.changed = False
            yield watched.alert

    def _close(self, watched: Watched, closed: Alert) -> Iterator[Alert]:
        """Forget a keyword's alert: what it was about does not alarm again."""
        watched.alert = None
        watched.floor = watched.held_at
        watched.new_since = None
        if watched.entity_id is not None:
            self.state.standing_terms.pop(watched.entity_id, None)
        yield closed

    def _advance(self, clock: int) -> Iterator[Alert]:
        """Move the clock forward, learning every hour that is old enough on the way."""
        state = self.state
        if not state.started:
            state.started = state.clock = clock
        for hour in range(state.clock // HOUR + 1, clock // HOUR + 1):
            state.clock = hour * HOUR
            self._learn(hour - LEARN_AFTER)
            for watched in state.all_watched():
                watched.forget(state.clock)
            if state.new_terms is not None:
                state.terms.forget(state.clock, state.new_terms)
            self._grow_up()
            yield from notice_silence(state, hour)
        state.clock = max(state.clock, clock)

    def _learn(self, hour: int) -> None:
        state = self.state
        if hour <= state.started // HOUR:
            return
        factor = state.season.factor(hour)
        usual = sum(watched.series.rate for watched in state.all_watched())
        heard = sum(watched.series.learn(hour, factor, state.noise) for watched in state.all_watched())
        for voice in (*state.feeds.values(), *state.languages.values()):
            voice.series.learn(hour, factor, state.voice_noise)
            voice.forget(hour + LEARN_AFTER)
        state.season.learn(hour, heard, usual)
        state.noise.forget()
        state.voice_noise.forget()
        state.exposure = state.exposure * FORGET + factor

    def _grow_up(self) -> None:
        """Let the sources that are old enough count: what they said in their first week joins the baselines."""
        state = self.state
        for source in sorted(name for name in state.young if state.clock - state.sources[name] >= MATURE):
            state.young.remove(source)
            for watched in state.keywords.values():
                said = watched.young.pop(source, 0)
                watched.series.stories += said * watched.series.exposure / (MATURE / HOUR)

    def _exposure(self, start: float, end: float) -> float:
        """Return the sum of the season's factors between two times of the last day, in hours."""
        return self._factors.between(self.state.season, self.state.clock // HOUR, start, end)

    def _configure(self, config: ConfigSnapshot) -> Iterator[Alert]:
        """Take over a configuration; alerts on keywords that are no longer watched are resolved."""
        state = self.state
        yield from self._advance(max(state.clock, _seconds(config.at)) if not state.started else state.clock)
        if config.hash == state.config_hash:
            return
        rules = {keyword.name: keyword for keyword in config.keywords}
        for name in [name for name in state.keywords if name not in rules]:
            gone = state.keywords.pop(name)
            if gone.alert:
                yield moved_alert(state, gone.alert, AlertState.RESOLVED)
        for name in rules:
            if name not in state.keywords:
                state.keywords[name] = Watched(name, state.clock)
        state.rules, state.config_hash = rules, config.hash
        yield from self._configure_terms(config.new_terms)

    def _configure_terms(self, rule: NewTermRule | None) -> Iterator[Alert]:
        """Take over how new terms are watched; alerts on names that are no longer watched in this way are resolved."""
        state = self.state
        state.new_terms = rule if rule is not None and rule.enabled else None
        for entity_id, watched in list(state.standing_terms.items()):
            if watched.alert and (state.new_terms is None or entity_id in state.new_terms.ignore):
                yield from self._close(watched, moved_alert(state, watched.alert, AlertState.RESOLVED))
        if state.new_terms is None:
            state.terms = Terms()

    def _obey(self, command: Command) -> Iterator[Alert]:
        """Do what an operator asks; what names nothing that is open has no effect."""
        state = self.state
        handling = Handling(
            action=command.action, at=command.at, author=command.author, reason=command.reason, until=command.until
        )
        if command.action in (Action.SILENCE, Action.UNSILENCE):
            if command.target is None:
                return
            state.silences = [silence for silence in state.silences if silence.target != command.target]
            until = _seconds(command.until) if command.until else 0
            if command.action is Action.SILENCE and until > state.clock:
                state.silences.append(Silence(command.target, until, command.author, command.reason))
            yield from self._suppress(handling)
            return
        to = AlertState.ACKNOWLEDGED if command.action is Action.ACK else AlertState.RESOLVED
        for watched in state.all_watched():
            if watched.alert and watched.alert.alert_id == command.alert_id:
                moved = moved_alert(state, watched.alert, to, handling)
                if to is AlertState.RESOLVED:
                    watched.held_at = state.clock
                    yield from self._close(watched, moved)
                else:
                    watched.alert = moved
                    yield moved
        for key, alert in state.silence_alerts.items():
            if alert.alert_id == command.alert_id:
                state.silence_alerts[key] = moved_alert(state, alert, to, handling)
                yield state.silence_alerts[key]

    def _end_silences(self) -> Iterator[Alert]:
        state = self.state
        lasting = [silence for silence in state.silences if silence.until > state.clock]
        if len(lasting) < len(state.silences):
            state.silences = lasting
            yield from self._suppress(None)

    def _suppress(self, handling: Handling | None) -> Iterator[Alert]:
        """Bring the open alerts in line with the silences."""
        state = self.state
        for watched in state.all_watched():
            alert = watched.alert
            silence = state.silence_of(watched.name, state.rule_of(watched).group)
            if alert and bool(silence) != (alert.state is AlertState.SUPPRESSED):
                to = AlertState.SUPPRESSED if silence else state_without_silence(alert)
                watched.alert = moved_alert(state, alert, to, handling)
                yield watched.alert


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
