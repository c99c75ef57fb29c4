"""docs/operations.md is read at three in the morning: its tables, commands and names are held against the code."""

import re
import shlex

import pytest
from ruamel.yaml import YAML

from services.cli import cli
from services.commands.common import project_folder
from shared.errors import REMEDIES
from shared.settings import Settings, variables
from shared.supervisor import SERVICES
from tests.support.compose_rules import parse
from tests.unit.test_prometheus import RULES, anchors

PROJECT = project_folder()
PAGE = PROJECT / "docs/operations.md"
TEXT = PAGE.read_text(encoding="utf-8")
COMPOSE = YAML(typ="safe").load((PROJECT / "docker-compose.yml").read_text(encoding="utf-8"))
# What the page leaves to the reader: names in capitals, a question that is asked.
STANDING_FOR = {"NAME": "Báo", "TOPIC": "articles-raw-v1", "FILE": "README.md", "/files": "deploy"}
UNFINISHED = {"dlq replay": "dlq replay TOPIC", "engines reset": "engines reset --yes"}


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading, without its two head lines."""
    section = TEXT.split(f"## {heading}\n", 1)[1]
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert table is not None
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[0].splitlines()[2:]]


def test_every_setting_is_described() -> None:
    defaults = {f"FRONTWIRE_{name}".upper(): field.default for name, field in Settings.model_fields.items()}
    expected = [
        [f"`{name}`", "" if defaults[name] is None else f"`{defaults[name]}`", text]
        for name, text in variables().items()
    ]
    assert rows("Settings") == expected


def test_every_reason_has_its_remedy() -> None:
    assert rows("Dead letters") == [[f"`{reason.value}`", remedy] for reason, remedy in REMEDIES.items()]


def test_every_service_has_its_line_on_scaling() -> None:
    assert [row[0] for row in rows("Scaling")] == [job.name for job in SERVICES]


def test_every_alert_has_its_paragraph_and_every_link_its_target() -> None:
    wanted = {rule["annotations"]["runbook_url"].partition("#")[2] for rule in RULES.values()}
    assert wanted | set(re.findall(r"\]\(#([\w-]+)\)", TEXT)) <= anchors(PAGE)


def command_lines() -> list[str]:
    blocks = re.findall(r"^```\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```\n.*?^```", "", TEXT, flags=re.MULTILINE | re.DOTALL))
    lines = [line.split("  #")[0] for block in blocks for line in block.splitlines()] + spans
    found = [re.search(r"(?:^|bin/| )frontwire ((?:-|\w)[^…]*)$", line.strip()) for line in lines]
    return sorted({match[1].strip() for match in found if match})


@pytest.mark.parametrize("line", command_lines())
def test_every_command_exists(line: str) -> None:
    words = [STANDING_FOR.get(word, word) for word in shlex.split(UNFINISHED.get(line, line))]
    parse(cli, "frontwire", words)


def test_the_page_shows_commands() -> None:
    assert len(command_lines()) >= 10


def test_paths_and_containers_exist() -> None:
    for path in re.findall(r"`((?:deploy|docs)/[\w./-]+)`", TEXT):
        assert (PROJECT / path).exists(), path
    for name in re.findall(r"docker compose (?:restart|ps|stop|start|exec|up --detach) ([a-z][\w-]+)", TEXT):
        assert name in COMPOSE["services"], name
    for volume in re.findall(r"`((?:\w+-)+data)`", TEXT):
        assert volume in COMPOSE["volumes"], volume


def test_an_upgrade_reaches_every_service_readers_first() -> None:
    order = re.search(r"for service in ([\w -]+); do", TEXT)
    assert order is not None
    ours = {name for name, service in COMPOSE["services"].items() if service.get("command", [""])[0] == "run"}
    assert set(order[1].split()) == ours
    flow = [job.name for job in SERVICES]
    assert [name for name in reversed(order[1].split()) if name in flow] == flow
