"""Mail, against a real SMTP server: STARTTLS, passwords, threads, and what each refusal means."""

import email
import email.policy
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from services.commands.common import project_folder
from services.notifier.channels import AnyChannel, Channels, EmailChannel
from services.notifier.message import compose_test
from services.notifier.senders import deliver
from services.notifier.senders.mail import mail_of
from services.notifier.transform import Delivered, Failed
from shared.alerts import Severity
from shared.local_engines import free_port
from shared.notifications import Delivery, Notification, Told
from tests.unit.notifier.samples import NOW, alert, channel, message, notification

DATA = project_folder() / "tests/data/notifier"
PASSWORD = "mat-khau-42"


class Postbox:
    """A mail server's handler: it keeps what it takes, or answers as it is told."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.encrypted: list[bool] = []
        self.rcpt = "250 OK"
        self.data = "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if self.rcpt.startswith("250") or "only" not in address:
            envelope.rcpt_tos.append(address)
            return "250 OK" if "only" not in address else self.rcpt
        return self.rcpt

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.data.startswith("250"):
            parsed = email.message_from_bytes(envelope.content, _class=EmailMessage, policy=email.policy.default)
            self.mails.append(parsed)
            self.encrypted.append(session.ssl is not None)
        return self.data


def check_password(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=data.login == b"desk" and data.password == PASSWORD.encode(), handled=False)


@contextmanager
def post_office(postbox: Postbox, **options: Any) -> Iterator[int]:
    """Run a mail server; gives its port."""
    port = free_port()
    server = Controller(postbox, hostname="127.0.0.1", port=port, **options)
    server.start()
    try:
        yield port
    finally:
        server.stop()


@pytest.fixture(scope="module")
def starttls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(DATA / "localhost.pem", DATA / "localhost.key")
    return context


def channel_to(port: int, **block: Any) -> AnyChannel:
    settings: dict[str, Any] = {
        "type": "email", "host": "127.0.0.1", "port": port, "sender": "frontwire@desk.example",
        "to": ["truc-ban@desk.example"], "ca_file": DATA / "localhost.pem", "timeout": "5s",
    }  # fmt: skip
    return channel(**settings | block)


def told(reference: str) -> Notification:
    knows = Told(severity=Severity.NOTICE, ratio=1.0)
    delivery = Delivery(told=knows, first_at=NOW, last_at=NOW, messages=1, reference=reference)
    return notification(deliveries={"desk": delivery})


def test_a_mail_goes_out_encrypted_with_a_password(starttls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_MAIL_PASSWORD", PASSWORD)
    postbox = Postbox()
    options = {
        "tls_context": starttls,
        "require_starttls": True,
        "auth_required": True,
        "authenticator": check_password,
    }
    with post_office(postbox, **options) as port:
        to = channel_to(port, username="desk", password={"env": "DESK_MAIL_PASSWORD"})
        sent = message(to)
        outcome = deliver(to, sent)
        monkeypatch.setenv("DESK_MAIL_PASSWORD", "sai-mat-khau")
        refused = deliver(to, sent)
    assert outcome == Delivered(f"<{sent.message_id}@desk.example>")
    (mail,) = postbox.mails
    assert postbox.encrypted == [True]
    assert mail["Subject"] == "[CẢNH BÁO] đột biến: Kupyansk"
    assert mail["To"] == "truc-ban@desk.example"
    assert mail.get_content().replace("\r\n", "\n").strip() == sent.body
    assert isinstance(refused, Failed)
    assert (refused.refused, refused.doubtful) == (False, False)
    assert "does not take the password" in refused.error
    assert "sai-mat-khau" not in refused.error


def test_a_password_that_smtp_cannot_carry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_MAIL_PASSWORD", "mật khẩu")
    to = channel_to(1, username="desk", password={"env": "DESK_MAIL_PASSWORD"})
    outcome = deliver(to, message(to))
    assert outcome == Failed("the password holds characters that SMTP cannot carry: use ASCII only")


def test_a_certificate_that_is_not_trusted_ends_it_before_anything_is_said(starttls: ssl.SSLContext) -> None:
    postbox = Postbox()
    with post_office(postbox, tls_context=starttls) as port:
        to = channel_to(port, ca_file=None)
        outcome = deliver(to, message(to))
    assert isinstance(outcome, Failed)
    assert (outcome.doubtful, outcome.refused) == (False, False)
    assert "CERTIFICATE_VERIFY_FAILED" in outcome.error
    assert postbox.mails == []


def test_a_server_without_encryption_gets_no_mail() -> None:
    postbox = Postbox()
    with post_office(postbox) as port:
        to = channel_to(port)
        outcome = deliver(to, message(to))
        plain = channel_to(port, security="none")
        assert isinstance(deliver(plain, message(plain)), Delivered)
    assert isinstance(outcome, Failed)
    assert "STARTTLS" in outcome.error
    assert postbox.encrypted == [False]


@pytest.mark.parametrize(
    ("said", "refused"),
    [("451 4.3.0 try again later", False), ("552 5.3.4 message too big", True), ("550 5.7.1 no such mail", True)],
)
def test_what_a_server_says_of_a_mail(said: str, refused: bool) -> None:
    postbox = Postbox()
    postbox.data = said
    with post_office(postbox) as port:
        to = channel_to(port, security="none")
        assert deliver(to, message(to)) == Failed(f"SMTP {said}", refused=refused)


def test_one_good_address_of_two_is_a_delivery_and_none_is_not() -> None:
    postbox = Postbox()
    postbox.rcpt = "550 5.1.1 unknown"
    with post_office(postbox) as port:
        both = channel_to(port, security="none", to=["only@desk.example", "truc-ban@desk.example"])
        assert isinstance(deliver(both, message(both)), Delivered)
        none = channel_to(port, security="none", to=["only@desk.example"])
        assert deliver(none, message(none)) == Failed("SMTP 550 5.1.1 unknown", refused=True)
        postbox.rcpt = "450 4.2.0 greylisted"
        assert deliver(none, message(none)) == Failed("SMTP 450 4.2.0 greylisted")
    assert len(postbox.mails) == 1


def test_a_server_that_hangs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        to = channel_to(silent.getsockname()[1], security="none")
        outcome = deliver(to.model_copy(update={"timeout": timedelta(seconds=0.1)}), message(to))
    assert isinstance(outcome, Failed)
    assert ("timed out" in outcome.error, outcome.doubtful) == (True, False)


def test_later_mails_are_answers_to_the_first() -> None:
    to = channel_to(25)
    assert isinstance(to, EmailChannel)
    letter = mail_of(to, message(to, told("<first@desk.example>")))
    assert letter["In-Reply-To"] == letter["References"] == "<first@desk.example>"
    assert letter["Subject"].startswith("[CẢNH BÁO] Cập nhật:")
    assert letter["Auto-Submitted"] == "auto-generated"


def test_a_keyword_cannot_add_headers() -> None:
    to = channel_to(25)
    assert isinstance(to, EmailChannel)
    hostile = notification(alert(keyword="Kupyansk\r\nBcc: all@example"))
    letter = mail_of(to, message(to, hostile))
    assert letter["Bcc"] is None
    assert "Bcc: all@example" in str(letter["Subject"])


def test_a_test_mail() -> None:
    postbox = Postbox()
    with post_office(postbox) as port:
        to = channel_to(port, security="none", language="en")
        assert isinstance(deliver(to, compose_test(to, Channels(), "t1", NOW)), Delivered)
    assert postbox.mails[0]["Subject"] == "Frontwire: Test message"
