"""`frontwire plan keyword`: which articles a changed keyword would match, which alerts it would have given."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson
from rich.progress import track

from services.commands.common import err, fail, json_option, out, print_json
from services.commands.plan_alerts import Past, Row, past_of, rows_of_file, rows_of_index
from services.commands.plan_articles import Trial, articles_option, examples_option, limit_option
from shared import yaml_config
from shared.alerts import Alert, Hit, Named
from shared.settings import load_settings
from shared.watchlist import WATCHLIST, Keyword, WatchlistFile

if TYPE_CHECKING:
    from services.alerter.planning import Difference


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--history",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Keyword matches as JSON Lines, as `frontwire spikes` reads them.",
)
@click.option("--alerts", "by_alerts", is_flag=True, help="Show alerts gained and lost, not matches.")
@click.option(
    "--days",
    type=click.IntRange(1, 60),
    default=14,
    show_default=True,
    help="With --alerts: how far back in Elasticsearch.",
)
@articles_option
@limit_option
@examples_option
@json_option
def keyword(
    file: Path,
    history: Path | None,
    by_alerts: bool,
    days: int,
    articles: Path | None,
    limit: int,
    examples: int,
    as_json: bool,
) -> None:
    """Show which past articles the keywords in FILE would match, or which alerts they would have given.

    FILE is written like watchlist.yaml and may hold a few keywords only: each replaces the one of its name, or is new. Its block
    `new_terms`, if it has one, replaces the current one.

    With --alerts finished articles (those of the last --days in Elasticsearch, or a file of documents or records of
    articles-unique-v1) are matched and judged by both; the first day only teaches, of new terms the first week. With --history
    matches are taken as they are: what changes is how they are watched, not which articles match.
    """
    settings = load_settings()
    if not (by_alerts or history):
        _try_matches(file, Trial(settings, articles, limit, examples, as_json))
        return
    change = Change(
        yaml_config.load(settings.config_dir / WATCHLIST, WatchlistFile), yaml_config.load(file, WatchlistFile)
    )
    if history:
        past = _past_of_matches(history)
    else:
        past = _past_of_articles(change, rows_of_file(articles) if articles else rows_of_index(settings, days))
    if past is None:
        fail("there is nothing to judge: no article, or no match")
    _try_alerts(change, past, as_json)


def _past_of_matches(history: Path) -> Past | None:
    hits: list[Hit | Named] = list(_hits(history))
    return Past(hits[0].arrived_at, hits[-1].arrived_at, hits, hits) if hits else None


def _past_of_articles(change: "Change", rows: Iterable[Row]) -> Past | None:
    from services.extractor.watchlist import Watchlist

    watchlists = (Watchlist(each.keywords) for each in (change.current, change.proposed))
    return past_of(track(rows, "articles", console=err, transient=True), *watchlists)


def _try_matches(file: Path, trial: Trial) -> None:
    """Show the matches in past articles that the keywords of a file would add and remove."""
    from services.extractor.entities import load_knowledge, load_taggers
    from services.extractor.watchlist import Watchlist

    config, taggers = trial.settings.config_dir, load_taggers(trial.settings.name_taggers)
    before, proposed = load_knowledge(config, taggers=taggers), load_knowledge(config, watchlist=file)
    keywords = merged(
        WatchlistFile(keywords=before.watchlist.keywords), WatchlistFile(keywords=proposed.watchlist.keywords)
    )
    trial.show(before, dataclasses.replace(before, watchlist=Watchlist(keywords.keywords)))


class Change:
    """The watchlist in force and the one with the changes of a file."""

    def __init__(self, current: WatchlistFile, changes: WatchlistFile) -> None:
        self.current = current
        self.proposed = merged(current, changes)
        self._names = {each.name for each in changes.keywords}
        self._new_terms = "new_terms" in changes.model_fields_set

    def concerns(self, alert: Alert) -> bool:
        """Return whether an alert is on what is changed."""
        return self._new_terms if alert.subject == "entity" else alert.keyword in self._names


def _try_alerts(change: Change, past: Past, as_json: bool) -> None:
    """Show the alerts that a change would add and remove."""
    from services.alerter.planning import compare, openings
    from services.alerter.transform import snapshot

    old = [alert for alert in openings(past.before, snapshot(change.current, past.start)) if change.concerns(alert)]
    new = [alert for alert in openings(past.after, snapshot(change.proposed, past.start)) if change.concerns(alert)]
    difference = compare(old, new)
    if as_json:
        print_json(_as_rows(difference))
        return
    _show("gained", difference.gained)
    _show("lost", difference.lost)
    out.print(
        f"{len(difference.gained)} gained, {len(difference.lost)} lost, {len(difference.kept)} kept "
        f"from {past.start:%Y-%m-%d %H:%M} to {past.end:%Y-%m-%d %H:%M} UTC"
    )


def merged(current: WatchlistFile, proposed: WatchlistFile) -> WatchlistFile:
    """Return the current keywords with the proposed ones in their places, new ones at the end; new terms if they are proposed."""
    by_name: dict[str, Keyword] = {each.name: each for each in (*current.keywords, *proposed.keywords)}
    new_terms = (proposed if "new_terms" in proposed.model_fields_set else current).new_terms
    return WatchlistFile(keywords=tuple(by_name.values()), new_terms=new_terms)


def _hits(history: Path) -> Iterator[Hit]:
    from services.alerter.spikes import hit_of

    with history.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield hit_of(orjson.loads(line), number)
            except (KeyError, TypeError, ValueError) as error:
                fail(f"{history}, line {number}: {type(error).__name__}: {error}")


def _as_rows(difference: "Difference") -> dict[str, Any]:
    return {
        "gained": [alert.model_dump(mode="json") for alert in difference.gained],
        "lost": [alert.model_dump(mode="json") for alert in difference.lost],
        "kept": [
            {"before": before.model_dump(mode="json"), "after": after.model_dump(mode="json")}
            for before, after in difference.kept
        ],
    }


def _show(title: str, alerts: Sequence[Alert]) -> None:
    for alert in alerts:
        out.print(f"{title}  {alert.opened_at:%Y-%m-%d %H:%M}  {alert.severity}  {alert.reason_vi}", markup=False)
        sources = ", ".join(f"{tally.name} {tally.stories}" for tally in alert.sources[:5])
        out.print(f"        {sources}", markup=False)
        for story in alert.stories:
            out.print(f"        {story.at:%H:%M}  {story.source}  {story.title or story.cluster_id}", markup=False)
