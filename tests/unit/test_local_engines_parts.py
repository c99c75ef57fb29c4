"""The local engines without the engines: lock, configuration, processes, folders, and the questions of readiness."""

import hashlib
import os
import re
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import psutil
import pytest
from ruamel.yaml import YAML

from shared.local_engines import EngineError, EngineSettings, elasticsearch, kafka, kill, process, start, status, stop
from shared.local_engines.files import User, give, open_to_all, reachable, safe_folder
from shared.local_engines.launch import Place, filled, java_options, open_folder
from shared.local_engines.lock import ENGINES, LOCK, LOGGING, NOT_NEEDED, read_lock, repository_path
from shared.local_engines.model import TEMPLATES
from shared.local_engines.process import Record

STRANGER = User(54321, 54321)


def settings(folder: Path) -> EngineSettings:
    port = process.free_port()
    return EngineSettings(folder / "cache", folder / "data", "http://127.0.0.1:9/maven", port, process.free_port())


def test_the_lock_holds_the_pinned_engines_and_their_hashes() -> None:
    locked = read_lock()
    assert list(locked) == list(ENGINES)
    for name, artefacts in locked.items():
        coordinates = [each.coordinates for each in artefacts]
        assert ENGINES[name] in coordinates
        assert coordinates == sorted(set(coordinates))
        assert all(re.fullmatch(r"[0-9a-f]{64}", each.sha256) and each.size > 0 for each in artefacts)
    assert LOGGING in {each.coordinates for each in locked["kafka"]}
    assert not NOT_NEEDED & {each.coordinates.split(":")[1] for each in locked["kafka"]}


def test_no_address_of_a_repository_is_written_down() -> None:
    for path in (LOCK, *TEMPLATES.rglob("*.*"), *Path(kafka.__file__).parent.glob("*.py")):
        assert not re.search(r"https?://(?!127\.0\.0\.1)", path.read_text(encoding="utf-8")), path


def test_repository_path() -> None:
    assert repository_path("org.example.news:wire_2.13:jar:4.3.1") == (
        "org/example/news/wire_2.13/4.3.1/wire_2.13-4.3.1.jar"
    )


def test_kafka_is_configured_for_one_node(tmp_path: Path) -> None:
    text = filled("kafka/server.properties", {"port": 1234, "controller_port": 1235, "home": tmp_path})
    lines = dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))
    assert lines["advertised.listeners"] == "BROKER://127.0.0.1:1234"
    assert lines["controller.quorum.voters"] == "1@127.0.0.1:1235"
    assert lines["log.dirs"] == f"{tmp_path}/data"
    assert lines["auto.create.topics.enable"] == "false"
    assert int(lines["offsets.retention.minutes"]) == 90 * 24 * 60
    assert int(lines["message.max.bytes"]) == int(lines["replica.fetch.max.bytes"]) == 16 * 1024 * 1024


def test_a_folder_may_have_a_vietnamese_name() -> None:
    assert kafka.ascii_properties("log.dirs=/Tin tức/𝄞") == "log.dirs=/Tin t\\u1ee9c/\\ud834\\udd1e"


def test_elasticsearch_listens_on_this_machine_only_and_guards_the_disk(tmp_path: Path) -> None:
    text = filled("elasticsearch/elasticsearch.yml", {"port": 1234, "home": tmp_path, "program": "/program"})
    found = YAML(typ="safe").load(text)
    assert found["http.host"] == found["transport.host"] == "127.0.0.1"
    assert found["cluster.routing.allocation.disk.watermark.flood_stage"] == "500mb"


def test_java_options_carry_the_heap(tmp_path: Path) -> None:
    place = Place(Path("java"), tmp_path, tmp_path, 1, 300, None, ("-Xms10m",))
    options = java_options("elasticsearch/jvm.options", place)
    assert options[-2:] == ["-Xmx300m", "-Xms10m"]
    assert f"-Djava.io.tmpdir={tmp_path}/tmp" in options
    assert not [option for option in options if "jdk.incubator.vector" in option or not option.startswith("-")]


def test_server_arguments_are_what_the_server_reads() -> None:
    message = elasticsearch.server_arguments({"b": "2", "a": "x" * 200}, Path("/c"), Path("/l"))
    seed = b"frontwire-local-seed"
    keystore = b"\x31org.elasticsearch.common.settings.KeyStoreWrapper" + b"\x00\x00\x00\x06\x00\x00\x01"
    entry = b"\x0dkeystore.seed\x14" + seed + b"\x20" + hashlib.sha256(seed).digest() + b"\x00"
    pairs = b"\x02" + b"\x01a\x00\xc8\x01" + b"x" * 200 + b"\x01b\x00\x012"
    assert message == b"\x01\x01\x00" + keystore + entry + pairs + b"\x02/c\x02/l"


@contextmanager
def health(body: bytes) -> Iterator[int]:
    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Health) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        yield server.server_port
        thread.join()


