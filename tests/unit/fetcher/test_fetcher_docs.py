"""docs/feeds.md is the newcomer's page: its keys, reasons, commands and blocks are held against the code."""

import re
import shlex

import pytest
from ruamel.yaml import YAML

from services.cli import cli
from services.commands.common import project_folder
from services.fetcher.feeds import Feed, Selectors
from services.fetcher.web import Failure
from tests.support.compose_rules import parse

TEXT = (project_folder() / "docs/feeds.md").read_text(encoding="utf-8")
HEAD = (project_folder() / "deploy/config/feeds.yaml").read_text(encoding="utf-8").partition("\ndelay:")[0]
STANDING_FOR = {"subscriptions.opml": "README.md"}


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of a language, in order."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    return [block for marked, block in fenced if marked == language]


def test_every_key_is_named_and_explained() -> None:
    named = set(re.findall(r"`(\w+)`", TEXT.split("## Every key\n")[1].split("\n## ")[0]))
    assert named == set(Feed.model_fields) | set(Selectors.model_fields)
    for key in named - {"path", "paths"}:
        assert re.search(rf"^# (.*\W)?{key}\W", HEAD, re.MULTILINE), key


def test_every_status_is_explained() -> None:
    table = TEXT.split("| status | meaning |")[1].split("\n\n")[0]
    explained = {
        word for row in table.splitlines() for word in re.findall(r"`(\w+)`", row.split("|")[1] if row else "")
    }
    assert explained == {failure.value for failure in Failure} | {"bug", "files_unreadable", "off", "ok", "waits"}


@pytest.mark.parametrize("line", [line for block in blocks("") for line in block.splitlines()])
def test_every_command_exists(line: str) -> None:
    words = [STANDING_FOR.get(word, word) for word in shlex.split(line.partition(" > ")[0])]
    parse(cli, "frontwire", words[1:])


def test_the_blocks_are_valid() -> None:
    first, headers = (YAML(typ="safe").load(block) for block in blocks("yaml"))
    assert Feed.model_validate(first[0] | headers).timezone == "Asia/Ho_Chi_Minh"
    for written in re.findall(r"`(selectors: {.*?})`", TEXT):
        Selectors.model_validate(YAML(typ="safe").load(written)["selectors"])
