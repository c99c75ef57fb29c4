"""`frontwire dlq`: what was refused and why, and how to send it through after a fix."""

from collections import Counter

import click

from services.commands.common import fail, json_option, out, print_json, print_table
from shared import dead_letters
from shared.errors import REMEDIES, Reason
from shared.settings import load_settings
from shared.topics import PIPELINE, Topic


class TopicName(click.ParamType):
    """The name of a pipeline topic, with or without `-dlq`."""

    name = "topic"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Topic:
        """Return the source topic, or fail with the names that exist."""
        try:
            return dead_letters.source_of(str(value))
        except KeyError:
            self.fail(f"no topic {value}; choose one of {', '.join(topic.name for topic in PIPELINE)}", param, ctx)


@click.group()
def dlq() -> None:
    """Look at dead letters and replay them.

    A dead letter keeps the refused record byte for byte; its headers say which stage refused it, why, and where it stood.
    """


@dlq.command("list")
@json_option
def list_letters(as_json: bool) -> None:
    """Count the dead letters by topic and reason, with what to do about each reason."""
    counts = Counter((source.name, letter.reason) for source, letter in dead_letters.read_all(load_settings()))
    if as_json:
        print_json([{"topic": topic, "reason": reason, "count": n} for (topic, reason), n in sorted(counts.items())])
        return
    print_table("Dead letters", ("topic", "reason", "count", "what to do"), [
        (topic, reason, count, REMEDIES.get(Reason(reason), "") if reason in set(Reason) else "")
        for (topic, reason), count in sorted(counts.items())
    ])  # fmt: skip


@dlq.command()
@click.argument("topic", type=TopicName())
@click.option("--last", default=10, show_default=True, help="How many letters to show, the newest.")
@click.option("--bytes", "preview", default=300, show_default=True, help="How many bytes of each value to show.")
@json_option
def show(topic: Topic, last: int, preview: int, as_json: bool) -> None:
    """Show the newest dead letters of TOPIC with their reasons and the beginning of each value."""
    letters = list(dead_letters.read(load_settings(), topic))[-last:]
    if as_json:
        print_json([
            {"origin": letter.origin, "stage": letter.stage, "reason": letter.reason, "error": letter.error,
             "at": letter.at, "cut": letter.is_cut, "value": (letter.record.value or b"")[:preview].decode("utf-8", "replace")}
            for letter in letters
        ])  # fmt: skip
        return
    for letter in letters:
        out.print(f"{letter.at}  {letter.origin}  {letter.stage}: {letter.reason}", style="bold", markup=False)
        out.print(f"  {letter.error}", markup=False)
        out.print(f"  {(letter.record.value or b'')[:preview]!r}", markup=False, style="dim")
    if not letters:
        out.print("no dead letters")


@dlq.command()
@click.argument("topic", type=TopicName())
@click.option("--reason", type=click.Choice([reason.value for reason in Reason]), help="Only letters of this reason.")
@click.option("--again", is_flag=True, help="From the oldest letter, not only those since the last replay.")
def replay(topic: Topic, reason: str | None, again: bool) -> None:
    """Send the dead letters of TOPIC back through their stage, after a fix."""
    done = dead_letters.replay(load_settings(), topic, reason=Reason(reason) if reason else None, again=again)
    click.echo(f"sent back {done.sent}, left {done.skipped}")
    if done.skipped and not done.sent:
        fail("nothing was sent back: the letters are of another reason, or only their first bytes were kept")
