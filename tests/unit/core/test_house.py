"""The house: whose names we import, how large files and functions are, who reads the environment and the clock."""

import ast
import importlib.metadata
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.commands.common import project_folder

ROOT = project_folder()
SOURCES = sorted(path for folder in ("services", "shared") for path in (ROOT / folder).rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
# The pure rules: what a transform says must not depend on when or where it is said.
PURE = [path for path in SOURCES if path.name == "transform.py"]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def dotted(node: ast.AST) -> str:
    """Return `a.b.c` for an attribute chain, else an empty text."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def environment_readers(tree: ast.AST) -> set[str]:
    used = {dotted(node) for node in ast.walk(tree)}
    imported = {
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return (used | imported) & {"os.environ", "os.getenv", "os.environb", "os.putenv"}


def clock_readers(tree: ast.AST) -> set[str]:
    called = {dotted(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return {name for name in called if re.search(r"(^|\.)(now|utcnow|today|time|monotonic|perf_counter)$", name)}


@pytest.mark.parametrize("name", ["services", "shared"])
def test_our_import_names_are_ours_alone(name: str) -> None:
    assert importlib.metadata.packages_distributions()[name] == ["frontwire"]


def test_the_project_is_never_uploaded() -> None:
    assert "Private :: Do Not Upload" in importlib.metadata.metadata("frontwire").get_all("Classifier", [])


def test_there_is_a_house() -> None:
    assert len(SOURCES) > 50
    assert {path.parent.name for path in PURE} >= {"deduplicator", "extractor", "fetcher", "indexer", "normaliser"}


def test_files_stay_readable() -> None:
    lines = {name_of(path): path.read_text(encoding="utf-8").count("\n") for path in SOURCES}
    assert {name: count for name, count in lines.items() if count > MAX_FILE_LINES} == {}


def test_functions_stay_readable() -> None:
    lines = {
        f"{name_of(path)}:{made.lineno} {made.name}": (made.end_lineno or 0) - made.lineno + 1
        for path, tree in TREES.items()
        for made in functions(tree)
    }
    assert len(lines) > 300
    assert {name: count for name, count in lines.items() if count > MAX_FUNCTION_LINES} == {}


def test_every_module_says_what_it_is_for() -> None:
    assert [name_of(path) for path, tree in TREES.items() if tree.body and not ast.get_docstring(tree)] == []


def test_the_environment_is_read_in_one_place() -> None:
    named = [path for path in SOURCES if re.search("environ|getenv|putenv", path.read_text(encoding="utf-8"))]
    assert {name_of(path) for path in named if environment_readers(TREES[path])} == {"shared/settings.py"}


def test_rules_read_no_clock() -> None:
    assert {name_of(path): clock_readers(TREES[path]) for path in PURE if clock_readers(TREES[path])} == {}


@pytest.mark.parametrize(
    "code",
    ["import os\nos.environ['A']", "import os\nx = os.getenv('A')", "from os import environ", "from os import getenv"],
)
def test_a_planted_look_at_the_environment_is_found(code: str) -> None:
    assert environment_readers(ast.parse(code))


@pytest.mark.parametrize("code", ["datetime.now(UTC)", "time.time()", "date.today()", "datetime.datetime.utcnow()"])
def test_a_planted_look_at_the_clock_is_found(code: str) -> None:
    assert clock_readers(ast.parse(code))
