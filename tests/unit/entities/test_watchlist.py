"""Keywords: any-of, all-of, none-of, languages, sources and accents; a hit names alias and span."""

from collections.abc import Mapping

import pytest

from services.extractor.watchlist import Watchlist
from shared.models import EntityMention, EntityType, KeywordHit
from shared.watchlist import Keyword

BODY = "Binh sĩ đầu hàng ở Kupyansk. Ai dau hang?"


def mention(canonical: str, surface: str, start: int) -> EntityMention:
    return EntityMention(
        field="body", start=start, end=start + len(surface), text=surface, type=EntityType.LOC, canonical=canonical,
        label=surface, rule="alias", alias=surface,
    )  # fmt: skip


def hits(*, body: str = BODY, keyword: Mapping[str, object]) -> list[KeywordHit]:
    watchlist = Watchlist([Keyword.model_validate({"name": "K", **keyword})])
    entities = [mention("gn:703656", "Kupyansk", BODY.index("Kupyansk"))]
    return watchlist.find({"title": "Tin nhanh", "body": body}, entities, language="vi", source="Wire")


def test_a_hit_names_keyword_alias_and_span() -> None:
    (hit,) = hits(keyword={"any_of": ["gn:703656"]})
    assert (hit.keyword, hit.alias, hit.field) == ("K", "Kupyansk", "body")
    assert BODY[hit.start : hit.end] == hit.text == "Kupyansk"


def test_accents_are_exact_unless_asked() -> None:
    assert [hit.text for hit in hits(keyword={"any_of": ["đầu hàng"]})] == ["đầu hàng"]
    assert [hit.text for hit in hits(keyword={"any_of": ["đầu hàng"], "accents": "folded"})] == ["đầu hàng", "dau hang"]
    assert hits(body="Họ đầu hàng.", keyword={"any_of": ["dau hang"]}) == []


def test_phrases_match_whole_words_in_any_case() -> None:
    assert [hit.text for hit in hits(body="ĐẦU HÀNG hay đầu hàngx", keyword={"any_of": ["đầu hàng"]})] == ["ĐẦU HÀNG"]


@pytest.mark.parametrize(
    ("keyword", "found"),
    [
        ({"all_of": ["gn:703656", "đầu hàng"]}, 2),
        ({"all_of": ["gn:703656", "rút lui"]}, 0),
        ({"any_of": ["rút lui", "đầu hàng"], "none_of": ["gn:703656"]}, 0),
        ({"any_of": ["đầu hàng"], "none_of": ["rút lui"]}, 1),
        ({"any_of": ["rút lui"], "all_of": ["gn:703656"]}, 0),
        ({"any_of": ["đầu hàng"], "languages": ["en"]}, 0),
        ({"any_of": ["đầu hàng"], "languages": ["vi"]}, 1),
        ({"any_of": ["đầu hàng"], "sources": ["Other"]}, 0),
        ({"any_of": ["đầu hàng"], "sources": ["Wire"]}, 1),
    ],
)
def test_combinations(keyword: dict[str, list[str]], found: int) -> None:
    assert len(hits(keyword=keyword)) == found


def test_offsets_hold_where_lower_case_is_longer() -> None:
    body = "İİ đầu hàng"
    (hit,) = hits(body=body, keyword={"any_of": ["đầu hàng"]})
    assert body[hit.start : hit.end] == "đầu hàng"
