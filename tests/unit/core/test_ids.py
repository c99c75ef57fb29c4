"""Identities. The digests here are frozen: a change of any of them would make every article a new one."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import ids

LINK = "https://vi-du.example/the-gioi/kupyansk-123.html"
# Computed once, frozen for ever.
LINK_ID = "7686b4732cabb3f63da2e4702880c72f"
TEXT_ID = "dfc86e005b63033910b11347d8360beb"
TRACE_ID = "cf76e727fa76d26f808af11fb58d9a0d"


def test_frozen_link() -> None:
    assert ids.article_id_for_link(LINK) == LINK_ID


@pytest.mark.parametrize(
    "text",
    [
        "Quân đội Ukraine bác tin thành phố thất thủ.",
        "Quân đội Ukraine bác tin\n\n thành phố  thất thủ. ",
        "\ufeffQuân đội".removeprefix("\ufeff") + "\u00a0Ukraine\tbác tin\r\nthành phố thất thủ.",
    ],
)
def test_frozen_text_whatever_its_white_space(text: str) -> None:
    assert ids.article_id_for_text(text) == TEXT_ID


def test_frozen_trace() -> None:
    assert ids.trace_id_for(LINK_ID, 1_763_780_645_123) == TRACE_ID
    assert ids.trace_id_for(LINK_ID, 1_763_780_645_124) != TRACE_ID


@pytest.mark.parametrize(
    ("key", "partition"),
    [(LINK_ID, 5), (f"{LINK_ID}#2", 5), ("0" * 32, 0), ("f" * 32, 3), ("vi-du.example|Ví dụ", 0)],
)
def test_frozen_partitions(key: str, partition: int) -> None:
    assert ids.partition_of(key, 6) == partition


def test_a_link_and_a_text_of_the_same_characters_differ() -> None:
    assert ids.article_id_for_link("a") != ids.article_id_for_text("a")


def test_composed_and_decomposed_texts_are_different_bytes_and_different_articles() -> None:
    text = "Hội đồng bảo an"
    assert ids.article_id_for_text(text) != ids.article_id_for_text(unicodedata.normalize("NFD", text))


def test_half_a_surrogate_pair_has_an_id_too() -> None:
    assert re.fullmatch("[0-9a-f]{32}", ids.article_id_for_text("half \ud83d"))


@given(st.text(max_size=30), st.integers(1, 64))
def test_parts_share_the_partition_of_the_whole(key: str, partitions: int) -> None:
    found = {ids.partition_of(f"{ids.root_id(key)}#{part}", partitions) for part in (1, 2, 20)}
    assert found == {ids.partition_of(key, partitions)}
    assert 0 <= found.pop() < partitions


@pytest.mark.parametrize(
    ("part", "total", "expected"), [(1, 1, LINK_ID), (1, 3, f"{LINK_ID}#1"), (3, 3, f"{LINK_ID}#3")]
)
def test_part_ids_lead_back_to_the_article(part: int, total: int, expected: str) -> None:
    assert ids.part_id(LINK_ID, part, total) == expected
    assert ids.root_id(expected) == LINK_ID
