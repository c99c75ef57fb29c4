"""The engine lock: every file of the local engines with size and sha256, and how it is made anew."""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import requests
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext
from ruamel.yaml import YAML

from shared.local_engines.model import TEMPLATES, EngineName

LOCK = TEMPLATES / "engines.lock.yaml"
KAFKA = "org.apache.kafka:kafka_2.13:jar:4.3.1"
# Kafka speaks slf4j 1.7 and names no backend of its own.
LOGGING = "org.apache.logging.log4j:log4j-slf4j-impl:jar:2.25.4"
ELASTICSEARCH = "org.elasticsearch.distribution.integ-test-zip:elasticsearch:zip:8.17.4"
ENGINES: dict[EngineName, str] = {"kafka": KAFKA, "elasticsearch": ELASTICSEARCH}
# In the closure, but used by Scala macros at compile time and by command-line tools only.
NOT_NEEDED = frozenset({"scala-reflect", "jackson-dataformat-csv"})

_HEADER = """\
# The files of the local engines. Written by `python -m shared.local_engines lock`; not edited by hand.
# coordinates: Maven group:artifact:packaging:version; size in bytes.
"""


@dataclass(frozen=True)
class Artefact:
    """One file of a Maven repository; `coordinates` is group:artifact:packaging:version, `size` in bytes."""

    coordinates: str
    size: int
    sha256: str

    @property
    def file(self) -> str:
        """The file's name, in the repository and in the cache."""
        return repository_path(self.coordinates).rsplit("/", 1)[1]


def repository_path(coordinates: str) -> str:
    """The path of `group:artifact:packaging:version` below a Maven repository's base address."""
    group, artifact, packaging, version = coordinates.split(":")
    return f"{group.replace('.', '/')}/{artifact}/{version}/{artifact}-{version}.{packaging}"


def default_repository() -> str:
    """The base address of the public Maven repository, as the `jgo` library knows it."""
    return str(MAVEN_CENTRAL_URL)


def engine_version(name: EngineName) -> str:
    """The version that is locked, such as 4.3.1."""
    return ENGINES[name].rsplit(":", 1)[1]


def read_lock(path: Path = LOCK) -> dict[EngineName, tuple[Artefact, ...]]:
    """The locked files of each engine, in the lock's order."""
    content = YAML(typ="safe").load(path)
    return {name: tuple(Artefact(**entry) for entry in entries) for name, entries in content.items()}


def write_lock(repository: str, path: Path = LOCK) -> None:
    """Resolves what the pinned versions need, downloads it once and writes its sizes and hashes to `path`.

    The repository's own checksums (sha1) are what there is to compare with at this moment; from then on the
    lock's sha256 decides. Raises `requests.RequestException` when the repository cannot be reached.
    """
    engines = {"kafka": sorted({*_closure(repository, KAFKA), LOGGING}), "elasticsearch": [ELASTICSEARCH]}
    lines = [_HEADER]
    for name, coordinates in engines.items():
        lines.append(f"{name}:\n")
        lines += [_line(_measure(repository, one)) for one in coordinates]
    path.write_text("".join(lines), encoding="utf-8")


def _line(artefact: Artefact) -> str:
    return f'- {{coordinates: "{artefact.coordinates}", size: {artefact.size}, sha256: "{artefact.sha256}"}}\n'


def _closure(repository: str, coordinates: str) -> set[str]:
    group, artifact, _, version = coordinates.split(":")
    with tempfile.TemporaryDirectory() as cache:
        context = MavenContext(repo_cache=Path(cache), remote_repos={"repository": repository}, timeout=60)
        wanted = context.create_dependency(f"{group}:{artifact}:{version}")
        inputs, transitive = context.resolver.resolve([wanted])
        return {
            f"{each.groupId}:{each.artifactId}:{each.type}:{each.version}"
            for each in (*inputs, *transitive)
            if each.artifactId not in NOT_NEEDED
        }


def _measure(repository: str, coordinates: str) -> Artefact:
    address = f"{repository}/{repository_path(coordinates)}"
    with requests.get(address, timeout=300) as answer:
        answer.raise_for_status()
        content = answer.content
    with requests.get(f"{address}.sha1", timeout=60) as answer:
        answer.raise_for_status()
        published = answer.text.split()[0]
    if hashlib.sha1(content, usedforsecurity=False).hexdigest() != published:
        raise ValueError(f"{coordinates}: the repository's sha1 is {published}, the file's is another; try again")
    return Artefact(coordinates, len(content), hashlib.sha256(content).hexdigest())
