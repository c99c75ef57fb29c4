"""Counts that vary more than Poisson: the negative binomial, given by its mean and shape (variance = mean + mean² / shape)."""

import math
from typing import Final

_NEGLIGIBLE: Final = 1e-9


def upper_tail(count: int, mean: float, shape: float) -> float:
    """Return the probability of at least `count` when `mean` is expected."""
    if count <= 0 or mean <= 0:
        return 1.0 if count <= 0 else 0.0
    if count <= mean:
        return max(0.0, 1.0 - lower_tail(count - 1, mean, shape))
    share = mean / (mean + shape)
    term = math.exp(_log_mass(count, mean, shape))
    total, value = 0.0, count
    while term > total * _NEGLIGIBLE:
        total += term
        term *= share * (value + shape) / (value + 1)
        value += 1
    return min(1.0, total)


def lower_tail(count: int, mean: float, shape: float) -> float:
    """Return the probability of at most `count` when `mean` is expected."""
    if count < 0:
        return 0.0
    if mean <= 0:
        return 1.0
    share = mean / (mean + shape)
    term = math.exp(_log_mass(count, mean, shape))
    total = 0.0
    for value in range(count, -1, -1):
        total += term
        if term < total * _NEGLIGIBLE:
            break
        term *= value / (share * (value - 1 + shape)) if value else 0.0
    return min(1.0, total)


def spread(mean: float, shape: float) -> float:
    """Return the standard deviation."""
    return math.sqrt(mean + mean * mean / shape)


def _log_mass(count: int, mean: float, shape: float) -> float:
    return (
        math.lgamma(count + shape)
        - math.lgamma(count + 1)
        - math.lgamma(shape)
        + shape * math.log(shape / (shape + mean))
        + count * math.log(mean / (shape + mean))
    )
