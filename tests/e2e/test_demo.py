"""`frontwire demo` as a newcomer runs it: right the first time, nothing new the second time, nothing left after Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from services.commands.common import project_folder
from shared.local_engines import free_port

pytestmark = [pytest.mark.engines, pytest.mark.minutes]

SEEDS = project_folder().parent / "shared/data/seeds"
OWN_FILES = {
    "mot.txt": " date 2025-11-20 Lính cứu hỏa dập lửa tại Kherson (Ảnh: Reuters).\n\n"
    "Chính quyền Kherson cho biết hôm 19/11 một kho lương thực bốc cháy sau loạt pháo kích. Nga chưa bình luận.\n\n"
    "Tổng thống Ukraine Volodymyr Zelensky nói tháng trước rằng thành phố cần thêm hệ thống phòng không.",
    "hai.txt": " date 2025-11-18 (Báo Thử) - Bộ Quốc phòng Nga hôm 17/11 thông báo đã đẩy lùi một đợt tiến công ở Kursk.\n\n"
    "Phía Ukraine bác bỏ thông tin này và cho biết sẽ công bố số liệu vào tuần tới. NATO theo dõi sát tình hình.",
}


class Demo:
    """One demo with a data folder and ports of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.command = [
            sys.executable, "-m", "services.cli", "demo", "--json", "--port", str(free_port()),
            "--kafka-port", str(free_port()), "--elasticsearch-port", str(free_port()),
        ]  # fmt: skip
        self.environment = os.environ | {"FRONTWIRE_DATA_DIR": str(folder)}

    def run(self, *arguments: str) -> dict[str, Any]:
        """Run to the end; return the report."""
        done = subprocess.run(
            [*self.command, *arguments],
            env=self.environment,
            cwd=project_folder(),
            capture_output=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()[-3000:] + self.logs()
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def logs(self) -> str:
        """Return the end of every log."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-800:]}"
            for path in (self.folder / "demo/logs").glob("*.log")
        )

    def processes(self) -> list[psutil.Process]:
        """Return every process that this demo started and that lives."""
        found = []
        for process in psutil.process_iter():
            try:
                command = " ".join(process.cmdline())
                data = process.environ().get("FRONTWIRE_DATA_DIR", "")
            except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
            if str(self.folder) in command or data.startswith(str(self.folder / "demo")):
                found.append(process)
        return found


def in_of(report: dict[str, Any], stage: str) -> int:
    """Return how many records a stage read."""
    return next(int(row["records_in"]) for row in report["stages"] if row["stage"] == stage)


def test_the_demo_is_right_and_a_second_run_indexes_nothing_new(tmp_path: Path) -> None:
    """All sample articles and given files end searchable with everything filled; the second run publishes nothing."""
    demo = Demo(tmp_path / "data")
    files = tmp_path / "files"
    files.mkdir()
    for name, text in OWN_FILES.items():
        (files / name).write_text(text, encoding="utf-8")
    arguments = ["--files", str(files / "*.txt")]
    if SEEDS.is_dir():
        arguments += ["--files", str(SEEDS / "*.txt")]
    first = demo.run(*arguments)
    assert first["problems"] == []
    assert first["searchable"] == first["expected"] > 45
    assert in_of(first, "indexer") >= first["expected"]
    by_origin = [row["origin"] for row in first["files"]]
    assert by_origin.count("prefix") >= 2
    for row in first["files"]:
        assert row["language"] == "vi"
        assert row["title"]
        assert row["story"]
        assert row["entities"] > 0
    if SEEDS.is_dir():
        assert {row["published"] for row in first["files"]} >= {"2025-11-22", "2025-11-07", "2025-10-13"}
    second = demo.run(*arguments)
    assert second["problems"] == []
    assert second["documents"] == first["documents"]
    assert {row["stage"]: row["records_in"] for row in second["stages"] if row["stage"] != "fetcher"} == dict.fromkeys(
        ("normaliser", "extractor", "sketch", "decide", "indexer"), 0
    )
    assert demo.processes() == []


def test_ctrl_c_stops_everything_the_demo_started(tmp_path: Path) -> None:
    """After SIGINT in the middle, no engine, service or site is left, and the exit code says so."""
    demo = Demo(tmp_path / "data")
    process = subprocess.Popen(
        demo.command, env=demo.environment, cwd=project_folder(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 300
        while len(demo.processes()) < 8:
            assert time.monotonic() < until, "the services did not start"
            assert process.poll() is None
            time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    finally:
        process.kill()
    assert demo.processes() == []
