"""The real Kafka and Elasticsearch on a machine without Java and without Docker (docs/decisions/0002)."""

from shared.local_engines.engines import kill, reset, start, start_engine, status, stop
from shared.local_engines.lock import default_repository
from shared.local_engines.model import (
    ENGINE_NAMES,
    SHORT_RUN,
    EngineError,
    EngineName,
    Engines,
    EngineSettings,
    EngineStatus,
)
from shared.local_engines.process import free_port

__all__ = [
    "ENGINE_NAMES",
    "SHORT_RUN",
    "EngineError",
    "EngineName",
    "EngineSettings",
    "EngineStatus",
    "Engines",
    "default_repository",
    "free_port",
    "kill",
    "reset",
    "start",
    "start_engine",
    "status",
    "stop",
]
