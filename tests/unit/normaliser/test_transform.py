"""One raw article through the whole transform: identity, titles, HTML, flags, refusals, and linear work."""

import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.normaliser.rules import Rules
from services.normaliser.transform import NORMALISER_VERSION, normalise, rebuild, rebuild_title
from shared.errors import Reason, Rejected
from shared.models import Flag, NormalisedArticle, RawArticle
from tests.unit.normaliser.conftest import MakeRaw

LEDE = "Hội đồng thành phố cảng thông qua kế hoạch sửa ba cây cầu bị bom đánh sập hồi đầu năm."
SECOND = "Trong lúc chờ, người dân qua sông bằng phà quân đội, mỗi chuyến chở được mười hai xe con."
SEEDS = Path(__file__).parents[4] / "shared" / "data" / "seeds"


def only(article: RawArticle, rules: Rules) -> NormalisedArticle:
    (result,) = normalise(article, rules=rules)
    return result


def test_a_whole_article_keeps_its_id_and_says_who_cleaned_it(rules: Rules, make_raw: MakeRaw) -> None:
    article = only(make_raw(f"{LEDE}\n{SECOND}", title="Phà thay cầu"), rules)
    assert (article.article_id, article.parent_id, article.parts_total) == ("0" * 32, "0" * 32, 1)
    assert article.normaliser_version == f"{NORMALISER_VERSION}+{rules.version}"
    assert article.body == f"{LEDE}\n{SECOND}"


def test_glued_articles_become_parts_with_their_evidence(rules: Rules, make_raw: MakeRaw) -> None:
    text = f"Phà thay cầu sập giữa mùa mưa\n{LEDE}\n{SECOND[:-1]}./.\nQuốc hội hoãn bỏ phiếu luật động viên\n{SECOND}\n{LEDE}"
    parts = list(normalise(make_raw(text), rules=rules))
    assert [part.article_id for part in parts] == ["0" * 32 + "#1", "0" * 32 + "#2"]
    assert [part.split_evidence for part in parts] == [[], ["headline after ending"]]
    assert [part.title for part in parts] == ["Phà thay cầu sập giữa mùa mưa", "Quốc hội hoãn bỏ phiếu luật động viên"]
    assert {part.parts_total for part in parts} == {2}
    assert rebuild(parts) == text


def test_a_part_of_which_nothing_is_left_is_none(rules: Rules, make_raw: MakeRaw) -> None:
    text = f"Phà thay cầu\n{LEDE}\n{SECOND}\nPhạm Đông Hải\n(Thời Báo Biển) - Подробнее на РБК: «Кто вывозит зерно»\n"
    article = only(make_raw(text), rules)
    assert (article.parts_total, article.body) == (1, f"{LEDE}\n{SECOND}")
    assert rebuild([article]) == text


def test_a_title_that_ends_in_a_full_stop_is_not_the_first_paragraph(rules: Rules, make_raw: MakeRaw) -> None:
    dateline = only(make_raw(f"{SECOND}\n\n(Thời Báo Biển) - {LEDE}"), rules)
    assert (dateline.title, dateline.body) == (SECOND, LEDE)
    by_line = only(make_raw(f"{SECOND}\n\nPhạm Đông Hải\n\n{LEDE}\n\n{LEDE}"), rules)
    assert (by_line.title, by_line.body) == (SECOND, f"{LEDE}\n\n{LEDE}")


def test_a_date_that_closes_a_part_is_the_parts_own(rules: Rules, make_raw: MakeRaw) -> None:
    text = f"Phà thay cầu\n{LEDE}\n{SECOND[:-1]}./.\n6/10/2025\nQuốc hội hoãn bỏ phiếu luật động viên\n{SECOND}\n{LEDE}"
    first, second = normalise(make_raw(text), rules=rules)
    assert (first.body, first.published.value) == (f"{LEDE}\n{SECOND}", "2025-10-06")
    assert second.published.value is None


def test_a_given_title_leaves_the_first_paragraph_where_it_is(rules: Rules, make_raw: MakeRaw) -> None:
    text = f"{SECOND}\n\n(Thời Báo Biển) - {LEDE}"
    assert only(make_raw(text, title="Phà thay cầu"), rules).body == text


