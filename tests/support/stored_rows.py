"""Rows of the duplicate window on disk, as the service's table keeps them."""

import json
from collections.abc import Iterator, MutableMapping
from pathlib import Path

from rocksdict import Rdict


class StoredRows(MutableMapping[str, str]):
    """Rows in rocksdict with keys and values as JSON bytes: the store and the form that the service's table uses."""

    def __init__(self, folder: Path) -> None:
        self._store = Rdict(str(folder))

    def __getitem__(self, key: str) -> str:
        return _text(self._store[json.dumps(key).encode()])

    def __setitem__(self, key: str, value: str) -> None:
        self._store[json.dumps(key).encode()] = json.dumps(value).encode()

    def __delitem__(self, key: str) -> None:
        del self._store[json.dumps(key).encode()]

    def __iter__(self) -> Iterator[str]:
        return (_text(key) for key in self._store.keys())  # noqa: SIM118  (an Rdict is not iterable itself)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def close(self) -> None:
        self._store.close()


def _text(stored: object) -> str:
    assert isinstance(stored, bytes)
    return str(json.loads(stored))
