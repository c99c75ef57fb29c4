"""Fixtures: one pair of real engines for the whole run, and a clean wire for each test, or each file, that asks for one.

What `make check` leaves out is decided here: files and tests marked slow, and most of the examples of hypothesis.
"""

import gc
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import hypothesis
import pytest
import structlog

from services.commands.common import project_folder
from shared import local_engines
from shared.settings import Settings
from tests.support.wire import Wire, copy_config, logs_of, own_engines

# What 100,000 articles take when every panel asks for ninety days at once.
LARGE_HEAP = "-Xmx2g"
# The same examples each time, however long one takes on a busy machine: what fails here fails anywhere.
hypothesis.settings.register_profile("frontwire", deadline=None, derandomize=True)
hypothesis.settings.register_profile("quick", hypothesis.settings.get_profile("frontwire"), max_examples=15)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--quick`: leave out the files of thorough tests, before they are even imported."""
    parser.addoption("--proof-articles", default=50_000, help="how many articles `make prove` sends")
    parser.addoption("--quick", action="store_true", help="leave out what is marked slow, and most generated examples")


def pytest_configure(config: pytest.Config) -> None:
    """Choose how many examples hypothesis makes; what is imported from here on stays, so nothing of it needs collecting."""
    gc.disable()
    hypothesis.settings.load_profile("quick" if config.getoption("--quick") else "frontwire")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave a file out of a quick run when it marks itself slow."""
    if (
        config.getoption("--quick")
        and collection_path.suffix == ".py"
        and collection_path.parent != Path(__file__).parent
    ):
        return "pytestmark = pytest.mark.slow" in collection_path.read_text(encoding="utf-8") or None
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out single tests in the same way; begin with the files that take minutes: no process ends long after another."""
    if config.getoption("--quick"):
        left_out = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    items.sort(key=lambda item: item.get_closest_marker("minutes") is None)


def pytest_collection_finish() -> None:
    """Let the garbage collector begin, without what was imported: rounds over that take a tenth of the time of short tests."""
    gc.freeze()
    gc.enable()


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
def engines(pytestconfig: pytest.Config) -> Iterator[Settings]:
    """Real Kafka and Elasticsearch on free ports, with data of their own that is deleted at the end."""
    is_long = pytestconfig.getoption("markexpr") == "prove"
    with own_engines("tests", LARGE_HEAP if is_long else local_engines.SHORT_RUN) as settings:
        yield settings


class Standing:
    """A wire that files one after another share, since starting every service takes seconds: each test has ids of its own."""

    def __init__(self, engines: Settings, folders: pytest.TempPathFactory) -> None:
        self._engines = engines
        self._folders = folders
        self._open = ExitStack()
        self._wire: Wire | None = None

    def get(self) -> Wire:
        """Return the standing wire; a clean one when there is none."""
        if self._wire is None:
            self._wire = self._open.enter_context(
                clean_wire(self._engines, self._folders.mktemp("standing") / "config")
            )
        return self._wire

    def end(self) -> None:
        """Stop its processes: somebody else wants the engines."""
        self._wire = None
        self._open.close()


@pytest.fixture(scope="session")
def standing(engines: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    """The one standing wire of the run, if it stands."""
    made = Standing(engines, tmp_path_factory)
    yield made
    made.end()


@pytest.fixture
def wire(engines: Settings, standing: Standing, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Wire]:
    """A wire with empty topics and no index; its processes are stopped after the test."""
    yield from alone(engines, standing, tmp_path / "config", request.session)


@pytest.fixture(scope="module")
def standing_wire(standing: Standing, request: pytest.FixtureRequest) -> Iterator[Wire]:
    """A wire whose processes run on after the test, after the file even: give each test ids of its own, and undo your edits."""
    failed_before = request.session.testsfailed
    made = standing.get()
    with telling(made, request.session):
        yield made
    if request.session.testsfailed > failed_before:
        standing.end()


@pytest.fixture(scope="module")
def own_wire(
    engines: Settings, standing: Standing, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Wire]:
    """A clean wire for one file, whose tests depend on what was before them, or change the topics."""
    yield from alone(engines, standing, tmp_path_factory.mktemp("own") / "config", request.session)


def alone(engines: Settings, standing: Standing, config: Path, session: pytest.Session) -> Iterator[Wire]:
    """Yield a clean wire that has the engines for itself."""
    standing.end()
    with clean_wire(engines, config) as made, telling(made, session):
        yield made


@contextmanager
def clean_wire(engines: Settings, config: Path) -> Iterator[Wire]:
    """Make a wire with empty topics and no index; at the end its processes stop."""
    copy_config(project_folder() / "deploy/config", config)
    made = Wire(engines.model_copy(update={"config_dir": config}))
    local_engines.start(made.engines)
    made.clean()
    try:
        yield made
    finally:
        made.close()


@contextmanager
def telling(wire: Wire, session: pytest.Session) -> Iterator[None]:
    """Show the logs of a wire's processes when a test failed meanwhile."""
    failed_before = session.testsfailed
    yield
    if session.testsfailed > failed_before:
        print(logs_of(wire))  # noqa: T201
