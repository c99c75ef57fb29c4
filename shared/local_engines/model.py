"""What the caller hands in and gets back: settings, states, errors of the local engines."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shared.errors import EngineError

__all__ = [
    "ENGINE_NAMES",
    "SHORT_RUN",
    "TEMPLATES",
    "EngineError",
    "EngineName",
    "EngineSettings",
    "EngineStatus",
    "Engines",
]

EngineName = Literal["kafka", "elasticsearch"]
ENGINE_NAMES: tuple[EngineName, ...] = ("kafka", "elasticsearch")
# No second compiler: engines start with half the processor time, and would pay for it after some minutes of full work.
SHORT_RUN = "-XX:TieredStopAtLevel=1"
TEMPLATES = Path(__file__).resolve().parents[2] / "deploy" / "local"


@dataclass(frozen=True)
class EngineSettings:
    """Where the engines live and listen; several instances run side by side with different `data` and ports.

    `cache` holds downloads (shared by all instances), `data` one instance's topics and indices;
    `repository` is the base address of a Maven repository; heaps are in megabytes; `java_options` follow the engines' own.
    """

    cache: Path
    data: Path
    repository: str
    kafka_port: int = 9092
    elasticsearch_port: int = 9200
    kafka_heap_mb: int = 384
    elasticsearch_heap_mb: int = 512
    java_options: tuple[str, ...] = ()

    def port(self, name: EngineName) -> int:
        """The port clients of this engine connect to."""
        return self.kafka_port if name == "kafka" else self.elasticsearch_port

    def heap_mb(self, name: EngineName) -> int:
        """The engine's largest Java heap in megabytes."""
        return self.kafka_heap_mb if name == "kafka" else self.elasticsearch_heap_mb


@dataclass(frozen=True)
class EngineStatus:
    """One line of `engines status`; what is unknown of a stopped engine is None. `uptime` is in seconds.

    `unready` is a process that lives but does not answer (still starting, paused or stuck).
    """

    name: EngineName
    state: Literal["running", "unready", "stopped"]
    pid: int | None
    port: int
    version: str
    rss_mb: int | None
    uptime: float | None
    data: Path
    log: Path


@dataclass(frozen=True)
class Engines:
    """The addresses of running engines, and which of them this call started (so that it may stop only those)."""

    bootstrap_servers: str
    elasticsearch_url: str
    started: tuple[EngineName, ...]
