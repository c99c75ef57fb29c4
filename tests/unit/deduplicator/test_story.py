"""Terms of a story, and articles on one event that meet by them across outlets and languages."""

import re

from hypothesis import given
from hypothesis import strategies as st

from services.deduplicator.article import EXTRACTED_TEXT
from services.deduplicator.comparison import plain_number
from services.deduplicator.sketching import MAX_WEIGHT
from services.deduplicator.story import MAX_TERMS, Mention, common_terms, story_terms
from services.deduplicator.window import Window
from shared.models import DateMention, EntityMention, EntityType, ExtractedArticle
from tests.unit.deduplicator.labelled import article, decided

DAY = 24 * 60


def terms_of(given: ExtractedArticle) -> list[tuple[str, int]]:
    read = EXTRACTED_TEXT.of(given).text
    return story_terms(read.title, read.body, read.mentions())


def _linked(given: ExtractedArticle, name: str, canonical: str) -> ExtractedArticle:
    start = given.body.index(name)
    mention = EntityMention(
        field="body", start=start, end=start + len(name), text=name, type=EntityType.LOC,
        canonical=canonical, label=name, rule="alias", alias=name,
    )  # fmt: skip
    return given.model_copy(update={"entities": [*given.entities, mention]})


def test_names_inside_sentences_and_numbers_are_terms() -> None:
    terms = dict(
        terms_of(article("a", "Hôm nay cảng Odesa mở lại. Theo ông Petrenko, 1.600 tấn ngô đã rời bến năm 2025."))
    )
    assert set(terms) == {"name odesa", "name petrenko", "number 1600"}
    assert terms["name odesa"] > terms["number 1600"]


def test_a_name_at_the_start_counts_when_it_is_seen_inside_too() -> None:
    terms = dict(terms_of(article("a", "Odesa thức giấc. Người dân Odesa ra đường.", title="Odesa sau đêm dài")))
    assert set(terms) == {"name odesa"}
    assert terms["name odesa"] > 8


def test_english_headlines_add_no_names_of_their_own() -> None:
    assert terms_of(article("a", "the port was open again.", title="Grain Ships Leave Port At Last")) == []


def test_linked_names_and_days_count_under_their_ids() -> None:
    given = _linked(article("a", "Вночі у Херсоні було тихо, 3 лютого."), "Херсоні", "Q26105")
    start = given.body.index("3 лютого")
    day = DateMention(
        field="body", start=start, end=start + 8, text="3 лютого", from_="2026-02-03", to="2026-02-03",
        kind="day", precision="day", rule="uk.day", anchor="publication",
    )  # fmt: skip
    terms = dict(terms_of(given.model_copy(update={"dates": [day]})))
    assert set(terms) == {"entity Q26105", "day 2026-02-03"}


def test_cyrillic_names_meet_in_all_their_cases() -> None:
    one, two = (terms_of(article("a", text)) for text in ("вчера в Бердянске.", "вчера под Бердянском."))
    assert one == two


def test_terms_are_few_and_their_weights_small() -> None:
    body = " ".join(f"ông Tên{chr(97 + number % 26)}{chr(97 + number // 26)} nói," for number in range(300))
    terms = terms_of(article("a", body * 3))
    assert len(terms) == MAX_TERMS
    assert all(1 <= weight <= MAX_WEIGHT for _, weight in terms)


def test_outlets_in_different_languages_meet_by_linked_names() -> None:
    window = Window({})
    vi = _linked(
        article("vi", "Hôm nay lửa bùng lên ở Berdiansk, thiêu 4 kho với 1.250 tấn lúa."), "Berdiansk", "Q156742"
    )
    uk = _linked(
        article("uk", "Сьогодні у Бердянську згоріли склади, у яких було 1250 тонн зерна."), "Бердянську", "Q156742"
    )
    first, second = decided(vi, window), decided(uk.model_copy(update={"fetched_at": vi.fetched_at}), window)
    assert second.story_id == first.story_id
    assert second.cluster_id == second.article_id
    assert second.decision.method == "new"


def test_the_same_names_weeks_later_are_another_story() -> None:
    window = Window({})
    text = "Hôm nay lửa bùng lên ở cảng Berdiansk, theo ông Marchenko."
    first = decided(article("a", text), window)
    later = decided(
        article("b", "Sáng nay cảng Berdiansk đón tàu mới, ông Marchenko ra cầu cảng.", minutes=9 * DAY), window
    )
    assert later.story_id != first.story_id


def test_names_that_everybody_writes_bring_nobody_together() -> None:
    window = Window({})
    for number in range(150):
        decided(
            article(
                f"{number}", f"hôm nay bà Tên{chr(97 + number % 26)}{chr(97 + number // 26)} tới Kyiv.", minutes=number
            ),
            window,
        )
    one = decided(article("one", "hôm nay ông Kovalenko tới Kyiv ký hợp đồng.", minutes=200), window)
    two = decided(article("two", "hôm nay bà Shevchuk rời Kyiv sau hội nghị.", minutes=201), window)
    assert two.story_id != one.story_id


