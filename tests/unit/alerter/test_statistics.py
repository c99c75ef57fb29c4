"""The tails of the negative binomial, held against plain sums."""

import math

import pytest

from services.alerter.statistics import lower_tail, spread, upper_tail


def mass(count: int, mean: float, shape: float) -> float:
    share = mean / (mean + shape)
    ways = math.lgamma(count + shape) - math.lgamma(count + 1) - math.lgamma(shape)
    return math.exp(ways + shape * math.log(1 - share) + count * math.log(share))


@pytest.mark.parametrize("mean", [0.05, 1.0, 7.5, 60.0])
@pytest.mark.parametrize("shape", [0.3, 2.0, 40.0])
@pytest.mark.parametrize("count", [1, 3, 9, 80])
def test_tails_are_the_sums_of_the_masses(count: int, mean: float, shape: float) -> None:
    below = sum(mass(value, mean, shape) for value in range(count))
    assert lower_tail(count - 1, mean, shape) == pytest.approx(below, rel=1e-6)
    assert upper_tail(count, mean, shape) == pytest.approx(
        sum(mass(value, mean, shape) for value in range(count, 4000)), rel=1e-6, abs=1e-12
    )


def test_an_even_rate_is_poisson() -> None:
    assert upper_tail(6, 1.0, 1e7) == pytest.approx(
        1 - sum(math.exp(-1) / math.factorial(k) for k in range(6)), rel=1e-4
    )


def test_the_edges() -> None:
    assert (upper_tail(0, 1.0, 1.0), upper_tail(3, 0.0, 1.0)) == (1.0, 0.0)
    assert (lower_tail(-1, 1.0, 1.0), lower_tail(3, 0.0, 1.0)) == (0.0, 1.0)
    assert spread(4.0, 2.0) == pytest.approx(math.sqrt(12))
