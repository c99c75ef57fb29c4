"""deploy/Dockerfile cannot be built in CI: its instructions are held against the tree, the locks and docker-compose.yml."""

import json
import re
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

import pytest
from ruamel.yaml import YAML

from services.commands.common import project_folder
from shared.settings import Settings

PROJECT = project_folder()
DOCKERFILE = (PROJECT / "deploy/Dockerfile").read_text(encoding="utf-8")
IGNORE = (PROJECT / ".dockerignore").read_text(encoding="utf-8")
USER = "10001"
KNOWN = {"COPY", "ENTRYPOINT", "ENV", "FROM", "RUN", "USER", "WORKDIR"}


def instructions(text: str) -> list[tuple[str, str]]:
    """Return the instructions with their arguments, comments left out and continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def ignored(path: str, patterns: str) -> bool:
    """Return whether .dockerignore keeps a path out of the build: the last pattern that fits it, or a parent of it, decides."""
    out = False
    steps = PurePosixPath(path).parts
    for line in patterns.splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!")
        if pattern.startswith("**/"):
            fits = any(fnmatchcase(step, pattern[3:]) for step in steps)
        else:
            wanted = pattern.split("/")
            fits = len(wanted) <= len(steps) and all(map(fnmatchcase, steps, wanted))
        if fits:
            out = not line.startswith("!")
    return out


def problems(text: str, patterns: str = IGNORE) -> Iterator[str]:
    """Yield what is wrong with a Dockerfile of this project, a sentence each."""
    found = instructions(text)
    for word in sorted({word for word, _ in found} - KNOWN):
        yield f"{word} is not used here"
    stages = [index for index, (word, _) in enumerate(found) if word == "FROM"]
    last = found[stages[-1] :]
    names = set()
    for _, base in (found[index] for index in stages):
        names.add(base.partition(" AS ")[2])
        if not re.fullmatch(r"python:3\.12\.\d+-slim-\w+( AS \w+)?", base):
            yield f"base {base} has no full version"
    for word, rest in found:
        if word == "COPY":
            yield from _copy_problems(rest, names, patterns)
        if word == "RUN":
            yield from _run_problems(rest)
    if any(word == "RUN" and re.search(r"pip\S* (--python \S+ )?install", rest) for word, rest in last):
        yield "the last stage installs packages"
    if not any(word == "RUN" and "rm -rf" in rest and "/site-packages/pip*" in rest for word, rest in last):
        yield "the image holds pip"
    if last[-2:] != [("USER", f"{USER}:{USER}"), ("ENTRYPOINT", json.dumps(["frontwire"]))]:
        yield "the image does not end with its user and `frontwire`"
    if {rest for word, rest in found if word == "WORKDIR"} != {"/app"}:
        yield "the tree is not in /app"


def _copy_problems(rest: str, stages: set[str], patterns: str) -> Iterator[str]:
    words = rest.split()
    if words[0].startswith("--from="):
        if words[0].removeprefix("--from=") not in stages:
            yield f"no stage {words[0]}"
        return
    for source in words[:-1]:
        if not (PROJECT / source).exists():
            yield f"{source} does not exist"
        elif ignored(source, patterns):
            yield f"{source} is kept out by .dockerignore"


def _run_problems(rest: str) -> Iterator[str]:
    for command in rest.split(" && "):
        if re.search(r"\b(apt-get|apk|curl|wget|gcc)\b", command):
            yield f"fetches or compiles: {command[:40]}"
        if "install" in command.split() and "pip" in command:
            offline = "--no-deps" in command and "--no-index" in command
            if not offline and not ("--require-hashes" in command and "--only-binary :all:" in command):
                yield f"installs without hashes: {command[:60]}"
            for lock in re.findall(r"-r (deploy/\S+)", command):
                if not (PROJECT / lock).is_file():
                    yield f"{lock} does not exist"


def test_the_dockerfile_agrees_with_the_tree() -> None:
    assert list(problems(DOCKERFILE)) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("python:3.12.12-slim-bookworm AS", "python:3-slim AS", "no full version"),
        ("python:3.12.12-slim-bookworm\nRUN", "python:latest\nRUN", "no full version"),
        ("COPY schemas schemas", "COPY schema schemas", "schema does not exist"),
        ("COPY schemas schemas", "COPY tests tests", "tests is kept out by .dockerignore"),
        ("--from=build /app", "--from=builder /app", "no stage --from=builder"),
        ("--require-hashes -r deploy/requirements.lock", "-r deploy/requirements.lock", "installs without hashes"),
        ("--only-binary :all: --require-hashes -r /tmp", "--require-hashes -r /tmp", "installs without hashes"),
        ("--no-deps --no-index", "--no-deps", "installs without hashes"),
        ("-r deploy/requirements.lock", "-r deploy/requirements.txt", "requirements.txt does not exist"),
        ("RUN groupadd", "RUN apt-get install gcc && groupadd", "fetches or compiles"),
        ("RUN groupadd", "RUN pip install --no-deps --no-index . && groupadd", "the last stage installs packages"),
        (" /usr/local/lib/python3.12/site-packages/pip*", "", "holds pip"),
        ("USER 10001:10001\n", "", "does not end with its user"),
        ('["frontwire"]', "frontwire", "does not end with its user"),
        ("WORKDIR /app\nCOPY --from", "WORKDIR /srv\nCOPY --from", "not in /app"),
        ("COPY deploy deploy", "ADD deploy deploy", "ADD is not used here"),
    ],
)
def test_a_planted_fault_is_found(old: str, new: str, expected: str) -> None:
    assert old in DOCKERFILE
    found = list(problems(DOCKERFILE.replace(old, new)))
    assert any(expected in problem for problem in found), found


@pytest.mark.parametrize(
    "path", [".env", "deploy/.env", ".git/config", ".venv/bin/python", ".frontwire/logs/x.log", "tests"]
)
def test_secrets_and_leftovers_stay_out_of_the_image(path: str) -> None:
    assert ignored(path, IGNORE)


def test_what_the_program_reads_beside_its_code_is_in_the_image() -> None:
    copied = [
        words.split()[:-1] for word, words in instructions(DOCKERFILE) if word == "COPY" and "--from" not in words
    ]
    tree = {source for sources in copied for source in sources}
    assert {"services", "shared", "schemas", "deploy", "pyproject.toml"} <= tree
    defaults = Settings.model_fields
    for name in ("config_dir", "elasticsearch_templates"):
        assert defaults[name].default.parts[0] in tree
        assert not ignored(str(defaults[name].default), IGNORE)


def test_the_build_backend_is_one_requirement_with_hashes() -> None:
    program = re.search(r"awk '([^']+)' (deploy/\S+)", DOCKERFILE)
    assert program is not None
    printed = subprocess.run(
        ["awk", program[1], PROJECT / program[2]], capture_output=True, text=True, timeout=30, check=True
    )
    assert re.match(r"setuptools==\d", printed.stdout)
    assert printed.stdout.count("==") == 1
    assert "--hash=sha256:" in printed.stdout


def test_user_and_folders_are_those_of_the_compose_file() -> None:
    compose = YAML(typ="safe").load((PROJECT / "docker-compose.yml").read_text(encoding="utf-8"))
    made = re.search(rf"--owner {USER} --group {USER} --mode 0700 ((?:/\w+ ?)+)", DOCKERFILE)
    assert made is not None
    owned = set(made[1].split())
    for name, service in compose["services"].items():
        if service["image"].startswith("frontwire:"):
            assert service["user"] == f"{USER}:{USER}", name
            named = [mount.split(":")[1] for mount in service.get("volumes", []) if not mount.startswith(".")]
            assert set(named) <= owned, name
            for mount in service["tmpfs"]:
                assert mount.startswith("/tmp:") or f"uid={USER}" in mount, name
