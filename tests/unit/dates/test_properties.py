"""What holds for any publication date and any text."""

import sys
import unicodedata
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.extractor.dates import Mention, find_dates, values
from services.extractor.dates.values import Period, Unit

pytestmark = pytest.mark.slow

unhurried = settings(max_examples=50)
DAYS = st.dates(date(1950, 1, 1), date(2090, 12, 31))
UNITS = {"ngày": Unit.DAY, "tuần": Unit.WEEK, "tháng": Unit.MONTH, "năm": Unit.YEAR}
FRAGMENTS = (
    "ngày 7/11", "hôm qua", "sáng nay", "tuần trước", "cuối tháng 9", "quý III/2025", "năm 2014", "từ 10 đến 14/11", "24/7",
    "kể từ năm 2022", "ba tháng qua", "hai ngày sau", "Ông nói: “", "”", ". ", ", ", " và ", " ", "\r\n", "🚀", "(", ")",
    "31/2/2025", "mùng 3 Tết", "thứ Hai", "sẽ", "đã", "999999", "12-14/3", "2025-11-07",
)  # fmt: skip


def only(text: str, published: date, language: str = "vi") -> Mention:
    mentions = find_dates(text, language=language, published=published)
    assert len(mentions) == 1, mentions
    return mentions[0]


def bounds(mention: Mention) -> tuple[date | None, date | None]:
    return mention.from_, mention.to


def ends(period: Period) -> tuple[date | None, date | None]:
    return period.start, period.end


@unhurried
@given(published=DAYS, day=DAYS)
def test_a_full_date_is_itself_in_every_language(published: date, day: date) -> None:
    spellings = {
        "vi": f"Họ gặp nhau ngày {day.day} tháng {day.month} năm {day.year}.",
        "en": f"They met on {day.day}/{day.month}/{day.year}.",
        "ru": f"Встреча прошла {day.day:02}.{day.month:02}.{day.year}.",
        "uk": f"Зустріч відбулася {day.day:02}.{day.month:02}.{day.year}.",
    }
    for language, text in spellings.items():
        assert bounds(only(text, published, language)) == (day, day)


@unhurried
@given(published=DAYS, back=st.integers(0, 300))
def test_a_past_day_without_a_year_is_found_again(published: date, back: int) -> None:
    day = published - timedelta(days=back)
    assert bounds(only(f"Cầu sập hôm {day.day}/{day.month}.", published)) == (day, day)


@unhurried
@given(published=DAYS, ahead=st.integers(1, 300))
def test_a_coming_day_without_a_year_is_found_again(published: date, ahead: int) -> None:
    day = published + timedelta(days=ahead)
    assert bounds(only(f"Họ sẽ họp vào ngày {day.day}/{day.month} tới.", published)) == (day, day)


@unhurried
@given(published=DAYS, count=st.integers(2, 30), unit=st.sampled_from(sorted(UNITS)))
def test_distances_follow_the_house_conventions(published: date, count: int, unit: str) -> None:
    whole = values.away(published, -count, UNITS[unit])
    assert bounds(only(f"Cách đây {count} {unit}, cầu sập.", published)) == ends(whole)
    assert bounds(only(f"Cầu sập {count} {unit} trước.", published)) == ends(whole)
    assert bounds(only(f"Trong {count} {unit} qua, mưa.", published)) == ends(
        values.window(published, -count, UNITS[unit])
    )


@unhurried
@given(published=DAYS, month=st.integers(1, 12), year=st.integers(1950, 2090))
def test_thirds_partition_their_month(published: date, month: int, year: int) -> None:
    parts = [only(f"Mưa {word} tháng {month}/{year}.", published) for word in ("đầu", "giữa", "cuối")]
    whole = values.month(year, month)
    assert (parts[0].from_, parts[2].to) == ends(whole)
    for left, right in pairwise(parts):
        assert left.to is not None
        assert right.from_ == left.to + timedelta(days=1)


@unhurried
@given(published=DAYS.filter(lambda day: (day.month, day.day) != (2, 29)), years=st.integers(1, 10))
def test_whole_years_shift_relative_values_only(published: date, years: int) -> None:
    later = published.replace(year=published.year + years)
    for text in (
        "Cầu sập hôm qua.",
        "Lạm phát tăng trong tháng trước.",
        "Bầu cử diễn ra năm tới.",
        "Trong ba tháng qua, mưa.",
    ):
        before, after = only(text, published), only(text, later)
        assert before.from_ is not None
        assert after.from_ is not None
        assert (after.from_.year - before.from_.year) == years
        assert before.anchor == after.anchor == "publication"
    absolute = "Hiệp ước ký ngày 8/12/1987."
    assert bounds(only(absolute, published)) == bounds(only(absolute, later))
    assert only(absolute, published).anchor == "none"


@unhurried
@given(parts=st.lists(st.sampled_from(FRAGMENTS), max_size=25), published=st.none() | DAYS)
def test_mentions_are_ordered_disjoint_and_cut_from_the_text(parts: list[str], published: date | None) -> None:
    text = " ".join(parts)
    mentions = find_dates(text, language="vi", published=published)
    for left, right in pairwise(mentions):
        assert left.end <= right.start
    for mention in mentions:
        assert text[mention.start : mention.end] == mention.text
        assert mention.anchored or (mention.from_ is None and mention.to is None)
        if mention.from_ and mention.to:
            assert mention.from_ <= mention.to


@unhurried
@given(parts=st.lists(st.sampled_from(FRAGMENTS), max_size=25), published=DAYS)
def test_composed_and_decomposed_text_say_the_same(parts: list[str], published: date) -> None:
    composed = unicodedata.normalize("NFC", " ".join(parts))
    decomposed = unicodedata.normalize("NFD", composed)
    expected = find_dates(composed, language="vi", published=published)
    found = find_dates(decomposed, language="vi", published=published)
    assert [bounds(mention) for mention in found] == [bounds(mention) for mention in expected]
    assert [unicodedata.normalize("NFC", mention.text) for mention in found] == [mention.text for mention in expected]


@unhurried
@given(
    text=st.text(alphabet=st.characters(codec="utf-8"), max_size=200),
    language=st.sampled_from(["vi", "en", "ru", "uk", "und"]),
)
def test_any_text_is_survived(text: str, language: str) -> None:
    for mention in find_dates(text, language=language, published=date(2025, 11, 7)):
        assert text[mention.start : mention.end] == mention.text


@pytest.mark.parametrize(
    "unit", ["1/2/", "12 ", "9", "ngày 1/", "từ ", "a\u0301", "ngày 5/11, ", '"hôm qua" nói ', "Hôm qua. "]
)
def test_work_grows_no_faster_than_the_text(unit: str) -> None:
    small, large = (_matches(unit * (size // len(unit))) for size in (6_000, 24_000))
    assert large <= 5 * small + 100


def _matches(text: str) -> int:
    """Count the calls into the engine's matching that a text costs: a measure of work that no other process disturbs."""

    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        find_dates(text, language="vi", published=date(2025, 11, 7))
    finally:
        sys.setprofile(None)
    return calls
