"""Folders of the engines: locks between processes, ownership, and whether an unprivileged user can reach them."""

import fcntl
import os
import pwd
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.local_engines.model import EngineError


@dataclass(frozen=True)
class User:
    """The user and group ids an engine runs as."""

    uid: int
    gid: int


def engine_user() -> User | None:
    """Whom the engines run as: None is the caller; root hands over to `nobody`, as Elasticsearch refuses root."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return User(65534, 65534)
    return User(entry.pw_uid, entry.pw_gid)


@contextmanager
def folder_lock(folder: Path, name: str = "files") -> Iterator[None]:
    """Holds the file .`name`.lock in `folder`: of several processes one works there, the others wait for it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def reachable(path: Path, user: User | None) -> bool:
    """Whether `user` may pass through every folder above `path` (a home of mode 700 hides all below it)."""
    if user is None:
        return True
    for folder in path.resolve().parents:
        if not folder.exists():
            continue
        found = folder.stat()
        mine, ours = found.st_uid == user.uid, found.st_gid == user.gid
        bit = stat.S_IXUSR if mine else stat.S_IXGRP if ours else stat.S_IXOTH
        if not found.st_mode & bit:
            return False
    return True


def on_listed_mount(path: Path, mounts: Path = Path("/proc/self/mounts")) -> bool:
    """Whether the file system of `path` is in the system's list of mounts; True where there is no such list."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return True
    listed = {re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), line.split(" ")[1]) for line in lines}
    folder = next(place for place in (path.resolve(), *path.resolve().parents) if place.exists())
    while folder != folder.parent and folder.parent.stat().st_dev == folder.stat().st_dev:
        folder = folder.parent
    return str(folder) in listed


def safe_folder(path: Path) -> Path:
    """Makes `path` in a folder anybody may write to, and refuses one that somebody else made first."""
    path.mkdir(mode=0o755, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise EngineError(f"{path} belongs to somebody else; remove it, or choose another data folder")
    return path


def give(folder: Path, user: User | None) -> None:
    """Makes `user` the owner of the folder and all in it."""
    if user is None:
        return
    for place, _, files in os.walk(folder):
        os.chown(place, user.uid, user.gid)
        for name in files:
            os.chown(Path(place, name), user.uid, user.gid, follow_symlinks=False)


def copy_tree(source: Path, target: Path) -> None:
    """Copies a folder so that `target` appears complete or not at all, readable by everybody."""
    with folder_lock(target.parent):
        if target.exists():
            return
        partial = target.with_name(f".{target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(source, partial)
        open_to_all(partial)
        partial.rename(target)


def open_to_all(folder: Path) -> None:
    """Adds the right to read (and to enter or run what its owner may) for everybody, whatever the umask was."""
    for place, _, files in os.walk(folder):
        for path in (Path(place), *(Path(place, name) for name in files)):
            mode = path.stat().st_mode
            path.chmod(mode | 0o444 | (0o111 if mode & stat.S_IXUSR else 0))