def test_a_signature_that_closes_with_the_agency_sign_is_one(rules: Rules, make_raw: MakeRaw) -> None:
    article = only(make_raw(f"Phà thay cầu\n{LEDE}\n{SECOND}\nPhạm Đông Hải\nTheo Kyodo./."), rules)
    assert article.body == f"{LEDE}\n{SECOND}"


def test_captions_and_credits_are_kept_as_fields(rules: Rules, make_raw: MakeRaw) -> None:
    article = only(make_raw(f"{LEDE}\nPhà qua sông lúc chập tối. Ảnh: Kyodo\n{SECOND}", title="Phà thay cầu"), rules)
    assert article.captions == ["Phà qua sông lúc chập tối."]
    assert article.credits == ["Ảnh: Kyodo"]
    assert article.body == f"{LEDE}\n{SECOND}"


@pytest.mark.parametrize(
    ("title", "text", "expected", "body"),
    [
        ("Phà thay cầu", f"{LEDE}\n{SECOND}", "Phà thay cầu", f"{LEDE}\n{SECOND}"),
        ("  Phà&amp;cầu \n thay nhau ", f"{LEDE}\n{SECOND}", "Phà&cầu thay nhau", f"{LEDE}\n{SECOND}"),
        ("Phà thay cầu", f"PHÀ THAY CẦU!\n\n{LEDE}", "Phà thay cầu", LEDE),
        (None, f"Phà thay cầu\n{LEDE}", "Phà thay cầu", LEDE),
        ("\u200b", f"Phà thay cầu\n{LEDE}", "Phà thay cầu", LEDE),
        (None, f"{LEDE} {SECOND}", LEDE, f"{LEDE} {SECOND}"),
        (None, "Phà thay cầu", "Phà thay cầu", "Phà thay cầu"),
    ],
)
def test_the_title(title: str | None, text: str, expected: str, body: str, rules: Rules, make_raw: MakeRaw) -> None:
    article = only(make_raw(text, title=title), rules)
    assert (article.title, article.body) == (expected, body)
    assert rebuild([article]) == text
    assert title in (None, "\u200b") or rebuild_title(article) == title


def test_a_long_first_sentence_is_cut_at_a_word_for_the_title(rules: Rules, make_raw: MakeRaw) -> None:
    article = only(make_raw(f"{LEDE[:-1]}, {SECOND[:-1]}, {LEDE}\n{SECOND}"), rules)
    assert len(article.title) <= 120
    assert article.title.endswith("…")
    assert article.body.startswith(article.title[:-1] + " ")


def test_html_becomes_paragraphs_and_can_be_rebuilt(rules: Rules, make_raw: MakeRaw) -> None:
    html = (
        f"<p>{LEDE}</p><script>var a = '<p>';</script><!-- <b> -->\n <figure><img alt='>' src=x>"
        f"<figcaption>Phà qua sông. Ảnh: Kyodo</figcaption></figure><p>Giá &lt; 5 <br/>đồng&nbsp;&amp;&nbsp;lẻ, {SECOND}</p>"
    )
    article = only(make_raw(html, title="Phà thay cầu", media_type="text/html"), rules)
    assert article.body == f"{LEDE}\n\nGiá < 5\nđồng & lẻ, {SECOND}"
    assert article.captions == ["Phà qua sông."]
    assert rebuild([article]) == html


CASCADES = {
    "a credit behind a credit": f"{LEDE}\nPhà qua sông lúc chập tối. Kyodo News (Ảnh: Kyodo). Odesa/Trần Hải Âu\n{SECOND}",
    "an invitation behind a credit": f"{LEDE}\n{SECOND}\n(Ảnh: Kyodo). Chia sẻ bài viết",
    "a name under the first paragraph": f"Phà thay cầu\n{LEDE}\nTrần Hải Âu\ntrong mùa mưa.",
    "subheadings that are names": f"Phà thay cầu\nHướng Kharkiv\nHai bên cùng rút quân về\n{LEDE}\nHướng Kherson\n{SECOND}",
}


