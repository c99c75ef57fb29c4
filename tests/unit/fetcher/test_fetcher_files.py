import codecs
import hashlib
import json
from pathlib import Path

import pytest

from services.fetcher.documents import Item
from services.fetcher.feeds import Kind
from services.fetcher.files import MAX_LINE_BYTES, Found, HtmlFile, Missing, list_files, read_file
from services.fetcher.outbox import Refusal
from shared.errors import Reason
from shared.topics import MAX_RAW_BYTES

TEXT = "Kyiv có điện trở lại trong đêm."


def only(path: Path, kind: Kind | None = None) -> Found:
    (found,) = read_file(path, kind)
    return found


def refused(path: Path) -> Refusal:
    found = only(path)
    assert isinstance(found, Refusal)
    return found


@pytest.mark.parametrize(
    "body",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        TEXT.encode("utf-16"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    ],
)
def test_a_text_file_is_an_article(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(body)
    assert only(path) == Item(text=TEXT)


def test_a_saved_page_is_still_to_be_extracted(tmp_path: Path) -> None:
    path = tmp_path / "a.HTML"
    path.write_text(f"<p>{TEXT}</p>", encoding="utf-8")
    assert only(path) == HtmlFile(path, f"<p>{TEXT}</p>", f"<p>{TEXT}</p>".encode())


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Reason.EMPTY_BODY),
        (b" \n\t\n", Reason.EMPTY_BODY),
        (b"GIF89a\x00\x01\x02", Reason.UNREADABLE),
        (bytes(range(1, 32)) * 9, Reason.UNREADABLE),
    ],
)
def test_what_is_no_text_is_refused_with_its_bytes(tmp_path: Path, body: bytes, reason: Reason) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(body)
    refusal = refused(path)
    assert (refusal.reason, refusal.head, refusal.size, refusal.origin) == (reason, body, len(body), str(path))


def test_a_file_that_is_too_large_is_measured_and_not_held(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    body = b"0123456789" * (MAX_RAW_BYTES // 4)
    path.write_bytes(body)
    refusal = refused(path)
    assert (refusal.reason, refusal.size, refusal.head) == (Reason.TOO_LARGE, len(body), body[: 64 * 1024])
    assert refusal.sha256 == hashlib.sha256(body).hexdigest()


def test_lines_pass_whatever_their_neighbours_are(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    good = {"id": 7, "url": "https://bao.example/a", "title": "Tin", "text": TEXT, "published": "2025-11-22", "x": 1}
    giant = b'{"text": "' + b"x" * (MAX_LINE_BYTES + 10) + b'"}'
    lines = [
        codecs.BOM_UTF8 + json.dumps(good).encode(), b"", b'{"text": ', b'{"title": "x"}', b'{"text": 5.5e}', b'{"text": ["x"]}',
        b'{"text": "\xff"}', b'{"text": "  "}', giant, json.dumps({"text": "sau cùng"}).encode(),
    ]  # fmt: skip
    path.write_bytes(b"\r\n".join(lines))
    found = list(read_file(path))
    assert found[0] == Item(link="https://bao.example/a", guid="7", title="Tin", text=TEXT, published="2025-11-22")
    assert found[-1] == Item(text="sau cùng")
    refusals = [item for item in found if isinstance(item, Refusal)]
    assert [(refusal.line, refusal.reason) for refusal in refusals] == [
        (3, Reason.BROKEN_JSON), (4, Reason.MISSING_FIELD), (5, Reason.BROKEN_JSON), (6, Reason.WRONG_TYPE),
        (7, Reason.INVALID_UTF8), (8, Reason.EMPTY_BODY), (9, Reason.TOO_LARGE),
    ]  # fmt: skip
    assert refusals[-1].size == len(giant) + 2
    assert refusals[0].head == b'{"text": '


def test_jsonl_may_have_another_name(tmp_path: Path) -> None:
    path = tmp_path / "export.txt"
    path.write_text('{"text": "a"}\n{"text": "b"}\n', encoding="utf-8")
    assert list(read_file(path, Kind.JSONL)) == [Item(text="a"), Item(text="b")]


def test_files_are_found_by_name_folder_and_pattern(tmp_path: Path) -> None:
    for name in (
        "in/b.txt",
        "in/deep/a.html",
        "in/.hidden.txt",
        "in/.git/c.txt",
        "in/photo.jpg",
        "old/1.jsonl",
        "old/2.csv",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    found = list_files([tmp_path / "in", tmp_path / "old/*.csv", tmp_path / "in/b.txt"])
    assert [path.relative_to(tmp_path).as_posix() for path in found] == ["in/b.txt", "in/deep/a.html", "old/2.csv"]
    assert list_files([tmp_path / "old/*.none"]) == []
    with pytest.raises(Missing):
        list_files([tmp_path / "absent"])
