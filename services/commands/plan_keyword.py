"""`frontwire plan keyword`: which articles a changed keyword would match, which alerts it would have given."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from services.commands.common import fail, json_option, out, print_json
from services.commands.plan_articles import Trial, articles_option, examples_option, limit_option
from shared import yaml_config
from shared.alerts import Alert, Hit
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
@articles_option
@limit_option
@examples_option
@json_option
def keyword(file: Path, history: Path | None, articles: Path | None, limit: int, examples: int, as_json: bool) -> None:
    """Show which past articles the keywords in FILE would match, or with --history which alerts they would have given.

    FILE is written like watchlist.yaml and may hold a few keywords only: each replaces the one of its name, or is new. With
    --history matches are taken from there as they are: what changes is how they are watched, not which articles match.
    """
    if history is None:
        _try_matches(file, Trial(load_settings(), articles, limit, examples, as_json))
    else:
        _try_alerts(file, history, as_json)


def _try_matches(file: Path, trial: Trial) -> None:
    """Show the matches in past articles that the keywords of a file would add and remove."""
    from services.extractor.entities import load_knowledge
    from services.extractor.watchlist import Watchlist

    config = trial.settings.config_dir
    before, proposed = load_knowledge(config), load_knowledge(config, watchlist=file)
    keywords = merged(
        WatchlistFile(keywords=before.watchlist.keywords), WatchlistFile(keywords=proposed.watchlist.keywords)
    )
    trial.show(before, dataclasses.replace(before, watchlist=Watchlist(keywords.keywords)))


def _try_alerts(file: Path, history: Path, as_json: bool) -> None:
    """Show the alerts over a history of matches that the keywords of a file would add and remove."""
    from services.alerter.planning import compare, openings
    from services.alerter.transform import snapshot

    current = yaml_config.load(load_settings().config_dir / WATCHLIST, WatchlistFile)
    proposed = merged(current, yaml_config.load(file, WatchlistFile))
    names = {each.name for each in yaml_config.load(file, WatchlistFile).keywords}
    hits = [hit for hit in _hits(history) if hit.keyword in names]
    if not hits:
        fail(f"{history} holds no match of {', '.join(sorted(names))}")
    at = hits[0].arrived_at
    difference = compare(openings(hits, snapshot(current, at)), openings(hits, snapshot(proposed, at)))
    if as_json:
        print_json(_as_rows(difference))
        return
    _show("gained", difference.gained)
    _show("lost", difference.lost)
    out.print(
        f"{len(difference.gained)} gained, {len(difference.lost)} lost, {len(difference.kept)} kept "
        f"over {len(hits):,} matches from {at:%Y-%m-%d %H:%M} to {hits[-1].arrived_at:%Y-%m-%d %H:%M} UTC"
    )


def merged(current: WatchlistFile, proposed: WatchlistFile) -> WatchlistFile:
    """Return the current keywords with the proposed ones in their places, new ones at the end."""
    by_name: dict[str, Keyword] = {each.name: each for each in (*current.keywords, *proposed.keywords)}
    return WatchlistFile(keywords=tuple(by_name.values()), new_terms=current.new_terms)


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
