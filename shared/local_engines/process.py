"""Processes of the engines: started in a session of their own, known by pid and start time, stopped with patience."""

import json
import os
import random
import signal
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from shared.local_engines.files import User
from shared.local_engines.model import EngineError

_STOP_SECONDS = 10.0
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
# Below the ports that Linux (32768 up) and macOS (49152 up) give to outgoing connections.
_QUIET_PORTS = range(20000, 32000)
# Children of this process; kept so that they are reaped and not reported as forgotten.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Record:
    """The pid file of one engine: what is running, where, and since when (`started`: seconds since 1970).

    A pid is reused by the system; pid and start time together are not, so a stale file never points at a stranger.
    """

    pid: int
    started: float
    port: int
    version: str
    home: str


def read_record(path: Path) -> Record | None:
    """The record in a pid file, None when there is none or it was cut off by a crash."""
    try:
        return Record(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write_record(path: Path, record: Record) -> None:
    """Writes the pid file; it appears complete or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(record)), encoding="utf-8")
    partial.replace(path)


def find(record: Record | None) -> psutil.Process | None:
    """The living process of a record; None when it has ended, even if its pid now belongs to another process."""
    if record is None:
        return None
    try:
        process = psutil.Process(record.pid)
        # The start time is told relative to a clock that may be set; the engine's folder in the command is not.
        same = abs(process.create_time() - record.started) < 1.0 or record.home in " ".join(process.cmdline())
        if same and process.status() == psutil.STATUS_ZOMBIE:
            _reap(record.pid)
            return None
        return process if same else None
    except psutil.Error:
        return None


def spawn(
    command: Sequence[str], folder: Path, temporary: Path, output: Path, user: User | None, message: bytes = b""
) -> int:
    """Starts a process in its own session (Ctrl-C of the caller does not reach it); returns its pid.

    It runs in `folder`, puts native libraries into `temporary`, reads `message` from its standard input and
    writes standard output and error to the file `output`.
    """
    who: dict[str, Any] = {"user": user.uid, "group": user.gid, "extra_groups": []} if user else {}
    with output.open("wb") as out:
        child = subprocess.Popen(
            list(command),
            cwd=folder,
            env={**_ENVIRONMENT, "TMPDIR": str(temporary), "LIBFFI_TMPDIR": str(temporary)},
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **who,
        )
    _children[child.pid] = child
    if child.stdin is not None:
        with suppress(BrokenPipeError), child.stdin:  # it ended before it read: its output says why
            child.stdin.write(message)
    return child.pid


def run(command: Sequence[str], folder: Path, temporary: Path, output: Path, user: User | None, timeout: float) -> int:
    """Runs a short command to its end; returns its exit code."""
    pid = spawn(command, folder, temporary, output, user)
    return _children.pop(pid).wait(timeout)


def end(process: psutil.Process, patience: float = _STOP_SECONDS) -> bool:
    """Asks a process to stop, kills its session after `patience` seconds; True when it stopped by itself."""
    try:
        process.terminate()
        process.wait(patience)
        gentle = True
    except psutil.TimeoutExpired:
        kill(process)
        gentle = False
    except psutil.NoSuchProcess:
        gentle = True
    _reap(process.pid)
    return gentle


def kill(process: psutil.Process) -> None:
    """Kills a process and its session at once, as a power cut would, and waits until it is gone."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(_STOP_SECONDS)
    except (ProcessLookupError, psutil.NoSuchProcess):
        pass
    except psutil.TimeoutExpired as error:
        raise EngineError(f"process {process.pid} does not end, not even killed; is its disk stuck?") from error
    _reap(process.pid)


def _reap(pid: int) -> None:
    child = _children.pop(pid, None)
    if child is not None:
        child.wait()


def free_port() -> int:
    """A port of this machine that nobody uses now, and that the system will not give to an outgoing connection.

    Port 0 would give one of those: an engine binds seconds later, and by then a client may sit on it.
    """
    while True:
        port = random.choice(_QUIET_PORTS)  # noqa: S311
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


def listener(port: int) -> str | None:
    """Who listens on this TCP port of this machine, in words; None when nobody does."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
                return f"process {connection.pid} ({_words(connection.pid)})"
    except psutil.AccessDenied:
        pass  # macOS tells only root
    return None


def _words(pid: int) -> str:
    try:
        return " ".join(psutil.Process(pid).cmdline())[:120]
    except psutil.Error:
        return "unknown"
