"""What docker-compose.yml must be, as functions that return problems: each a sentence that names the service and the fault.

The file cannot be started in CI, so it is held against the code instead: commands, variables, ports, paths, services.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click
from click.testing import CliRunner
from pydantic import SecretStr, ValidationError

from services.cli import cli
from shared.settings import Settings, variables
from shared.supervisor import SERVICES

Compose = Mapping[str, Any]
Rule = Callable[[Compose, Path], Iterator[str]]

IMAGE: Final = "frontwire"
APP: Final = "/app"
TOP_KEYS: Final = {"name", "services", "networks", "volumes"}
SERVICE_KEYS: Final = {
    "build", "cap_drop", "command", "depends_on", "entrypoint", "environment", "healthcheck", "image", "init", "logging",
    "mem_limit", "networks", "pids_limit", "ports", "profiles", "read_only", "restart", "security_opt",
    "stop_grace_period", "tmpfs", "ulimits", "user", "volumes",
}  # fmt: skip
HEALTH_KEYS: Final = {"test", "interval", "timeout", "retries", "start_period"}
# What a promise of ours rests on, the same for the local engine (deploy/local/kafka/server.properties).
KAFKA_PROMISES: Final = (
    "auto.create.topics.enable",
    "message.max.bytes",
    "num.partitions",
    "offsets.retention.minutes",
    "offsets.topic.replication.factor",
    "replica.fetch.max.bytes",
    "transaction.state.log.min.isr",
    "transaction.state.log.replication.factor",
)
_PINNED: Final = re.compile(r".+:v?\d+\.\d+\.\d+(-[a-z0-9.-]+)?$")
_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")
_REQUIRED: Final = re.compile(r"[A-Z_]+:\?.*\.env\.example")
_SECRET: Final = re.compile(r"PASSWORD|SECRET|TOKEN|KEY")


def problems(compose: Compose, project: Path) -> list[str]:
    """Return everything that is wrong in a parsed compose file; the rules on single services come first."""
    found = list(keys(compose, project))
    return found or [problem for rule in RULES for problem in rule(compose, project)]


def services_of(compose: Compose) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the services by name."""
    yield from compose["services"].items()


def is_ours(service: Mapping[str, Any]) -> bool:
    """Return whether a service runs the project's image."""
    return str(service.get("image", "")).partition(":")[0] == IMAGE


def runs_once(service: Mapping[str, Any]) -> bool:
    """Return whether a service is one run of a command."""
    return service.get("restart") in ("no", "on-failure")


def keys(compose: Compose, _: Path) -> Iterator[str]:
    """Only keys that are meant: a misspelt one is silently nothing to some versions of Compose."""
    for key in compose:
        if key not in TOP_KEYS and not key.startswith("x-"):
            yield f"unknown key {key}"
    for name, service in services_of(compose):
        for key in service.keys() - SERVICE_KEYS:
            yield f"{name}: unknown key {key}"


def images(compose: Compose, project: Path) -> Iterator[str]:
    """Every image has a full version; ours has the project's version and is built from deploy/Dockerfile."""
    release = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    for name, service in services_of(compose):
        image = str(service.get("image", ""))
        if not _PINNED.fullmatch(image):
            yield f"{name}: image {image!r} has no full version"
        if is_ours(service):
            if image != f"{IMAGE}:{release}":
                yield f"{name}: image {image}, the project is {release}"
            if not (project / service.get("build", {}).get("dockerfile", "absent")).is_file():
                yield f"{name}: its Dockerfile does not exist"
    versions = {s["image"].rpartition(":")[2] for _, s in services_of(compose) if "docker.elastic.co" in s["image"]}
    if len(versions) != 1 or not versions.pop().startswith("8.19."):
        yield "Elasticsearch and Kibana must be of one 8.19 version"


