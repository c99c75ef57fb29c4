"""The table of metrics: Prometheus' naming rules, bounded labels, and no metric that nobody sets."""

import re
from pathlib import Path

import pytest
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from services.commands.common import project_folder
from shared import metrics

TABLE = {name: value for name, value in vars(metrics).items() if isinstance(value, MetricWrapperBase)}
# Values of these come from closed lists, or from what an operator configured: channels, feeds and files.
BOUNDED_LABELS = {"channel", "feed", "file", "kind", "outcome", "reason", "stage"}
UNITS = ("seconds", "records", "bytes", "ratio", "rows", "failures", "notifications")
SET = {
    name
    for folder in ("services", "shared")
    for path in sorted((project_folder() / folder).rglob("*.py"))
    if path != Path(metrics.__file__)
    for name in re.findall(
        r"\b([A-Z][A-Z_]+)\s*\.(?:labels|inc|set|observe|set_function)\b", path.read_text(encoding="utf-8")
    )
}


def full_name(metric: MetricWrapperBase) -> str:
    described = next(iter(metric.describe()))
    return f"{described.name}_total" if isinstance(metric, Counter) else described.name


@pytest.fixture(params=TABLE.values(), ids=list(TABLE))
def metric(request: pytest.FixtureRequest) -> MetricWrapperBase:
    found: MetricWrapperBase = request.param
    return found


def test_there_is_a_table() -> None:
    assert len(TABLE) >= 15
    assert len({full_name(metric) for metric in TABLE.values()}) == len(TABLE)


def test_the_constant_is_the_name(metric: MetricWrapperBase) -> None:
    constant = next(name for name, value in TABLE.items() if value is metric)
    assert full_name(metric).removeprefix("frontwire_").startswith(constant.lower())


def test_names_follow_prometheus(metric: MetricWrapperBase) -> None:
    name = full_name(metric)
    assert re.fullmatch(r"frontwire_[a-z]+(_[a-z]+)*", name)
    assert name.endswith("_total") is isinstance(metric, Counter)
    assert not re.search(r"milli|micro|minute|hour|_ms\b|_kb\b|_mb\b|percent", name)
    if isinstance(metric, Histogram):
        assert name.endswith("_seconds")
    if isinstance(metric, Gauge):
        assert name.endswith((*UNITS, "_ready", "_paused", "_refused"))


def test_labels_are_bounded(metric: MetricWrapperBase) -> None:
    assert set(metric._labelnames) <= BOUNDED_LABELS


def test_help_is_a_sentence(metric: MetricWrapperBase) -> None:
    text = next(iter(metric.describe())).documentation
    assert re.match(r"[A-Z0-9]", text)
    assert text.endswith(".")


@pytest.mark.parametrize("constant", TABLE)
def test_every_metric_is_set_somewhere(constant: str) -> None:
    assert constant in SET