@pytest.mark.parametrize("kind", CASCADES)
def test_what_cuts_leave_is_as_clean_as_a_text_of_its_own(kind: str, rules: Rules, make_raw: MakeRaw) -> None:
    article = only(make_raw(CASCADES[kind]), rules)
    again = only(make_raw(article.body, title=article.title), rules)
    assert (again.title, again.body, again.edits) == (article.title, article.body, [])
    assert rebuild([article]) == CASCADES[kind]


def test_damage_raises_flags(rules: Rules, make_raw: MakeRaw) -> None:
    article = only(make_raw(f"{LEDE}\x07\n{SECOND}".encode().decode("latin-1"), title="Phà thay cầu"), rules)
    assert {Flag.CONTROL_CHARACTERS_REMOVED, Flag.ENCODING_REPAIRED, Flag.UNDATED} <= set(article.flags)
    assert article.body == f"{LEDE}\n{SECOND}"


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b\x00", "Ảnh: Reuters", "Chia sẻ Facebook Zalo\nBình luận (3)"])
def test_a_record_without_text_is_refused(text: str, rules: Rules, make_raw: MakeRaw) -> None:
    with pytest.raises(Rejected) as refused:
        list(normalise(make_raw(text, title="Phà thay cầu"), rules=rules))
    assert refused.value.reason is Reason.EMPTY_BODY


def test_a_date_in_the_year_9999_is_refused_not_the_article(rules: Rules, make_raw: MakeRaw) -> None:
    article = only(make_raw(LEDE, feed_published="9999-12-31T23:59:59Z"), rules)
    assert article.published.value is None
    assert [claim.value for claim in article.published.other_claims] == ["9999-12-31T23:59:59+00:00"]
    assert {Flag.DATE_REFUSED, Flag.UNDATED} <= set(article.flags)


def work(call: Callable[[], Any]) -> int:
    """Return how many functions, of Python and of C, a call calls."""
    count = 0

    def counter(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counter)
    try:
        call()
    finally:
        sys.setprofile(None)
    return count


HOSTILE: dict[str, Callable[[int], str]] = {
    "one letter": lambda size: "a" * size,
    "short lines": lambda size: "ab cd\n" * size,
    "brackets": lambda size: "(" * size + ")" * size,
    "credits": lambda size: "Ảnh: AP\n" * size + LEDE,
    "datelines": lambda size: "(Ngày Mai) - " * size + LEDE,
    "headlines": lambda size: f"Phà quân đội thay cầu sập giữa mùa mưa\n{LEDE}\n" * (size // 10),
    "misread": lambda size: "Ã¡ " * size,
    "names": lambda size: "Trần Hải Âu\n" * size,
    "tags": lambda size: "<a " * size,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", HOSTILE)
def test_twice_the_text_is_at_most_about_twice_the_work(kind: str, rules: Rules, make_raw: MakeRaw) -> None:
    def normalised(size: int) -> None:
        media_type = "text/html" if kind == "tags" else "text/plain"
        with suppress(Rejected):
            list(normalise(make_raw(HOSTILE[kind](size), title="x", media_type=media_type), rules=rules))

    normalised(10)
    once, twice = work(lambda: normalised(500)), work(lambda: normalised(1000))
    assert twice <= 2.3 * once


@pytest.mark.skipif(not SEEDS.is_dir(), reason="the seed articles are not beside the checkout")
def test_the_seed_articles(rules: Rules, make_raw: MakeRaw) -> None:
    published = {}
    for path in sorted(SEEDS.glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        parts = list(normalise(make_raw(text, fetched_at=datetime(2025, 11, 24, tzinfo=UTC)), rules=rules))
        assert rebuild(parts) == text
        assert {part.language.code for part in parts} == {"vi"}
        assert not any(
            word in part.body for part in parts for word in ("Ảnh: ", "Video đang HOT", "(Ngày Nay) - ", "date 20")
        )
        published[path.name[:3]] = (
            len(parts),
            parts[0].published.value,
            parts[0].published.origin.value,
            parts[-1].truncated,
        )
    assert published == {
        "000": (1, "2025-11-22", "prefix", False),
        "001": (1, "2025-11-07", "prefix", False),
        "002": (3, None, "none", True),
        "003": (1, "2025-10-13", "prefix", False),
        "004": (1, None, "none", False),
    }
