"""When an article was published: every way a feed writes it, the order of trust, and what is refused."""

from datetime import UTC, datetime

import pytest

from services.normaliser.cli_io import normalise_document
from services.normaliser.moments import read_moment
from services.normaliser.publication import choose, feed_clue, metadata_clue, url_clue
from services.normaliser.rules import Rules
from services.normaliser.transform import normalise
from shared.models import DateOrigin, Flag
from tests.unit.normaliser.conftest import MakeRaw

NOW = datetime(2025, 11, 23, tzinfo=UTC)
ZONE = "Asia/Ho_Chi_Minh"
LEDE = "Hội đồng thành phố cảng thông qua kế hoạch sửa ba cây cầu bị bom đánh sập hồi đầu năm."


def published(rules: Rules, text: str = LEDE, **fields: str) -> tuple[str | None, str]:
    found = normalise_document({"id": "1", "input": {"text": text, "fetched_at": NOW.isoformat()} | fields}, rules)[
        "published"
    ]
    return found["value"], found["origin"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Fri, 21 Nov 2025 18:40:00 GMT+7", "2025-11-21T18:40:00+07:00"),
        ("Fri, 21 Nov 2025 18:40:00 GMT", "2025-11-21T18:40:00+00:00"),
        ("Fri, 21 Nov 2025 18:40:00", "2025-11-21T18:40:00+07:00"),
        ("21 Nov 2025 18:40:00 EST", "2025-11-21T18:40:00-05:00"),
        ("Пт, 21 ноя 2025 18:40:00 +0300", "2025-11-21T18:40:00+03:00"),
        ("20/11/2025 21:05", "2025-11-20T21:05:00+07:00"),
        ("10/11/2025 21:05", "2025-11-10T21:05:00+07:00"),
        ("11/21/2025 6:40:00 PM", "2025-11-21T18:40:00+07:00"),
        ("22-11-2025 10:15:00", "2025-11-22T10:15:00+07:00"),
        ("Thứ Bảy, 22/11/2025, 10:15 (GMT+7)", "2025-11-22T10:15:00+07:00"),
        ("21/11/2025 18h40", "2025-11-21T18:40:00+07:00"),
        ("2025-11-21T18:40:00.123Z", "2025-11-21T18:40:00+00:00"),
        ("2025-11-21 18:40:00+0700", "2025-11-21T18:40:00+07:00"),
        ("2025-11-21T18:40", "2025-11-21T18:40:00+07:00"),
        ("2025-11-21", "2025-11-21"),
        ("November 21, 2025 6:40 pm", "2025-11-21T18:40:00+07:00"),
        ("21 листопада 2025, 18:40", "2025-11-21T18:40:00+07:00"),
        ("2025-11-23T00:03:00Z", "2025-11-23T00:00:00+00:00"),
    ],
)
def test_feed_dates(written: str, meant: str, rules: Rules) -> None:
    assert published(rules, feed_published=written, feed_timezone=ZONE) == (meant, "feed")


@pytest.mark.parametrize(
    "written",
    ["0001-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT", "2025-02-30T10:00:00Z", "30/02/2025 10:00", "2025-11-23T00:30:00Z",
     "9999-12-31T23:59:59Z", "hôm qua", "vừa xong", "1763725200", "tháng 11"],
)  # fmt: skip
def test_feed_dates_that_are_refused_and_kept(written: str, rules: Rules) -> None:
    clue = feed_clue(written, ZONE, rules.date_words, NOW)
    dated = choose([clue], NOW)
    assert dated.published.value is None
    assert len(dated.published.other_claims) == 1
    assert dated.flags == (Flag.DATE_REFUSED, Flag.UNDATED)


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("Thứ hai, 6/10/2025, 14:05 (GMT+7)", "2025-10-06T14:05:00+07:00"),
        ("Đăng lúc 14h05 ngày 06/10/2025", "2025-10-06T14:05:00"),
        ("Thu Hai, 06/10/2025 14:05", "2025-10-06T14:05:00"),
        ("Lê Bình - 06/10/2025 14:05", "2025-10-06T14:05:00"),
        ("Updated 2:05 p.m. ET, October 6, 2025", "2025-10-06T14:05:00-05:00"),
        ("14:05, 6 октября 2025 г.", "2025-10-06T14:05:00"),
        ("Понеділок, 6 жовтня 2025, 14:05", "2025-10-06T14:05:00"),
    ],
)
def test_visible_lines(line: str, meant: str, rules: Rules) -> None:
    assert published(rules, f"Phà thay cầu sập giữa mùa mưa\n{line}\n{LEDE}") == (meant, "visible")


