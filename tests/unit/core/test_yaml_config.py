"""What an operator is told of a broken file: every error at once, with file, line, key, reason and remedy."""

import datetime
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from shared.yaml_config import ConfigError, ConfigModel, Problem, line_of, load


class Feed(ConfigModel):
    name: str
    every: int = Field(default=5, ge=1)
    since: datetime.date | None = None
    labels: dict[str, int] | None = None


class Config(ConfigModel):
    feeds: tuple[Feed, ...] = ()
    delay: int = Field(default=1, ge=1)


GOOD = """\
# Các nguồn tin
delay: 2

feeds:
  - name: Báo Mẫu
    every: 10   # phút
  - name: Tin Thử
"""


def problems(folder: Path, text: str | bytes) -> list[str]:
    path = folder / "feeds.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ConfigError) as refusal:
        load(path, Config)
    assert all(problem.file == str(path) for problem in refusal.value.problems)
    return [str(problem).removeprefix(f"{path}:") for problem in refusal.value.problems]


def test_a_good_file(tmp_path: Path) -> None:
    path = tmp_path / "feeds.yaml"
    path.write_text(GOOD, encoding="utf-8")
    config = load(path, Config)
    assert config.delay == 2
    assert [feed.name for feed in config.feeds] == ["Báo Mẫu", "Tin Thử"]


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "\n\n", "---\n", "{}", "\ufefffeeds: []"])
def test_an_empty_file_is_an_empty_mapping(tmp_path: Path, text: str) -> None:
    path = tmp_path / "feeds.yaml"
    path.write_text(text, encoding="utf-8")
    assert load(path, Config) == Config()


def test_all_errors_at_once_in_the_order_of_the_model(tmp_path: Path) -> None:
    text = "feeds:\n  - every: 0\n    nmae: x\n  - 7\n  - name: Tin Thử\n    labels:\n      a: b\ndelay: 0\ndelya: 3\n"
    assert problems(tmp_path, text) == [
        "2: feeds.0.name: is required",
        "2: feeds.0.every: Input should be greater than or equal to 1",
        "3: feeds.0.nmae: unknown key — did you mean `name`?",
        "4: feeds.1: Input should be a valid dictionary or instance of Feed",
        "7: feeds.2.labels.a: Input should be a valid integer, unable to parse string as an integer",
        "8: delay: Input should be greater than or equal to 1",
        "9: delya: unknown key — did you mean `delay`?",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("zzz: 1\n", "1: zzz: unknown key — known keys: delay, every, feeds, labels, name, since"),
        ("delay: 1\nevery: 5\n", "2: every: unknown key — the key belongs to another level: is the indentation right?"),
        ("feeds:\n  - name: a\n    name: b\n", "3: found duplicate key \"name\" with value \"b\" (original value: \"a\")"),
        ("delay: 1\ndelay: 2\n", "2: found duplicate key \"delay\""),
        ("feeds:\n\t- name: a\n", "2: found character '\\t' that cannot start any token — is the indentation right?"),
        ("feeds:\n  - name: a\n   every: 5\n", "3: expected <block end>"),
        ("feeds: [\n", "2: expected the node content, but found '<stream end>'"),
        ("delay: 1\n---\ndelay: 2\n", "2: but found another document"),
        ("feeds: *nope\n", "1: found undefined alias 'nope'"),
        ("feeds: !!python/object:os.system {}\n", "1: could not determine a constructor for the tag"),
        ("delay: \x07\n", "1: unacceptable character #x0007"),
        ("- a\n", "1: Input should be a valid dictionary"),
        ("just words\n", "1: Input should be a valid dictionary"),
        ("delay: ~\n", "1: delay: Input should be a valid integer"),
        ("1: 2\n", "1: 1: Keys should be strings"),
        (b"delay: 1\nfeeds:\n  - name: \xc3\n", "3: not UTF-8 at byte 26 — save as UTF-8"),
        ("delay: 1".encode("utf-16"), "1: not UTF-8 at byte 0 — save as UTF-8"),
    ],
)  # fmt: skip
def test_table(tmp_path: Path, text: str | bytes, expected: str) -> None:
    (found,) = problems(tmp_path, text)
    assert found.startswith(expected)
    assert "\n" not in found


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("feeds:\n  - name: a\n    since: 2025-02-30\n", 3),
        ("feeds:\n  - since: 2025-13-01\n", 2),
        ("delay: !!int abc\n", 1),
        ("feeds:\n  - name: a\n    since: 2025-01-01T99:00:00\n", 3),
    ],
)
def test_values_that_do_not_exist_are_refused_with_their_line(tmp_path: Path, text: str, line: int) -> None:
    (found,) = problems(tmp_path, text)
    assert found.startswith(f"{line}: not a value: ")
    assert found.endswith("— quote it to make it text")


def test_an_error_in_a_merged_mapping_is_shown_where_it_is_used(tmp_path: Path) -> None:
    text = "feeds:\n  - &base {name: a, every: x}\n  - <<: *base\n    name: b\n"
    assert [found[:24] for found in problems(tmp_path, text)] == [
        "2: feeds.0.every: Input ",
        "3: feeds.1.every: Input ",
    ]


@pytest.mark.parametrize(("name", "reason"), [("absent.yaml", "No such file or directory"), (".", "Is a directory")])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, reason: str) -> None:
    path = tmp_path / name
    with pytest.raises(ConfigError) as refusal:
        load(path, Config)
    assert str(refusal.value) == f"{path}:1: {reason} — does the file exist?"


@pytest.mark.parametrize(
    ("location", "line"),
    [
        ((), 1), (("delay",), 2), (("feeds",), 4), (("feeds", 0), 5), (("feeds", 0, "name"), 5), (("feeds", 0, "every"), 6),
        (("feeds", 1), 7), (("feeds", 1, "name"), 7), (("feeds", 9), 4), (("feeds", 1, "every"), 7), (("absent", "x"), 1),
    ],
)  # fmt: skip
def test_the_line_of_a_location(location: tuple[int | str, ...], line: int) -> None:
    assert line_of(GOOD, location) == line


def test_a_problem_without_key_and_remedy() -> None:
    assert str(Problem("a.yaml", 3, "", "wrong")) == "a.yaml:3: wrong"


def test_a_configuration_cannot_be_changed_once_loaded() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Config().delay = 3  # type: ignore[misc]


class Circle(ConfigModel):
    shape: Literal["circle"]
    radius: int


class Square(ConfigModel):
    shape: Literal["square"]
    side: int


class Drawing(ConfigModel):
    shapes: tuple[Annotated[Circle | Square, Field(discriminator="shape")], ...] = ()


def test_a_choice_of_models_is_named_by_what_the_operator_wrote(tmp_path: Path) -> None:
    path = tmp_path / "drawing.yaml"
    path.write_text(
        "shapes:\n  - shape: circle\n    radius: x\n  - shape: square\n  - shape: circle\n    radius: 1\n    sidee: 2\n"
        "  - radius: 4\n  - shape: star\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as refusal:
        load(path, Drawing)
    assert [(problem.line, problem.key, problem.reason) for problem in refusal.value.problems][:4] == [
        (3, "shapes.0.radius", "Input should be a valid integer, unable to parse string as an integer"),
        (4, "shapes.1.side", "is required"),
        (7, "shapes.2.sidee", "unknown key"),
        (8, "shapes.3", "shape is required"),
    ]
    assert (refusal.value.problems[4].line, "'star'" in refusal.value.problems[4].reason) == (9, True)
