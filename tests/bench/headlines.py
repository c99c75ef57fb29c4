"""The language of a hundred headlines, offline: `python -m tests.bench.headlines` prints what is wrong and its memory."""

import json
import socket
import time
from pathlib import Path
from typing import Any, NoReturn

import psutil

from services.normaliser.language import identify

HEADLINES = Path(__file__).resolve().parents[1] / "data" / "fetcher" / "headlines.tsv"
LANGUAGES = ("vi", "en", "ru", "uk")


def measure() -> dict[str, Any]:
    """Return the number of headlines, those that are wrong, processor seconds, and this process's memory in MB.

    `resident_mb` is what it holds afterwards, `peak_mb` the most it held while the model was unpacked (Linux only).
    """
    rows = [line.split("\t") for line in HEADLINES.read_text(encoding="utf-8").splitlines()]
    started = time.process_time()
    wrong = [text for code, text in rows if identify(text, LANGUAGES).code != code]
    return {
        "headlines": len(rows),
        "wrong": wrong,
        "processor_seconds": round(time.process_time() - started, 2),
        "resident_mb": round(psutil.Process().memory_info().rss / 1e6, 1),
        "peak_mb": _peak_mb(),
    }


def _peak_mb() -> float | None:
    """Return the most memory this program held; getrusage would count that of the process it was started from."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="ascii").splitlines() if status.exists() else []
    return next((round(int(line.split()[1]) * 1024 / 1e6, 1) for line in lines if line.startswith("VmHWM:")), None)


def _no_network(*_: object) -> NoReturn:
    raise OSError("the network is not to be used")


if __name__ == "__main__":
    socket.socket.connect = _no_network  # type: ignore[method-assign]
    print(json.dumps(measure(), ensure_ascii=False))  # noqa: T201
