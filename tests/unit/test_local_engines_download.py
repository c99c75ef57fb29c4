"""The downloader against a small web server: resumed, verified, once for all, clear about what is wrong."""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from rich.console import Console

from shared.local_engines.download import fetch, unpack
from shared.local_engines.lock import Artefact, repository_path
from shared.local_engines.model import EngineError

CONTENT = bytes(range(256)) * 40


class Repository(ThreadingHTTPServer):
    """Serves files by path, with ranges; `failures` answers are 503 first; `asked` is (path, Range header)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.failures = 0
        self.asked: list[tuple[str, str | None]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/maven"

    def add(self, coordinates: str, content: bytes = CONTENT, sha256: str | None = None) -> Artefact:
        self.files["/maven/" + repository_path(coordinates)] = content
        return Artefact(coordinates, len(content), sha256 or hashlib.sha256(content).hexdigest())


class Handler(BaseHTTPRequestHandler):
    server: Repository

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        if self.server.failures > 0:
            self.server.failures -= 1
            self.send_error(503)
            return
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        begin = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        self.wfile.write(content[begin:])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""


@pytest.fixture
def repository() -> Iterator[Repository]:
    with Repository() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_fetches_in_order_and_only_once(repository: Repository, tmp_path: Path, console: Console) -> None:
    artefacts = tuple(repository.add(f"org.example:part{number}:jar:1.{number}") for number in range(6))
    paths = fetch(artefacts, tmp_path, repository.address, console)
    assert [path.name for path in paths] == [f"part{number}-1.{number}.jar" for number in range(6)]
    assert all(path.read_bytes() == CONTENT for path in paths)
    fetch(artefacts, tmp_path, repository.address, console)
    assert len(repository.asked) == 6
    assert printed(console).count("fetching 6 files") == 1


def test_two_at_once_download_once(repository: Repository, tmp_path: Path, console: Console) -> None:
    artefact = repository.add("org.example:shared:jar:1")
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(fetch, (artefact,), tmp_path, repository.address, console) for _ in range(2)]
        assert [job.result()[0].read_bytes() for job in jobs] == [CONTENT, CONTENT]
    assert len(repository.asked) == 1


def test_goes_on_where_it_stopped(repository: Repository, tmp_path: Path, console: Console) -> None:
    artefact = repository.add("org.example:large:zip:2")
    (tmp_path / "large-2.zip.part").write_bytes(CONTENT[:1000])
    (path,) = fetch((artefact,), tmp_path, repository.address, console)
    assert path.read_bytes() == CONTENT
    assert [header for _, header in repository.asked] == ["bytes=1000-"]


def test_a_damaged_file_is_fetched_again(repository: Repository, tmp_path: Path, console: Console) -> None:
    artefact = repository.add("org.example:rotten:jar:1")
    (tmp_path / "rotten-1.jar").write_bytes(b"x" * len(CONTENT))
    (path,) = fetch((artefact,), tmp_path, repository.address, console)
    assert path.read_bytes() == CONTENT


def test_a_passing_failure_is_tried_again(repository: Repository, tmp_path: Path, console: Console) -> None:
    artefact = repository.add("org.example:flaky:jar:1")
    repository.failures = 1
    (path,) = fetch((artefact,), tmp_path, repository.address, console)
    assert path.read_bytes() == CONTENT
    assert len(repository.asked) == 2


def test_a_wrong_hash_names_file_expected_got_and_remedy(
    repository: Repository, tmp_path: Path, console: Console
) -> None:
    artefact = repository.add("org.example:forged:jar:1", sha256="0" * 64)
    with pytest.raises(EngineError) as caught:
        fetch((artefact,), tmp_path, repository.address, console)
    message = str(caught.value)
    got = hashlib.sha256(CONTENT).hexdigest()
    assert all(part in message for part in ("forged-1.jar", "0" * 64, got, "start again"))
    assert not [path for path in tmp_path.iterdir() if path.suffix in {".jar", ".part"}]


def test_an_absent_file_is_not_tried_again(repository: Repository, tmp_path: Path, console: Console) -> None:
    absent = Artefact("org.example:absent:jar:1", 10, "0" * 64)
    with pytest.raises(EngineError, match=r"cannot fetch absent-1\.jar .*404.*FRONTWIRE_MAVEN_REPOSITORY"):
        fetch((absent,), tmp_path, repository.address, console)
    assert len(repository.asked) == 1


def test_unpack_takes_what_is_wanted(tmp_path: Path) -> None:
    archive = tmp_path / "program.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for name in ("program-1/", "program-1/lib/a.jar", "program-1/tools/b.jar"):
            out.writestr(name, b"x" if name[-1] != "/" else b"")
    target = tmp_path / "program"
    unpack(archive, target, lambda name: name.startswith("lib/"), ("plugins",))
    assert sorted(path.relative_to(target).as_posix() for path in target.rglob("*")) == ["lib", "lib/a.jar", "plugins"]
    assert (target / "lib" / "a.jar").stat().st_mode & 0o444 == 0o444
