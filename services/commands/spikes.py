"""`frontwire spikes`: keyword matches from standard input through the detector, in file order."""

import click

from services.commands.common import fail
from services.commands.pipes import read_rows, write_rows
from shared.alerts import AlertKind


@click.command()
@click.option("--all", "everything", is_flag=True, help="Write every record of an alert's life, and silences.")
def spikes(everything: bool) -> None:
    """Judge keyword matches from standard input, in the order given; the same code as the alerter.

    Reads {timestamp, ingested_at, keyword, source, cluster_id} a line, ordered by ingested_at; title, url, language, backlog and
    replay may be added. Writes {keyword, fired_at, window, …} a line for every spike and new term, with the evidence. What was
    heard in the first day only teaches.
    """
    from services.alerter.spikes import alerts_of, opening_row

    try:
        write_rows(
            opening_row(alert)
            for alert in alerts_of(read_rows())
            if everything or (alert.sequence == 1 and alert.kind is not AlertKind.SILENCE)
        )
    except (KeyError, ValueError) as error:
        fail(f"standard input: a match cannot be read: {type(error).__name__}: {error}")
