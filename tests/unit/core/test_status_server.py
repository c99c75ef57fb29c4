"""The HTTP face of a process, over real HTTP on a free port."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared import status_server
from shared.status_server import Health


class Face:
    """A served health, and what it answers."""

    def __init__(self) -> None:
        self.health = Health("tried")
        self.server = status_server.serve(self.health, "127.0.0.1", 0)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def get(self, path: str) -> tuple[int, str, bytes]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.server.server_port}{path}", timeout=10) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.headers["Content-Type"], refused.read()

    def report(self, path: str) -> tuple[int, dict[str, Any]]:
        status, kind, body = self.get(path)
        assert kind == "application/json"
        report: dict[str, Any] = json.loads(body)
        return status, report

    def ready_metric(self) -> float:
        body = self.get("/metrics")[2].decode()
        (family,) = (family for family in text_string_to_metric_families(body) if family.name == "frontwire_ready")
        return next(sample.value for sample in family.samples if sample.labels == {"stage": "tried"})


@pytest.fixture
def face() -> Iterator[Face]:
    made = Face()
    yield made
    # Shutting down waits for the server's next look round, half a second: not here.
    Thread(target=made.close).start()


def test_a_process_without_troubles(face: Face) -> None:
    good = (200, {"stage": "tried", "ok": True, "failed": {}})
    assert face.report("/healthz") == face.report("/readyz") == good
    assert face.ready_metric() == 1


def test_an_unready_process_lives(face: Face) -> None:
    face.health.ready_when("elasticsearch", lambda: "chưa trả lời")
    face.health.ready_when("kafka", lambda: None)
    assert face.report("/healthz")[0] == 200
    expected = {"stage": "tried", "ok": False, "failed": {"elasticsearch": "chưa trả lời"}}
    assert face.report("/readyz") == (503, expected)
    assert face.ready_metric() == 0


def test_a_dead_process_is_neither_live_nor_ready(face: Face) -> None:
    face.health.live_when("stage", lambda: "stopped")
    assert face.report("/healthz")[0] == face.report("/readyz")[0] == 503


def test_a_check_is_asked_every_time(face: Face) -> None:
    trouble: list[str] = ["starting"]
    face.health.ready_when("stage", lambda: trouble[0] if trouble else None)
    assert face.report("/readyz")[0] == 503
    trouble.clear()
    assert face.report("/readyz")[0] == 200


def test_a_check_that_fails_itself_is_a_trouble_and_hides_nothing(face: Face) -> None:
    def broken() -> str | None:
        raise RuntimeError("hỏng")

    face.health.live_when("broken", broken)
    face.health.live_when("other", lambda: "wrong too")
    status, report = face.report("/healthz")
    assert status == 503
    assert report["failed"] == {"broken": "the check itself failed: RuntimeError('hỏng')", "other": "wrong too"}
    assert face.ready_metric() == 0


def test_metrics_are_in_prometheus_format(face: Face) -> None:
    status, kind, body = face.get("/metrics?name[]=x")
    assert status == 200
    assert kind.startswith("text/plain")
    names = {family.name for family in text_string_to_metric_families(body.decode())}
    assert {"frontwire_records_in", "frontwire_lag_seconds"} <= names


@pytest.mark.parametrize("path", ["/", "/metrics/", "/../etc/passwd"])
def test_anything_else_is_not_found(face: Face, path: str) -> None:
    assert face.get(path)[0] == 404