def hardening(compose: Compose, _: Path) -> Iterator[str]:
    """No root, no capabilities, no new privileges, bounded memory, processes and logs; ours cannot write to their image."""
    for name, service in services_of(compose):
        if not re.fullmatch(r"[1-9]\d*:\d+", str(service.get("user", ""))):
            yield f"{name}: user {service.get('user')!r} is not a numeric user other than root"
        if service.get("cap_drop") != ["ALL"]:
            yield f"{name}: keeps capabilities"
        if "no-new-privileges:true" not in service.get("security_opt", []):
            yield f"{name}: may gain privileges"
        if not {"mem_limit", "pids_limit"} <= service.keys():
            yield f"{name}: memory or processes are not limited"
        if "max-size" not in service.get("logging", {}).get("options", {}):
            yield f"{name}: its log grows without end"
        if is_ours(service) and not (service.get("read_only") and service.get("init") and service.get("tmpfs")):
            yield f"{name}: needs read_only, init and a tmpfs"


def health(compose: Compose, _: Path) -> Iterator[str]:
    """What runs for long has a whole health check, is started again, and has time to stop."""
    for name, service in services_of(compose):
        if runs_once(service):
            continue
        check = service.get("healthcheck", {})
        if check.keys() != HEALTH_KEYS:
            yield f"{name}: its health check needs {sorted(HEALTH_KEYS ^ check.keys())}"
        elif is_ours(service):
            port = service["environment"].get("FRONTWIRE_METRICS_PORT")
            if f"http://127.0.0.1:{port}/healthz" not in check["test"][-1]:
                yield f"{name}: its health check does not ask /healthz on port {port}"
        if service.get("restart") != "unless-stopped" or "stop_grace_period" not in service:
            yield f"{name}: needs restart: unless-stopped and stop_grace_period"


def secrets(compose: Compose, project: Path) -> Iterator[str]:
    """No secret has a value in the file: it is asked for, and deploy/.env.example says so with an empty value."""
    example = dict(
        line.split("=", 1)
        for line in (project / "deploy/.env.example").read_text(encoding="utf-8").splitlines()
        if re.match(r"[A-Z]", line)
    )
    wanted: set[str] = set()
    for name, service in services_of(compose):
        for variable, value in environment_of(service).items():
            text = "" if value is None else str(value).replace("$$", "")
            for reference in _VARIABLE.findall(text):
                wanted.add(reference.partition(":")[0])
                if not _REQUIRED.fullmatch(reference):
                    yield f"{name}: {variable} takes ${{{reference}}} without asking for it"
            if _SECRET.search(variable.upper()) and not variable.endswith("_FILE") and not _VARIABLE.fullmatch(text):
                yield f"{name}: {variable} holds a secret in the file"
    for missing in sorted(wanted ^ example.keys()):
        yield f"{missing} is asked for here or in deploy/.env.example, but not in both"
    for variable, value in example.items():
        if value:
            yield f"deploy/.env.example gives {variable} a default"


def ports(compose: Compose, _: Path) -> Iterator[str]:
    """Ports are published on 127.0.0.1 only, and never the broker's or a service's."""
    for name, service in services_of(compose):
        for port in service.get("ports", []):
            if not re.fullmatch(r"127\.0\.0\.1:\d+:\d+", str(port)):
                yield f"{name}: port {port} is open to other machines"
            if name == "kafka" or is_ours(service):
                yield f"{name}: publishes port {port}"


def volumes(compose: Compose, project: Path) -> Iterator[str]:
    """Folders that are mounted exist, land where the image has the same folder, and every named volume is declared and used."""
    declared = set(compose["volumes"])
    used: set[str] = set()
    for name, service in services_of(compose):
        for mount in service.get("volumes", []):
            source, target, mode = [*str(mount).split(":"), ""][:3]
            if not source.startswith("."):
                used.add(source)
                continue
            if not (project / source).is_dir():
                yield f"{name}: {source} does not exist"
            if mode != "ro":
                yield f"{name}: {source} can be written from the container"
            if is_ours(service) and Path(target) != Path(APP) / source:
                yield f"{name}: {source} is mounted on {target}"
    for volume in sorted(declared ^ used):
        yield f"volume {volume} is declared or used, but not both"


