"""Alerts on who should speak and does not: feeds, languages and keywords, looked at once an hour."""

from collections.abc import Iterator

from services.alerter.baseline import HOUR
from services.alerter.lifecycle import Subject, moved_alert, silence_alert
from services.alerter.state import EVERYTHING, State
from services.alerter.voices import MIN_EXPECTED, Voice, silent_window
from services.alerter.watched import Window
from shared.alerts import Alert, AlertState


def notice_silence(state: State, hour: int) -> Iterator[Alert]:
    """Open and resolve alerts on feeds, languages and keywords that should speak and do not.

    Where nothing is heard at all, that is the one alert: the rest follows from it.
    """
    silent: dict[tuple[Subject, str], Window] = {}
    everything = state.languages.get(EVERYTHING)
    if everything and (window := everything.silent_window(hour, state.season, state.voice_noise)):
        silent["language", EVERYTHING] = window
    else:
        silent = dict(_silent(state, hour))
    for (subject, name), window in silent.items():
        key = f"{subject} {name}"
        if key not in state.silence_alerts:
            state.silence_alerts[key] = silence_alert(state, subject, name, window)
            yield state.silence_alerts[key]
    for key, alert in list(state.silence_alerts.items()):
        if (alert.subject, alert.keyword) not in silent:
            del state.silence_alerts[key]
            yield moved_alert(state, alert, AlertState.RESOLVED)


def _silent(state: State, hour: int) -> Iterator[tuple[tuple[Subject, str], Window]]:
    groups: tuple[tuple[Subject, dict[str, Voice]], ...] = (("feed", state.feeds), ("language", state.languages))
    for subject, voices in groups:
        for name, voice in voices.items():
            if window := voice.silent_window(hour, state.season, state.voice_noise):
                yield (subject, name), window
    for name, watched in state.keywords.items():
        rule = state.rule(name)
        if not (rule.enabled and rule.silence) or watched.series.rate * 48 < MIN_EXPECTED:
            continue
        counts: dict[int, int] = {}
        for story in watched.recent:
            counts[story.at // HOUR] = counts.get(story.at // HOUR, 0) + 1
        if window := silent_window(counts, watched.series, hour, state.season, state.noise):
            yield ("keyword", name), window
