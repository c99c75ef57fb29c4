"""`frontwire alerts`: what is open, what an operator does about it, and whether a channel works."""

import uuid
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import click

from services.commands.common import author_option, err, fail, json_option, out, print_json, print_table, user_name
from shared import headers as record_headers
from shared.alerts import Action, Alert, AlertKind, AlertState, Command, SilenceTarget
from shared.config_types import parse_duration
from shared.errors import Rejected
from shared.kafka_clients import make_producer, read_to_end, send
from shared.models import SCHEMA_VERSION
from shared.settings import Settings, load_settings
from shared.stage import Outgoing, decode, single_key
from shared.topics import ALERTS, KEYWORD_HITS

SHORT_ID: Final = 8
_SCOPES: Final = ("keyword", "source", "group")


class Span(click.ParamType):
    """A duration such as 30m, 6h or 2d."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the duration, or fail with how one is written."""
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


reason_option = click.option("--reason", default="", help="Why; it is kept with the alert.")


@click.group()
def alerts() -> None:
    """Look at alerts, answer them, silence what is no news, try a channel.

    An alert is named by its id or by the beginning of it. What you ask for is written to the alerter's log and done within
    seconds; `alerts show` tells.
    """


@alerts.command("list")
@click.option("--all", "everything", is_flag=True, help="Also what is resolved.")
@click.option("--keyword", help="Only alerts on this keyword.")
@click.option("--state", type=click.Choice([state.value for state in AlertState]), help="Only alerts in this state.")
@json_option
def list_alerts(everything: bool, keyword: str | None, state: str | None, as_json: bool) -> None:
    """List the alerts that are not resolved, the newest first."""
    found = [
        alert
        for alert in sorted(_read(), key=lambda alert: alert.opened_at, reverse=True)
        if (alert.state == state if state else everything or alert.state is not AlertState.RESOLVED)
        and (keyword is None or alert.keyword == keyword)
    ]
    if as_json:
        print_json([alert.model_dump(mode="json") for alert in found])
        return
    print_table("Alerts", ("id", "state", "what", "since", "stories"), [
        (alert.alert_id[:SHORT_ID], f"{alert.state.value}, {alert.severity.value}", f"{alert.keyword} ({alert.kind.value})",
         _local(alert.opened_at), f"{alert.peak.stories} in {alert.peak.hours} h, usually {alert.peak.expected:.1f}")
        for alert in found
    ])  # fmt: skip


@alerts.command()
@click.argument("alert_id")
@json_option
def show(alert_id: str, as_json: bool) -> None:
    """Show one alert: why it fired, its windows, sources, stories, and what was done about it."""
    alert = _find(alert_id)
    if as_json:
        print_json(alert.model_dump(mode="json"))
        return
    out.print(
        f"{alert.keyword}: {alert.kind.value}, {alert.severity.value}, {alert.state.value}", style="bold", markup=False
    )
    for line in _lines(alert):
        out.print(f"  {line}", markup=False)
    print_table("Windows", ("hours", "from", "to", "stories", "usually", "times", "chance"), [
        (reading.hours, _local(reading.start), _local(reading.end), reading.stories, f"{reading.expected:.1f}",
         f"{reading.ratio:.1f}", f"{reading.probability:.1e}")
        for reading in alert.windows or (alert.peak,)
    ])  # fmt: skip
    for story in alert.stories:
        out.print(f"{story.title} ({story.source}, {_local(story.at)}, articles: {story.articles})", markup=False)
        out.print(f"  {story.url or 'no link'}", markup=False)


def _lines(alert: Alert) -> list[str]:
    lines = [
        alert.reason_vi,
        alert.reason_en,
        f"id {alert.alert_id}, record {alert.sequence}",
        f"opened {_local(alert.opened_at)}, last change {_local(alert.updated_at)}",
        f"sources: {', '.join(f'{tally.name} {tally.stories}' for tally in alert.sources) or 'none'}",
        f"coverage {alert.coverage.share:.0%}" + "".join(f", silent: {feed}" for feed in alert.coverage.silent_feeds),
        f"rule {alert.rule_hash}, configuration {alert.config_hash}, detector {alert.detector_version}",
    ]
    for done in alert.handling:
        until = f" until {_local(done.until)}" if done.until else ""
        lines.append(
            f"{done.action.value} by {done.author} at {_local(done.at)}{until}: {done.reason or 'no reason given'}"
        )
    return lines


