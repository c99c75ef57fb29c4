"""Decisions one after the other: ids that stay, answers that repeat, the window's days, and bounded work."""

import random
from datetime import timedelta

import pytest

from services.deduplicator.window import ARTICLES_A_KEY, EXPIRED_A_STEP, MAX_VERIFIED, Window
from shared.errors import Reason, Rejected
from shared.models import UniqueArticle
from tests.unit.deduplicator.labelled import FIRE, START, TRAIN, article, decided, labelled, sketched

pytestmark = pytest.mark.slow

DAY = 24 * 60
EDITED = (
    FIRE[0],
    FIRE[1],
    "Đến chiều, ban quản lý cho biết dây chuyền chính vẫn nguyên vẹn và sẽ chạy lại trong tuần.",
    FIRE[3],
)
LATER = (
    "Một tháng sau vụ cháy, ban giám đốc ở Kramatorsk công bố kế hoạch chuyển dây chuyền đúc về miền tây đất nước.",
    "Khoảng một nửa thợ lành nghề đồng ý đi theo, số còn lại nhận trợ cấp hoặc tìm việc ở các xưởng sửa chữa trong vùng.",
)


def test_a_copy_joins_the_cluster_and_names_the_original() -> None:
    window = Window({})
    original = decided(article("original", FIRE), window)
    exact = decided(article("exact", FIRE, title="Khác", minutes=5), window)
    near = decided(article("near", EDITED, minutes=9), window)
    assert original.decision.method == "new"
    assert original.duplicate_of == []
    assert original.cluster_id == original.story_id == original.article_id
    for copy, method in ((exact, "exact"), (near, "near")):
        assert copy.cluster_id == original.cluster_id
        assert copy.story_id == original.story_id
        assert copy.duplicate_of == [original.article_id]
        assert copy.decision.method == method
    assert near.decision.neighbour in {original.article_id, exact.article_id}
    assert near.decision.threshold is not None
    assert near.decision.containment is not None
    assert near.decision.containment >= near.decision.threshold


@pytest.mark.parametrize("whole_first", [True, False])
def test_a_piece_is_tied_and_keeps_its_own_cluster(whole_first: bool) -> None:
    window = Window({})
    texts = [("whole", FIRE), ("piece", (FIRE[0], FIRE[1][:60] + " […]"))]
    first, second = (decided(article(name, text), window) for name, text in (texts if whole_first else texts[::-1]))
    assert second.duplicate_of == [first.article_id]
    assert second.cluster_id == second.article_id
    assert second.story_id == first.story_id
    assert second.decision.method == "contained"


def test_a_copy_is_tied_to_the_pieces_of_its_cluster() -> None:
    window = Window({})
    piece = decided(article("piece", FIRE[0]), window)
    whole = decided(article("whole", FIRE), window)
    reworded = decided(article("reworded", ("Sáng 1/2, đám cháy ở Kramatorsk đã tắt.", *FIRE[1:])), window)
    assert reworded.duplicate_of == [whole.article_id, piece.article_id]


def test_a_piece_is_tied_to_every_copy_of_its_whole() -> None:
    window = Window({})
    whole = decided(article("whole", FIRE), window)
    edited = decided(article("edited", (FIRE[0].replace("khống chế", "dập tắt"), *EDITED[1:]), minutes=1), window)
    assert edited.cluster_id == whole.article_id
    piece = decided(article("piece", FIRE[0], minutes=2), window)
    assert set(piece.duplicate_of) == {whole.article_id, edited.article_id}
    assert piece.cluster_id == piece.article_id


def test_unlike_articles_stay_apart_and_say_what_they_were_held_against() -> None:
    window = Window({})
    decided(article("fire", FIRE), window)
    train = decided(article("train", TRAIN), window)
    assert (train.decision.method, train.decision.neighbour, train.decision.candidates) == ("new", None, 0)
    background = decided(article("later", (FIRE[3], *LATER)), window)
    assert background.decision.method == "new"
    assert background.decision.neighbour == article("fire", FIRE).article_id
    assert background.decision.containment is not None
    assert background.decision.threshold is not None
    assert background.decision.containment < background.decision.threshold


def test_a_repeated_message_gets_the_same_answer_and_changes_nothing() -> None:
    rows: dict[str, str] = {}
    window = Window(rows)
    messages = [
        sketched(article("a", FIRE)),
        sketched(article("b", EDITED, minutes=1)),
        sketched(article("a", EDITED, minutes=2)),
        sketched(article("c", TRAIN, minutes=3)),
        sketched(article("a", TRAIN, minutes=4)),
    ]
    first = [decided(message, window) for message in messages]
    held = dict(rows)
    assert [decided(message, window) for message in messages] == first
    assert rows == held


