"""Operator configuration in YAML: every error at once, each with file, line, key, reason and remedy."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

M = TypeVar("M", bound=BaseModel)
_Location = Sequence[int | str]


class ConfigModel(BaseModel):
    """Base of everything an operator writes: unknown keys are errors, values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a configuration file; `line` counts from 1."""

    file: str
    line: int
    key: str
    reason: str
    remedy: str = ""

    def __str__(self) -> str:
        text = (
            f"{self.file}:{self.line}: {self.key}: {self.reason}"
            if self.key
            else f"{self.file}:{self.line}: {self.reason}"
        )
        return f"{text} — {self.remedy}" if self.remedy else text


class ConfigError(Exception):
    """A configuration that is refused, with everything that is wrong in it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = list(problems)


def load(path: Path, model: type[M]) -> M:
    """Return a YAML file as a validated model; an empty file is an empty mapping. Raises `ConfigError` with every problem."""
    text = read_text(path)
    data = _parse(text, path)
    try:
        return model.model_validate({} if data is None else data)
    except ValidationError as error:
        raise ConfigError(list(_problems(error, text, path, model))) from None


def load_unique(
    path: Path,
    model: type[M],
    section: str,
    identities: Callable[[Mapping[str, Any]], Iterable[tuple[str, str]]],
    remedy: str,
) -> M:
    """Return a YAML file as `load` does, when no two blocks of one section are the same.

    `identities` gives the (key, value) pairs of a block that no other block may have. Raises `ConfigError` with everything that
    is wrong at once: duplicates are found in the bare YAML, so that other errors do not hide them.
    """
    problems: list[Problem] = []
    loaded: M | None = None
    try:
        loaded = load(path, model)
    except ConfigError as error:
        problems += error.problems
    problems += _twice(path, section, identities, remedy)
    if loaded is None or problems:
        raise ConfigError(sorted(problems, key=lambda problem: problem.line))
    return loaded


def _twice(
    path: Path, section: str, identities: Callable[[Mapping[str, Any]], Iterable[tuple[str, str]]], remedy: str
) -> Iterator[Problem]:
    try:
        text = read_text(path)
        data: Any = YAML(typ="safe", pure=True).load(text)
    except Exception:  # not readable at all: load has already said so
        return
    blocks = data.get(section) if isinstance(data, dict) else None
    first: dict[tuple[str, str], int] = {}
    for index, block in enumerate(blocks if isinstance(blocks, list) else []):
        for key, value in identities(block) if isinstance(block, dict) else ():
            earlier = first.setdefault((key, value), index)
            if earlier != index:
                # Finding a line reads the whole text: only for what is wrong.
                lines = [line_of(text, (section, number, key)) for number in (earlier, index)]
                reason = f"{block[key]!r} stands already in line {lines[0]}"
                yield Problem(str(path), lines[1], f"{section}.{index}.{key}", reason, remedy)


def read_text(path: Path) -> str:
    """Return a configuration file's text. Raises `ConfigError` when it cannot be read as UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError([Problem(str(path), 1, "", error.strerror or str(error), "does the file exist?")]) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError([Problem(str(path), line, "", f"not UTF-8 at byte {error.start}", "save as UTF-8")]) from None


def line_of(text: str, location: _Location) -> int:
    """Return the line (from 1) on which the value at a location (keys and indices from the top) stands in a YAML text."""
    return _line_in(YAML(typ="rt").load(text), location)


def _line_in(node: Any, location: _Location) -> int:
    line = 0
    for step in location:
        if isinstance(node, CommentedMap) and step in node:
            # A key that came in through a merge (`<<: *base`) has no line of its own: its mapping's line stands.
            line, node = (node.lc.key(step)[0] if step in node.lc.data else line), node[step]
        elif isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
            line, node = node.lc.item(step)[0], node[step]
        else:
            break
    return line + 1


def _parse(text: str, path: Path) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigError(
            [Problem(str(path), line, "", error.problem or str(error), "is the indentation right?")]
        ) from None
    except YAMLError as error:
        raise ConfigError([Problem(str(path), 1, "", " ".join(str(error).split()))]) from None
    except ValueError as error:
        # 2025-02-30 and the like: YAML's own types fail without saying where.
        line = next((number for number, row in enumerate(text.splitlines(), 1) if _has_bad_value(row)), 1)
        raise ConfigError([Problem(str(path), line, "", f"not a value: {error}", "quote it to make it text")]) from None


def _has_bad_value(row: str) -> bool:
    """Return whether one line of YAML alone holds a value that its YAML type cannot be made of."""
    try:
        YAML(typ="safe", pure=True).load(row.strip().removeprefix("- "))
    except YAMLError:
        return False
    except ValueError:
        return True
    return False


def _problems(error: ValidationError, text: str, path: Path, model: type[BaseModel]) -> Iterator[Problem]:
    tree: Any = YAML(typ="rt").load(text)
    for item in error.errors(include_url=False):
        location = _as_written(item["loc"], tree, missing=item["type"] == "missing")
        key = ".".join(str(step) for step in location)
        reason = item["msg"].removeprefix("Value error, ")
        remedy = ""
        if item["type"] == "extra_forbidden":
            reason = "unknown key"
            remedy = _suggest(str(location[-1]), model)
        elif item["type"] == "missing":
            reason = "is required"
        elif item["type"] == "union_tag_not_found":
            reason = f"{item['ctx']['discriminator'].strip(chr(39))} is required"
        yield Problem(str(path), _line_in(tree, location), key, reason, remedy)


def _as_written(location: _Location, tree: Any, *, missing: bool) -> list[int | str]:
    """Return a location without the steps that are pydantic's own: names of validators and of the members of a union.

    `missing` says that the last step is a key which is not there.
    """
    written: list[int | str] = []
    node = tree
    for number, step in enumerate(location):
        try:
            node = node[step]
        except (KeyError, IndexError, TypeError):
            if not (missing and number + 1 == len(location)):
                continue
        written.append(step)
    return written


def _suggest(key: str, model: type[BaseModel]) -> str:
    known = sorted(_field_names(model))
    if key in known:
        return "the key belongs to another level: is the indentation right?"
    close = difflib.get_close_matches(key, known, n=1)
    return f"did you mean `{close[0]}`?" if close else f"known keys: {', '.join(known)}"


def _field_names(model: type[BaseModel]) -> set[str]:
    """Return the keys of a model and of the models its fields hold."""
    names: set[str] = set()
    pending: list[Any] = [model]
    seen: set[Any] = set()
    while pending:
        item = pending.pop()
        if item in seen:
            continue
        seen.add(item)
        if isinstance(item, type) and issubclass(item, BaseModel):
            for name, info in item.model_fields.items():
                names.add(info.alias or name)
                pending.append(info.annotation)
        else:
            pending.extend(getattr(item, "__args__", ()))
    return names
