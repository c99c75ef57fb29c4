"""`frontwire plan`: try a change of the configuration on past articles before it is applied."""

from pathlib import Path

import click

from services.commands.common import json_option
from services.commands.plan_articles import Trial, articles_option, examples_option, limit_option
from services.commands.plan_keyword import keyword
from shared.settings import load_settings


@click.group()
def plan() -> None:
    """Show what a change would do to past articles before it is applied; nothing is written."""


plan.add_command(keyword)


@plan.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@articles_option
@limit_option
@examples_option
@json_option
def alias(file: Path, articles: Path | None, limit: int, examples: int, as_json: bool) -> None:
    """Show the names and keyword hits that the alias file FILE would add and remove.

    FILE stands for the file of the same name in the configuration's aliases folder, or is added to it when there is none.
    """
    from services.extractor.entities import load_knowledge, load_taggers

    settings = load_settings()
    folder, taggers = settings.config_dir, load_taggers(settings.name_taggers)
    before, after = load_knowledge(folder, taggers=taggers), load_knowledge(folder, aliases=file, taggers=taggers)
    Trial(settings, articles, limit, examples, as_json).show(before, after)
