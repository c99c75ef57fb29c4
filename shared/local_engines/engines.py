"""Start, stop, status and reset of the local engines, by pid files below the data folder."""

import shutil
import socket
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
from rich.console import Console

from shared.local_engines import process
from shared.local_engines.download import fetch
from shared.local_engines.elasticsearch import ELASTICSEARCH
from shared.local_engines.files import engine_user, folder_lock, give, on_listed_mount
from shared.local_engines.kafka import KAFKA
from shared.local_engines.launch import Engine, Place, data_folder, java, make_folder, open_folder
from shared.local_engines.lock import engine_version, read_lock
from shared.local_engines.model import (
    ENGINE_NAMES,
    EngineError,
    EngineName,
    Engines,
    EngineSettings,
    EngineStatus,
)
from shared.local_engines.process import Record

_ENGINES: dict[EngineName, Engine] = {"kafka": KAFKA, "elasticsearch": ELASTICSEARCH}
_READY_SECONDS = 120.0
_POLL_SECONDS = 0.1
_DISK_MB = 3 * 1024
_BEYOND_HEAP_MB = 576  # code, threads, buffers and file cache of one engine; both with default heaps: 2 GB
_TAIL_LINES = 15
_FOLDERS = ("config", "data", "log", "tmp")


def start(
    settings: EngineSettings, console: Console | None = None, names: Sequence[EngineName] = ENGINE_NAMES
) -> Engines:
    """Starts the engines that do not run yet and returns when all are ready; running healthy ones are reused.

    Fetches what is not in the cache, with progress on `console` (default: standard error). Raises EngineError with
    the remedy or the last log lines; what this call had started is then stopped again.
    """
    console = console or Console(stderr=True)
    started: list[EngineName] = []
    with folder_lock(settings.data, "engines"):
        try:
            wanted = [name for name in names if not _runs(settings, name)]
            _check_machine(settings, wanted)
            for name in reversed(wanted):  # Elasticsearch first: it takes longest
                started.append(name)
                _launch(settings, name, console)
            for name in names:
                _wait_ready(settings, name)
        except BaseException:
            for name in started:
                _stop(settings, name)
            raise
    return Engines(
        f"127.0.0.1:{settings.kafka_port}", f"http://127.0.0.1:{settings.elasticsearch_port}", tuple(sorted(started))
    )


def start_engine(settings: EngineSettings, name: EngineName, console: Console | None = None) -> Engines:
    """Starts one engine, as `start` does."""
    return start(settings, console, (name,))


def stop(settings: EngineSettings, engine: EngineName | None = None) -> tuple[EngineName, ...]:
    """Stops one engine or all, in 10 s each at most, also after a crash of whoever started them; returns which ran."""
    with folder_lock(settings.data, "engines"):
        return tuple(name for name in ENGINE_NAMES if engine in (None, name) and _stop(settings, name))


def kill(settings: EngineSettings, engine: EngineName) -> None:
    """SIGKILLs an engine, for fault tests. Raises EngineError when it does not run."""
    found = process.find(process.read_record(_pid_file(settings, engine)))
    if found is None:
        raise EngineError(f"{engine} does not run with the data folder {settings.data}")
    process.kill(found)


def reset(settings: EngineSettings) -> None:
    """Stops the engines and deletes their data, logs and configuration; the cache stays."""
    with folder_lock(settings.data, "engines"):
        for name in ENGINE_NAMES:
            _stop(settings, name)
            shutil.rmtree(_home(settings, name), ignore_errors=True)
        elsewhere = _home(settings, "kafka").parent
        if elsewhere != settings.data.resolve():
            shutil.rmtree(elsewhere, ignore_errors=True)


def status(settings: EngineSettings) -> list[EngineStatus]:
    """The state of every engine of this data folder."""
    return [_status(settings, name) for name in ENGINE_NAMES]


def _status(settings: EngineSettings, name: EngineName) -> EngineStatus:
    home = _home(settings, name)
    record = process.read_record(_pid_file(settings, name))
    found = process.find(record)
    log = home / _ENGINES[name].log
    if record is None or found is None:
        return EngineStatus(name, "stopped", None, settings.port(name), engine_version(name), None, None, home, log)
    ready = _ENGINES[name].is_ready(record.port)
    return EngineStatus(
        name=name,
        state="running" if ready else "unready",
        pid=record.pid,
        port=record.port,
        version=record.version,
        rss_mb=found.memory_info().rss >> 20,
        uptime=time.time() - found.create_time(),
        data=home,
        log=log,
    )


