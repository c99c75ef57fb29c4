"""Settings from the environment: every wrong variable named at once, secrets never shown."""

import logging
from pathlib import Path

import pytest

from shared.settings import Settings, SettingsError, environment_of, load_settings, read_secret, variables

SECRETS = {"kafka_password": "FRONTWIRE_KAFKA_PASSWORD", "elasticsearch_api_key": "FRONTWIRE_ELASTICSEARCH_API_KEY",
           "kibana_password": "FRONTWIRE_KIBANA_PASSWORD"}  # fmt: skip


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in variables():
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)


def test_defaults_need_no_environment() -> None:
    assert load_settings() == Settings()
    assert Settings().metrics_host == "127.0.0.1"


def test_the_environment_is_read_with_its_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTWIRE_KAFKA_BOOTSTRAP", "kafka-1:9092,kafka-2:9092")
    monkeypatch.setenv("FRONTWIRE_METRICS_PORT", "9100")
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "someone-elses:1")
    settings = load_settings()
    assert (settings.kafka_bootstrap, settings.metrics_port) == ("kafka-1:9092,kafka-2:9092", 9100)


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in variables():
        monkeypatch.setenv(name, "")
    assert load_settings() == Settings()


def test_every_wrong_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "KAFKA_BOOTSTRAP": "kafka",
        "KAFKA_REPLICATION": "0",
        "ELASTICSEARCH_URL": "elastic:9200",
        "WORKER_ID": "../x",
        "METRICS_PORT": "70000",
        "LOG_LEVEL": "loud",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(f"FRONTWIRE_{name}", value)
    with pytest.raises(SettingsError) as refusal:
        load_settings()
    lines = str(refusal.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"FRONTWIRE_{name}" for name in wrong]


@pytest.mark.parametrize(
    "value", ["kafka", "kafka:", ":9092", "kafka:x", "kafka:9092,", "kafka:9092, b:9092", "kafka:9092,b"]
)
def test_brokers_need_host_and_port(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("FRONTWIRE_KAFKA_BOOTSTRAP", value)
    with pytest.raises(SettingsError, match=r"FRONTWIRE_KAFKA_BOOTSTRAP: expected host:port"):
        load_settings()


@pytest.mark.parametrize("value", ["elastic", "ftp://elastic:9200", "https://user:mat-khau@elastic:9200", "http://"])
def test_an_address_of_elasticsearch_holds_no_password(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("FRONTWIRE_ELASTICSEARCH_URL", value)
    with pytest.raises(SettingsError, match="FRONTWIRE_ELASTICSEARCH_URL: expected http") as refusal:
        load_settings()
    assert "mat-khau" not in str(refusal.value)


@pytest.mark.parametrize("value", ["kibana", "ftp://kibana:5601", "https://user:mat-khau@kibana:5601", "http://k/?x"])
def test_an_address_of_kibana_holds_no_password(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("FRONTWIRE_KIBANA_URL", value)
    with pytest.raises(SettingsError, match="FRONTWIRE_KIBANA_URL: expected http") as refusal:
        load_settings()
    assert "mat-khau" not in str(refusal.value)


@pytest.mark.parametrize(("field", "variable"), SECRETS.items())
def test_a_secret_comes_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, field: str, variable: str) -> None:
    path = tmp_path / "secret"
    path.write_text("mật-khẩu \n", encoding="utf-8")
    monkeypatch.setenv(f"{variable}_FILE", str(path))
    assert getattr(load_settings(), field).get_secret_value() == "mật-khẩu"


@pytest.mark.parametrize(("field", "variable"), SECRETS.items())
def test_a_secret_given_directly_wins_over_its_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, field: str, variable: str
) -> None:
    monkeypatch.setenv(variable, "direct")
    monkeypatch.setenv(f"{variable}_FILE", str(tmp_path / "absent"))
    assert getattr(load_settings(), field).get_secret_value() == "direct"


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read"), (b"\xff\xfe", "cannot be read"), (b"", "is empty"), (b" \n", "is empty")],
)
def test_a_secret_file_without_a_secret_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("FRONTWIRE_KAFKA_PASSWORD_FILE", str(path))
    with pytest.raises(SettingsError) as refusal:
        load_settings()
    assert str(refusal.value).startswith(f"the secret file {path} {said}")


def test_secrets_are_in_no_text_of_the_settings(caplog: pytest.LogCaptureFixture) -> None:
    settings = load_settings(kafka_password="khong-duoc-lo", elasticsearch_api_key="khong-duoc-lo")
    logging.getLogger("frontwire.tried").warning("settings %s %r", settings, settings)
    shown = f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()} {caplog.text}"
    assert "khong-duoc-lo" not in shown
    assert "**********" in caplog.text


def test_a_wrong_secret_is_not_quoted() -> None:
    with pytest.raises(SettingsError) as refusal:
        load_settings(kafka_password=["khong-duoc-lo"], metrics_port="khong-duoc-lo")
    assert "FRONTWIRE_KAFKA_PASSWORD" in str(refusal.value)
    assert "khong-duoc-lo" not in str(refusal.value)


def test_a_child_gets_the_same_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FRONTWIRE_LOG_LEVEL", "debug")
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = load_settings(kafka_password="mật", data_dir=tmp_path, worker_id="indexer-1")
    environment = environment_of(settings)
    assert environment["HOME"] == str(tmp_path)
    assert "FRONTWIRE_KAFKA_CA_FILE" not in environment
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().metrics_port = 1  # type: ignore[misc]


@pytest.mark.parametrize(("name", "described"), variables().items())
def test_every_variable_is_described(name: str, described: str) -> None:
    assert name.startswith("FRONTWIRE_")
    assert len(described) > 10


@pytest.mark.parametrize("variable", SECRETS.values())
def test_the_description_of_a_secret_names_its_file_variable(variable: str) -> None:
    assert f"{variable}_FILE" in variables()[variable]


def test_the_cache_follows_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert load_settings().cache_dir == tmp_path / "frontwire"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_settings().cache_dir == tmp_path / ".cache/frontwire"
    monkeypatch.setenv("FRONTWIRE_CACHE", str(tmp_path / "own"))
    assert load_settings().cache_dir == tmp_path / "own"


def test_a_secret_named_elsewhere_is_read_at_each_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("một\n", encoding="utf-8")
    assert read_secret(None, path).get_secret_value() == "một"
    path.write_text("hai\n", encoding="utf-8")
    assert read_secret(None, path).get_secret_value() == "hai"
    monkeypatch.setenv("A_TOKEN", "ba")
    assert read_secret("A_TOKEN", None).get_secret_value() == "ba"
    assert "ba" not in repr(read_secret("A_TOKEN", None))
    monkeypatch.delenv("A_TOKEN")
    with pytest.raises(SettingsError, match="the variable A_TOKEN is not set"):
        read_secret("A_TOKEN", None)
