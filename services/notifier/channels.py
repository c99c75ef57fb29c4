"""Where alerts are delivered and with what manners: deploy/config/channels.yaml as a validated, immutable model."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from shared import yaml_config
from shared.alerts import Severity
from shared.config_types import Duration, Name, SecretName, Zone
from shared.yaml_config import ConfigModel

CHANNELS_FILE: Final = "channels.yaml"
_MAIL_ADDRESS: Final = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an http(s) address")
    if "@" in parts.netloc:
        raise ValueError("an address must not hold a user name or password: give it as a secret")
    return url


def _mail_address(address: str) -> str:
    if not _MAIL_ADDRESS.fullmatch(address):
        raise ValueError(f"{address!r} is not a mail address")
    return address


def _kind_of_address(value: object) -> str:
    return "address" if isinstance(value, str) else "secret"


WebAddress = Annotated[str, AfterValidator(_web_address)]
# An address that gives access by itself is a secret.
AddressOrSecret = Annotated[
    Annotated[WebAddress, Tag("address")] | Annotated[SecretName, Tag("secret")], Discriminator(_kind_of_address)
]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$")]
Wait = Annotated[Duration, Field(ge=timedelta(0), le=timedelta(hours=1))]
Patience = Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(minutes=2))]
Period = Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(days=7))]


class QuietHours(ConfigModel):
    """Hours of the day in which only alerts of `except_from` or more are delivered; the others wait for their end."""

    hours: Clock
    timezone: Zone = "Asia/Ho_Chi_Minh"
    except_from: Severity = Severity.CRITICAL


class Limit(ConfigModel):
    """At most `messages` in any period of `per`; what is over is gathered into one digest."""

    messages: Annotated[int, Field(ge=1)] = 10
    per: Period = timedelta(minutes=10)


class Channel(ConfigModel):
    """What every kind of channel has. A channel that is not `enabled` is checked and otherwise ignored."""

    name: Name
    enabled: bool = True
    language: Literal["en", "vi"] = "vi"
    min_severity: Severity = Severity.NOTICE
    quiet_hours: QuietHours | None = None
    limit: Limit = Limit()
    timeout: Patience = timedelta(seconds=10)
    # Whether the receiving end keeps what is open by itself and wants every change at once: no quiet hours, no digest.
    mirrors: ClassVar[bool] = False


class LogChannel(Channel):
    """One line in the notifier's log."""

    type: Literal["log"]


class WebhookChannel(Channel):
    """JSON to an address of the operator's, signed as standardwebhooks.com describes when there is a `secret`."""

    type: Literal["webhook"]
    url: AddressOrSecret
    secret: SecretName | None = None
    ca_file: Path | None = None


class SlackChannel(Channel):
    """An incoming webhook of Slack, or of what takes the same: Mattermost, Rocket.Chat, Discord's `/slack`."""

    type: Literal["slack"]
    url: AddressOrSecret
    ca_file: Path | None = None


class TelegramChannel(Channel):
    """A chat of a Telegram bot; later messages on an alert are replies to its first one."""

    type: Literal["telegram"]
    token: SecretName
    chat_id: Annotated[int | str, Field(union_mode="left_to_right")]
    thread_id: int | None = None
    api_url: WebAddress = "https://api.telegram.org"
    ca_file: Path | None = None


class EmailChannel(Channel):
    """Mail over SMTP; later messages on an alert are answers to its first one."""

    type: Literal["email"]
    host: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Literal["none", "starttls", "tls"] = "starttls"
    username: str | None = None
    password: SecretName | None = None
    sender: MailAddress
    to: Annotated[tuple[MailAddress, ...], Field(min_length=1)]
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        if self.password is not None and self.security == "none":
            raise ValueError("a password would travel unencrypted: use security starttls or tls")
        return self


class AlertmanagerChannel(Channel):
    """Prometheus' Alertmanager (API v2): it groups, silences and repeats by its own rules."""

    type: Literal["alertmanager"]
    url: WebAddress
    token: SecretName | None = None
    labels: dict[Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")], str] = Field(default_factory=dict)
    ca_file: Path | None = None
    mirrors: ClassVar[bool] = True


AnyChannel = LogChannel | WebhookChannel | SlackChannel | TelegramChannel | EmailChannel | AlertmanagerChannel


class Grouping(ConfigModel):
    """When alerts on several keywords become one message: they share stories, and come soon after each other."""

    wait: Wait = timedelta(seconds=60)
    within: Period = timedelta(minutes=10)
    shared_stories: Annotated[float, Field(gt=0, le=1)] = 0.5


class Channels(ConfigModel):
    """The whole file.

    `remind_after` are the pauses before each reminder, the last one again and again; `stale_after` is the age at which the last
    change of an alert is history and no news; `kibana` is the address that links begin with, `timezone` that of times in
    messages.
    """

    kibana: WebAddress = "http://127.0.0.1:5601"
    kibana_space: str | None = None
    timezone: Zone = "Asia/Ho_Chi_Minh"
    grouping: Grouping = Grouping()
    remind_after: tuple[Period, ...] = (timedelta(hours=6), timedelta(hours=12), timedelta(hours=24))
    stale_after: Period = timedelta(hours=12)
    channels: tuple[Annotated[AnyChannel, Field(discriminator="type")], ...] = ()

    def enabled(self) -> tuple[AnyChannel, ...]:
        """Return the channels that are switched on."""
        return tuple(channel for channel in self.channels if channel.enabled)

    def channel(self, name: str) -> AnyChannel | None:
        """Return a channel by its name, whether it is switched on or not."""
        return next((channel for channel in self.channels if channel.name == name), None)


def load_channels(path: Path) -> Channels:
    """Return channels.yaml; relative `ca_file` and secret files in it count from its own folder.

    Secrets are not read here: one that is missing is a failure of its own channel, and not of the file. Raises `ConfigError` with
    everything that is wrong at once: file, line, key, reason; names that stand twice included.
    """
    channels = yaml_config.load_unique(path, Channels, "channels", _identities, "every channel once")
    beside = tuple(_beside(channel, path.parent) for channel in channels.channels)
    return channels.model_copy(update={"channels": beside})


def _beside(channel: AnyChannel, folder: Path) -> AnyChannel:
    """Return a channel with its relative paths counted from a folder."""
    update: dict[str, Any] = {}
    for name in type(channel).model_fields:
        value = getattr(channel, name)
        if isinstance(value, Path):
            update[name] = folder / value
        elif isinstance(value, SecretName) and value.file is not None:
            update[name] = SecretName(file=folder / value.file)
    return channel.model_copy(update=update)


def _identities(block: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield a channel's name, which no other channel may have."""
    if isinstance(block.get("name"), str):
        yield "name", block["name"]