def networks(compose: Compose, _: Path) -> Iterator[str]:
    """Networks are declared; the broker's has no way out; Prometheus sees each service once, so on one network."""
    declared = compose["networks"]
    seen = set(compose["services"].get("prometheus", {}).get("networks", []))
    for name, service in services_of(compose):
        mine = set(service.get("networks", []))
        for unknown in sorted(mine - declared.keys()):
            yield f"{name}: network {unknown} is not declared"
        if not mine:
            yield f"{name}: is on no network of its own choice"
        if is_ours(service) and not runs_once(service) and len(mine & seen) != 1:
            yield f"{name}: shares {len(mine & seen)} networks with prometheus"
        if name == "kafka" and not all((declared.get(network) or {}).get("internal") for network in mine):
            yield "kafka: is on a network that has a way out"


def dependencies(compose: Compose, _: Path) -> Iterator[str]:
    """What is waited for exists and can reach the condition."""
    for name, service in services_of(compose):
        for other, wish in service.get("depends_on", {}).items():
            target = compose["services"].get(other)
            match wish["condition"]:
                case _ if target is None:
                    yield f"{name}: waits for {other}, which does not exist"
                case "service_healthy" if "healthcheck" not in target:
                    yield f"{name}: waits for the health of {other}, which has no check"
                case "service_completed_successfully" if not runs_once(target):
                    yield f"{name}: waits for the end of {other}, which does not end"
        if is_ours(service) and not runs_once(service) and "topics" not in service.get("depends_on", {}):
            yield f"{name}: does not wait for the topics"


def environment(compose: Compose, project: Path) -> Iterator[str]:
    """Our variables are those of shared/settings.py, with values it takes, naming paths and addresses that exist."""
    for name, service in services_of(compose):
        if not is_ours(service) or "entrypoint" in service:
            continue
        given = environment_of(service)
        for unknown in sorted(key for key in given if not is_variable(key)):
            yield f"{name}: no variable {unknown} in shared/settings.py"
        fields = {key.removeprefix("FRONTWIRE_").lower(): v for key, v in given.items() if v is not None}
        try:
            settings = settings_of(
                frozenset((key, value) for key, value in fields.items() if key in Settings.model_fields)
            )
        except ValidationError as error:
            yield f"{name}: {error}"
            continue
        for path in (settings.config_dir, settings.elasticsearch_templates):
            if not path.is_relative_to(APP) or not (project / path.relative_to(APP)).is_dir():
                yield f"{name}: {path} is not in the image"
        files = [Path(str(value)).parent for key, value in given.items() if key.endswith("_FILE")]
        for path in (settings.data_dir, *files):
            if str(path) not in mounted(service):
                yield f"{name}: nothing is mounted on {path}"
        if settings.metrics_host != "0.0.0.0":
            yield f"{name}: its metrics cannot be reached from other containers"
        for address in (*settings.kafka_bootstrap.split(","), urlsplit(settings.elasticsearch_url).netloc):
            yield from unreachable(compose, name, address)


@cache
def settings_of(fields: frozenset[tuple[str, Any]]) -> Settings:
    """Return the settings that these fields make; raises `ValidationError`."""
    return Settings(**dict(fields))


def unreachable(compose: Compose, name: str, address: str) -> Iterator[str]:
    """Yield why a service cannot reach host:port, when it cannot."""
    host, _, port = address.partition(":")
    target = compose["services"].get(host)
    if target is None:
        yield f"{name}: no service {host}"
        return
    listening = str(target.get("environment", {}).get("KAFKA_ADVERTISED_LISTENERS", target.get("ports", [""])[0]))
    if not listening.endswith(f":{port}"):
        yield f"{name}: {host} does not listen on {port}"
    if not set(target["networks"]) & set(compose["services"][name]["networks"]):
        yield f"{name}: shares no network with {host}"


