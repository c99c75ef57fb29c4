"""The ways to channels that speak HTTP, against a real server: what is sent, and what each answer means."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from services.notifier.channels import AlertmanagerChannel, AnyChannel, Channels
from services.notifier.message import compose_test
from services.notifier.senders import deliver
from services.notifier.senders.alertmanager import alerts_of
from services.notifier.senders.telegram import cut
from services.notifier.senders.web import retry_after
from services.notifier.senders.webhook import signature
from services.notifier.transform import Delivered, Failed
from shared.alerts import AlertState, Severity
from shared.local_engines import free_port
from shared.notifications import Delivery, Notification, Told
from tests.support.desk_server import DeskServer, desk_server
from tests.unit.notifier.samples import NOW, alert, channel, later, message, minutes, notification

SECRET = "khoá-bí-mật-42"
TOKEN = "123456:AAbbCCdd"
BRIEF = timedelta(seconds=0.1)


@pytest.fixture(scope="module")
def running() -> Iterator[DeskServer]:
    with desk_server() as desk:
        yield desk


@pytest.fixture
def desk(running: DeskServer, monkeypatch: pytest.MonkeyPatch) -> DeskServer:
    """The server, taking everything again; the secrets stand in the environment."""
    running.requests.clear()
    running.status, running.headers, running.body, running.hang = 200, {}, b"ok", 0.0
    monkeypatch.setenv("DESK_SECRET", SECRET)
    monkeypatch.setenv("DESK_TOKEN", TOKEN)
    monkeypatch.setenv("DESK_URL", f"{running.url}/hooks/T0/B0/{SECRET.encode().hex()}")
    return running


def webhook(desk: DeskServer, **block: Any) -> AnyChannel:
    return channel(type="webhook", url=f"{desk.url}/alerts?desk=1", timeout="1s", **block)


def telegram(desk: DeskServer, **block: Any) -> AnyChannel:
    return channel(type="telegram", token={"env": "DESK_TOKEN"}, chat_id=-100, api_url=desk.url, timeout="1s", **block)


def slack(desk: DeskServer, **block: Any) -> AnyChannel:
    return channel(type="slack", url={"env": "DESK_URL"}, timeout="1s", **block)


def alertmanager(desk: DeskServer, **block: Any) -> AnyChannel:
    return channel(type="alertmanager", url=desk.url, timeout="1s", **block)


def told(known: Notification, reference: str | None = None) -> Notification:
    knows = Told(severity=Severity.NOTICE, alert_ids=(), ratio=1.0)
    delivery = Delivery(told=knows, first_at=NOW, last_at=NOW, messages=1, reference=reference)
    return known.model_copy(update={"deliveries": {"desk": delivery}})


def test_a_webhook_is_signed_over_id_time_and_body(desk: DeskServer) -> None:
    to = webhook(desk, secret={"env": "DESK_SECRET"})
    sent = message(to)
    assert deliver(to, sent) == Delivered()
    (request,) = desk.requests
    assert request.path == "/alerts?desk=1"
    assert request.headers["content-type"] == "application/json"
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    wanted = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{wanted}"
    assert request.headers["webhook-timestamp"] == str(int((NOW + minutes(2)).timestamp()))
    assert request.json == sent.facts
    assert request.json["notifications"][0]["alerts"][0]["keyword"] == "Kupyansk"


def test_a_signature_as_the_specification_gives_it() -> None:
    """The example of https://www.standardwebhooks.com, its key given as base64 after `whsec_`."""
    key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    made = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body)
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature("whsec_no base64", "m", "1", b"").startswith("v1,")


def test_a_webhook_without_a_secret_is_not_signed(desk: DeskServer) -> None:
    deliver(webhook(desk), message(webhook(desk)))
    assert "webhook-signature" not in desk.requests[0].headers


