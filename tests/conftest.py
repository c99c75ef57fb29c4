"""Fixtures: one pair of real engines for the whole run, and a clean wire for each test, or each file, that asks for one."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog

from services.commands.common import project_folder
from services.commands.local import engine_settings
from shared import local_engines
from shared.local_engines import free_port
from shared.settings import Settings, load_settings
from tests.support.wire import Wire, copy_config, logs_of


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--quick`: leave out the files of thorough tests, before they are even imported."""
    parser.addoption("--proof-articles", default=50_000, help="how many articles `make prove` sends")
    parser.addoption("--quick", action="store_true", help="leave out test files marked slow")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave a file out of a quick run when it marks itself slow."""
    if (
        config.getoption("--quick")
        and collection_path.suffix == ".py"
        and collection_path.parent != Path(__file__).parent
    ):
        return "pytestmark = pytest.mark.slow" in collection_path.read_text(encoding="utf-8") or None
    return None


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Undo what a test set up for the logs of its process: no test depends on those before it."""
    yield
    structlog.reset_defaults()
    logging.captureWarnings(False)
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter):
            root.removeHandler(handler)
    logging.getLogger("frontwire").setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def engines() -> Iterator[Settings]:
    """Real Kafka and Elasticsearch on free ports, with data of their own that is deleted at the end."""
    with tempfile.TemporaryDirectory(prefix="frontwire-tests-", ignore_cleanup_errors=True) as folder:
        settings = load_settings(
            data_dir=Path(folder),
            kafka_bootstrap=f"127.0.0.1:{free_port()}",
            elasticsearch_url=f"http://127.0.0.1:{free_port()}",
        )
        local = engine_settings(settings)
        local_engines.start(local)
        try:
            yield settings
        finally:
            local_engines.reset(local)


@pytest.fixture
def wire(engines: Settings, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Wire]:
    """A wire with empty topics and no index; its processes are stopped after the test."""
    with clean_wire(engines, tmp_path / "config", request.session) as made:
        yield made


@pytest.fixture(scope="module")
def standing_wire(
    engines: Settings, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Wire]:
    """A wire that a whole file shares, since starting every service takes seconds: each test has ids of its own."""
    with clean_wire(engines, tmp_path_factory.mktemp("standing") / "config", request.session) as made:
        yield made


@contextmanager
def clean_wire(engines: Settings, config: Path, session: pytest.Session) -> Iterator[Wire]:
    """Make a wire with empty topics and no index; at the end its processes stop, and after a failure their logs are shown."""
    copy_config(project_folder() / "deploy/config", config)
    made = Wire(engines.model_copy(update={"config_dir": config}))
    local_engines.start(made.engines)
    made.clean()
    failed_before = session.testsfailed
    try:
        yield made
    finally:
        made.supervisor.stop()
        if session.testsfailed > failed_before:
            print(logs_of(made))  # noqa: T201
        made.close()