def _pid_file(settings: EngineSettings, name: EngineName) -> Path:
    return settings.data / f"{name}.pid.json"


def _home(settings: EngineSettings, name: EngineName) -> Path:
    return data_folder(settings.data.resolve(), engine_user()) / name


def _runs(settings: EngineSettings, name: EngineName) -> bool:
    record = process.read_record(_pid_file(settings, name))
    if record is None or process.find(record) is None:
        return False
    if record.port != settings.port(name):
        raise EngineError(
            f"{name} already runs on port {record.port} with the data folder {settings.data}, not on port "
            f"{settings.port(name)}; stop it first, or choose another data folder"
        )
    return True


def _check_machine(settings: EngineSettings, names: Sequence[EngineName]) -> None:
    """Refuses at the door, with every reason at once."""
    if not names:
        return
    problems = [problem for name in names if (problem := _port_problem(settings.port(name), name))]
    folder = _home(settings, names[0])
    free = shutil.disk_usage(next(path for path in folder.parents if path.exists())).free >> 20
    if free < _DISK_MB:
        problems.append(f"{free} MB free on the disk of {settings.data}, {_DISK_MB} MB are needed: free some space")
    needed = sum(settings.heap_mb(name) + _BEYOND_HEAP_MB for name in names)
    available = psutil.virtual_memory().available >> 20
    if available < needed:
        problems.append(f"{available} MB of memory available, {needed} MB are needed: close other programs")
    if problems:
        raise EngineError(f"cannot start {' and '.join(names)}: {'; '.join(problems)}")


def _port_problem(port: int, name: EngineName) -> str | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            who = process.listener(port) or "a process that the system does not name (another user's)"
            return f"port {port} for {name} is taken by {who}: stop it, or choose another port"
    return None


def _launch(settings: EngineSettings, name: EngineName, console: Console) -> None:
    version = engine_version(name)
    user = engine_user()
    files = fetch(read_lock()[name], settings.cache.resolve() / f"{name}-{version}", settings.repository, console)
    programs = open_folder(settings.cache.resolve(), user)
    home = _home(settings, name)
    make_folder(programs)
    make_folder(home.parent)
    if not on_listed_mount(settings.data):
        console.print(f"{settings.data} is in no list of mounts (a chroot?): {name} keeps its data in {home.parent}")
    for folder in _FOLDERS:
        (home / folder).mkdir(parents=True, exist_ok=True)
    shutil.rmtree(home / "tmp")
    (home / "tmp").mkdir()
    give(home, user)
    program = java(programs, user)
    place = Place(program, programs, home, settings.port(name), settings.heap_mb(name), user, settings.java_options)
    launch = _ENGINES[name].prepare(files, place)
    give(home, user)
    output = home / "log" / "output.log"
    pid = process.spawn(launch.command, launch.folder, home / "tmp", output, user, launch.message)
    try:
        born = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        born = 0.0  # it ended at once; waiting for it will tell why
    process.write_record(_pid_file(settings, name), Record(pid, born, settings.port(name), version, str(home)))


def _wait_ready(settings: EngineSettings, name: EngineName) -> None:
    record = process.read_record(_pid_file(settings, name))
    deadline = time.monotonic() + _READY_SECONDS
    while record is not None and not _ENGINES[name].is_ready(record.port):
        if process.find(record) is None:
            raise EngineError(_failure(settings, name, "ended while it started"))
        if time.monotonic() > deadline:
            raise EngineError(_failure(settings, name, f"is not ready after {_READY_SECONDS:.0f} s"))
        time.sleep(_POLL_SECONDS)


def _failure(settings: EngineSettings, name: EngineName, what: str) -> str:
    home = _home(settings, name)
    logs = [path for path in (home / "log" / "output.log", home / _ENGINES[name].log) if path.is_file()]
    lines = [line for path in logs for line in _tail(path)]
    return "\n  ".join([f"{name} {what}; its last lines (all of them in {home / 'log'}):", *lines])


def _tail(log: Path) -> list[str]:
    lines = log.read_text("utf-8", "replace").splitlines()
    return [line for line in lines if not line.startswith("\tat ")][-_TAIL_LINES:]


def _stop(settings: EngineSettings, name: EngineName) -> bool:
    pid_file = _pid_file(settings, name)
    found = process.find(process.read_record(pid_file))
    if found is not None:
        process.end(found)
    pid_file.unlink(missing_ok=True)
    return found is not None