@pytest.mark.parametrize(
    "text", ["Ngày 3/9/2014, cầu khánh thành", "On 24 February 2022 she left", "7/11", "14:05", "Tháng 9"]
)
def test_a_date_in_a_sentence_is_no_date_line(text: str, rules: Rules) -> None:
    assert read_moment(text, rules.date_words) is None


@pytest.mark.parametrize(
    ("url", "day"),
    [
        ("https://bien.example/2025/11/21/pha.html", "2025-11-21"),
        ("https://bien.example/the-gioi/20251121/pha", "2025-11-21"),
        ("https://bien.example/pha-20251121184000123.htm", "2025-11-21"),
        ("https://bien.example/21-11-2025/pha", "2025-11-21"),
        ("https://bien.example/2025/11/pha", None),
        ("https://bien.example/pha-185251121184000123.htm", None),
        ("https://bien.example/pha?ngay=2025-11-21", None),
        ("https://bien.example/2025/13/41/pha", None),
    ],
)
def test_address_dates(url: str, day: str | None) -> None:
    clue = url_clue(url)
    assert (clue.moment.iso() if clue and clue.moment else None) == day


def test_order_of_trust_and_what_is_kept(rules: Rules) -> None:
    words = rules.date_words
    clues = [
        url_clue("https://bien.example/2025/11/02/pha"),
        metadata_clue("2025-11-20T09:00:00+07:00", ZONE, words),
        feed_clue("2026-01-01T00:00:00Z", ZONE, words, NOW),
    ]
    dated = choose(clues, NOW)
    assert (dated.published.value, dated.published.origin) == ("2025-11-20T09:00:00+07:00", DateOrigin.METADATA)
    assert {claim.origin for claim in dated.published.other_claims} == {DateOrigin.FEED, DateOrigin.URL}
    assert set(dated.flags) == {Flag.DATE_CONFLICT, Flag.DATE_REFUSED}
    assert "feed refused: later than it was fetched" in dated.published.explanation
    assert dated.published.confidence < choose(clues[1:2], NOW).published.confidence


def test_nothing_is_guessed(rules: Rules, make_raw: MakeRaw) -> None:
    (article,) = normalise(make_raw(f"{LEDE} Cuộc họp diễn ra hôm 9/11, hai ngày sau lễ 7/11/2022."), rules=rules)
    assert (article.published.value, article.published.origin, article.published.confidence) == (
        None,
        DateOrigin.NONE,
        0,
    )
    assert Flag.UNDATED in article.flags


def test_a_time_without_a_zone_stays_without_and_says_so(rules: Rules, make_raw: MakeRaw) -> None:
    text = f"Phà thay cầu sập giữa mùa mưa\n06/10/2025 14:05\n{LEDE}"
    (unknown,) = normalise(make_raw(text), rules=rules)
    (local,) = normalise(make_raw(text, timezone=ZONE), rules=rules)
    assert (unknown.published.value, unknown.published.timezone) == ("2025-10-06T14:05:00", None)
    assert "its time zone is not known" in unknown.published.explanation
    assert (local.published.value, local.published.timezone) == ("2025-10-06T14:05:00+07:00", ZONE)
    assert "zone" not in local.published.explanation
    assert unknown.published.confidence < local.published.confidence