def test_a_fetch_without_a_change_of_text_gets_the_current_answer() -> None:
    window = Window({})
    decided(article("a", FIRE), window)
    first = decided(article("b", EDITED, minutes=1), window)
    again = decided(article("b", EDITED, minutes=90, title="Tiêu đề mới"), window)
    assert again.decision == first.decision
    assert (again.cluster_id, again.duplicate_of) == (first.cluster_id, first.duplicate_of)
    assert again.title == "Tiêu đề mới"


def test_a_revision_keeps_its_ids_and_may_add_ties() -> None:
    window = Window({})
    fire, train = decided(article("fire", FIRE), window), decided(article("train", TRAIN), window)
    revised = decided(article("train", FIRE, minutes=9), window)
    assert revised.decision.method == "revision"
    assert (revised.cluster_id, revised.story_id) == (train.cluster_id, train.story_id)
    assert revised.duplicate_of == [fire.article_id]
    assert revised.linked_stories == [fire.story_id]


def test_a_revision_is_no_copy_of_its_former_self() -> None:
    window = Window({})
    decided(article("a", FIRE), window)
    revised = decided(article("a", EDITED, minutes=2), window)
    assert revised.duplicate_of == []
    assert revised.decision.neighbour is None
    assert len(window) == 1


def test_another_decision_on_the_same_fetch_has_a_higher_sequence() -> None:
    window = Window({})
    assert decided(article("a", FIRE), window).decision_seq == 0
    assert decided(article("a", EDITED), window).decision_seq == 1
    assert decided(article("a", TRAIN, minutes=3), window).decision_seq == 0


def test_an_article_that_joins_two_stories_links_them() -> None:
    window = Window({})
    fire, train = decided(article("fire", FIRE), window), decided(article("train", TRAIN), window)
    both = decided(article("both", (*FIRE, *TRAIN)), window)
    assert both.story_id in {fire.story_id, train.story_id}
    assert {both.story_id, *both.linked_stories} == {fire.story_id, train.story_id}
    assert set(both.duplicate_of) == {fire.article_id, train.article_id}


@pytest.mark.parametrize(("days", "copied"), [(13.9, True), (14.1, False)])
def test_what_was_published_outside_the_days_is_not_matched(days: float, copied: bool) -> None:
    window = Window({})
    decided(article("a", FIRE), window)
    later = decided(article("b", FIRE, minutes=days * DAY), window)
    assert (later.decision.method == "exact") is copied


def test_expired_rows_leave_the_window() -> None:
    rows: dict[str, str] = {}
    window = Window(rows)
    for number in range(20):
        decided(article(f"old {number}", f"{number} {TRAIN[0]}"), window)
    decided(article("new", FIRE, minutes=15 * DAY), window)
    assert len(rows) == len(window) == 21 - EXPIRED_A_STEP
    for number in range(10):
        decided(article(f"newer {number}", f"{number} {FIRE[1]}", minutes=15 * DAY + number), window)
    assert len(rows) == len(window) == 11
    assert window.expired == 20


def test_a_late_article_is_held_against_its_own_days() -> None:
    window = Window({})
    original = decided(article("a", FIRE), window)
    late = article("b", FIRE, minutes=12 * DAY, published=(START + timedelta(hours=2)).isoformat())
    assert decided(late, window).cluster_id == original.cluster_id


@pytest.mark.parametrize("published", ["1970-01-01", "2019-05-04T10:00:00+07:00", "9999-12-31T00:00:00Z", None])
def test_a_wrong_date_neither_drops_nor_keeps_for_ever(published: str | None) -> None:
    rows: dict[str, str] = {}
    window = Window(rows)
    original = decided(article("a", FIRE), window)
    wrong = article("b", FIRE, minutes=5)
    wrong = wrong.model_copy(update={"published": wrong.published.model_copy(update={"value": published})})
    assert decided(wrong, window).cluster_id == original.cluster_id
    decided(article("c", TRAIN, minutes=15 * DAY), window)
    assert set(rows) == {article("c", TRAIN).article_id}


