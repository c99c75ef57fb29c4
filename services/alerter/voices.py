"""Who should be heard: feeds, languages and keywords by their usual number of hits, so that silence is noticed too."""

from dataclasses import dataclass, field
from typing import Final

from services.alerter.baseline import HOUR, Noise, Season, Series
from services.alerter.statistics import lower_tail
from services.alerter.watched import Window

SILENT_BELOW: Final = 1e-6
SILENT_SHARE: Final = 0.1
MIN_EXPECTED: Final = 15.0
SILENCE_WINDOWS: Final = (6, 12, 24)


@dataclass(slots=True)
class Voice:
    """What one feed or language says: articles per hour, the last day's kept for judging."""

    since: int
    series: Series = field(default_factory=Series)
    last_hours: dict[int, int] = field(default_factory=dict)

    def hear(self, hour: int) -> None:
        """Count one article."""
        self.series.hours[hour] = self.series.hours.get(hour, 0) + 1
        self.last_hours[hour] = self.last_hours.get(hour, 0) + 1

    def forget(self, hour: int) -> None:
        """Drop the hours that no window reaches any more."""
        for old in [known for known in self.last_hours if known < hour - SILENCE_WINDOWS[-1]]:
            del self.last_hours[old]

    def silent_window(self, hour: int, season: Season, noise: Noise) -> Window | None:
        """Return the window of whole hours before `hour` in which far too little was heard, if any."""
        return silent_window(self.last_hours, self.series, hour, season, noise)


def silent_window(counts: dict[int, int], series: Series, hour: int, season: Season, noise: Noise) -> Window | None:
    """Return the shortest window of whole hours before `hour` that has almost nothing of much that was expected."""
    for hours in SILENCE_WINDOWS:
        span = range(hour - hours, hour)
        expected = series.rate * sum(season.factor(each) for each in span)
        count = sum(counts.get(each, 0) for each in span)
        if expected < MIN_EXPECTED or count > SILENT_SHARE * expected:
            continue
        shape = series.shape(noise, hours)
        probability = lower_tail(count, expected, shape)
        if probability < SILENT_BELOW:
            return Window(hours, span.start * HOUR, span.stop * HOUR, count, expected, shape, probability)
    return None