def commands(compose: Compose, project: Path) -> Iterator[str]:
    """Every command is one that `frontwire` takes, with these arguments; a script that is run instead exists."""
    for name, service in services_of(compose):
        if not is_ours(service):
            continue
        if "entrypoint" in service:
            if not (project / service["entrypoint"][-1]).is_file():
                yield f"{name}: {service['entrypoint'][-1]} does not exist"
            continue
        refused = refusal(tuple(str(word) for word in service.get("command", [])))
        if refused:
            yield f"{name}: {refused}"


@cache
def refusal(arguments: tuple[str, ...]) -> str:
    """Return why `frontwire` does not take these arguments, empty when it does."""
    try:
        parse(cli, IMAGE, list(arguments))
    except click.exceptions.Exit:
        return ""
    except click.ClickException as refused:
        return refused.format_message()
    return ""


def parse(command: click.Command, name: str, arguments: list[str], parent: click.Context | None = None) -> None:
    """Parse a command line to its last argument without running it, then run it with --help. Raises `ClickException`."""
    context = command.make_context(name, list(arguments), parent=parent)
    if isinstance(command, click.Group):
        found, inner, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        if inner is not None:
            parse(inner, found or "", rest, context)
    if parent is None:
        shown = CliRunner().invoke(command, [*arguments, "--help"])
        if shown.exit_code or "Usage:" not in shown.output:
            raise click.UsageError(f"{' '.join(arguments)} --help ended with {shown.exit_code}")


def wire(compose: Compose, _: Path) -> Iterator[str]:
    """Every service of the supervisor runs; `decide` has a standby, and each copy a volume of its own for its table."""
    running = [service.get("command") for _, service in services_of(compose) if is_ours(service)]
    for job in SERVICES:
        if ["run", job.name] not in running:
            yield f"nothing runs {job.name}"
    if ["topics", "apply"] not in running:
        yield "nothing makes the topics"
    tables = [
        mount.partition(":")[0]
        for _, service in services_of(compose)
        if service.get("command") == ["run", "decide"]
        for mount in service.get("volumes", [])
        if mount.endswith(":/data")
    ]
    if len(tables) != 2 or len(set(tables)) != 2:
        yield "decide needs two copies, each with a volume of its own on /data"


def engines(compose: Compose, project: Path) -> Iterator[str]:
    """Kafka is the version, and has the settings, that the tests run on; Elasticsearch has its security on."""
    kafka, elasticsearch = compose["services"]["kafka"], compose["services"]["elasticsearch"]
    local = dict(
        line.split("=", 1)
        for line in (project / "deploy/local/kafka/server.properties").read_text(encoding="utf-8").splitlines()
        if re.match(r"[a-z]", line)
    )
    for setting in KAFKA_PROMISES:
        here = kafka["environment"].get(f"KAFKA_{setting.upper().replace('.', '_')}")
        if here != local[setting]:
            yield f"kafka: {setting} is {here}, the local engine has {local[setting]}"
    lock = (project / "deploy/local/engines.lock.yaml").read_text(encoding="utf-8")
    if f":kafka_2.13:jar:{kafka['image'].rpartition(':')[2]}" not in lock:
        yield f"kafka: {kafka['image']} is not the version of the local engine"
    if elasticsearch["environment"].get("xpack.security.enabled") != "true":
        yield "elasticsearch: its security is off"


def environment_of(service: Mapping[str, Any]) -> dict[str, Any]:
    """Return a service's variables."""
    return dict(service.get("environment", {}))


def mounted(service: Mapping[str, Any]) -> set[str]:
    """Return the container paths of a service that are volumes or in memory."""
    return {str(mount).split(":")[1] for mount in service.get("volumes", [])} | {
        str(mount).partition(":")[0] for mount in service.get("tmpfs", [])
    }


def is_variable(name: str) -> bool:
    """Return whether shared/settings.py reads this variable; a secret's may end in _FILE."""
    base = name.removesuffix("_FILE")
    field = Settings.model_fields.get(base.removeprefix("FRONTWIRE_").lower())
    return name in variables() or (field is not None and field.annotation == SecretStr | None)


RULES: Final[tuple[Rule, ...]] = (
    images, hardening, health, secrets, ports, volumes, networks, dependencies, environment, commands, wire, engines,
)  # fmt: skip