@alerts.command()
@click.argument("alert_id")
@author_option
@reason_option
def ack(alert_id: str, author: str | None, reason: str) -> None:
    """Say that somebody has this alert in hand: no more reminders."""
    _ask(Action.ACK, author, reason, alert_id=_find(alert_id).alert_id)


@alerts.command()
@click.argument("alert_id")
@author_option
@reason_option
def resolve(alert_id: str, author: str | None, reason: str) -> None:
    """Close an alert before it ends by itself."""
    _ask(Action.RESOLVE, author, reason, alert_id=_find(alert_id).alert_id)


@alerts.command("mark-false")
@click.argument("alert_id")
@author_option
@reason_option
def mark_false(alert_id: str, author: str | None, reason: str) -> None:
    """Say that this alert was no news: it is kept, and counted as false."""
    _ask(Action.MARK_FALSE, author, reason, alert_id=_find(alert_id).alert_id)


@alerts.command()
@click.argument("scope", type=click.Choice(_SCOPES))
@click.argument("name")
@click.option("--for", "span", type=Span(), required=True, help="How long, as 30m, 6h or 2d.")
@author_option
@click.option("--reason", required=True, help="Why; it is kept with every alert that it silences.")
def silence(
    scope: Literal["keyword", "source", "group"], name: str, span: timedelta, author: str | None, reason: str
) -> None:
    """Silence a keyword, a source or a group of keywords by its NAME.

    A silence of what is silenced already replaces it: a shorter one counts at once.
    """
    target = SilenceTarget(scope=scope, name=name)
    _ask(Action.SILENCE, author, reason, target=target, until=datetime.now(UTC) + span)


@alerts.command()
@click.argument("scope", type=click.Choice(_SCOPES))
@click.argument("name")
@author_option
@reason_option
def unsilence(scope: Literal["keyword", "source", "group"], name: str, author: str | None, reason: str) -> None:
    """End a silence now."""
    target = SilenceTarget(scope=scope, name=name)
    _ask(Action.UNSILENCE, author, reason, target=target)


@alerts.command()
@click.argument("alert_id")
@json_option
def recompute(alert_id: str, as_json: bool) -> None:
    """Work an alert out once more and compare: the same numbers, or what has changed. Writes nothing.

    Three times: by judging the stored log, from the numbers and evidence that are stored with the alert, and from the articles in
    Elasticsearch. Exit code 1 when log or evidence give another number. The log is kept for 60 days: an alert whose history is
    older is judged with less than it had.
    """
    from services.commands.recomputing import differences
    from services.commands.recomputing import recompute as fold
    from services.commands.recounting import evidence_problems

    settings = load_settings()
    stored = _find(alert_id)
    made = fold(stored, read_to_end(settings, KEYWORD_HITS, "alerts-recompute"))
    changed = differences(stored, made.alert) if made.alert else []
    wrong = evidence_problems(stored)
    index = _recount(settings, stored)
    if as_json:
        print_json({
            "alert_id": stored.alert_id, "sequence": stored.sequence, "found": made.alert is not None,
            "same": made.alert is not None and not changed and not wrong, "records": made.records,
            "differences": [{"field": field, "stored": then, "recomputed": now} for field, then, now in changed],
            "evidence": [{"field": field, "stored": then, "recomputed": now} for field, then, now in wrong],
            "index": index,
        })  # fmt: skip
    elif changed or wrong:
        print_table("Changed", ("field", "stored", "recomputed"), [*changed, *wrong])
    if not as_json:
        _tell_index(stored, index)
    if made.alert is None:
        fail(
            f"{made.records:,} records of the log do not give this alert: they begin after it, or the detector judges otherwise"
        )
    if changed or wrong:
        fail(f"{len(changed)} fields of the log and {len(wrong)} of the evidence differ")
    if not as_json:
        out.print(f"the same in every field, from {made.records:,} records of the log and from the stored evidence")