def test_a_digest_that_came_first_brings_no_two_events_together() -> None:
    window = Window({})
    fire = "Hôm nay lửa thiêu 4 kho lúa ở cảng Berdiansk, ông Marchenko cho biết có 1.250 tấn bị hỏng."
    talks = "Hôm nay tại Ankara bà Yilmaz mở vòng đàm phán thứ 3 với đoàn của ông Petrosyan về 36 điểm."
    digest = decided(article("digest", f"{fire}\n\n{talks}", minutes=0), window)
    first = decided(article("fire", f"Theo ông Marchenko, lính cứu hỏa Berdiansk dập lửa sau 7 giờ. {fire}"), window)
    second = decided(article("talks", f"Đoàn của ông Petrosyan tới Ankara, bà Yilmaz đón tiếp. {talks}"), window)
    assert first.story_id != second.story_id
    assert digest.story_id in {first.story_id, *first.linked_stories}
    assert digest.story_id in {second.story_id, *second.linked_stories}


def test_undated_articles_share_no_story_for_naming_one_town() -> None:
    def told(dated: bool) -> bool:
        window = Window({})
        texts = (
            "hôm nay quân phòng thủ rời Berdiansk theo lệnh của ông Kovalenko, dân lên 12 xe buýt về Mykolaiv.",
            "mùa thu năm nay Berdiansk mở lại nhà hát, ông Hrytsenko nói 300 ghế đã kín, khách tới từ Dnipro.",
        )
        given = [article(str(number), text) for number, text in enumerate(texts)]
        undated = given[0].published.model_copy(update={"value": None})
        given = [one if dated else one.model_copy(update={"published": undated}) for one in given]
        return len({decided(one, window).story_id for one in given}) == 1

    assert told(dated=True)
    assert not told(dated=False)


def test_the_decision_names_the_article_whose_story_was_joined() -> None:
    window = Window({})
    first = decided(article("a", "hôm nay lửa thiêu 4 kho ở Berdiansk, theo ông Marchenko mất 1.250 tấn lúa."), window)
    second = decided(article("b", "chiều nay ông Marchenko tới Berdiansk xem kho cháy: 1.250 tấn lúa đã mất."), window)
    assert first.decision.story_neighbour is None
    assert second.decision.story_neighbour == first.article_id
    assert second.decision.story_score is not None
    assert second.decision.story_score >= 0.24


def test_common_names_weigh_little_from_the_first_article_on() -> None:
    window = Window({})
    texts = ("hôm nay phái đoàn Nga tới Minsk.", "hôm nay tàu chở hàng Nga cập bến Piraeus.")
    given = [_linked(article(str(number), text), "Nga", "Q159") for number, text in enumerate(texts)]
    first, second = (decided(one, window) for one in given)
    assert second.story_id != first.story_id


def test_common_names_are_shares_of_articles() -> None:
    shares = common_terms()
    assert all(0 < share < 1 for share in shares.values())
    assert shares["entity Q212"] > shares["entity Q7184"]


def test_names_that_nobody_wrote_before_hide_no_story() -> None:
    window = Window({})
    first = decided(article("a", "hôm nay lính thủy Latvia giữ một tàu ở Liepaja, theo bà Silina."), window)
    second = decided(
        article(
            "b",
            "hôm nay báo Diena của ông Ozols, ông Kalnins và bà Berzina viết về con tàu ở Liepaja. "
            "Theo bà Silina thì chủ tàu là ông Tsipras.",
            title="Ông Ozols, ông Kalnins, bà Berzina và báo Diena",
        ),
        window,
    )
    assert second.story_id == first.story_id


@given(st.text(st.sampled_from("abNÉЗà01_,/; "), max_size=50))
def test_names_and_numbers_are_cut_as_by_the_plain_definition(text: str) -> None:
    pieces = re.findall(r"[A-ZÉЗ][^\W\d_]+|\d+(?:[.,/]\d+)*", text)
    expected = {f"number {plain_number(piece)}" for piece in pieces if piece[0].isdigit() and len(piece) > 1}
    expected |= {f"name {stem(piece.lower())}" for piece in pieces if piece[0].isalpha()}
    terms = {term for term, _ in story_terms("", f"a {text}")}
    assert terms <= expected
    assert terms == expected or len(terms) == MAX_TERMS


def stem(name: str) -> str:
    return name[:5] if name[0] == "з" else name


@given(st.sampled_from(".!?…:\n,;a0_—"), st.text(st.sampled_from(" \"“«'([–-"), max_size=4))
def test_a_name_begins_a_sentence_after_an_end_or_three_openings(before: str, opening: str) -> None:
    begins = len(opening) > 2 or before in ".!?…:\n"
    assert [term for term, _ in story_terms("", f"x{before}{opening}Odesa")] == ([] if begins else ["name odesa"])


def test_a_linked_name_is_no_name_of_its_own_and_a_span_inside_it_is_left() -> None:
    body = "tại Nizhny Novgorod hôm qua"
    spans: list[Mention] = [
        ("body", 4, 19, "entity Q891"),
        ("body", 11, 19, "entity other"),
        ("body", 9, 7, "day none"),
    ]
    assert {term for term, _ in story_terms("", body, spans)} == {"entity Q891", "entity other", "day none"}
