"""The full-size proofs write what they found into docs/proofs.md."""

import os
import platform
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from services.commands.common import project_folder

PAGE = """# Proofs at full size

Made by `make prove` ({machine}), on the real Kafka and Elasticsearch on the same machine, with heaps of 2 GB at most. The
same proofs run at smaller sizes in `make test`. A proof that is run by itself (`pytest -m prove FILE`) replaces its own lines.

| what was shown | size | result | on |
|---|---:|---|---|
{rows}
"""

Record = Callable[[str, int, str], None]


@pytest.fixture(scope="session")
def proof(pytestconfig: pytest.Config) -> Iterator[Record]:
    """Record one line of docs/proofs.md: what was shown, at which size, with what result."""
    made: dict[str, str] = {}

    def record(what: str, size: int, result: str) -> None:
        made[what] = f"| {what} | {size:,} | {result} | {datetime.now(UTC):%Y-%m-%d} |"

    yield record
    machine = f"{os.cpu_count()} cores, {psutil.virtual_memory().total >> 30} GiB, Python {platform.python_version()}"
    file = project_folder() / "docs/proofs.md"
    rows = (made if pytestconfig.args == ["tests"] else lines_of(file) | made).values()
    if made:
        file.write_text(PAGE.format(machine=machine, rows="\n".join(rows)), encoding="utf-8")


def lines_of(page: Path) -> dict[str, str]:
    """Return the lines of the table by what they show."""
    lines = page.read_text(encoding="utf-8").splitlines() if page.exists() else []
    return {
        line.split("|")[1].strip(): line for line in lines if line.startswith("| ") and "what was shown" not in line
    }


@pytest.fixture(scope="session")
def articles(pytestconfig: pytest.Config) -> int:
    """How many articles the proofs send."""
    return int(pytestconfig.getoption("--proof-articles"))
