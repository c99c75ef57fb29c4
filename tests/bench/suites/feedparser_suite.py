"""kurtmckee/feedparser, `tests/**/*.xml`: the comparisons of an item's field with a literal in each file's `Expect:` line.

Fields that a news item has: title, link, id, the dates (as written and as read), summary, content. Of summary and content an
item keeps the longer one. What the suite asks about the feed itself, links of other kinds, languages and so on is left out.
"""

import ast
import re
from calendar import timegm
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.bench.suites.claims import DATE, ID, INSTANT, LINK, TEXT, TITLE, Claim

_EXPECT: Final = re.compile(r"Description:\s*.*?\s*Expect:\s*(.*)\s*-->")
_HEADER: Final = re.compile(r"^Header:\s+([^:]+):(.*)$", re.MULTILINE)
# The path from an entry to the value, as feedparser names it.
_FIELDS: Final = {
    ("content", 0, "value"): TEXT,
    ("created",): DATE,
    ("created_parsed",): INSTANT,
    ("description",): TEXT,
    ("guid",): ID,
    ("id",): ID,
    ("link",): LINK,
    ("published",): DATE,
    ("published_parsed",): INSTANT,
    ("summary",): TEXT,
    ("summary_detail", "value"): TEXT,
    ("title",): TITLE,
    ("title_detail", "value"): TITLE,
    ("updated",): DATE,
    ("updated_parsed",): INSTANT,
}
_BOMS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xfe\xff", "utf-16"), (b"\xff\xfe", "utf-16"))


def read(clone: Path) -> tuple[dict[Path, list[Claim]], dict[Path, Mapping[str, str]]]:
    """Return the claims of every file of a clone, and the headers each is to be served with."""
    claims: dict[Path, list[Claim]] = {}
    headers: dict[Path, Mapping[str, str]] = {}
    for path in sorted((clone / "tests").rglob("*.xml")):
        text = _text(path.read_bytes())
        headers[path] = {name.strip().lower(): value.strip() for name, value in _HEADER.findall(text)}
        group = path.parent.relative_to(clone / "tests").as_posix()
        expected = _EXPECT.search(text)
        claims[path] = list(_claims(expected[1].strip(), str(path.relative_to(clone)), group)) if expected else []
    return claims, headers


def _text(body: bytes) -> str:
    name = next((name for mark, name in _BOMS if body.startswith(mark)), "utf-8")
    return body.decode(name, "ignore")


def _claims(expression: str, file: str, group: str) -> Iterator[Claim]:
    try:
        tree = ast.parse(expression, mode="eval").body
    except SyntaxError:
        return
    for part in tree.values if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And) else [tree]:
        match part:
            case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
                steps, wanted = _steps(left), _literal(right)
                if steps[:1] == ("entries",) and isinstance(wanted, str | datetime) and steps[2:] in _FIELDS:
                    yield Claim(file, group, int(steps[1]), _FIELDS[steps[2:]], wanted)


def _steps(node: ast.expr) -> tuple[str | int, ...]:
    """Return the names and numbers by which an expression goes from a variable to a value."""
    match node:
        case ast.Name(id=name):
            return (name,)
        case ast.Attribute(value=inner, attr=name):
            return (*_steps(inner), name)
        case ast.Subscript(value=inner, slice=ast.Constant(value=str() | int() as key)):
            return (*_steps(inner), key)
    return ()


def _literal(node: ast.expr) -> str | datetime | None:
    """Return a string, also one in parts, or a time tuple as an instant."""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            parts = (_literal(left), _literal(right))
            return "".join(part for part in parts if isinstance(part, str)) if all(parts) else None
        case ast.Tuple(elts=[*_]):
            numbers = ast.literal_eval(node)
            return datetime.fromtimestamp(timegm(numbers), UTC) if len(numbers) == 9 else None
    return None
