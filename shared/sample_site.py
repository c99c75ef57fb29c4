"""The bundled sample news site of `frontwire demo`: invented outlets with RSS, Atom and article pages, served over HTTP.

`make_site` renders everything once from the files under deploy/sample (no clock, no network: the same files give the same
bytes) and `serve` puts it on a local port. Run it by hand with `python -m shared.sample_site --port 8765`.
"""

import argparse
import logging
import signal
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

from shared.sample_articles import Item, Outlet, read_articles, read_outlets
from shared.sample_pages import Response, article_page, feed_page, listing_page, read_look, static_pages

log = logging.getLogger(__name__)

DEFAULT_FOLDER: Final = Path(__file__).resolve().parent.parent / "deploy" / "sample"
DEFAULT_PORT: Final = 8765
_POLL_SECONDS: Final = 0.02  # how soon the serving thread sees that it should stop


@dataclass(frozen=True)
class Site:
    """The rendered site: every page by its path, and what it was made of."""

    pages: Mapping[str, Response]
    outlets: list[Outlet]
    items: list[Item]

    def get(self, target: str, headers: Mapping[str, str] | None = None) -> Response:
        """Return the answer to a GET of `target` (path and query); `headers` may carry If-None-Match, If-Modified-Since."""
        page = self.pages.get(target.partition("?")[0])
        if page is None:
            body = "<!DOCTYPE html><html><head><title>404</title></head><body><h1>404 Not Found</h1></body></html>"
            return Response(404, {"Content-Type": "text/html; charset=utf-8"}, body.encode())
        if _unchanged(page, {name.lower(): value for name, value in (headers or {}).items()}):
            return Response(304, {name: page.headers[name] for name in ("ETag", "Last-Modified")}, b"")
        return page


def make_site(folder: Path, base_url: str, revised: Collection[str] = ()) -> Site:
    """Render the site under `folder`. Links in feeds begin with `base_url`; `revised` (outlet/slug) are in their later state.

    Raises `ConfigError` for a wrong file, KeyError for a `copy_of` or `revised` that does not exist, ValueError for an edit of
    words that are not there.
    """
    outlets, items, look = read_outlets(folder), read_articles(folder, revised), read_look(folder)
    newest = items[0].article.published
    pages = static_pages(folder, newest)
    pages["/"] = listing_page("Outlets", [(f"/{outlet.path}/", outlet.name) for outlet in outlets], newest)
    for outlet in outlets:
        own = [item for item in items if item.key.startswith(f"{outlet.path}/")]
        pages[outlet.feed_path] = feed_page(outlet, own, base_url)
        pages[f"/{outlet.path}/"] = listing_page(outlet.name, [(i.path, i.article.title) for i in own], newest)
        pages |= {item.path: article_page(outlet, item, own, look) for item in own if item.article.page == "full"}
    return Site(pages, outlets, items)


def _unchanged(page: Response, headers: Mapping[str, str]) -> bool:
    """Return whether a conditional request is answered with 304; If-None-Match outranks If-Modified-Since (RFC 9110 §13.2.2)."""
    if tags := headers.get("if-none-match"):
        return any(tag.strip().removeprefix("W/") in ("*", page.headers["ETag"]) for tag in tags.split(","))
    try:
        since = parsedate_to_datetime(headers["if-modified-since"])
    except (KeyError, ValueError):
        return False
    return parsedate_to_datetime(page.headers["Last-Modified"]).timestamp() <= since.timestamp()


@contextmanager
def serve(folder: Path = DEFAULT_FOLDER, port: int = 0, revised: Collection[str] = ()) -> Iterator[str]:
    """Serve the site on 127.0.0.1 while the context lasts; yield its base URL. `port` 0 takes a free one.

    An article's identity is its link, so two runs that are to mean the same articles need the same port.
    Raises OSError when the port is taken.
    """
    server = _server(folder, port, revised)
    thread = Thread(target=server.serve_forever, args=[_POLL_SECONDS], name="sample-site", daemon=True)
    thread.start()
    try:
        yield _base_url(server)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    request_queue_size = 64  # a fetcher opens many connections at once; the default of 5 makes it wait for retries
    daemon_threads = True


def _base_url(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def _server(folder: Path, port: int, revised: Collection[str]) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            response = site.get(self.path, dict(self.headers.items()))
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            if response.status != 304:
                self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(response.body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
            log.debug(format, *args)

    server = _Server(("127.0.0.1", port), Handler)
    site = make_site(folder, _base_url(server), revised)
    return server


def main(argv: list[str] | None = None) -> int:
    """Run the sample site until it is interrupted; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m shared.sample_site", description="Serve the bundled sample news site."
    )
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="port on 127.0.0.1 (default %(default)s)")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="folder with outlets.yaml and articles/")
    parser.add_argument(
        "--revised", nargs="*", default=[], metavar="OUTLET/SLUG", help="articles to serve in their later state"
    )
    options = parser.parse_args(argv)
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(
            signum, signal.default_int_handler
        )  # also where the starter ignores SIGINT, as a background shell does
    try:
        server = _server(options.folder, options.port, options.revised)
    except OSError as error:
        parser.exit(1, f"cannot serve on port {options.port}: {error.strerror}\n")
    sys.stdout.write(f"{_base_url(server)}\n")
    sys.stdout.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
