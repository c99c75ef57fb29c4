"""The comparison form: what differs for technical reasons only must not differ any more."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deduplicator import comparison
from services.deduplicator.comparison import MAX_WORDS, Remembered, form_of, hash_of, plain_number

SENTENCE = "Chiến dịch hòa bình ở thủy điện bắt đầu lúc 6 giờ với 1.600 người, theo bà Thúy."


@pytest.mark.parametrize(
    "other",
    [
        unicodedata.normalize("NFD", SENTENCE),
        SENTENCE.replace("hòa", "hoà").replace("thủy", "thuỷ").replace("Thúy", "Thuý"),
        SENTENCE.replace("1.600", "1,600"),
        SENTENCE.replace("1.600", "1\u202f600"),
        SENTENCE.replace("1.600", "1600"),
        SENTENCE.replace("ò", "&ograve;"),
        SENTENCE.replace(" ", "  \t", 1).upper().lower(),
        f"«{SENTENCE}»",
    ],
)
def test_technical_differences_vanish(other: str) -> None:
    assert form_of(other).exact == form_of(SENTENCE).exact
    assert form_of(other).words.tolist() == form_of(SENTENCE).words.tolist()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ціни зросли на 12,5%.", "ціни зросли на 12_5"),
        ("Об этом сообщили 3 ноября.", "об этом сообщили 3 ноября"),
        ("Quý trong quốc – F-16.", form_of("Qúy trong quốc, f 16.").text),
        ("", ""),
        ("!!! ...", ""),
    ],
)
def test_words(text: str, words: str) -> None:
    form = form_of(text)
    assert form.text == words
    assert form.words.astype(">u8").tobytes() == b"".join(map(hash_of, words.split()))


def test_furniture_is_left_out_by_its_shape() -> None:
    prose = "Cây cầu được sửa xong trước thời hạn hai tuần.\n\nXe tải phải chờ thêm một tháng nữa."
    furnished = (
        "Cây cầu được sửa xong trước thời hạn hai tuần.\n\nHiện trường. Ảnh: AP\n\nVideo đang HOT\n\n"
        "Xe tải phải chờ thêm một tháng nữa.\n\nĐọc thêm: 5 điều cần biết về cây cầu\n"
    )
    assert form_of(furnished).text == form_of(prose).text


def test_a_list_without_sentences_is_kept_whole() -> None:
    ticker = "08:10 còi báo động\n08:25 tiếng nổ\n08:40 hết báo động"
    assert form_of(ticker).text == "08 10 còi báo động 08 25 tiếng nổ 08 40 hết báo động"


def test_numbers() -> None:
    numbers = form_of("Bắn hạ 19 trong 26 UAV, giá tăng 4,5% lên 1.250 USD.").numbers
    assert numbers.astype(">u8").tobytes() == b"".join(map(hash_of, ["19", "26", "4_5", "1250"]))
    assert plain_number("0.500") == "0_500"


def test_work_is_bounded() -> None:
    form = form_of("lửa-1 " * 200_000)
    assert len(form.words) == form.text.count(" ") + 1 == MAX_WORDS
    assert len(form.numbers) == MAX_WORDS / 2


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "_REMEMBERED", 3)
    lengths = Remembered(len)
    assert [lengths[word] for word in ("a", "bb", "bb", "ccc", "dddd", "e" * 1000)] == [1, 2, 2, 3, 4, 1000]
    assert lengths == {"dddd": 4}


@given(st.text())
def test_any_text_has_a_form_and_a_hash(text: str) -> None:
    form = form_of(text)
    assert form.text.split() == form.text.split(" ") or not form.text
    assert len(form.words) == len(form.text.split())
    assert len(form.exact) == 32


@given(st.text(st.sampled_from("aб019٣.,- _"), max_size=60))
def test_words_in_comparison_form_are_those_of_the_plain_definition(text: str) -> None:
    even = re.sub(r"\d+(?:[.,]\d+)+", lambda number: plain_number(number[0]), text)
    assert form_of(text).text.split() == re.findall(r"\w+", even)