@pytest.mark.parametrize(
    ("body", "ready"),
    [(b'{"status": "green"}', True), (b'{"status": "yellow"}', True), (b'{"status": "red"}', False), (b"<", False)],
)
def test_elasticsearch_is_ready_when_its_primary_shards_are(body: bytes, ready: bool) -> None:
    with health(body) as port:
        assert elasticsearch.is_ready(port) is ready


@pytest.mark.parametrize(("brokers", "ready"), [(1, True), (0, False)])
def test_kafka_is_ready_when_it_lists_itself(brokers: int, ready: bool) -> None:
    def answer(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            length = int.from_bytes(connection.recv(4), "big")
            assert len(connection.recv(length)) == length
            connection.sendall(b"\x00\x00\x00\x08\x00\x00\x00\x00" + brokers.to_bytes(4, "big"))

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=answer, args=(server,))
        thread.start()
        assert kafka.is_ready(server.getsockname()[1]) is ready
        thread.join()


def test_nobody_listening_is_not_ready() -> None:
    port = process.free_port()
    assert not kafka.is_ready(port)
    assert not elasticsearch.is_ready(port)


def spawn(tmp_path: Path, code: str, message: bytes = b"") -> psutil.Process:
    command = [sys.executable, "-c", code]
    return psutil.Process(process.spawn(command, tmp_path, tmp_path, tmp_path / "out", None, message))


def record(found: psutil.Process, home: str = "/nowhere") -> Record:
    return Record(found.pid, found.create_time(), 1, "1", home)


def test_free_ports_are_not_given_to_outgoing_connections() -> None:
    assert all(20000 <= process.free_port() < 32000 for _ in range(20))


def test_a_process_has_its_own_session_and_is_found_until_it_ends(tmp_path: Path) -> None:
    found = spawn(tmp_path, "import sys, time; print(sys.stdin.read(), flush=True); time.sleep(60)", b"hello")
    process.write_record(tmp_path / "pid.json", record(found))
    kept = process.read_record(tmp_path / "pid.json")
    assert process.find(kept) == found
    assert os.getsid(found.pid) == found.pid
    assert process.end(found)
    assert process.find(kept) is None


def test_one_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    found = spawn(tmp_path, code)
    while "deaf" not in (tmp_path / "out").read_text():
        assert found.is_running()
    assert not process.end(found, patience=0.1)
    assert not psutil.pid_exists(found.pid)


def test_one_that_ended_by_itself_leaves_no_zombie(tmp_path: Path) -> None:
    found = spawn(tmp_path, "")
    kept = record(found)
    while process.find(kept) is not None:
        time.sleep(0.01)
    assert not psutil.pid_exists(found.pid)


def test_a_stale_pid_file_never_points_at_a_stranger(tmp_path: Path) -> None:
    stranger = spawn(tmp_path, "import time; time.sleep(60)")
    mine = settings(tmp_path)
    mine.data.mkdir()
    stale = Record(stranger.pid, stranger.create_time() - 3600, mine.kafka_port, "4.3.1", "/nowhere")
    process.write_record(mine.data / "kafka.pid.json", stale)
    assert [each.state for each in status(mine)] == ["stopped", "stopped"]
    assert stop(mine) == ()
    with pytest.raises(EngineError, match="kafka does not run"):
        kill(mine, "kafka")
    assert stranger.is_running()
    assert process.end(stranger)


def test_a_cut_off_pid_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "pid.json").write_text('{"pid": 1')
    assert process.read_record(tmp_path / "pid.json") is None
    assert process.read_record(tmp_path / "absent.json") is None


def test_start_names_everything_in_the_way_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = settings(tmp_path)
    usage = type("Usage", (), {"free": 100 << 20})
    monkeypatch.setattr("shared.local_engines.engines.shutil.disk_usage", lambda path: usage)
    memory = type("Memory", (), {"available": 200 << 20})
    monkeypatch.setattr("shared.local_engines.engines.psutil.virtual_memory", lambda: memory)
    with socket.create_server(("127.0.0.1", wanted.kafka_port)), pytest.raises(EngineError) as caught:
        start(wanted)
    message = str(caught.value)
    assert f"port {wanted.kafka_port} for kafka is taken by process {os.getpid()}" in message
    assert "100 MB free on the disk" in message
    assert "200 MB of memory available, 2048 MB are needed" in message
    assert not wanted.cache.exists()


def test_a_private_folder_hides_what_is_below(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    assert not reachable(home / "any", STRANGER)
    assert reachable(home / "any", None)
    assert open_folder(home, None) == home


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(EngineError, match="belongs to somebody else"):
        safe_folder(tmp_path / "link")
    assert safe_folder(tmp_path / "mine").is_dir()


def test_open_to_all_keeps_programs_runnable(tmp_path: Path) -> None:
    program, text = tmp_path / "program", tmp_path / "text"
    for path, mode in ((program, 0o700), (text, 0o600)):
        path.touch()
        path.chmod(mode)
    open_to_all(tmp_path)
    assert program.stat().st_mode & 0o777 == 0o755
    assert text.stat().st_mode & 0o777 == 0o644


def test_nothing_is_given_away_by_an_ordinary_user(tmp_path: Path) -> None:
    give(tmp_path, None)
    assert tmp_path.stat().st_uid == os.geteuid()
