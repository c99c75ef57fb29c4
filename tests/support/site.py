"""A news site of a few words that logs every request: what the fetcher's manners are proven with."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread


@dataclass(frozen=True)
class Request:
    """One line of the log: which name the site was called by, what was asked, when it began and ended in seconds."""

    host: str
    path: str
    headers: dict[str, str]
    began: float
    ended: float
    status: int


class Site(ThreadingHTTPServer):
    """A site that logs; `pages` maps a path to status, headers and body."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.log: list[Request] = []
        self.pages: dict[str, tuple[int, dict[str, str], str | bytes]] = {}
        self.closing = Event()

    def feed(self, path: str, *links: str, **headers: str) -> None:
        items = "".join(f"<item><title>{link}</title><link>{link}</link></item>" for link in links)
        self.pages[path] = (200, headers, f"<rss version='2.0'><channel>{items}</channel></rss>")

    def asked(self, host: str = "127.0.0.1") -> list[str]:
        return [request.path for request in self.log if request.host == host and request.path != "/robots.txt"]


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        began = time.monotonic()
        status, headers, written = self.server.pages.get(self.path, (404, {}, ""))
        body = written.encode() if isinstance(written, str) else written
        if self.path == "/hang":
            self.server.closing.wait(10)
        if headers.get("ETag") and self.headers.get("If-None-Match") == headers["ETag"]:
            status, body = 304, b""
        host = (self.headers.get("Host") or "").partition(":")[0]
        sent = {name.lower(): value for name, value in self.headers.items()}
        self.server.log.append(Request(host, self.path, sent, began, time.monotonic(), status))
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Site]:
    """Serve a site while the context lasts; what hangs is let go at its end."""
    server = Site()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
