"""The full-size proofs write what they found into docs/proofs.md."""

import os
import platform
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import psutil
import pytest

from services.commands.common import project_folder

PAGE = """# Proofs at full size

Made by `make prove` on {date} ({machine}), on the real Kafka and Elasticsearch on the same machine. The same proofs run
at smaller sizes in `make test`.

| what was shown | size | result |
|---|---:|---|
{rows}
"""

Record = Callable[[str, int, str], None]


@pytest.fixture(scope="session")
def proof() -> Iterator[Record]:
    """Record one line of docs/proofs.md: what was shown, at which size, with what result."""
    rows: list[str] = []

    def record(what: str, size: int, result: str) -> None:
        rows.append(f"| {what} | {size:,} | {result} |")

    yield record
    machine = f"{os.cpu_count()} cores, {psutil.virtual_memory().total >> 30} GiB, Python {platform.python_version()}"
    page = PAGE.format(date=f"{datetime.now(UTC):%Y-%m-%d}", machine=machine, rows="\n".join(rows))
    if rows:
        (project_folder() / "docs/proofs.md").write_text(page, encoding="utf-8")


@pytest.fixture(scope="session")
def articles(pytestconfig: pytest.Config) -> int:
    """How many articles the proofs send."""
    return int(pytestconfig.getoption("--proof-articles"))
