"""What every process does around its work: logs, health, a stop signal."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Final

import structlog

from shared import logs, status_server
from shared.settings import Settings, SettingsError, load_settings
from shared.status_server import Health
from shared.yaml_config import ConfigError

_PARENT_WATCH_SECONDS: Final = 1.0

log = structlog.get_logger("frontwire.service")


@dataclass
class Service:
    """A running process: its name, settings, health, and the event that asks it to stop."""

    name: str
    settings: Settings
    health: Health
    stopping: threading.Event = field(default_factory=threading.Event)


@contextmanager
def service(name: str, settings: Settings) -> Iterator[Service]:
    """Set up logs and the status server for a process; SIGTERM and SIGINT set `stopping`."""
    logs.configure(settings.log_level, settings.log_format, service=name, worker=settings.worker_id)
    health = Health(name)
    running = Service(name, settings, health)

    def stop(signum: int, _: FrameType | None) -> None:
        log.info("stopping", signal=signal.Signals(signum).name)
        running.stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if settings.stop_with_parent:
        threading.Thread(target=_follow_parent, args=(os.getppid(),), name="parent-watch", daemon=True).start()
    server = status_server.serve(health, settings.metrics_host, settings.metrics_port)
    log.info("started", metrics=f"http://{settings.metrics_host}:{server.server_port}/metrics")
    try:
        yield running
    finally:
        server.shutdown()
        log.info("stopped")


def _follow_parent(parent: int) -> None:
    """End this process when its parent is gone: an orphan would go on taking partitions from its successors."""
    while os.getppid() == parent:
        time.sleep(_PARENT_WATCH_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def main(run: Callable[[Settings], None]) -> None:
    """Run a service as `python -m services.NAME`: settings from the environment, a refusal as clear lines and exit code 2."""
    try:
        run(load_settings())
    except (ConfigError, SettingsError) as refusal:
        sys.stderr.write(f"refused to start:\n{refusal}\n")
        sys.exit(2)
