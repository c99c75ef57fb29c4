"""Mail over SMTP (RFC 5321), with STARTTLS by default; the messages on one alert are one thread."""

import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

from services.notifier.channels import EmailChannel
from services.notifier.message import Message
from services.notifier.senders.web import NotSent, secret
from services.notifier.transform import Delivered, Failed, Outcome

_LAST_TEMPORARY_CODE: Final = 499


def send(channel: EmailChannel, message: Message) -> Outcome:
    """Send a message to every address of the channel. Raises `NotSent` and `SettingsError`."""
    letter = mail_of(channel, message)
    password = secret(channel.password) if channel.password is not None else None
    if password is not None and not password.isascii():
        return Failed("the password holds characters that SMTP cannot carry: use ASCII only")
    handed_over = False
    try:
        with _connect(channel) as server:
            if channel.username is not None and password is not None:
                server.login(channel.username, password)
            handed_over = True
            server.send_message(letter)
    except smtplib.SMTPRecipientsRefused as error:
        return _failed("; ".join(_line(code, said) for code, said in error.recipients.values()), error.recipients)
    except smtplib.SMTPAuthenticationError as error:
        return Failed(f"the server does not take the password: {_line(error.smtp_code, error.smtp_error)}")
    except smtplib.SMTPResponseException as error:
        permanent = handed_over and error.smtp_code > _LAST_TEMPORARY_CODE
        return Failed(_line(error.smtp_code, error.smtp_error), refused=permanent)
    except (smtplib.SMTPException, OSError) as error:
        reason = "no answer in time" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
        raise NotSent(reason, doubtful=handed_over) from None
    return Delivered(message.reference or letter["Message-ID"])


def mail_of(channel: EmailChannel, message: Message) -> EmailMessage:
    """Return the mail of a message: plain text, an id that a repetition shares, an answer when it is not the first."""
    letter = EmailMessage()
    letter["Subject"] = message.subject
    letter["From"] = f"Frontwire <{channel.sender}>"
    letter["To"] = ", ".join(channel.to)
    letter["Date"] = format_datetime(message.sent_at)
    letter["Message-ID"] = f"<{message.message_id}@{channel.sender.rpartition('@')[2]}>"
    letter["Auto-Submitted"] = "auto-generated"
    if message.reference is not None:
        letter["In-Reply-To"] = message.reference
        letter["References"] = message.reference
    letter.set_content(message.body + "\n")
    return letter


def _connect(channel: EmailChannel) -> smtplib.SMTP:
    timeout = channel.timeout.total_seconds()
    if channel.security == "tls":
        return smtplib.SMTP_SSL(channel.host, channel.port, timeout=timeout, context=_context(channel))
    server = smtplib.SMTP(channel.host, channel.port, timeout=timeout, local_hostname=socket.gethostname())
    if channel.security == "starttls":
        try:
            server.starttls(context=_context(channel))
        except BaseException:
            server.close()
            raise
    return server


def _context(channel: EmailChannel) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(channel.ca_file) if channel.ca_file else None)


def _failed(said: str, recipients: dict[str, tuple[int, bytes]]) -> Failed:
    return Failed(said, refused=all(code > _LAST_TEMPORARY_CODE for code, _ in recipients.values()))


def _line(code: int, said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return f"SMTP {code} {' '.join(text.split())}"
