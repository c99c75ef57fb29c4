"""The packed index against a plain dict of sets that obeys the same limit."""

from collections import defaultdict

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.deduplicator.index import KeyIndex

WIDTH, LIMIT = 3, 2
KEYS = st.lists(st.integers(0, 9).map(lambda key: key * 0x1000_0000 % 2**32), max_size=WIDTH, unique=True)
STEPS = st.lists(st.one_of(KEYS, st.integers(0, 30), st.none()), max_size=40)


class _Model:
    """The same index in the plainest form: which slots each key holds."""

    def __init__(self) -> None:
        self.held: dict[int, list[int]] = defaultdict(list)

    def link(self, slot: int, keys: list[int]) -> int:
        taken = 0
        for place, key in enumerate(keys):
            if len(self.held[key]) < LIMIT:
                self.held[key].append(slot)
                taken |= 1 << place
        return taken

    def unlink(self, slot: int) -> None:
        for slots in self.held.values():
            if slot in slots:
                slots.remove(slot)


@settings(max_examples=60)
@given(STEPS)
def test_behaves_like_a_dict(steps: list[list[int] | int | None]) -> None:
    index, model = KeyIndex(width=WIDTH, limit=LIMIT, capacity=4), _Model()
    slots: list[int] = []
    for number, step in enumerate(steps):
        if isinstance(step, list):
            while number >= index.capacity:
                kept = np.array(slots, np.int64)
                index.grow(index.capacity * 2, kept, kept)
            assert index.link(number, np.array(step, np.uint32)) == model.link(number, step)
            slots.append(number)
        elif step in slots:
            index.unlink(step)
            model.unlink(step)
            slots.remove(step)
        for key in range(10):
            wanted = key * 0x1000_0000 % 2**32
            assert set(index.find(np.array([wanted], np.uint32))) == set(model.held[wanted])


def test_counts_shared_and_refused_keys() -> None:
    index = KeyIndex(width=4, limit=2, capacity=8)
    keys = np.array([1, 2, 3, 4], np.uint32)
    assert [index.link(slot, keys) for slot in range(3)] == [15, 15, 0]
    assert index.find(np.array([2, 3, 9], np.uint32)) == {0: 2, 1: 2}
    assert index.refused == 4


def test_an_empty_look_up_finds_nothing() -> None:
    assert KeyIndex(width=4, limit=2, capacity=8).find(np.empty(0, np.uint32)) == {}