def _recount(settings: Settings, alert: Alert) -> dict[str, Any] | None:
    """Return what the index says of an alert; None when it cannot be asked, or is not what the alert counted."""
    from elasticsearch import ApiError, TransportError

    from services.commands.recounting import recount, rows_of_index

    if alert.kind is AlertKind.SILENCE:
        return None
    try:
        return asdict(recount(alert, rows_of_index(settings, alert)))
    except (ApiError, TransportError) as error:
        err.print(f"Elasticsearch was not asked: {error!r}"[:200], markup=False)
        return None


def _tell_index(alert: Alert, index: dict[str, Any] | None) -> None:
    if index is None:
        return
    out.print(
        f"index: {index['stories']} stories of {index['sources']} sources in the opening window, {alert.opening.stories} counted"
    )
    if index["stories"] > alert.opening.stories:
        out.print(
            "  more than counted: late, of young or silenced sources, or in the same minute as the story that tipped it"
        )
    if index["missing"]:
        out.print(f"  not in the index any more: {', '.join(index['missing'])}", markup=False)


@alerts.command("test-channel")
@click.argument("name")
@json_option
def test_channel(name: str, as_json: bool) -> None:
    """Send a test message to one channel of channels.yaml, switched on or not, and say what became of it. Needs no Kafka."""
    from services.notifier.channels import CHANNELS_FILE, load_channels
    from services.notifier.message import compose_test
    from services.notifier.senders import deliver
    from services.notifier.transform import Failed

    config = load_channels(load_settings().config_dir / CHANNELS_FILE)
    channel = config.channel(name)
    if channel is None:
        fail(f"no channel {name}; there are {', '.join(each.name for each in config.channels) or 'none'}", 2)
    outcome = deliver(channel, compose_test(channel, config, uuid.uuid4().hex, datetime.now(UTC)))
    error = outcome.error if isinstance(outcome, Failed) else None
    if as_json:
        print_json({"channel": name, "delivered": error is None, "error": error})
    if error is not None:
        fail(f"{name}: {error}")
    if not as_json:
        out.print(f"{name}: delivered", markup=False)


def _read() -> list[Alert]:
    """Return the latest record of every alert; a record that cannot be read is left out, it has its dead letter."""
    latest: dict[str, Alert] = {}
    for record in read_to_end(load_settings(), ALERTS, "alerts-read"):
        key = (record.key or b"").decode("utf-8", "replace")
        try:
            if record.value is None:
                latest.pop(key, None)
            else:
                latest[key] = decode(record, Alert)
        except Rejected:
            continue
    return list(latest.values())


def _find(alert_id: str) -> Alert:
    """Return the one alert whose id begins like this; ends with a clear message when there is none or more."""
    found = [alert for alert in _read() if alert.alert_id.startswith(alert_id.lower())]
    if not found:
        fail(f"no alert {alert_id}; `frontwire alerts list --all` shows those there are")
    if len(found) > 1:
        fail(f"{alert_id} begins {len(found)} ids: {', '.join(sorted(alert.alert_id for alert in found)[:5])}")
    return found[0]


def _ask(action: Action, author: str | None, reason: str, **target: Any) -> None:
    """Write an operator's wish to the alerter's log and wait for the acknowledgement."""
    command = Command(
        command_id=uuid.uuid4().hex,
        action=action,
        at=datetime.now(UTC),
        author=author or user_name(),
        reason=reason,
        **target,
    )
    header = (
        (record_headers.SCHEMA_VERSION_HEADER, SCHEMA_VERSION.encode()),
        (record_headers.CONTENT_TYPE, b"application/json"),
    )
    with closing(make_producer(load_settings(), "alerts")) as producer:
        send(producer, Outgoing(KEYWORD_HITS, 0, single_key(command.kind).encode(), command.to_json(), header)).get(
            timeout=60
        )
    what = command.alert_id or (f"{command.target.scope} {command.target.name}" if command.target else "")
    until = f" until {_local(command.until)}" if command.until else ""
    out.print(f"{action.value} {what}{until}: written to the alerter's log by {command.author}", markup=False)


def _local(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
