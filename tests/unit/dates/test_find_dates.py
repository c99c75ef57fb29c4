"""The public functions: offsets, languages, unanchored expressions, and the JSON an operator reads."""

from datetime import date

import pytest

from services.extractor.dates import annotate_dates, find_dates

FRIDAY = date(2025, 11, 7)


@pytest.mark.parametrize(
    "before", ["", "🚀🚀 ", "Một.\r\n\r\n", "Tie\u0302\u0301ng Vie\u0323\u0302t. ", "İstanbul. ", "\u200b\ufeff "]
)
def test_offsets_are_code_points_of_the_text_as_given(before: str) -> None:
    (mention,) = find_dates(f"{before}Cầu sập hôm qua.", language="vi", published=FRIDAY)
    assert mention.text == "hôm qua"
    assert mention.start == len(before) + len("Cầu sập ")
    assert mention.end == mention.start + len("hôm qua")


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("Cầu sập hôm qua.", "hôm qua"),
        ("It fell yesterday.", "yesterday"),
        pytest.param("Он рухнул вчера.", "вчера", marks=pytest.mark.slow),
        pytest.param("Він упав учора біля їдальні.", "учора", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("language", ["und", "fr"])
def test_an_unknown_language_is_read_by_its_letters(text: str, span: str, language: str) -> None:
    (mention,) = find_dates(text, language=language, published=FRIDAY)
    assert mention.text == span
    assert mention.from_ == mention.to == date(2025, 11, 6)


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("Cầu sập ngày 9/11.", {"day": 9, "month": 11}),
        ("Cầu sập hôm qua.", {"days": -1}),
        ("Cầu sập hồi tháng 9.", {"month": 9}),
        ("Cầu sập hôm thứ Hai.", {"weekday": 1}),
        ("Cầu sập hai tuần trước.", {"weeks": -2}),
        ("Cầu sập kể từ tháng 9.", {"month": 9}),
    ],
)
def test_without_a_publication_date_what_is_known_is_kept_and_no_year_guessed(text: str, known: dict[str, int]) -> None:
    (mention,) = find_dates(text, language="vi", published=None)
    assert not mention.anchored
    assert (mention.from_, mention.to, mention.anchor) == (None, None, "unknown")
    assert mention.known == known


def test_an_open_side_is_told_from_an_unknown_one() -> None:
    (mention,) = find_dates("Kể từ năm 2022, cảng đóng cửa.", language="vi", published=None)
    assert mention.anchored
    assert (mention.from_, mention.to, mention.kind) == (date(2022, 1, 1), None, "open")


def test_anchors_are_named() -> None:
    text = "Hôm qua mưa. Ngày 8/12/1987, họ ký; hôm sau, báo đưa tin. “Hôm nay trời đẹp”, ông nói hôm 3/11."
    anchors = [mention.anchor for mention in find_dates(text, language="vi", published=FRIDAY)]
    assert anchors == ["publication", "none", "mention", "speech", "publication"]


def test_the_json_of_a_document() -> None:
    document = {"id": "a", "lang": "en", "published": "2025-11-07", "text": "No ship has docked since March 2022."}
    assert annotate_dates(document) == [
        {
            "start": 19,
            "end": 35,
            "text": "since March 2022",
            "from": "2022-03-01",
            "to": None,
            "kind": "open",
            "rule": "en.open.since",
            "anchor": "none",
        }
    ]


def test_a_document_needs_neither_language_nor_publication_date() -> None:
    assert [mention["from"] for mention in annotate_dates({"text": "It fell on 3 May 1999, not yesterday."})] == [
        "1999-05-03",
        None,
    ]