@pytest.mark.parametrize(
    ("status", "refused"),
    [
        (500, False),
        (503, False),
        (401, False),
        (403, False),
        (404, False),
        (301, False),
        (400, True),
        (413, True),
        (422, True),
    ],
)
def test_what_a_status_means(desk: DeskServer, status: int, refused: bool) -> None:
    """What is wrong with the channel is waited for; what is wrong with the message is given up after a while."""
    desk.status, desk.body, desk.headers = status, b"  nothing \n works ", {"Location": "http://elsewhere.example/"}
    outcome = deliver(webhook(desk), message(webhook(desk)))
    assert outcome == Failed(f"HTTP {status} nothing works", refused=refused)
    assert len(desk.requests) == 1


@pytest.mark.parametrize(
    ("value", "pause"),
    [("120", timedelta(minutes=2)), ("Sat, 22 Nov 2025 03:05:00 GMT", timedelta(minutes=3)), ("soon", None)],
)
def test_a_pause_is_asked_for(desk: DeskServer, value: str, pause: timedelta | None) -> None:
    desk.status, desk.headers = 429, {"Retry-After": value}
    outcome = deliver(webhook(desk), message(webhook(desk)))
    assert isinstance(outcome, Failed)
    assert (outcome.refused, outcome.retry_after) == (False, pause)


def test_pauses_that_make_no_sense() -> None:
    assert retry_after(None, NOW) is None
    assert retry_after("9" * 300, NOW) == timedelta(days=1)
    assert retry_after("Sat, 22 Nov 2025 02:00:00 GMT", NOW) == timedelta(0)


def test_a_server_that_hangs_may_have_the_message(desk: DeskServer) -> None:
    desk.hang = 5
    hurried = webhook(desk).model_copy(update={"timeout": BRIEF})
    assert deliver(hurried, message(hurried)) == Failed("no answer in time", doubtful=True)


def test_a_server_that_is_not_there_has_nothing() -> None:
    to = channel(type="webhook", url=f"http://127.0.0.1:{free_port()}/")
    outcome = deliver(to, message(to))
    assert isinstance(outcome, Failed)
    assert (outcome.doubtful, outcome.refused) == (False, False)
    assert "ConnectionRefusedError" in outcome.error


def test_an_answer_that_is_no_http_is_a_failure() -> None:
    to = channel(type="webhook", url="https://127.0.0.1:1/", ca_file="/nowhere/ca.pem")
    outcome = deliver(to, message(to))
    assert isinstance(outcome, Failed)
    assert "/nowhere/ca.pem" in outcome.error


def test_telegram(desk: DeskServer) -> None:
    desk.body = b'{"ok": true, "result": {"message_id": 77}}'
    to = telegram(desk, thread_id=5)
    sent = message(to)
    assert deliver(to, sent) == Delivered("77")
    (request,) = desk.requests
    assert request.path == f"/bot{TOKEN}/sendMessage"
    assert request.json == {
        "chat_id": -100,
        "message_thread_id": 5,
        "text": sent.text,
        "link_preview_options": {"is_disabled": True},
    }


def test_telegram_answers_the_first_message(desk: DeskServer) -> None:
    desk.body = b'{"ok": true, "result": {"message_id": 78}}'
    deliver(telegram(desk), message(telegram(desk), told(notification(), "77")))
    assert desk.requests[0].json["reply_parameters"] == {"message_id": 77, "allow_sending_without_reply": True}


def test_telegram_asks_for_a_pause_in_the_body(desk: DeskServer) -> None:
    desk.status = 429
    desk.body = b'{"ok": false, "description": "Too Many Requests: retry after 35", "parameters": {"retry_after": 35}}'
    outcome = deliver(telegram(desk), message(telegram(desk)))
    assert outcome == Failed("HTTP 429 Too Many Requests: retry after 35", retry_after=timedelta(seconds=35))


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"ok": true, "result": []}', b'{"parameters": 7}'])
def test_telegram_answers_nonsense(desk: DeskServer, body: bytes) -> None:
    desk.body = body
    assert deliver(telegram(desk), message(telegram(desk))) == Delivered(None)


