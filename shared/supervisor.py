"""Runs the services of one machine as processes of their own: for `frontwire up`, `frontwire demo` and the tests."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import structlog

from shared.local_engines import free_port
from shared.settings import Settings, environment_of

STOP_SECONDS: Final = 12.0
_RESTART_SECONDS: Final = 2.0

log = structlog.get_logger("frontwire.supervisor")


@dataclass(frozen=True)
class Job:
    """One process to run: `name` for logs and metrics, the module and its arguments, and which copy it is."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    copy: int = 0

    @property
    def label(self) -> str:
        """The name that tells copies apart."""
        return f"{self.name}-{self.copy}" if self.copy else self.name


SERVICES: Final = (
    Job("fetcher", "services.fetcher"),
    Job("normaliser", "services.normaliser"),
    Job("extractor", "services.extractor"),
    Job("sketch", "services.deduplicator", ("sketch",)),
    Job("decide", "services.deduplicator", ("decide",)),
    Job("indexer", "services.indexer"),
    Job("alerter", "services.alerter"),
    Job("notifier", "services.notifier"),
)


def copies(job: Job, count: int) -> tuple[Job, ...]:
    """Return several copies of one job."""
    return tuple(replace(job, copy=number) for number in range(count))


@dataclass
class Running:
    """A started process, where its log goes and where its metrics are."""

    job: Job
    process: subprocess.Popen[bytes]
    log: Path
    metrics_port: int
    restarts: int = 0

    @property
    def metrics_url(self) -> str:
        """The address of the process's metrics."""
        return f"http://127.0.0.1:{self.metrics_port}"


@dataclass
class Supervisor:
    """Starts, watches, kills and stops processes; every one writes to `<data_dir>/logs/<label>.log`."""

    settings: Settings
    running: dict[str, Running] = field(default_factory=dict)

    def start(self, jobs: Sequence[Job]) -> None:
        """Start processes; each has its own metrics port, worker id and log."""
        for job in jobs:
            self.start_one(job)

    def start_one(self, job: Job) -> Running:
        """Start, or start again, one process."""
        folder = self.settings.data_dir / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        settings = self.settings.model_copy(
            update={"worker_id": job.label, "metrics_port": port, "log_format": "json", "stop_with_parent": True}
        )
        before = self.running.get(job.label)
        path = folder / f"{job.label}.log"
        with path.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", job.module, *job.arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment_of(settings),
                start_new_session=True,
            )
        started = Running(job, process, path, port, before.restarts + 1 if before else 0)
        self.running[job.label] = started
        return started

    def dead(self) -> list[Running]:
        """Return the processes that ended by themselves."""
        return [running for running in self.running.values() if running.process.poll() is not None]

    def restart_dead(self) -> list[Running]:
        """Start again what ended by itself; return the new processes."""
        restarted = []
        for running in self.dead():
            log.warning("restarting", service=running.job.label, exit_code=running.process.returncode)
            self.kill(running.job.label)
            time.sleep(_RESTART_SECONDS)
            restarted.append(self.start_one(running.job))
        return restarted

    def kill(self, label: str) -> None:
        """Kill one process at once, as a crash would, with the children it started; of an ended one, what it left behind."""
        running = self.running[label]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait()

    def stop(self) -> dict[str, int]:
        """Stop every process with SIGTERM (SIGKILL after 12 s); return the exit codes by label."""
        for running in self.running.values():
            if running.process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    running.process.terminate()
        until = time.monotonic() + STOP_SECONDS
        codes: dict[str, int] = {}
        for label, running in self.running.items():
            try:
                codes[label] = running.process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                codes[label] = -signal.SIGKILL
            self.kill(label)
        self.running.clear()
        return codes


@contextlib.contextmanager
def supervised(settings: Settings, jobs: Sequence[Job]) -> Iterator[Supervisor]:
    """Run jobs for the length of a block; whatever ends it, nothing that was started is left behind."""
    supervisor = Supervisor(settings)
    try:
        supervisor.start(jobs)
        yield supervisor
    finally:
        try:
            supervisor.stop()
        except KeyboardInterrupt:
            # A second Ctrl-C: the operator does not want to wait.
            for label in list(supervisor.running):
                supervisor.kill(label)
            raise