def test_a_backlog_keeps_its_dates() -> None:
    window = Window({})
    years_ago = ("2019-05-04T10:00:00+07:00", "2021-05-04T10:00:00+07:00", "2021-05-05T10:00:00+07:00")
    first, second, third = (decided(article(day, FIRE, published=day, backlog=True), window) for day in years_ago)
    assert second.cluster_id != first.cluster_id
    assert third.cluster_id == second.cluster_id


def test_a_takedown_leaves_nothing_to_match() -> None:
    rows: dict[str, str] = {}
    window = Window(rows)
    original = decided(article("a", FIRE), window)
    assert window.forget(original.article_id)
    assert not window.forget(original.article_id)
    assert rows == {}
    assert decided(article("b", FIRE), window).decision.method == "new"


@pytest.mark.parametrize("cut", [1, 20, 50, 70])
def test_a_restart_at_any_place_changes_no_answer(cut: int) -> None:
    stream = [
        article(row["id"], row["body"], title=row["title"], published=row["published"], backlog=True)
        for row in labelled()
    ]
    rows: dict[str, str] = {}
    window, straight = Window(rows), Window({})
    expected = [decided(given, straight) for given in stream]
    before = [decided(given, window) for given in stream[:cut]]
    again = Window(rows)
    again.rebuild()
    repeated = stream[max(0, cut - 10) :]
    assert before + [decided(given, again) for given in repeated] == expected[:cut] + expected[max(0, cut - 10) :]
    assert len(again) == len(straight)


def _answers(texts: list[str]) -> tuple[Window, list[UniqueArticle]]:
    window = Window({})
    return window, [decided(article(f"{number}", text, minutes=number), window) for number, text in enumerate(texts)]


def test_many_copies_cost_no_more_than_a_few() -> None:
    window, answers = _answers(["\n".join(FIRE)] * 300)
    assert {answer.cluster_id for answer in answers} == {answers[0].article_id}
    assert max(answer.decision.candidates for answer in answers) <= ARTICLES_A_KEY
    assert window.capped > 0


def test_a_template_stays_bounded_and_apart() -> None:
    pick = random.Random(4)
    form = (
        "Trong ngày qua đã có {} đợt pháo kích vào {} khu dân cư, {} người bị thương và {} ngôi nhà hư hại, tỉnh cho biết. "
        "Các đội sửa chữa đang khôi phục điện nước, người dân được khuyên ở gần nơi trú ẩn cho tới khi có thông báo mới."
    )
    _, answers = _answers([form.format(*(pick.randrange(10, 10**6) for _ in range(4))) for _ in range(300)])
    assert max(answer.decision.candidates for answer in answers) <= MAX_VERIFIED
    assert len({answer.cluster_id for answer in answers}) == 300


@pytest.mark.parametrize("text", ["", "   \n", "…", "ba " * 200_000, "1", "a b"])
def test_hostile_texts_pass(text: str) -> None:
    window, answers = _answers([text, text, "\n".join(FIRE)])
    assert len(answers) == 3
    assert answers[2].decision.method == "new"
    assert len(window) == 3


def test_empty_articles_are_no_copies_of_each_other() -> None:
    _, answers = _answers(["", ""])
    assert answers[1].decision.method == "new"


def test_short_bodies_are_compared_with_their_titles() -> None:
    window = Window({})
    decided(article("a", "Tin đang được cập nhật.", title="Nổ lớn ở Sumy"), window)
    other = decided(article("b", "Tin đang được cập nhật.", title="Bầu cử ở Moldova"), window)
    same = decided(article("c", "Tin đang được cập nhật.", title="Bầu cử ở Moldova"), window)
    assert other.decision.method == "new"
    assert same.duplicate_of == [other.article_id]


def test_a_sketch_of_another_version_is_refused() -> None:
    given = sketched(article("a", FIRE))
    given = given.model_copy(update={"sketch": given.sketch.model_copy(update={"version": 99})})
    with pytest.raises(Rejected) as refusal:
        decided(given, Window({}))
    assert refusal.value.reason is Reason.UNSUPPORTED_SCHEMA


def test_rows_stay_small() -> None:
    rows: dict[str, str] = {}
    window = Window(rows)
    for row in labelled():
        decided(article(row["id"], row["body"], title=row["title"]), window)
    assert sum(map(len, rows.values())) / len(rows) <= 1000


def test_the_answers_are_valid_records() -> None:
    window = Window({})
    answers = (decided(article(row["id"], row["body"], title=row["title"]), window) for row in labelled())
    for answer in answers:
        assert UniqueArticle.model_validate_json(answer.to_json()) == answer
