"""What the duplicate window asks of its rows, held against every mapping that serves them: a dict and a store on disk."""

from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest

from services.deduplicator.window import Window
from tests.support.stored_rows import StoredRows
from tests.unit.deduplicator.labelled import FIRE, article, decided, labelled

Rows = MutableMapping[str, str]
FIRST, SECOND = "0" * 32, "0" * 32 + "#2"


@pytest.fixture(params=["dict", "rocksdict"])
def rows(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rows]:
    if request.param == "dict":
        yield {}
        return
    stored = StoredRows(tmp_path / "rows")
    yield stored
    stored.close()


def test_holds_what_was_put_last(rows: Rows) -> None:
    rows[FIRST] = "a"
    rows[SECOND] = "b"
    rows[FIRST] = "c"
    assert dict(rows.items()) == {FIRST: "c", SECOND: "b"}
    assert sorted(rows.values()) == ["b", "c"]


def test_an_absent_row_is_none(rows: Rows) -> None:
    assert rows.get(FIRST) is None
    rows[FIRST] = "a"
    del rows[FIRST]
    assert rows.get(FIRST) is None
    assert list(rows.items()) == []


def test_a_row_comes_back_as_it_went_in(rows: Rows) -> None:
    text = "AZaz09+/=" * 150
    rows[SECOND] = text
    assert rows[SECOND] == text


def test_the_window_decides_the_same_on_any_rows(rows: Rows) -> None:
    stream = [article(row["id"], row["body"], title=row["title"], backlog=True) for row in labelled()]
    window, plain = Window(rows), Window({})
    assert [decided(given, window) for given in stream] == [decided(given, plain) for given in stream]
    assert len(list(rows.items())) == len(window)


def test_the_window_is_rebuilt_from_any_rows(rows: Rows) -> None:
    stream = [article(row["id"], row["body"], title=row["title"], backlog=True) for row in labelled()]
    window, plain = Window(rows), Window({})
    for given in stream[:40]:
        decided(given, window)
    again = Window(rows)
    again.rebuild()
    expected = [decided(given, plain) for given in stream]
    assert [decided(given, again) for given in stream] == expected


def test_expired_rows_are_deleted_from_any_rows(rows: Rows) -> None:
    window = Window(rows)
    decided(article("old", "Chuyến tàu đêm bị hoãn bảy giờ vì một thanh ray hỏng ở biên giới."), window)
    new = decided(article("new", FIRE, minutes=15 * 24 * 60), window)
    assert [name for name, _ in rows.items()] == [new.article_id]


class Journal(dict[str, Any]):
    """Rows that remember which keys were written, as a changelog does."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def __setitem__(self, key: str, value: Any) -> None:
        self.written.append(key)
        super().__setitem__(key, value)


def test_a_repeated_article_is_written_again() -> None:
    """After a crash a row may stand in the local store without having reached the changelog: the repeat must send it."""
    journal = Journal()
    window = Window(journal)
    given = article("first", FIRE)
    before = decided(given, window)
    row = journal[before.article_id]
    journal.written.clear()
    assert decided(given, window) == before
    assert journal.written == [before.article_id]
    assert journal[before.article_id] == row
