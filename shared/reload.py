"""Configuration that follows its files: a good edit takes effect, a broken one is reported and the last good one stays."""

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Generic, TypeVar

import structlog

from shared import metrics
from shared.yaml_config import ConfigError

T = TypeVar("T")
# An editor that empties a file before it writes is done by then: an empty file would be a configuration too.
SETTLED_AFTER_SECONDS: Final = 0.5
log = structlog.get_logger("frontwire.config")


class Reloading(Generic[T]):
    """A value built from files and rebuilt when they change.

    `name` stands in logs and metrics, `load` builds the value (raising `ConfigError`), `paths` lists the files it is built from,
    `clock` gives seconds; files are looked at no more often than every `interval` seconds, and not while one was written to less
    than half a second ago by `wall`, the clock of the file system. The first load must succeed: its `ConfigError` is passed on.
    """

    def __init__(
        self,
        name: str,
        load: Callable[[], T],
        paths: Callable[[], Iterable[Path]],
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        interval: float = 1.0,
    ) -> None:
        self._name = name
        self._load = load
        self._paths = paths
        self._clock = clock
        self._wall = wall
        self._interval = interval
        self._lock = threading.Lock()
        self._seen = self._fingerprint()
        self._value = load()
        self._looked_at = clock()
        self.problem: ConfigError | None = None

    def get(self) -> T:
        """Return the current value, after a look at the files when the interval has passed."""
        with self._lock:
            if self._clock() - self._looked_at >= self._interval:
                self._looked_at = self._clock()
                self._refresh()
            return self._value

    def _refresh(self) -> None:
        seen = self._fingerprint()
        if seen == self._seen or not self._is_settled(seen):
            return
        self._seen = seen
        try:
            self._value = self._load()
        except ConfigError as error:
            self.problem = error
            for problem in error.problems:
                log.error(
                    "config_refused", file=problem.file, line=problem.line, key=problem.key, reason=problem.reason
                )
        else:
            self.problem = None
            log.info("config_loaded", config=self._name, files=len(seen))
        metrics.CONFIG_RELOADS.labels(self._name, "refused" if self.problem else "loaded").inc()
        metrics.CONFIG_REFUSED.labels(self._name).set(1 if self.problem else 0)

    def _is_settled(self, seen: tuple[tuple[str, int, int], ...]) -> bool:
        now = self._wall()
        return all(not 0 <= now - written / 1e9 < SETTLED_AFTER_SECONDS for _, written, _ in seen)

    def _fingerprint(self) -> tuple[tuple[str, int, int], ...]:
        return tuple(sorted(_stat(path) for path in self._paths()))


def _stat(path: Path) -> tuple[str, int, int]:
    try:
        status = path.stat()
    except OSError:
        return (str(path), 0, -1)
    return (str(path), status.st_mtime_ns, status.st_size)
