"""Elasticsearch, the core distribution: one node, started without its launcher.

The launcher needs bash and a second Java process, and takes 4 s of the start. What it does is little: it
passes a fixed list of options (deploy/local/elasticsearch/jvm.options) and writes the node's settings to the
server's standard input, in the format of `ServerArgs.writeTo` of the locked version.
"""

import hashlib
import http.client
import json
import re
import shutil
from pathlib import Path

from ruamel.yaml import YAML

from shared.local_engines.download import unpack
from shared.local_engines.launch import Engine, Launch, Place, digest, filled, java_options
from shared.local_engines.model import TEMPLATES

_MAIN = "org.elasticsearch.server/org.elasticsearch.bootstrap.Elasticsearch"
_KEYSTORE = "org.elasticsearch.common.settings.KeyStoreWrapper"
_KEYSTORE_FORMAT = 6
# The server wants a keystore with a seed; nothing secret is derived from it without the security module.
_SEED = b"frontwire-local-seed"
# Of the modules only the network: x-pack without security and licences to use adds 2 s and 50 MB to each start.
_MEMBERS = re.compile(r"(LICENSE|NOTICE)\.txt|lib/(?!tools/(?!ansi-console/))|modules/transport-netty4/")
_EMPTY = ("bin", "plugins")  # the server makes them if it may, and stops if it may not


def prepare(files: list[Path], place: Place) -> Launch:
    """Unpacks the program where it is not, writes the configuration, and returns the server's command."""
    program = place.programs / f"{files[0].stem}-{digest(_MEMBERS.pattern)}"
    unpack(files[0], program, lambda name: _MEMBERS.match(name) is not None, _EMPTY)
    config, log = place.home / "config", place.home / "log"
    text = filled("elasticsearch/elasticsearch.yml", {"port": place.port, "home": place.home, "program": program})
    (config / "elasticsearch.yml").write_text(text, encoding="utf-8")
    shutil.copyfile(TEMPLATES / "elasticsearch" / "log4j2.properties", config / "log4j2.properties")
    settings = {key: str(value) for key, value in YAML(typ="safe").load(text).items()}
    options = [f"-XX:MaxDirectMemorySize={place.heap_mb // 2}m", *java_options("elasticsearch/jvm.options", place)]
    modules = ["--module-path", str(program / "lib"), "--add-modules=jdk.net", "--add-modules=ALL-MODULE-PATH"]
    command = [str(place.java), *options, *modules, "-m", _MAIN]
    return Launch(command, program, server_arguments(settings, config, log))


def is_ready(port: int) -> bool:
    """Whether the node has a master and all its primary shards (`GET /` does not exist in the core distribution)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/_cluster/health")
        answer = connection.getresponse()
        return answer.status == http.client.OK and json.load(answer)["status"] != "red"
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()


def server_arguments(settings: dict[str, str], config: Path, log: Path) -> bytes:
    """What the server reads from standard input before it starts: `ServerArgs` of Elasticsearch 8.17."""
    flags = b"\x01\x01\x00"  # leave the caller's terminal when ready; quiet; no pid file (we keep our own)
    entry = _text("keystore.seed") + _bytes(_SEED) + _bytes(hashlib.sha256(_SEED).digest())
    # Format, no password, no encrypted data, one entry, not closed.
    keystore = _text(_KEYSTORE) + _KEYSTORE_FORMAT.to_bytes(4, "big") + b"\x00\x00" + _vint(1) + entry + b"\x00"
    pairs = b"".join(_text(key) + b"\x00" + _text(value) for key, value in sorted(settings.items()))
    return flags + keystore + _vint(len(settings)) + pairs + _text(str(config)) + _text(str(log))


def _vint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _bytes(value: bytes) -> bytes:
    return _vint(len(value)) + value


def _text(value: str) -> bytes:
    # writeString counts UTF-16 units; paths outside the basic plane are not worth a special case.
    return _vint(len(value)) + value.encode()


ELASTICSEARCH = Engine("elasticsearch", "log/frontwire-local.log", prepare, is_ready)
