"""Every setting that comes from the environment, once. Names carry the prefix FRONTWIRE_; secrets also take `…_FILE`.

Nothing else in the project reads the environment.
"""

import os
import re
import tempfile
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_PREFIX = "FRONTWIRE_"


class SettingsError(Exception):
    """The environment holds a value that cannot be used; the message names every variable."""


class Settings(BaseSettings):
    """Where the engines are, where files live, and how a process shows itself."""

    # `${NAME:-}` in a compose file gives an empty variable: it counts as unset.
    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    kafka_bootstrap: str = Field(default="127.0.0.1:9092", description="host:port[,host:port] of the Kafka brokers")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="how to talk to the brokers"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="used when the protocol is SASL_*"
    )
    kafka_username: str | None = Field(default=None, description="SASL user name")
    kafka_password: SecretStr | None = Field(
        default=None, description="SASL password (or FRONTWIRE_KAFKA_PASSWORD_FILE)"
    )
    kafka_ca_file: Path | None = Field(default=None, description="CA certificate of the brokers")
    kafka_replication: int = Field(
        default=1, ge=1, le=5, description="replicas of the topics that `topics apply` creates"
    )

    elasticsearch_url: str = Field(default="http://127.0.0.1:9200", description="http(s)://host:port of Elasticsearch")
    elasticsearch_api_key: SecretStr | None = Field(
        default=None, description="API key (or FRONTWIRE_ELASTICSEARCH_API_KEY_FILE)"
    )
    elasticsearch_ca_file: Path | None = Field(default=None, description="CA certificate of Elasticsearch")

    elasticsearch_templates: Path = Field(
        default=Path("deploy/elasticsearch"), description="folder of the index templates"
    )

    kibana_url: str = Field(
        default="http://127.0.0.1:5601", description="http(s)://host:port[/path] of Kibana, for links"
    )
    kibana_username: str | None = Field(default=None, description="user of `frontwire kibana import`")
    kibana_password: SecretStr | None = Field(
        default=None, description="its password (or FRONTWIRE_KIBANA_PASSWORD_FILE)"
    )
    kibana_space: str | None = Field(default=None, description="Kibana space of the links; default: the default space")

    config_dir: Path = Field(
        default=Path("deploy/config"), description="folder of feeds.yaml, watchlist.yaml and aliases/"
    )
    name_taggers: bool = Field(
        default=False,
        description="find names that no rule covers by trained taggers, where a language has one (Russian)",
    )
    data_dir: Path = Field(
        default=Path(".frontwire"), description="folder of this machine's state: engines, tables, logs"
    )
    worker_id: str = Field(
        default="0", pattern=r"^[A-Za-z0-9_-]{1,32}$", description="tells copies of one service on one machine apart"
    )
    metrics_port: int = Field(
        default=0, ge=0, le=65535, description="port of /metrics, /healthz and /readyz; 0 takes a free one"
    )
    metrics_host: str = Field(default="127.0.0.1", description="address of /metrics, /healthz and /readyz")

    stop_with_parent: bool = Field(
        default=False, description="stop when the process that started this one is gone (set by `frontwire up`)"
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="least level to log")
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="json lines, or readable text; auto: text on a terminal"
    )

    user_agent: str = Field(
        default="Frontwire/0.1 (news monitoring)", description="sent with every request; name a contact address here"
    )
    cache: Path | None = Field(
        default=None, description="cache of downloaded engines; default: the user's cache folder"
    )
    maven_repository: str | None = Field(
        default=None, description="mirror of the Maven repository the engines come from"
    )
    engine_java_options: str | None = Field(
        default=None, description="options for the Java of the local engines, after their own, as in `-Xmx2g`"
    )

    @model_validator(mode="before")
    @classmethod
    def _secrets_from_files(cls, values: Any) -> Any:
        for name in ("kafka_password", "elasticsearch_api_key", "kibana_password"):
            path = os.environ.get(f"{_PREFIX}{name}_FILE".upper())
            if path and not values.get(name):
                values[name] = _secret(Path(path))
        return values

    @field_validator("kafka_bootstrap")
    @classmethod
    def _has_ports(cls, value: str) -> str:
        if not re.fullmatch(r"[^\s,]+:[0-9]{1,5}(,[^\s,]+:[0-9]{1,5})*", value):
            raise ValueError("expected host:port[,host:port]")
        return value

    @field_validator("elasticsearch_url")
    @classmethod
    def _has_no_password(cls, value: str) -> str:
        if not re.fullmatch(r"https?://[^\s/@]+/?", value):
            raise ValueError("expected http(s)://host:port without user and password (they would be logged)")
        return value

    @field_validator("kibana_url")
    @classmethod
    def _is_a_page(cls, value: str) -> str:
        if not re.fullmatch(r"https?://[^\s@?#]+", value):
            raise ValueError("expected http(s)://host:port[/path] without user and password (links carry it)")
        return value

    @property
    def cache_dir(self) -> Path:
        """The folder for downloaded engines."""
        if self.cache:
            return self.cache
        base = os.environ.get("XDG_CACHE_HOME")
        try:
            return (Path(base) if base else Path.home() / ".cache") / "frontwire"
        except RuntimeError:
            return Path(tempfile.gettempdir()) / "frontwire-cache"


def _secret(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the secret file {path} cannot be read: {error}") from None
    if not text:
        raise SettingsError(f"the secret file {path} is empty")
    return text


def read_secret(env: str | None, file: Path | None) -> SecretStr:
    """Return a secret that configuration names by its variable or its file. Raises `SettingsError` when it is not there.

    It is read anew at each use: a secret that was changed in its file counts at once, and none is kept in memory.
    """
    if file is not None:
        return SecretStr(_secret(file))
    value = os.environ.get(env or "", "").strip()
    if not value:
        raise SettingsError(f"the variable {env} is not set")
    return SecretStr(value)


def load_settings(**overrides: Any) -> Settings:
    """Return the settings of the environment. Raises `SettingsError` naming every variable that is wrong."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = [
            f"{_PREFIX}{'.'.join(str(step) for step in item['loc']).upper()}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors(include_url=False, include_input=False)
        ]
        raise SettingsError("\n".join(lines)) from None


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the environment for a child process: this process's own, with these settings on top."""
    environment = dict(os.environ)
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        if value is not None:
            environment[f"{_PREFIX}{name}".upper()] = str(value)
    return environment


def variables() -> dict[str, str]:
    """Return every environment variable with its description, for the documentation and the compose test."""
    return {f"{_PREFIX}{name}".upper(): info.description or "" for name, info in Settings.model_fields.items()}
