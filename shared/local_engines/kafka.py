"""Kafka in KRaft mode: one node that is broker and controller."""

import base64
import re
import shutil
import socket
import struct
import uuid
from pathlib import Path

from shared.local_engines.files import copy_tree
from shared.local_engines.launch import Engine, Launch, Place, filled, java_options
from shared.local_engines.model import TEMPLATES, EngineError
from shared.local_engines.process import free_port, run

_FORMAT_SECONDS = 60.0
_METADATA = 3  # the request's api key in the Kafka protocol


def prepare(files: list[Path], place: Place) -> Launch:
    """Writes the configuration, formats the data folder the first time, and returns the broker's command."""
    config = place.home / "config"
    values = {"port": place.port, "controller_port": free_port(), "home": place.home}
    properties = config / "server.properties"
    properties.write_text(ascii_properties(filled("kafka/server.properties", values)), encoding="ascii")
    shutil.copyfile(TEMPLATES / "kafka" / "log4j2.properties", config / "log4j2.properties")
    base = [str(place.java), *java_options("kafka/jvm.options", place), "-cp", _class_path(files, place)]
    if not (place.home / "data" / "meta.properties").exists():
        _format(base, properties, place)
    return Launch([*base, "kafka.Kafka", str(properties)], place.home)


def is_ready(port: int) -> bool:
    """Whether the broker lists itself as alive: Metadata request, version 1, no topics (Kafka protocol guide)."""
    request = struct.pack(">hhih9si", _METADATA, 1, 0, 9, b"frontwire", 0)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            head = connection.makefile("rb").read(12)
    except OSError:
        return False
    return len(head) == 12 and struct.unpack(">iii", head)[2] > 0


def ascii_properties(text: str) -> str:
    r"""Text for a Java properties file, which is read as Latin-1: other letters as \uXXXX (a folder may be "Tin tức")."""
    return re.sub(r"[^\x00-\x7f]", lambda found: _escaped(found[0]), text)


def _escaped(letter: str) -> str:
    units = letter.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _class_path(files: list[Path], place: Place) -> str:
    folder = files[0].parent
    if place.programs not in folder.parents:
        copy_tree(folder, place.programs / folder.name)
        folder = place.programs / folder.name
    return ":".join(str(folder / path.name) for path in files)


def cluster_id(unique: uuid.UUID) -> str:
    """A cluster's name as Kafka makes it: 22 characters, which may begin with a dash (so it must not look like an option)."""
    return base64.urlsafe_b64encode(unique.bytes).decode().rstrip("=")


def _format(base: list[str], properties: Path, place: Place) -> None:
    output = place.home / "log" / "format.log"
    command = [
        *base,
        "kafka.tools.StorageTool",
        "format",
        f"--cluster-id={cluster_id(uuid.uuid4())}",
        "--config",
        str(properties),
    ]
    if run(command, place.home, place.home / "tmp", output, place.user, _FORMAT_SECONDS) != 0:
        raise EngineError(f"cannot format Kafka's data folder: {output.read_text(errors='replace').strip()} ({output})")


KAFKA = Engine("kafka", "log/kafka.log", prepare, is_ready)
