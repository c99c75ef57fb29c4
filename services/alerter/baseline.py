"""What is usual: a rate per subject, one profile of the week for all, and how far counts stray from both.

An hour is a whole number of hours since 1970 UTC. Hours are learned six hours after they ended, so that late arrivals count.
Recommended shape and constants: gamma-Poisson rates that forget, a shared seasonal profile and pooled over-dispersion; they were
chosen over generated streams (docs/alerts.md).
"""

from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from services.alerter.statistics import spread

HOUR: Final = 3600
DAY: Final = 24 * HOUR
LEARN_AFTER: Final = 7
"""An hour is learned when the clock is in the hour so many later: it ended six hours ago."""

FORGET: Final = 0.5 ** (1 / 96)
"""What is left of an hour's weight after another hour: half of it after four days."""
_SEASON_FORGET: Final = (0.5 ** (1 / 10), 0.5 ** (1 / 4))
_SEASON_PRIOR: Final = 20.0
_NOISE_FORGET: Final = 0.5 ** (1 / 336)
_NOISE_PRIOR: Final = 100.0
_PRIOR_STORIES: Final = 0.3
_PRIOR_HOURS: Final = 3.0
_CAP: Final = 3.0
_HALF_DAY: Final = 12
_DAY_BACK: Final = 25


def slot(hour: int) -> int:
    """Return the place of an hour in the profile: 0-23 on weekdays, 24-47 at the weekend."""
    weekend = (hour // 24 + 3) % 7 >= 5
    return hour % 24 + 24 * weekend


def _slots(value: float) -> list[float]:
    return [value] * 48


@dataclass(slots=True)
class Season:
    """The profile that all subjects share: how much louder than its mean each hour of the week is."""

    heard: list[float] = field(default_factory=lambda: _slots(_SEASON_PRIOR))
    usual: list[float] = field(default_factory=lambda: _slots(_SEASON_PRIOR))

    def factor(self, hour: int) -> float:
        """Return the loudness of an hour; 1 is the mean."""
        place = slot(hour)
        return self.heard[place] / self.usual[place]

    def learn(self, hour: int, heard: float, usual: float) -> None:
        """Take in one hour of all subjects: what was heard, and the sum of their mean rates."""
        place = slot(hour)
        keep = _SEASON_FORGET[place >= 24]
        self.heard[place] = (self.heard[place] - _SEASON_PRIOR) * keep + heard + _SEASON_PRIOR
        self.usual[place] = (self.usual[place] - _SEASON_PRIOR) * keep + usual + _SEASON_PRIOR


class DayFactors:
    """The season's factors summed up over the last day, once an hour: every window of every story asks for them."""

    def __init__(self) -> None:
        self._hour = -1
        self._sums: list[float] = []

    def between(self, season: Season, hour: int, start: float, end: float) -> float:
        """Return the sum of the factors between two times (seconds) of the day up to the end of `hour`, in hours."""
        if self._hour != hour:
            factors = (season.factor(each) for each in range(hour - _DAY_BACK, hour + 1))
            self._sums, self._hour = list(accumulate(factors, initial=0.0)), hour
        return self._until(end) - self._until(start)

    def _until(self, time: float) -> float:
        place, part = divmod(time - (self._hour - _DAY_BACK) * HOUR, HOUR)
        index = int(place)
        return self._sums[index] + part / HOUR * (self._sums[index + 1] - self._sums[index])


@dataclass(slots=True)
class Noise:
    """How much counts vary beyond Poisson, relative to the mean: from hour to hour, and over half a day."""

    hourly: list[float] = field(default_factory=lambda: [0.15 * _NOISE_PRIOR, _NOISE_PRIOR])
    half_daily: list[float] = field(default_factory=lambda: [0.05 * _NOISE_PRIOR, _NOISE_PRIOR])

    def excess(self, hours: float) -> float:
        """Return the relative variance beyond Poisson of a count over so many hours."""
        short = max(0.02, self.hourly[0] / self.hourly[1])
        long = min(short, max(0.01, self.half_daily[0] / self.half_daily[1]))
        share = (1 / max(hours, 1.0) - 1 / _HALF_DAY) / (1 - 1 / _HALF_DAY)
        return max(0.01, long + (short - long) * share)

    def learn(self, of: list[float], count: float, mean: float, certainty: float) -> None:
        """Take in one count with what was expected; `certainty` is the number of stories behind the expectation."""
        of[0] += (count - mean) ** 2 - mean - mean * mean / certainty
        of[1] += mean * mean

    def forget(self) -> None:
        """Let an hour pass."""
        for of, prior in ((self.hourly, 0.15), (self.half_daily, 0.05)):
            of[0] = (of[0] - prior * _NOISE_PRIOR) * _NOISE_FORGET + prior * _NOISE_PRIOR
            of[1] = (of[1] - _NOISE_PRIOR) * _NOISE_FORGET + _NOISE_PRIOR


@dataclass(slots=True)
class Series:
    """The counts of one subject: what it said in the hours not yet learned, and the rate learned before."""

    stories: float = 0.0
    exposure: float = 0.0
    hours: dict[int, int] = field(default_factory=dict)
    half_day: list[float] = field(default_factory=lambda: [0.0, 0.0])

    @property
    def certainty(self) -> float:
        """The number of stories behind the rate, prior included: the shape of its gamma distribution."""
        return self.stories + _PRIOR_STORIES

    @property
    def rate(self) -> float:
        """Stories per hour of mean loudness."""
        return self.certainty / (self.exposure + _PRIOR_HOURS)

    def shape(self, noise: Noise, hours: float) -> float:
        """Return the shape of the negative binomial that a count over so many hours follows."""
        return 1 / (1 / self.certainty + noise.excess(hours))

    def learn(self, hour: int, factor: float, noise: Noise) -> float:
        """Learn an hour and return its count, capped at what noise explains: a spike must not become the usual."""
        mean = self.rate * factor
        cap = mean + _CAP * spread(mean, self.shape(noise, 1.0)) + 1.0
        count = min(float(self.hours.pop(hour, 0)), cap)
        noise.learn(noise.hourly, count, mean, self.certainty)
        self.half_day[0] += count
        self.half_day[1] += mean
        if hour % _HALF_DAY == _HALF_DAY - 1:
            noise.learn(noise.half_daily, self.half_day[0], self.half_day[1], self.certainty)
            self.half_day = [0.0, 0.0]
        self.stories = self.stories * FORGET + count
        self.exposure = self.exposure * FORGET + factor
        return count
