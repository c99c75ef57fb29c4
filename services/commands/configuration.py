"""`frontwire check`: every error in the operator's configuration at once."""

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

import click

from services.commands.common import fail, json_option, out, print_json
from shared.settings import load_settings
from shared.yaml_config import ConfigError, Problem


def find_problems(config_dir: Path) -> list[Problem]:
    """Return everything that is wrong in a configuration folder: feeds, channels, watchlist, alias sets, clean-up rules."""
    from services.extractor.entities import load_knowledge
    from services.fetcher.feeds import load_feeds
    from services.notifier.channels import CHANNELS_FILE, load_channels

    loads: tuple[Callable[[], object], ...] = (
        lambda: load_feeds(config_dir / "feeds.yaml"),
        lambda: load_channels(config_dir / CHANNELS_FILE),
        lambda: load_knowledge(config_dir),
        lambda: _tried_rules(config_dir / "rules"),
    )
    problems: list[Problem] = []
    for load in loads:
        try:
            load()
        except ConfigError as error:
            problems += error.problems
    return problems


def _tried_rules(folder: Path) -> None:
    """Load the clean-up rules and try each on its own example."""
    from services.normaliser.checking import check_rules
    from services.normaliser.rules import load_rules

    problems = check_rules(load_rules([folder]))
    if problems:
        raise ConfigError(problems)


@click.command()
@click.option(
    "--config-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder to check instead of FRONTWIRE_CONFIG_DIR.",
)
@json_option
def check(config_dir: Path | None, as_json: bool) -> None:
    """Check all configuration: feeds.yaml, channels.yaml, watchlist.yaml, aliases/, rules/.

    Prints every error with file, line, key, reason and remedy. Needs neither Kafka nor Elasticsearch. Running services pick up a
    good edit by themselves and keep the last good one when an edit is broken.
    """
    folder = config_dir or load_settings().config_dir
    problems = find_problems(folder)
    if as_json:
        print_json([dataclasses.asdict(problem) for problem in problems])
        sys.exit(1 if problems else 0)
    if problems:
        fail("\n".join(str(problem) for problem in problems) + f"\n{len(problems)} errors")
    out.print(f"{folder}: no errors")
