"""What becomes of articles, feeds and the watchlist in the log."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.alerter.transform import claimed_at, records_of, silent_feeds, snapshot
from services.commands.common import project_folder
from shared import yaml_config
from shared.alerts import AlertRule, Hit, Named, NewTermRule
from shared.models import FeedState, Published, UniqueArticle
from shared.watchlist import WATCHLIST, NewTermSettings, WatchlistFile

NOW = datetime(2025, 11, 22, 9, 0, tzinfo=UTC)
ARTICLE = UniqueArticle.model_validate_json(
    (project_folder() / "schemas/examples/articles-unique-v1/full.json").read_text(encoding="utf-8")
)


def test_an_article_gives_one_hit_a_keyword() -> None:
    twice = ARTICLE.model_copy(update={"hits": [*ARTICLE.hits, *ARTICLE.hits]})
    hits = [record for record in records_of(twice) if isinstance(record, Hit)]
    assert [hit.keyword for hit in hits] == sorted({hit.keyword for hit in ARTICLE.hits})
    first = hits[0]
    assert (first.article_id, first.cluster_id, first.source) == (
        ARTICLE.article_id,
        ARTICLE.cluster_id,
        ARTICLE.source.name,
    )
    assert (first.arrived_at, first.title, first.url) == (ARTICLE.first_seen_at, ARTICLE.title, ARTICLE.url)
    assert not [record for record in records_of(ARTICLE.model_copy(update={"hits": []})) if isinstance(record, Hit)]


def test_an_article_that_is_no_copy_gives_its_names_once() -> None:
    twice = ARTICLE.model_copy(
        update={"hits": [], "entities": [*ARTICLE.entities, *ARTICLE.entities], "duplicate_of": []}
    )
    (record,) = records_of(twice)
    assert isinstance(record, Named)
    assert [name.id for name in record.names] == sorted({found.canonical for found in ARTICLE.entities})
    assert (record.knowledge, record.cluster_id) == (ARTICLE.extractor_version, ARTICLE.cluster_id)
    assert list(records_of(twice.model_copy(update={"duplicate_of": ["0" * 32]}))) == []
    assert list(records_of(twice.model_copy(update={"entities": []}))) == []


def test_what_a_keyword_looks_for_by_itself_is_no_new_term() -> None:
    keywords = [
        {"name": "Kupyansk", "any_of": ["gn:703656", "Kupiansk"]},
        {"name": "Kremlin in Moscow", "all_of": ["org:kremlin", "Q649"]},
    ]
    file = WatchlistFile.model_validate({"keywords": keywords, "new_terms": {"ignore": ["Q2"]}})
    made = snapshot(file, NOW)
    assert made.new_terms is not None
    assert set(made.new_terms.ignore) == {"gn:703656", "Kupiansk", "Q2"}
    assert (made.new_terms.min_stories, type(made.new_terms)) == (5, NewTermRule)
    other = snapshot(file.model_copy(update={"new_terms": NewTermSettings(days=20)}), NOW)
    assert made.hash != other.hash


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"windows": [1], "silence": False}, "has no meaning for new terms: silence, windows"),
        ({"at_most": 5}, "at_most must be below min_stories"),
        ({"critical_at": 5}, "critical_at must not be below warning_at"),
        ({"type": ["LOC"]}, "type"),
    ],
)  # fmt: skip
def test_settings_of_new_terms_that_make_no_sense(settings: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        WatchlistFile.model_validate({"new_terms": settings})


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        (Published(), None),
        (Published(value="2025-11-22T08:00:00+07:00", precision="minute"), datetime(2025, 11, 22, 1, 0, tzinfo=UTC)),
        (
            Published(value="2025-11-22", precision="day", timezone="Asia/Ho_Chi_Minh"),
            datetime(2025, 11, 22, 16, 59, 59, tzinfo=UTC),
        ),
        (Published(value="2025-11-22", precision="day"), datetime(2025, 11, 22, 23, 59, 59, tzinfo=UTC)),
        (
            Published(value="2025-11-22", precision="day", timezone="Mars/Olympus"),
            datetime(2025, 11, 22, 23, 59, 59, tzinfo=UTC),
        ),
    ],
)
def test_the_latest_moment_an_article_can_be_from(published: Published, expected: datetime | None) -> None:
    assert claimed_at(published) == expected


@pytest.mark.parametrize(
    ("failures", "due", "silent"),
    [
        (0, NOW + timedelta(minutes=5), False),
        (2, NOW + timedelta(minutes=5), False),
        (3, NOW + timedelta(minutes=5), True),
        (0, NOW - timedelta(minutes=50), False),
        (0, NOW - timedelta(hours=2), True),
        (9, NOW - timedelta(days=8), False),
        (0, None, False),
    ],
)
def test_a_feed_is_silent_when_it_fails_or_is_not_visited(failures: int, due: datetime | None, silent: bool) -> None:
    state = FeedState(feed="Báo", url="https://x.example/rss", failures=failures, next_visit_at=due)
    assert silent_feeds([state, state], NOW) == (("Báo",) if silent else ())


def write(folder: Path, alert: str) -> WatchlistFile:
    path = folder / WATCHLIST
    path.write_text(f"keywords:\n  - name: Kursk\n    any_of: [Kursk]\n    alert: {alert}\n", encoding="utf-8")
    return yaml_config.load(path, WatchlistFile)


def test_the_configuration_is_known_by_its_content(tmp_path: Path) -> None:
    first = snapshot(write(tmp_path, "{windows: [1, 6], channels: [desk], quiet_hours: '22:00-06:00'}"), NOW)
    again = snapshot(
        write(tmp_path, "{channels: [desk], windows: [1, 6], quiet_hours: '22:00-06:00'}"), NOW + timedelta(1)
    )
    other = snapshot(write(tmp_path, "{windows: [1, 3]}"), NOW)
    assert first.hash == again.hash != other.hash
    (keyword,) = first.keywords
    assert (keyword.name, keyword.rule.windows, keyword.rule.channels) == ("Kursk", (1, 6), ("desk",))
    assert type(keyword.rule) is AlertRule


def test_every_wrong_setting_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(yaml_config.ConfigError) as refused:
        write(
            tmp_path,
            "{windows: [6, 1], min_stories: 1, quiet_hours: 25:00-06:00, timezone: Asia/Hanoi, sensitivty: low}",
        )
    told = {problem.key.rpartition("alert.")[2]: problem for problem in refused.value.problems}
    assert told.keys() == {"windows", "min_stories", "quiet_hours", "timezone", "sensitivty"}
    assert {problem.line for problem in told.values()} == {4}
    assert told["sensitivty"].remedy == "did you mean `sensitivity`?"


def test_the_shipped_watchlist_is_good() -> None:
    made = snapshot(yaml_config.load(project_folder() / "deploy/config" / WATCHLIST, WatchlistFile), NOW)
    assert "Kupyansk" in {keyword.name for keyword in made.keywords}
