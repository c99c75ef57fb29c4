from datetime import timedelta
from pathlib import Path

import pytest

from services.fetcher.feeds import OWN_HOST_DELAY, Feeds, Kind, load_feeds
from services.fetcher.manners import Pace
from shared.yaml_config import ConfigError

GOOD = """\
delay: 2s
hosts:
  bao.example:
    delay: 500ms
    parallel: 3
    longest_hold: 1m
feeds:
  - name: Báo
    url: https://bao.example/rss
    source: Báo Mẫu
    language: vi
    country: VN
    side: state
    timezone: Asia/Ho_Chi_Minh
    every: 10m
    full_text: feed
    allow_private: ["127.0.0.1:8765"]
  - name: hộp thư
    paths: [inbox, old/*.jsonl]
    enabled: false
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "feeds.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(ConfigError) as caught:
        load_feeds(write(folder, text))
    return [(problem.line, problem.key, problem.reason) for problem in caught.value.problems]


def test_a_feed_has_what_its_articles_carry(tmp_path: Path) -> None:
    feeds = load_feeds(write(tmp_path, GOOD))
    first, second = feeds.feeds
    assert first.host == "bao.example"
    assert first.every == timedelta(minutes=10)
    assert first.article_source.model_dump() == {
        "name": "Báo Mẫu", "language": "vi", "country": "VN", "side": "state", "timezone": "Asia/Ho_Chi_Minh",
    }  # fmt: skip
    assert second.host == "file:hộp thư"
    assert second.all_paths == [tmp_path / "inbox", tmp_path / "old/*.jsonl"]
    assert [feed.name for feed in feeds.enabled()] == ["Báo"]


def test_the_operator_decides_how_a_host_is_asked_then_whose_host_it_is(tmp_path: Path) -> None:
    feeds = load_feeds(write(tmp_path, GOOD))
    assert feeds.pace_of("https://bao.example/rss", []) == Pace(0.5, 3, 60.0)
    assert feeds.pace_of("https://other.example/x", []) == Pace(2.0)
    assert feeds.pace_of("http://127.0.0.1:8765/x", ["127.0.0.1:8765"]) == Pace(OWN_HOST_DELAY.total_seconds())
    assert (feeds.parallel_of("bao.example"), feeds.parallel_of("other.example")) == (3, 1)
    assert (feeds.named("Báo"), feeds.named("báo")) == (feeds.feeds[0], None)


def test_an_empty_file_is_no_feeds(tmp_path: Path) -> None:
    assert load_feeds(write(tmp_path, "")) == Feeds()


def test_the_shipped_file_is_valid() -> None:
    feeds = load_feeds(Path(__file__).resolve().parents[3] / "deploy" / "config" / "feeds.yaml")
    assert feeds.delay == timedelta(seconds=1)


def test_every_error_is_reported_at_once_with_its_line(tmp_path: Path) -> None:
    text = """\
feeds:
  - name: a
    url: https://bao.example/rss
    evry: 5m
  - name: A
    url: http://bao.example/rss?utm_source=x
    timezone: Asia/Hanoi_
  - name: c
    url: ftp://bao.example/rss
  - name: d
    path: inbox
    every: soon
  - name: e
"""
    assert problems(tmp_path, text) == [
        (4, "feeds.0.evry", "unknown key"),
        (5, "feeds.1.name", "'A' stands already in line 2"),
        (6, "feeds.1.url", "'http://bao.example/rss?utm_source=x' stands already in line 3"),
        (7, "feeds.1.timezone", "'Asia/Hanoi_' is no time zone; an example is Asia/Ho_Chi_Minh"),
        (9, "feeds.2.url", "'ftp://bao.example/rss' is not an http(s) address"),
        (12, "feeds.3.every", "'soon' is not a duration such as 30s, 10m or 1h"),
        (13, "feeds.4", "needs either url, or path or paths"),
    ]


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        ("{name: a, url: 'https://x.example/', path: p}", "needs either url, or path or paths"),
        ("{name: a, url: 'https://x.example/', kind: jsonl}", "kind jsonl does not go with url"),
        ("{name: a, path: p, kind: rss}", "kind rss does not go with path"),
        ("{name: 'a|b', path: p}", "must not hold '|', control characters, or blanks at its ends"),
        ("{name: a, url: 'https://me:pw@x.example/'}", "an address must not hold a user name or password"),
        ("{name: a, path: p, allow_private: [localhost]}", "'localhost' is not host:port"),
        ("{name: a, path: p, allow_private: ['h:70000']}", "'h:70000' is not host:port"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path: Path, block: str, reason: str) -> None:
    assert [found for _, _, found in problems(tmp_path, f"feeds:\n  - {block}\n")] == [reason]


def test_broken_yaml_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, "feeds:\n  - name: a\n   url: x\n")[0][0] == 3
    with pytest.raises(ConfigError):
        load_feeds(tmp_path / "absent.yaml")


def test_kinds_are_those_that_work() -> None:
    assert sorted(Kind) == ["atom", "files", "jsonfeed", "jsonl", "listing", "rss", "sitemap"]


def test_the_shipped_feeds_say_whose_they_are() -> None:
    path = Path(__file__).resolve().parents[3] / "deploy" / "config" / "feeds.yaml"
    public = [feed for feed in load_feeds(path).feeds if feed.url]
    assert len(public) >= 25
    assert {feed.language for feed in public} == {"en", "ru", "uk", "vi"}
    assert all(feed.language and feed.country and feed.timezone for feed in public)
    rows = [row for row in path.read_text(encoding="utf-8").splitlines() if row.startswith("    url: ")]
    assert all(row.partition("  # ")[2].startswith(("[F]", "[G]", "[P]")) for row in rows)
