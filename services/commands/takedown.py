"""`frontwire takedown`: take an article down for good, see what was taken down and what is left of it, lift it."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Final

import click

from services.commands.common import author_option, fail, json_option, out, print_json, print_table, user_name
from services.commands.takedown_text import Text, null_of
from services.indexer import elastic
from shared import headers, takedowns
from shared.headers import Headers
from shared.ids import article_id_for_link, root_id
from shared.kafka_clients import make_consumer, make_producer
from shared.links import clean_link, host_of
from shared.models import SCHEMA_VERSION
from shared.settings import Settings, load_settings
from shared.stage import Outgoing
from shared.takedown_record import Lift, Takedown
from shared.topics import FEED_STATE, TAKEDOWNS

WAIT_SECONDS: Final = 60
_ARTICLE_ID: Final = re.compile(r"[0-9a-f]{32}(#[1-9][0-9]?)?")
_NAMED: Final = "article"
_HEADERS: Final[Headers] = (
    (headers.SCHEMA_VERSION_HEADER, SCHEMA_VERSION.encode()),
    (headers.CONTENT_TYPE, b"application/json"),
)

Named = tuple[str, str | None]
"""An article id, and the host of the link that was given."""


class ArticleName(click.ParamType):
    """A link as its feed gave it, or an article id; a part stands for the whole article."""

    name = "url|id"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Named:
        """Return the id of the raw article and the host, or fail with what can be given."""
        if isinstance(value, tuple):
            return value
        text = str(value).strip()
        if _ARTICLE_ID.fullmatch(text.lower()):
            return root_id(text.lower()), None
        link = clean_link(text)
        if link is None:
            self.fail(f"{text} is neither an http(s) link nor an article id of 32 hexadecimal digits", param, ctx)
        return article_id_for_link(link), host_of(link)


class Takedowns(click.Group):
    """A group whose commands may be left out: what is no command is an article."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the command in front of an article."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [_NAMED, *args]
        return super().parse_args(ctx, args)


@click.group(cls=Takedowns)
def takedown() -> None:
    """Take an article down: its text goes, and it does not come back.

    \b
    frontwire takedown https://wire.example/a --reason "withdrawn by the outlet"
    frontwire takedown 0123456789abcdef0123456789abcdef --reason "..."
    frontwire takedown list                 what was taken down, by whom and why
    frontwire takedown check URL|ID         where its text can still be read; exit code 1 while it can
    frontwire takedown lift URL|ID --reason "..."

    An article is named by its link or its `article_id`; a part of a glued file stands for the whole file. Copies in other outlets
    are articles of their own: `frontwire search` finds them. Every stage is told first, then null records remove the text from
    the topics, the index, the dead letters and the evidence of alerts. Kafka's files lose it when they are next cleaned,
    within two days. A record of the takedown stays; do not quote the text in the reason.
    """


@takedown.command(_NAMED)
@click.argument("name", type=ArticleName())
@click.option("--reason", required=True, help="Why; it is kept. Do not quote the text.")
@author_option
@click.option("--wait", default=WAIT_SECONDS, show_default=True, help="Seconds the stages have to pass it on.")
@json_option
def take_down(name: Named, reason: str, author: str | None, wait: int, as_json: bool) -> None:
    """Take the article of a link or id down. Done again, it removes what is left and keeps the first reason.

    Exit code 1 when a stage that is needed did not answer in time: it will do its part when it runs, then run this again.
    """
    article_id, host = name
    settings = load_settings()
    known = takedowns.records(settings).get(article_id)
    if known is None or known.lifted:
        who = author or user_name()
        known = Takedown(article_id=article_id, host=host, author=who, reason=reason, at=datetime.now(UTC))
    with _text(settings, article_id) as text:
        _write(text, known)
        text.remove(wait)
        known = known.model_copy(update={"removed": dict(Counter(known.removed) + text.removed)})
        _write(text, known)
    if as_json:
        print_json({**known.model_dump(mode="json"), "waiting": text.waiting})
    else:
        print_table(f"Taken down: {article_id}", ("place", "removed"), sorted(known.removed.items()))
        if not known.removed:
            out.print("nothing of it was held; it will not be taken in")
    if text.waiting:
        fail("\n".join([*text.waiting, "run the same command again when that works"]))


@takedown.command("list")
@json_option
def list_takedowns(as_json: bool) -> None:
    """List what was taken down, the newest first, lifted ones included."""
    found = sorted(takedowns.records(load_settings()).values(), key=lambda each: each.at, reverse=True)
    if as_json:
        print_json([each.model_dump(mode="json") for each in found])
        return
    print_table("Takedowns", ("article", "host", "when", "by", "why", "records removed", "lifted"), [
        (each.article_id, each.host or "", f"{each.at:%Y-%m-%d %H:%M}Z", each.author, each.reason,
         sum(each.removed.values()), f"{each.lifted.author}: {each.lifted.reason}" if each.lifted else "")
        for each in found
    ])  # fmt: skip


@takedown.command()
@click.argument("name", type=ArticleName())
@json_option
def check(name: Named, as_json: bool) -> None:
    """Show where text of an article can still be read, taken down or not; exit code 1 when somewhere.

    Topics are read from their beginning (minutes on a large wire), as a consumer will after the next cleaning; the state of the
    alerter and Kafka's files are not looked into.
    """
    with _text(load_settings(), name[0]) as text:
        found = text.standing()
    if as_json:
        print_json(dict(sorted(found.items())))
    else:
        print_table(f"Text of {name[0]}", ("place", "records"), sorted(found.items()))
    if found:
        fail(f"{sum(found.values())} records hold text of it")


@takedown.command()
@click.argument("name", type=ArticleName())
@click.option("--reason", required=True, help="Why; it is kept.")
@author_option
def lift(name: Named, reason: str, author: str | None) -> None:
    """Let an article come in again. Nothing that was removed comes back by itself.

    `frontwire ingest` takes its file again at once, the fetcher its feed's item when it is started anew.
    """
    settings = load_settings()
    known = takedowns.records(settings).get(name[0])
    if known is None or known.lifted:
        fail(f"{name[0]} is not taken down; `frontwire takedown list` shows what is")
    done = Lift(at=datetime.now(UTC), author=author or user_name(), reason=reason)
    with _text(settings, name[0]) as text:
        _write(text, known.model_copy(update={"lifted": done}))
        text.send([null_of(row) for row in text.standing_in(FEED_STATE)])
    out.print(f"{name[0]}: lifted by {done.author}", markup=False)


def _write(text: Text, record: Takedown) -> None:
    """Write down a takedown."""
    text.send([Outgoing(TAKEDOWNS, 0, record.article_id.encode(), record.to_json(), _HEADERS)])


@contextmanager
def _text(settings: Settings, article_id: str) -> Iterator[Text]:
    with (
        closing(make_producer(settings, "takedown")) as producer,
        closing(make_consumer(settings, None, "takedown")) as consumer,
        closing(elastic.connect(settings)) as client,
    ):
        yield Text(settings, article_id, producer, consumer, client)
