"""channels.yaml: what the shipped file holds, and every error at once with its line."""

from datetime import timedelta
from pathlib import Path

import pytest

from services.commands.common import project_folder
from services.notifier.channels import EmailChannel, TelegramChannel, WebhookChannel, load_channels
from shared.yaml_config import ConfigError

SHIPPED = project_folder() / "deploy/config/channels.yaml"
GOOD = """\
stale_after: 6h
channels:
  - name: phòng trực
    type: webhook
    url: https://desk.example/alerts
    secret: {file: secrets/webhook}
    quiet_hours: {hours: "23:00-06:00"}
  - name: bot
    type: telegram
    token: {env: DESK_TELEGRAM_TOKEN}
    chat_id: -1001234
  - name: thư
    type: email
    host: mail.example
    username: desk
    password: {env: DESK_MAIL_PASSWORD}
    sender: desk@mail.example
    to: [truc-ban@mail.example]
    enabled: false
"""


def problems(folder: Path, text: str) -> list[tuple[int, str, str]]:
    path = folder / "channels.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refusal:
        load_channels(path)
    return [(problem.line, problem.key, problem.reason) for problem in refusal.value.problems]


def test_the_shipped_file_is_good_and_shows_every_kind() -> None:
    config = load_channels(SHIPPED)
    assert {channel.type for channel in config.channels} == {
        "alertmanager", "email", "log", "slack", "telegram", "webhook",
    }  # fmt: skip
    assert [channel.type for channel in config.enabled()] == ["log"]


def test_a_good_file(tmp_path: Path) -> None:
    (tmp_path / "channels.yaml").write_text(GOOD, encoding="utf-8")
    config = load_channels(tmp_path / "channels.yaml")
    webhook, bot, mail = config.channels
    assert isinstance(webhook, WebhookChannel)
    assert webhook.secret is not None
    assert webhook.secret.file == tmp_path / "secrets/webhook"
    assert isinstance(bot, TelegramChannel)
    assert bot.chat_id == -1001234
    assert isinstance(mail, EmailChannel)
    assert (mail.port, mail.security) == (587, "starttls")
    assert config.enabled() == (webhook, bot)
    assert config.channel("thư") is mail
    assert config.channel("khác") is None
    assert config.stale_after == timedelta(hours=6)


def test_all_errors_at_once(tmp_path: Path) -> None:
    text = """\
remind_after: [6 hours]
channels:
  - name: a
    type: webhook
    url: ftp://desk.example
  - name: a
    type: telegram
    token: 123:abc
    chat_id: 5
  - name: b
    type: email
    host: mail.example
    security: none
    username: u
    password: {env: P}
    sender: desk
    to: []
  - name: c
    type: pigeon
  - name: d
    type: log
    limit: {messages: 0, per: 10m}
    quiet_hours: {hours: "25:00-06:00"}
  - name: e
    type: slack
    url: https://user:pw@hooks.example/x
    min_severty: warning
"""
    assert problems(tmp_path, text) == [
        (1, "remind_after.0", "'6 hours' is not a duration such as 30s, 10m or 1h"),
        (5, "channels.0.url", "not an http(s) address"),
        (6, "channels.1.name", "'a' stands already in line 3"),
        (8, "channels.1.token", "Input should be a valid dictionary or instance of SecretName"),
        (16, "channels.2.sender", "'desk' is not a mail address"),
        (17, "channels.2.to", "Tuple should have at least 1 item after validation, not 0"),
        (18, "channels.3", "Input tag 'pigeon' found using 'type' does not match any of the expected tags: 'log', 'webhook',"
         " 'slack', 'telegram', 'email', 'alertmanager'"),
        (22, "channels.4.limit.messages", "Input should be greater than or equal to 1"),
        (23, "channels.4.quiet_hours.hours",
         "String should match pattern '^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$'"),
        (26, "channels.5.url", "an address must not hold a user name or password: give it as a secret"),
        (27, "channels.5.min_severty", "unknown key"),
    ]  # fmt: skip


def test_a_secret_in_the_file_is_not_quoted_back(tmp_path: Path) -> None:
    """A token written where its variable's name belongs must not go on into a log."""
    text = "channels:\n  - {name: bot, type: telegram, token: 123:geheim, chat_id: 5}\n"
    text += "  - {name: s, type: slack, url: 'https://u:geheim@x.example'}\n"
    assert all("geheim" not in reason for _, _, reason in problems(tmp_path, text))


def test_a_password_does_not_travel_in_clear(tmp_path: Path) -> None:
    text = "channels:\n  - {name: m, type: email, host: h, security: none, username: u, password: {env: P}, "
    text += "sender: a@b, to: [a@b]}\n"
    assert problems(tmp_path, text) == [
        (2, "channels.0", "a password would travel unencrypted: use security starttls or tls")
    ]
