"""The small HTTP face of every process: /metrics for Prometheus, /healthz for liveness, /readyz for readiness."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.metrics import READY, REGISTRY

Check = Callable[[], str | None]


class Health:
    """What a process knows of its own state: liveness and readiness checks by name; a check returns None or what is wrong."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self._live: dict[str, Check] = {}
        self._ready: dict[str, Check] = {}
        READY.labels(stage).set_function(lambda: 0.0 if self.unready() else 1.0)

    def live_when(self, name: str, check: Check) -> None:
        """Register a liveness check: when it fails, the process should be restarted."""
        self._live[name] = check

    def ready_when(self, name: str, check: Check) -> None:
        """Register a readiness check: when it fails, the process cannot do its work just now."""
        self._ready[name] = check

    def unhealthy(self) -> dict[str, str]:
        """Return the failed liveness checks."""
        return _failed(self._live)

    def unready(self) -> dict[str, str]:
        """Return the failed checks of both kinds."""
        return _failed(self._live | self._ready)


def _failed(checks: dict[str, Check]) -> dict[str, str]:
    failed: dict[str, str] = {}
    for name, check in checks.items():
        try:
            problem = check()
        except Exception as fault:
            problem = f"the check itself failed: {fault!r}"
        if problem is not None:
            failed[name] = problem
    return failed


def serve(health: Health, host: str, port: int) -> ThreadingHTTPServer:
    """Start the server in a daemon thread and return it; port 0 takes a free one (`server.server_port` tells)."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/metrics":
                    self._answer(200, CONTENT_TYPE_LATEST, generate_latest(REGISTRY))
                case "/healthz":
                    self._report(health.unhealthy())
                case "/readyz":
                    self._report(health.unready())
                case _:
                    self._answer(404, "text/plain", b"/metrics /healthz /readyz\n")

        def _report(self, failed: dict[str, str]) -> None:
            body = json.dumps({"stage": health.stage, "ok": not failed, "failed": failed}, ensure_ascii=False).encode()
            self._answer(503 if failed else 200, "application/json", body + b"\n")

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Probes come every few seconds: they are not logged."""

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="status-server", daemon=True).start()
    return server
