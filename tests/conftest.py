"""Fixtures: one pair of real engines for the whole run, and a clean wire for each test that asks for one."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.commands.common import project_folder
from services.commands.local import engine_settings
from shared import local_engines
from shared.local_engines import free_port
from shared.settings import Settings, load_settings
from tests.support.wire import Wire, copy_config, logs_of


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
    copy_config(project_folder() / "deploy/config", tmp_path / "config")
    test = Wire(engines.model_copy(update={"config_dir": tmp_path / "config"}))
    local_engines.start(test.engines)
    test.clean()
    failed_before = request.session.testsfailed
    try:
        yield test
    finally:
        test.supervisor.stop()
        if request.session.testsfailed > failed_before:
            print(logs_of(test))  # noqa: T201
        test.close()