def test_a_long_text_is_cut_as_telegram_counts() -> None:
    assert cut("đỏ", 2) == "đỏ"
    assert cut("abcd", 3) == "ab…"
    assert cut("a😀😀", 4) == "a😀…"
    assert cut("a😀😀", 3) == "a…"


def test_slack_is_not_told_to_call_everybody(desk: DeskServer) -> None:
    hostile = notification(alert(keyword="<!channel> & <https://x.example|y>"))
    assert deliver(slack(desk), message(slack(desk), hostile)) == Delivered()
    text = desk.requests[0].json["text"]
    assert text.startswith("*[CẢNH BÁO] đột biến: &lt;!channel&gt; &amp; &lt;https://x.example|y&gt;*\n")
    assert "<" not in text


def test_alertmanager_is_told_when_an_alert_began_and_ended(desk: DeskServer) -> None:
    to = alertmanager(desk, token={"env": "DESK_TOKEN"}, labels={"team": "trực ban"})
    assert deliver(to, message(to)) == Delivered()
    (request,) = desk.requests
    (found,) = request.json
    assert request.path == "/api/v2/alerts"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert found["labels"] == {
        "alertname": "FrontwireSpike", "alert_id": alert().alert_id, "keyword": "Kupyansk", "severity": "warning",
        "team": "trực ban",
    }  # fmt: skip
    assert found["startsAt"] == NOW.isoformat()
    assert found["endsAt"] > NOW.isoformat()
    over = told(notification(later(alert(), NOW + minutes(1), AlertState.RESOLVED)))
    deliver(to, message(to, over))
    (ended,) = desk.requests[1].json
    assert ended["labels"] == found["labels"]
    assert ended["endsAt"] == (NOW + minutes(1)).isoformat()


def test_alertmanager_sees_the_less_severe_alert_end_when_it_grows() -> None:
    to = channel(type="alertmanager", url="http://am:9093")
    assert isinstance(to, AlertmanagerChannel)
    grown = told(notification(later(alert(), NOW, severity=Severity.CRITICAL)))
    now = (NOW + minutes(2)).isoformat()
    found = [(each["labels"]["severity"], each["endsAt"] == now) for each in alerts_of(to, message(to, grown))]
    assert found == [("critical", False), ("notice", True), ("warning", True)]


@pytest.mark.parametrize("make", [webhook, telegram, slack, alertmanager])
def test_a_test_message_goes_every_way(desk: DeskServer, make: Any) -> None:
    desk.body = b'{"ok": true, "result": {"message_id": 1}}'
    to = make(desk)
    assert isinstance(deliver(to, compose_test(to, Channels(), "t1", NOW)), Delivered)
    assert "test" in desk.requests[0].body.decode().lower()


@pytest.mark.parametrize("answer", ["echo", "hang", "away"])
def test_no_secret_stands_in_an_error(
    desk: DeskServer, answer: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the server does, even sending the secret back: neither the error nor the log holds it."""
    url = f"{desk.url}/hooks/{SECRET.encode().hex()}"
    monkeypatch.setenv(
        "DESK_URL", url if answer != "away" else f"http://127.0.0.1:{free_port()}/{SECRET.encode().hex()}"
    )
    desk.hang = 5 if answer == "hang" else 0
    desk.status, desk.body = 400, f"bad token {TOKEN} {SECRET} {url}".encode()
    for to in (webhook(desk, secret={"env": "DESK_SECRET"}), telegram(desk), slack(desk)):
        outcome = deliver(to.model_copy(update={"timeout": BRIEF}), message(to))
        assert isinstance(outcome, Failed)
        own = {"webhook": SECRET, "telegram": TOKEN, "slack": SECRET.encode().hex()}[to.type]
        assert own not in outcome.error + repr(outcome) + repr(to) + caplog.text


def test_a_missing_secret_is_a_failure_that_names_its_place(desk: DeskServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DESK_TOKEN")
    assert deliver(telegram(desk), message(telegram(desk))) == Failed("the variable DESK_TOKEN is not set")
    assert desk.requests == []


def test_the_log_channel_always_works() -> None:
    assert deliver(channel(), message(channel())) == Delivered()
