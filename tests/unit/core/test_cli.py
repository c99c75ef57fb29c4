"""The command line: help that says what a newcomer needs; wrong input gives clear words, a failing exit code, no traceback."""

import io
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from services import cli as module
from services.cli import cli, main
from services.commands.common import project_folder
from services.extractor.entities import Knowledge, load_knowledge
from services.normaliser.rules import Rules, load_rules


def walk(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command with its words."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from walk(child, (*path, name))


COMMANDS = dict(walk(cli))


@cache
def shipped_rules() -> Rules:
    """Return the built-in clean-up rules, loaded once for all tests here: that takes half a second."""
    return load_rules([])


@cache
def shipped_knowledge() -> Knowledge:
    """Return the shipped alias sets and watchlist, loaded once for all tests here: that takes two seconds."""
    return load_knowledge(project_folder() / "deploy/config")


@pytest.fixture(autouse=True)
def quiet_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Run in the checkout, with nothing of this machine's own settings; the handler of SIGTERM is put back."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.chdir(project_folder())
    monkeypatch.setenv("FRONTWIRE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("FRONTWIRE_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("FRONTWIRE_ELASTICSEARCH_URL", "http://127.0.0.1:1")
    yield
    signal.signal(signal.SIGTERM, before)


class Ran:
    """What a command line ended with."""

    def __init__(self, arguments: list[str], capsys: pytest.CaptureFixture[str], stdin: bytes = b"") -> None:
        patch = pytest.MonkeyPatch()
        patch.setattr(sys, "argv", ["frontwire", *arguments])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            patch.undo()
        self.code = ended.value.code
        self.out, self.err = capsys.readouterr()


def test_all_commands_are_there() -> None:
    names = {" ".join(path) for path in COMMANDS}
    assert names >= {
        "up", "check", "topics apply", "topics show", "schemas write", "schemas check", "engines start", "engines stop",
        "engines status", "engines reset", "run", "ingest", "follow", "dlq list", "dlq show", "dlq replay", "demo",
    }  # fmt: skip


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_says_what_a_command_is_for(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, [*path, "--help"])
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: cli{' ' if path else ''}{' '.join(path)}")
    assert re.search(r"^  [A-Z][^\n]+(\n  [^\n]+)*[.:?]$", result.output, re.MULTILINE)


@pytest.mark.parametrize(
    "option",
    [
        pytest.param(option, id=f"{' '.join(path)} {option.opts[-1]}")
        for path, command in COMMANDS.items()
        for option in command.params
        if isinstance(option, click.Option)
    ],
)
def test_every_option_is_explained(option: click.Option) -> None:
    assert option.help
    assert option.help.endswith(".")


def test_the_first_help_names_where_to_begin() -> None:
    output = CliRunner().invoke(cli, ["--help"]).output
    for words in ("frontwire demo", "frontwire up", "frontwire follow FILE", "frontwire check"):
        assert words in output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["flow"], "No such command 'flow'"),
        (["run"], "Missing argument"),
        (["run", "kafka"], "'kafka' is not one of 'alerter', 'decide', 'deduplicator'"),
        (["follow", "absent.txt"], "File 'absent.txt' does not exist"),
        (["follow", "docs"], "is a directory"),
        (["ingest"], "Missing argument"),
        (["ingest", "absent.txt"], "does not exist"),
        (["dlq", "show", "articles-raw-v9"], "no topic articles-raw-v9; choose one of articles-raw-v1"),
        (["dlq", "replay", "articles-raw-v1", "--reason", "because"], "'because' is not one of"),
        (["demo", "--port", "news"], "'news' is not a valid integer"),
        (["check", "--config-dir", "absent"], "does not exist"),
        (["topics", "show", "--jsno"], "No such option"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(arguments, capsys)
    assert ran.code == 2
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert ran.out == ""


@pytest.mark.parametrize(
    ("command", "stdin", "said"),
    [
        ("normalise", b"{", "standard input, line 1: not JSON"),
        ("normalise", b"[1]\n", "standard input, line 1: expected an object"),
        ("normalise", b"\xff\n", "standard input, line 1: not JSON"),
        pytest.param("cluster", b"{", "standard input, line 1: not JSON", marks=pytest.mark.slow),
        pytest.param("normalise", b'{"id": "a", "input": {}}\n', "standard input, document 1 (a): "),
        pytest.param("cluster", b'{"id": "a"}\n', "standard input, document 1 (a): ", marks=pytest.mark.slow),
        pytest.param(
            "cluster", b'{"id": "a", "body": 5}\n', "standard input, document 1 (a): ", marks=pytest.mark.slow
        ),
    ],
)
def test_wrong_documents_on_standard_input(
    command: str, stdin: bytes, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("services.normaliser.rules.load_rules", lambda _: shipped_rules())
    monkeypatch.setattr("services.extractor.entities.load_knowledge", lambda *_, **__: shipped_knowledge())
    ran = Ran([command], capsys, stdin)
    assert ran.code == 1
    assert ran.err.startswith(said)
    assert ran.err.count("\n") == 1


def test_wrong_settings_are_all_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FRONTWIRE_LOG_LEVEL", "loud")
    monkeypatch.setenv("FRONTWIRE_METRICS_PORT", "many")
    ran = Ran(["engines", "status"], capsys)
    assert ran.code == 2
    assert [line.partition(":")[0] for line in ran.err.splitlines()] == [
        "FRONTWIRE_METRICS_PORT",
        "FRONTWIRE_LOG_LEVEL",
    ]


@pytest.mark.slow
def test_a_broken_configuration_is_told_line_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "feeds.yaml").write_text("feeds:\n  - nmae: Báo Mẫu\n", encoding="utf-8")
    ran = Ran(["check", "--config-dir", str(tmp_path)], capsys)
    assert ran.code == 1
    assert re.search(r"feeds\.yaml:2: feeds\.0\.nmae: unknown key — did you mean `name`\?", ran.err)
    assert re.search(r"^[2-9] errors$", ran.err, re.MULTILINE)


def test_the_shipped_configuration_has_no_errors() -> None:
    result = CliRunner().invoke(cli, ["check", "--json"])
    assert (result.exit_code, result.output) == (0, "[]\n")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), BrokenPipeError()])
def test_an_interruption_is_no_traceback(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(**_: object) -> None:
        raise error

    monkeypatch.setattr(module.cli, "main", interrupted)
    ran = Ran([], capsys)
    assert ran.code == (130 if isinstance(error, KeyboardInterrupt) else 1)
    assert "Traceback" not in ran.err


def test_the_installed_command_as_a_process() -> None:
    program = Path(sys.executable).with_name("frontwire")
    ran = subprocess.run([program, "follow", "vắng mặt.txt"], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "Error: Invalid value for 'FILE': File 'vắng mặt.txt' does not exist." in ran.stderr
    assert "Traceback" not in ran.stderr
