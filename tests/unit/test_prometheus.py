"""deploy/prometheus: the scrape configuration and the alerts, held against the metrics, the services and the runbook."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest
from ruamel.yaml import YAML

from services.commands.common import project_folder
from shared.errors import Reason
from shared.metrics import REGISTRY
from shared.supervisor import SERVICES
from tests.support.promql import Refused, known_series, labels_of

PROJECT = project_folder()
RUNBOOK = "docs/operations.md"
VALUES = {
    "outcome": frozenset({"delivered", "failed", "given_up"}),
    "job": frozenset({"frontwire"}),
    "reason": frozenset(reason.value for reason in Reason),
    "stage": frozenset(job.name for job in SERVICES),
}
# What an operator must hear of, by the metric that tells it.
SUBJECTS = (
    "frontwire_channel_failures",
    "frontwire_config_refused",
    "frontwire_dead_letters_total",
    "frontwire_feed_failures",
    "frontwire_feed_last_new_timestamp_seconds",
    "frontwire_feed_lateness_seconds",
    "frontwire_feed_moved_seconds",
    "frontwire_feed_silent_after_seconds",
    "frontwire_index_paused",
    "frontwire_lag_records",
    "frontwire_lag_seconds",
    "frontwire_ready",
    "frontwire_searchable_delay_seconds_bucket",
    "up",
)


def read(path: str) -> Any:
    return YAML(typ="safe").load((PROJECT / path).read_text(encoding="utf-8"))


def rules() -> Iterator[dict[str, Any]]:
    for group in read("deploy/prometheus/alerts.yml")["groups"]:
        yield from group["rules"]


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings as forges make them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


RULES = {rule["alert"]: rule for rule in rules()}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_an_alert_is_whole_and_its_words_fit_its_expression(rule: dict[str, Any]) -> None:
    assert rule.keys() - {"for"} == {"alert", "expr", "labels", "annotations"}
    assert re.fullmatch(r"([A-Z][a-z]+)+", rule["alert"])
    assert re.fullmatch(r"\d+[mh]", rule.get("for", "1m"))
    assert rule["labels"] in ({"severity": "critical"}, {"severity": "warning"})
    labels = labels_of(rule["expr"], VALUES)
    words = rule["annotations"]
    assert words.keys() == {"summary", "description", "runbook_url"}
    for text in words.values():
        assert set(re.findall(r"\$labels\.(\w+)", text)) <= labels
        assert re.sub(r"\{\{ \$(labels\.\w+|value( \| humanize\w*)?) }}", "", text).count("{") == 0
    page, _, anchor = words["runbook_url"].partition("#")
    assert page == RUNBOOK
    assert anchor in anchors(PROJECT / page)


def test_every_alert_has_a_name_of_its_own() -> None:
    assert len(list(rules())) == len(RULES)


def test_every_subject_has_an_alert() -> None:
    used = {word for rule in RULES.values() for word in re.findall(r"\w+", rule["expr"])}
    assert set(SUBJECTS) <= used


def test_a_missing_service_is_noticed_whichever_it_is() -> None:
    assert (
        set(re.findall(r'absent\(frontwire_ready\{stage="(\w+)"}\)', RULES["ServiceMissing"]["expr"]))
        == VALUES["stage"]
    )


def test_prometheus_reads_every_service_where_compose_serves_it() -> None:
    compose = read("docker-compose.yml")["services"]
    config = read("deploy/prometheus/prometheus.yml")
    assert config["rule_files"] == ["alerts.yml"]
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert jobs.keys() == {"frontwire", "prometheus"}
    [found] = jobs["frontwire"]["dns_sd_configs"]
    ours = {name: service for name, service in compose.items() if service.get("command", [""])[0] == "run"}
    assert set(found["names"]) == ours.keys()
    assert {str(found["port"])} == {service["environment"]["FRONTWIRE_METRICS_PORT"] for service in ours.values()}
    assert [label["target_label"] for label in jobs["frontwire"]["relabel_configs"]] == ["service"]


@pytest.mark.parametrize(
    ("expression", "labels"),
    [
        ("max by (stage) (frontwire_ready) == 0", {"stage"}),
        ("sum(rate(frontwire_records_in_total[5m])) / 2", set()),
        ('absent(frontwire_ready{stage="decide"})', {"stage"}),
        ("time() - max by (feed) (frontwire_feed_last_new_timestamp_seconds) > 60", {"feed"}),
        ('up{job="frontwire"} == 0', {"instance", "job", "service"}),
        ("histogram_quantile(0.5, sum by (le, stage) (rate(frontwire_processing_seconds_bucket[5m])))", {"stage"}),
    ],
)
def test_labels_of_the_result(expression: str, labels: set[str]) -> None:
    assert labels_of(expression, VALUES) == labels


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("frontwire_lag_second > 1", "no metric frontwire_lag_second"),
        ("frontwire_records_in > 1", "no metric frontwire_records_in"),
        ("rate(frontwire_searchable_delay_seconds[5m])", "no metric"),
        ("max by (stages) (frontwire_ready)", "no such label"),
        ('frontwire_ready{feed="x"} == 0', "has no label feed"),
        ('frontwire_ready{stage="indexr"} == 0', "stage is never indexr"),
        ('frontwire_dead_letters_total{reason="bugs"} > 0', "reason is never bugs"),
        ("max by (stage) (frontwire_ready == 0", "before 'the end'"),
        ("max by (stage) frontwire_ready) == 0", "( is needed"),
        ("sum(frontwire_lag_records)) > 1", "where an operator is needed"),
        ("frontwire_lag_records frontwire_lag_seconds", "where an operator is needed"),
        ("rate(frontwire_records_in_total) > 0", "[ is needed"),
        ("rate(frontwire_records_in_total[5]) > 0", "duration is needed"),
        ("maximum(frontwire_ready)", "no function maximum"),
        ("frontwire_ready === 0", "is needed before '='"),
        ("frontwire_ready > $x", "cannot be read"),
        ("frontwire_ready >", "before 'the end'"),
        (
            "histogram_quantile(0.9, sum by (stage) (rate(frontwire_processing_seconds_bucket[5m])))",
            "needs the label le",
        ),
        ("frontwire_lag_records > 1 and sum by (stage) (frontwire_lag_seconds) > 1", "nothing would match"),
        ("max by (feed) (frontwire_feed_failures) unless on (stage) (max by (stage) (frontwire_ready))", "both sides"),
        ("frontwire_ready and 1", "between a number and a series"),
    ],
)
def test_a_planted_fault_is_refused(expression: str, reason: str) -> None:
    with pytest.raises(Refused, match=re.escape(reason)):
        labels_of(expression, VALUES)


def test_series_are_those_that_a_process_shows() -> None:
    shown = re.findall(r"^# TYPE (\w+) (?:counter|gauge)$", generate_latest(REGISTRY).decode(), re.MULTILINE)
    # process_* are the client library's own, of every process.
    shown = [name for name in shown if not name.endswith("_created") and not name.startswith("process_")]
    histograms = re.findall(r"^# TYPE (\w+) histogram$", generate_latest(REGISTRY).decode(), re.MULTILINE)
    parts = {f"{name}_{part}" for name in histograms for part in ("bucket", "count", "sum")}
    assert known_series().keys() == {*shown, *parts, "up"}


def test_series_carry_the_suffixes_that_prometheus_sees() -> None:
    series = known_series()
    assert series["frontwire_processing_seconds_bucket"] == {"stage", "le"}
    assert series["frontwire_dead_letters_total"] == {"stage", "reason"}
    assert "frontwire_dead_letters" not in series
