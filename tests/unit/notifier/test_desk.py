"""The desk over hours of alerts, failing channels and crashes, on a clock of the test."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from services.notifier.agenda import Rules
from services.notifier.book import KEEP, Book
from services.notifier.channels import AnyChannel
from services.notifier.desk import GIVE_UP_AFTER, Desk
from services.notifier.message import Message
from services.notifier.transform import Delivered, Failed, Outcome
from shared.alerts import Alert, AlertState, Severity
from shared.errors import Transient
from shared.stage import Outgoing
from tests.unit.notifier.samples import NOW, alert, channels, later, minutes

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


class Office:
    """A desk with channels that answer as they are told; rows live in a dict, as in a compacted topic."""

    def __init__(self, *blocks: dict[str, Any], **settings: Any) -> None:
        self.config = channels(*(blocks or ({"name": "desk"},)), **settings)
        self.rows: dict[bytes, bytes | None] = {}
        self.inbox: list[tuple[str, str, bool]] = []
        self.messages: list[Message] = []
        self.answers: dict[str, Outcome | None] = {}
        self.kafka_is_away = False
        self.now = NOW
        self.start()

    def start(self) -> None:
        """Start the desk, or start it again after a crash: all that is left are the rows."""
        book = Book()
        for key, value in self.rows.items():
            book.load(key, value)
        self.desk = Desk(book, lambda: self.config, Rules, self.save, self.launch, self.now)

    def save(self, rows: Sequence[Outgoing]) -> None:
        if self.kafka_is_away:
            raise Transient("away")
        for each in rows:
            assert each.key is not None
            self.rows[each.key] = each.value

    def launch(self, channel: AnyChannel, message: Message, landed: Callable[[Outcome], None]) -> None:
        self.inbox.append((channel.name, message.kind, message.repeat))
        self.messages.append(message)
        answer = self.answers.get(channel.name, Delivered("1"))
        if answer is not None:
            landed(answer)

    def run(self, span: timedelta, every: timedelta = MINUTE) -> None:
        """Let time pass."""
        until = self.now + span
        while self.now < until:
            self.now += every
            self.desk.tick(self.now)

    def hears(self, *alerts: Alert) -> None:
        for each in alerts:
            self.desk.take(each, self.now)


def test_one_alert_is_one_message_and_one_end() -> None:
    office = Office()
    office.hears(alert(), alert())
    office.run(HOUR)
    assert office.inbox == [("desk", "opening", False)]
    office.hears(later(alert(), office.now, AlertState.RESOLVED))
    office.run(HOUR)
    assert office.inbox == [("desk", "opening", False), ("desk", "resolved", False)]


def test_a_whole_life() -> None:
    office = Office()
    first = alert()
    office.hears(first)
    office.run(minutes(10))
    second = later(first, office.now, severity=Severity.CRITICAL)
    office.hears(second)
    office.run(timedelta(hours=20), every=minutes(5))
    office.hears(later(second, office.now, AlertState.ACKNOWLEDGED))
    office.run(timedelta(hours=40), every=minutes(5))
    office.hears(later(later(second, office.now), office.now, AlertState.RESOLVED))
    office.run(HOUR)
    assert [kind for _, kind, _ in office.inbox] == ["opening", "update", "reminder", "reminder", "resolved"]


def test_alerts_that_share_stories_are_one_message() -> None:
    office = Office()
    office.hears(alert(1, "Kupyansk", (1, 2, 3)), alert(2, "Oskil", (2, 3)), alert(3, "Tomahawk", (9,)))
    office.run(minutes(5))
    assert [message.subject for message in office.messages] == [
        "[CẢNH BÁO] đột biến: Kupyansk, Oskil",
        "[CẢNH BÁO] đột biến: Tomahawk",
    ]


def test_one_of_two_that_ends_ends_nothing() -> None:
    office = Office()
    office.hears(alert(1), alert(2, "Oskil"))
    office.run(minutes(5))
    office.hears(later(alert(1), office.now, AlertState.RESOLVED))
    office.run(HOUR)
    assert [kind for _, kind, _ in office.inbox] == ["opening"]
    office.hears(later(alert(2, "Oskil"), office.now, AlertState.RESOLVED))
    office.run(HOUR)
    assert [kind for _, kind, _ in office.inbox] == ["opening", "resolved"]


def test_a_dead_channel_blocks_no_other_and_is_reported_there_and_so_is_its_return() -> None:
    office = Office({"name": "dead"}, {"name": "desk"})
    office.answers["dead"] = Failed("HTTP 503")
    office.hears(alert())
    office.run(HOUR)
    to_desk = [
        message.subject for message, (name, _, _) in zip(office.messages, office.inbox, strict=True) if name == "desk"
    ]
    assert to_desk == ["[CẢNH BÁO] đột biến: Kupyansk", "[CẢNH BÁO] Kênh dead không nhận tin"]
    attempts = [kind for name, kind, _ in office.inbox if name == "dead"]
    assert set(attempts) == {"opening"}
    assert 8 <= len(attempts) <= 25
    office.answers["dead"] = Delivered()
    office.run(minutes(20))
    assert office.messages[-1].subject == "[CẢNH BÁO] Đã kết thúc: Kênh dead không nhận tin"
    assert [kind for name, kind, _ in office.inbox if name == "dead"] == [*attempts, "opening"]


def test_a_channel_that_never_answers_is_given_up_and_says_that_it_may_repeat_itself() -> None:
    office = Office({"name": "hanging"}, {"name": "desk"})
    office.answers["hanging"] = None
    office.hears(alert())
    office.run(2 * GIVE_UP_AFTER + minutes(2), every=timedelta(seconds=5))
    tries = [repeat for name, _, repeat in office.inbox if name == "hanging"]
    assert tries[:2] == [False, True]
    assert ("desk", "opening", False) in office.inbox


@pytest.mark.parametrize("answered", [True, False])
def test_after_a_crash_a_message_may_come_twice_and_says_so(answered: bool) -> None:
    office = Office()
    office.answers["desk"] = Delivered() if answered else None
    office.hears(alert())
    office.run(minutes(2), every=minutes(1) + timedelta(seconds=1))
    assert office.inbox == [("desk", "opening", False)]
    office.start()
    office.answers.clear()
    office.run(minutes(5))
    assert office.inbox == [("desk", "opening", False)] + ([] if answered else [("desk", "opening", True)])
    office.start()
    office.hears(later(alert(), office.now, AlertState.RESOLVED))
    office.run(minutes(5))
    assert [kind for _, kind, _ in office.inbox].count("resolved") == 1


def test_an_end_after_a_crash_is_a_message_of_its_own_and_is_not_lost() -> None:
    office = Office()
    office.answers["desk"] = None
    office.hears(alert())
    office.run(minutes(2), every=minutes(1) + timedelta(seconds=1))
    office.start()
    office.hears(later(alert(), office.now, AlertState.RESOLVED))
    office.answers["desk"] = Failed("ConnectionRefusedError")
    office.run(minutes(2))
    office.answers["desk"] = Delivered()
    office.run(minutes(10))
    assert [kind for _, kind, _ in office.inbox][:2] == ["opening", "resolved"]
    assert office.inbox[1] == ("desk", "resolved", False)
    assert [kind for _, kind, _ in office.inbox].count("opening") == 1
    opening, *ends = office.messages
    assert opening.message_id not in {end.message_id for end in ends}
    before = len(office.inbox)
    office.run(HOUR)
    assert len(office.inbox) == before


def test_a_crash_between_message_and_row_repeats_it_with_the_same_id() -> None:
    office = Office()
    office.hears(alert())
    office.now += minutes(2)
    office.desk.tick(office.now)
    office.start()
    office.run(minutes(2))
    assert office.inbox == [("desk", "opening", False), ("desk", "opening", True)]
    assert len({message.message_id for message in office.messages}) == 1


def test_nothing_is_sent_while_the_rows_cannot_be_kept() -> None:
    office = Office()
    office.hears(alert())
    office.kafka_is_away = True
    office.now += minutes(2)
    for _ in range(3):
        with pytest.raises(Transient):
            office.desk.tick(office.now)
    assert office.inbox == []
    office.kafka_is_away = False
    office.run(minutes(1))
    assert office.inbox == [("desk", "opening", False)]


def test_a_replay_of_all_that_was_notifies_nobody() -> None:
    office = Office()
    records = [alert()]
    records.append(later(records[-1], NOW + minutes(30), severity=Severity.CRITICAL))
    records.append(later(records[-1], NOW + HOUR, AlertState.RESOLVED))
    for record in records:
        office.now = max(office.now, record.updated_at)
        office.hears(record)
        office.run(minutes(5))
    sent = list(office.inbox)
    assert [kind for _, kind, _ in sent] == ["opening", "update", "resolved"]
    office.hears(*records)
    office.run(HOUR)
    assert office.inbox == sent
    office.run(KEEP, every=HOUR)
    office.start()
    for record in records:
        office.hears(record)
        office.run(minutes(5))
    assert office.inbox == sent


def test_a_replay_that_says_so_and_what_is_over_at_first_sight_notify_nobody() -> None:
    office = Office()
    office.hears(alert(1, replay=True), later(alert(2, clusters=(9,)), NOW, AlertState.RESOLVED))
    office.run(HOUR)
    assert office.inbox == []


def test_a_storm_becomes_a_digest() -> None:
    office = Office({"name": "desk", "limit": {"messages": 5, "per": "10m"}})
    office.hears(*(alert(number, f"Từ khoá {number}", (number,)) for number in range(1, 101)))
    office.run(minutes(9), every=timedelta(seconds=30))
    assert [kind for _, kind, _ in office.inbox] == ["opening"] * 4 + ["digest"]
    office.run(HOUR, every=minutes(5))
    assert len(office.inbox) == 5
    office.hears(*(later(alert(n, f"Từ khoá {n}", (n,)), office.now, AlertState.RESOLVED) for n in range(1, 101)))
    office.run(minutes(9), every=timedelta(seconds=30))
    assert [kind for _, kind, _ in office.inbox][5:] == ["resolved"] * 4 + ["digest"]


def test_the_limit_holds_over_a_restart() -> None:
    office = Office({"name": "desk", "limit": {"messages": 2, "per": "10m"}}, grouping={"wait": "0s"})
    office.hears(alert(1, clusters=(1,)))
    office.run(minutes(2))
    office.hears(alert(2, clusters=(2,)))
    office.run(minutes(2))
    office.start()
    office.hears(alert(3, clusters=(3,)))
    office.run(minutes(2))
    assert len(office.inbox) == 2
    office.run(minutes(10))
    assert len(office.inbox) == 3


def test_quiet_hours_end_with_what_is_still_open() -> None:
    quiet = {"hours": "09:00-11:00", "timezone": "Asia/Ho_Chi_Minh"}
    office = Office({"name": "desk", "quiet_hours": quiet})
    over = alert(2, "Oskil", (9,))
    office.hears(alert(1), over)
    office.run(minutes(30))
    office.hears(later(over, office.now, AlertState.RESOLVED))
    office.run(minutes(29))
    assert office.inbox == []
    office.run(minutes(5))
    assert [message.subject for message in office.messages] == ["[CẢNH BÁO] đột biến: Kupyansk"]
    assert "Muộn 1 giờ" in office.messages[0].body


def test_a_channel_that_is_switched_off_is_left_alone_and_fails_no_more() -> None:
    office = Office({"name": "dead"}, {"name": "desk"})
    office.answers["dead"] = Failed("HTTP 503")
    office.hears(alert())
    office.run(minutes(10))
    office.config = channels({"name": "dead", "enabled": False}, {"name": "desk"})
    before = len([name for name, _, _ in office.inbox if name == "dead"])
    office.run(minutes(10))
    assert len([name for name, _, _ in office.inbox if name == "dead"]) == before
    assert office.messages[-1].subject == "[CẢNH BÁO] Đã kết thúc: Kênh dead không nhận tin"


def test_what_is_long_over_is_forgotten() -> None:
    office = Office()
    office.hears(alert())
    office.run(minutes(5))
    office.hears(later(alert(), office.now, AlertState.RESOLVED))
    office.run(minutes(5))
    key = alert().alert_id.encode()
    assert office.rows[key] is not None
    office.run(KEEP, every=timedelta(hours=6))
    assert office.rows[key] is None


def test_a_row_that_cannot_be_read_is_left_out() -> None:
    book = Book()
    book.load(b"a", b"{")
    book.load(None, b"{}")
    book.load(b"b", None)
    assert book.all() == []


def test_a_clock_that_jumps_back_sends_nothing_twice() -> None:
    office = Office()
    office.hears(alert())
    office.run(minutes(5))
    office.now -= HOUR
    office.run(2 * HOUR)
    assert office.inbox == [("desk", "opening", False)]
