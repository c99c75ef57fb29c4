"""The words of a message: what an operator reads at three in the morning, in both languages."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.notifier.channels import Channels
from services.notifier.message import Message, compose, compose_test
from services.notifier.steps import Step
from services.notifier.text import flat, phrases
from services.notifier.transform import Gate, plan
from shared.alerts import Action, Alert, AlertKind, AlertState, Coverage, Handling, Severity
from shared.notifications import Delivery, Intent, MessageKind, Notification, Told, Trouble
from tests.unit.notifier.samples import NOW, alert, channel, due_steps, later, minutes, notification, story

HOUR = timedelta(hours=1)
SOON = NOW + minutes(2)
CONFIG = Channels(kibana="https://kibana.desk.example")


def steps(known: list[Notification], now: datetime, language: str = "vi") -> list[Step]:
    return due_steps(known, channel(language=language), now, CONFIG)


def message(known: Notification, now: datetime = SOON, language: str = "vi") -> Message:
    envelope = plan(steps([known], now, language), channel(language=language), Gate(), now)
    assert envelope is not None
    return compose(envelope, CONFIG)


def told(*alerts: Alert, **update: Any) -> Notification:
    knows = Told(severity=Severity.WARNING, alert_ids=(alerts[0].alert_id,), ratio=11.7)
    delivery = Delivery(told=knows, first_at=NOW, last_at=NOW, messages=1).model_copy(update=update)
    return notification(*alerts, deliveries={"desk": delivery})


def test_an_opening_in_vietnamese() -> None:
    made = message(notification(alert(coverage=Coverage(share=0.62, silent_feeds=("Wire", "Pryklad")))))
    assert made.subject == "[CẢNH BÁO] đột biến: Kupyansk"
    lines = made.body.splitlines()
    assert lines[:5] == [
        "Kupyansk: 14 tin trong 3 giờ, thường là 1,2.",
        "14 tin trong 3 giờ (22/11 07:00–10:00), thường 1,2; gấp 11,7 lần mức thường",
        "2 nguồn: Báo Mẫu 8, Wire 6",
        "Ngôn ngữ: vi 8, en 6",
        "Độ phủ 62 %; nguồn không đọc được: Wire, Pryklad",
    ]
    assert lines[5:8] == ["Tin chính:", "1. Tin số 1 về mặt trận (Báo Mẫu, 09:59)", "   https://bao.example/tin-1"]
    assert lines[-2].startswith("Kibana: https://kibana.desk.example/app/dashboards#/view/frontwire-keyword?_g=")
    assert f"frontwire alerts ack {alert().alert_id}" in lines[-1]
    assert f"frontwire alerts mark-false {alert().alert_id}" in lines[-1]


def test_the_same_in_english() -> None:
    made = message(notification(), language="en")
    assert made.subject == "[WARNING] spike: Kupyansk"
    assert made.body.splitlines()[:3] == [
        "Kupyansk: 14 stories in 3 hours, usually 1.2.",
        "14 stories in 3 h (22/11 07:00–10:00), usually 1.2; 11.7 times the usual",
        "2 sources: Báo Mẫu 8, Wire 6",
    ]


def test_a_late_message_says_how_late() -> None:
    assert "Muộn 3 giờ 20 phút (từ 22/11 10:00)" in message(notification(), NOW + 3 * HOUR + minutes(20)).body
    assert "Muộn" not in message(notification(), NOW + minutes(4)).body


def test_a_message_that_may_come_twice_says_so() -> None:
    before = Delivery(intent=Intent(message_id="m", kind=MessageKind.OPENING, at=NOW))
    made = message(notification(deliveries={"desk": before}))
    assert made.repeat
    assert made.body.startswith("Có thể bạn đã nhận tin này")
    assert made.facts["repeat"] is True
    assert "đã nhận" not in message(notification()).body


def test_an_escalation_says_what_it_was_and_what_is_new() -> None:
    worse = message(told(later(alert(), NOW, severity=Severity.CRITICAL)))
    assert worse.subject == "[KHẨN CẤP] Cập nhật: đột biến: Kupyansk"
    assert "Tăng lên so với tin trước: khi đó là CẢNH BÁO." in worse.body
    joined = message(told(alert(1), alert(2, "Oskil", clusters=(3, 4))))
    assert joined.subject == "[CẢNH BÁO] Cập nhật: đột biến: Kupyansk, Oskil"
    assert "Mới trong tin này: Oskil" in joined.body
    assert joined.body.count("Tin số 3 về mặt trận") <= 1


def test_a_reminder_counts() -> None:
    made = message(told(alert(), reminders=1, last_at=NOW), NOW + 12 * HOUR)
    assert made.subject.startswith("[CẢNH BÁO] Vẫn đang mở:")
    assert "Nhắc lần 2: đã mở 12 giờ, chưa ai xác nhận." in made.body


def test_an_end_says_how_long_it_took_and_who_ended_it() -> None:
    done = Handling(action=Action.MARK_FALSE, at=NOW, author="lan", reason="bản tin lặp")
    made = message(told(later(alert(), NOW + 26 * HOUR, AlertState.RESOLVED, handling=(done,))), NOW + 26 * HOUR)
    assert made.subject == "[CẢNH BÁO] Đã kết thúc: đột biến: Kupyansk"
    assert "Kéo dài 1 ngày 2 giờ; đỉnh 14 tin trong 3 giờ; 20 bài." in made.body
    assert "Đánh dấu báo nhầm bởi lan: bản tin lặp" in made.body
    assert "alerts ack" not in made.body


def test_a_silence_leads_to_the_feeds() -> None:
    silent = alert(1, "Báo Mẫu", ()).model_copy(update={"kind": AlertKind.SILENCE, "subject": "feed", "stories": ()})
    made = message(notification(silent))
    assert made.subject == "[CẢNH BÁO] im lặng: Báo Mẫu"
    assert "frontwire-feeds" in made.body
    assert "Tin chính" not in made.body


def test_a_silence_of_everything_is_no_feed_called_star() -> None:
    silent = alert(1, "*", ()).model_copy(update={"kind": AlertKind.SILENCE, "subject": "feed", "stories": ()})
    made = message(notification(silent))
    assert made.subject == "[CẢNH BÁO] im lặng: mọi nguồn tin"
    assert "feed%3A" not in made.body


def test_a_digest_has_a_line_for_each() -> None:
    known = [notification(alert(number, f"Từ khoá {number}", (number,))) for number in range(1, 41)]
    full = Gate(sent=(NOW,) * 9)
    envelope = plan(steps(known, NOW + minutes(2)), channel(), full, NOW + minutes(2))
    assert envelope is not None
    made = compose(envelope, CONFIG)
    assert made.kind == "digest"
    assert made.subject == "[CẢNH BÁO] 40 cảnh báo cùng lúc, quá nhiều để gửi từng tin"
    assert "- [CẢNH BÁO] đột biến: Từ khoá 30" in made.body
    assert made.body.endswith("và 10 nữa")
    assert len(made.facts["notifications"]) == 40


def test_a_failing_channel() -> None:
    trouble = Trouble(channel="webhook", since=NOW, failures=3, error="HTTP 503\nService Unavailable")
    made = message(Notification(notification_id="channel:webhook", received_at=NOW, trouble=trouble))
    assert made.subject == "[CẢNH BÁO] Kênh webhook không nhận tin"
    assert "Từ 22/11 10:00, 3 lần liên tiếp: HTTP 503 Service Unavailable" in made.body
    assert "frontwire alerts test-channel webhook" in made.body


def test_a_test_message_says_that_it_is_one() -> None:
    made = compose_test(channel(), CONFIG, "t1", NOW)
    assert (made.kind, made.subject) == ("test", "Frontwire: Tin thử")
    assert "không có cảnh báo nào" in made.body


def test_foreign_text_stays_one_line_of_bounded_length() -> None:
    assert flat("a\nb\u202e\x00\tc  d", 50) == "a b c d"
    assert flat("x" * 300, 160) == "x" * 159 + "…"
    hostile = story(1, "Tiêu đề\r\nBcc: all@example\r\n\r\nnội dung")
    made = message(notification(alert(stories=(hostile,), keyword="Kupyansk\r\nX: 1")))
    assert "\n" not in made.subject
    assert "Tiêu đề Bcc: all@example nội dung" in made.body


def test_both_languages_fill_in_the_same_words() -> None:
    def holes(text: object) -> set[str]:
        return set(re.findall(r"{(\w+)}", str(text)))

    english, vietnamese = phrases("en").model_dump(), phrases("vi").model_dump()
    for name, text in english.items():
        if isinstance(text, dict):
            assert text.keys() == vietnamese[name].keys()
        else:
            assert holes(text) == holes(vietnamese[name]), name


@pytest.mark.parametrize("model", [AlertKind, MessageKind, Action, Severity])
def test_every_value_has_its_word(model: Any) -> None:
    words = {AlertKind: "kind", MessageKind: "label", Action: "action", Severity: "severity"}[model]
    assert set(getattr(phrases("vi"), words)) == set(model)


def test_the_facts_carry_the_whole_alert() -> None:
    (only,) = message(notification()).facts["notifications"]
    assert only["alerts"][0]["alert_id"] == alert().alert_id
    assert only["alerts"][0]["link"].startswith("https://kibana.desk.example/")
    assert (only["kind"], only["state"], only["late_seconds"]) == ("opening", "open", 120)
