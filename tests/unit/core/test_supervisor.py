"""The supervisor with small real processes: they start, are told who they are, are killed, started again and stopped."""

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from shared import supervisor as module
from shared.settings import Settings
from shared.supervisor import SERVICES, Job, Supervisor, copies, supervised

HEAD = "import os, signal, subprocess, sys, time\n"
PATIENT = "print(os.environ['FRONTWIRE_WORKER_ID'], os.environ['FRONTWIRE_METRICS_PORT'], flush=True)\ntime.sleep(60)\n"
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready', flush=True)\ntime.sleep(60)\n"
POLITE = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\nprint('ready', flush=True)\ntime.sleep(60)\n"
PARENT = (
    "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid, flush=True)\ntime.sleep(60)\n"
)
BRIEF = "sys.exit(3)\n"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Supervisor]]:
    """Starts a supervisor with one job per script; everything is dead after the test."""
    monkeypatch.setattr(module, "_RESTART_SECONDS", 0.0)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    made: list[Supervisor] = []

    def start(**scripts: str) -> Supervisor:
        for name, code in scripts.items():
            (tmp_path / f"tried_{name}.py").write_text(HEAD + code, encoding="utf-8")
        made.append(Supervisor(Settings(data_dir=tmp_path / "data")))
        made[-1].start([Job(name, f"tried_{name}") for name in scripts])
        return made[-1]

    yield start
    for supervisor in made:
        for label in supervisor.running:
            supervisor.kill(label)


def said(supervisor: Supervisor, label: str, lines: int = 1) -> list[str]:
    """Wait until a process has said so many lines; return them."""
    running = supervisor.running[label]
    until = time.monotonic() + 20
    while time.monotonic() < until:
        words = running.log.read_text(encoding="utf-8").splitlines()
        if len(words) >= lines:
            return words
        time.sleep(0.02)
    raise AssertionError(f"{label} said nothing")


def gone(pid: int) -> bool:
    """Wait until a process is no more, or a zombie nobody has collected."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_each_process_knows_its_name_and_port(run: Callable[..., Supervisor]) -> None:
    supervisor = run(patient=PATIENT)
    running = supervisor.running["patient"]
    assert said(supervisor, "patient") == [f"patient {running.metrics_port}"]
    assert running.metrics_url == f"http://127.0.0.1:{running.metrics_port}"
    assert supervisor.dead() == []


def test_stop_ends_with_sigterm_and_tells_the_exit_codes(run: Callable[..., Supervisor]) -> None:
    supervisor = run(polite=POLITE, patient=PATIENT, brief=BRIEF)
    for label in ("polite", "patient"):
        said(supervisor, label)
    supervisor.running["brief"].process.wait(20)
    assert supervisor.stop() == {"polite": 0, "patient": -signal.SIGTERM, "brief": 3}
    assert supervisor.running == {}
    assert supervisor.stop() == {}


def test_stop_escalates_to_sigkill(run: Callable[..., Supervisor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STOP_SECONDS", 0.2)
    supervisor = run(stubborn=STUBBORN)
    said(supervisor, "stubborn")
    assert supervisor.stop() == {"stubborn": -signal.SIGKILL}


@pytest.mark.parametrize("end", ["stop", "kill", "crash"])
def test_nothing_that_a_process_started_is_left_behind(run: Callable[..., Supervisor], end: str) -> None:
    supervisor = run(parent=PARENT)
    child = int(said(supervisor, "parent")[0])
    match end:
        case "stop":
            supervisor.stop()
        case "kill":
            supervisor.kill("parent")
        case "crash":
            process = supervisor.running["parent"].process
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            supervisor.restart_dead()
    assert gone(child)


def test_what_ended_by_itself_is_started_again_with_the_same_name_and_log(run: Callable[..., Supervisor]) -> None:
    supervisor = run(patient=PATIENT)
    said(supervisor, "patient")
    before = supervisor.running["patient"]
    supervisor.kill("patient")
    assert supervisor.dead() == [before]
    (again,) = supervisor.restart_dead()
    assert (again.restarts, again.log, again.job) == (1, before.log, before.job)
    assert again.process.pid != before.process.pid
    assert len(said(supervisor, "patient", lines=2)) == 2
    assert supervisor.restart_dead() == []


def test_supervised_stops_everything_whatever_ends_the_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "tried_patient.py").write_text(HEAD + PATIENT, encoding="utf-8")
    pids = []

    def interrupted() -> None:
        with supervised(Settings(data_dir=tmp_path), [Job("patient", "tried_patient")]) as supervisor:
            pids.append(supervisor.running["patient"].process.pid)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert gone(pids[0])


def test_copies_have_labels_of_their_own() -> None:
    labels = [job.label for job in copies(Job("sketch", "services.deduplicator", ("sketch",)), 3)]
    assert labels == ["sketch", "sketch-1", "sketch-2"]


def test_every_service_is_a_module_that_can_be_started() -> None:
    for job in SERVICES:
        assert re.fullmatch(r"services\.[a-z]+", job.module)
        assert Path(sys.modules["services"].__path__[0], job.module.partition(".")[2], "__main__.py").is_file()
