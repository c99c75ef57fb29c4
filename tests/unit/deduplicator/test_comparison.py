"""The comparison form: what differs for technical reasons only must not differ any more."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deduplicator.comparison import MAX_WORDS, exact_hash, numbers_of, plain_number, words_of

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
    assert words_of(other) == words_of(SENTENCE)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ціни зросли на 12,5%.", ["ціни", "зросли", "на", "12_5"]),
        ("Об этом сообщили 3 ноября.", ["об", "этом", "сообщили", "3", "ноября"]),
        ("Quý trong quốc.", words_of("Qúy trong quốc.")),
        ("", []),
        ("!!! ...", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_furniture_is_left_out_by_its_shape() -> None:
    prose = "Cây cầu được sửa xong trước thời hạn hai tuần.\n\nXe tải phải chờ thêm một tháng nữa."
    furnished = (
        "Cây cầu được sửa xong trước thời hạn hai tuần.\n\nHiện trường. Ảnh: AP\n\nVideo đang HOT\n\n"
        "Xe tải phải chờ thêm một tháng nữa.\n\nĐọc thêm: 5 điều cần biết về cây cầu\n"
    )
    assert words_of(furnished) == words_of(prose)


def test_a_list_without_sentences_is_kept_whole() -> None:
    ticker = "08:10 còi báo động\n08:25 tiếng nổ\n08:40 hết báo động"
    assert words_of(ticker) == [
        "08",
        "10",
        "còi",
        "báo",
        "động",
        "08",
        "25",
        "tiếng",
        "nổ",
        "08",
        "40",
        "hết",
        "báo",
        "động",
    ]


def test_numbers() -> None:
    assert numbers_of(words_of("Bắn hạ 19 trong 26 UAV, giá tăng 4,5% lên 1.250 USD.")) == {"19", "26", "4_5", "1250"}
    assert plain_number("0.500") == "0_500"


def test_work_is_bounded() -> None:
    assert len(words_of("lửa " * 200_000)) <= MAX_WORDS


@given(st.text())
def test_any_text_has_a_form_and_a_hash(text: str) -> None:
    words = words_of(text)
    assert all(words)
    assert len(exact_hash(words)) == 32
