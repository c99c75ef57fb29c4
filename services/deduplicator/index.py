"""A packed index from 32-bit keys to slots: hash chains in numpy arrays, about 12 bytes a key, no Python object a key.

Scalars are read through memoryviews of the arrays: three times as fast as indexing numpy itself.
"""

from collections import Counter
from typing import Final

import numpy as np
import numpy.typing as npt

NIL: Final = 0xFFFFFFFF
_RELINK_SLOTS: Final = 1 << 14

Words = npt.NDArray[np.uint32]
Slots = npt.NDArray[np.int64]


class KeyIndex:
    """Finds the slots that hold a key. Each slot holds up to `width` keys; one key leads to at most `limit` slots.

    A key that is full takes no further slot (the earliest stay): the work of one look-up is bounded whatever the input.
    `refused` counts the keys that were not taken.
    """

    def __init__(self, *, width: int, limit: int, capacity: int) -> None:
        self._width = width
        self._limit = limit
        self.refused = 0
        self._allocate(capacity)

    def _allocate(self, capacity: int) -> None:
        self.capacity = capacity
        self._keys: Words = np.zeros(capacity * self._width, np.uint32)
        self._next: Words = np.zeros(capacity * self._width, np.uint32)
        self._linked = np.zeros((capacity, self._width), np.bool_)
        buckets = 1 << max(4, (capacity * self._width * 2 // 3).bit_length() - 1)
        self._mask = buckets - 1
        self._heads: Words = np.full(buckets, NIL, np.uint32)
        self._key_at = self._keys.data
        self._next_at = self._next.data
        self._head_at = self._heads.data

    @property
    def nbytes(self) -> int:
        """Bytes held by the arrays."""
        return self._keys.nbytes + self._next.nbytes + self._heads.nbytes + self._linked.nbytes

    def find(self, keys: Words) -> dict[int, int]:
        """Return the slots that share a key with these, each with the number of keys shared."""
        found: list[int] = []
        key_at, next_at, width = self._key_at, self._next_at, self._width
        for key in keys.tolist():
            entry = self._head_at[key & self._mask]
            while entry != NIL:
                if key_at[entry] == key:
                    found.append(entry // width)
                entry = next_at[entry]
        return Counter(found)

    def link(self, slot: int, keys: Words) -> int:
        """Put a slot under each of these keys that is not full; return which were taken, as bits of a number."""
        taken = 0
        for place, key in enumerate(keys.tolist()):
            if self._is_full(key):
                self.refused += 1
            else:
                self._push(slot, place, key)
                taken |= 1 << place
        return taken

    def _is_full(self, key: int) -> bool:
        key_at, next_at, free = self._key_at, self._next_at, self._limit
        entry = self._head_at[key & self._mask]
        while entry != NIL and free:
            if key_at[entry] == key:
                free -= 1
            entry = next_at[entry]
        return not free

    def _push(self, slot: int, place: int, key: int) -> None:
        entry = slot * self._width + place
        bucket = key & self._mask
        self._key_at[entry] = key
        self._next_at[entry] = self._head_at[bucket]
        self._head_at[bucket] = entry
        self._linked[slot, place] = True

    def unlink(self, slot: int) -> None:
        """Take a slot out from under all its keys."""
        for place in np.flatnonzero(self._linked[slot]).tolist():
            self._cut(slot * self._width + place)
        self._linked[slot] = False

    def _cut(self, entry: int) -> None:
        bucket = self._key_at[entry] & self._mask
        before, current = NIL, self._head_at[bucket]
        while current != entry:
            before, current = current, self._next_at[current]
        if before == NIL:
            self._head_at[bucket] = self._next_at[entry]
        else:
            self._next_at[before] = self._next_at[entry]

    def grow(self, capacity: int, old_slots: Slots, new_slots: Slots) -> None:
        """Make room for `capacity` slots and move the contents of the old slots to the new ones."""
        keys = self._keys.reshape(-1, self._width)
        linked = self._linked
        self._allocate(capacity)
        for start in range(0, len(old_slots), _RELINK_SLOTS):
            old, new = old_slots[start : start + _RELINK_SLOTS], new_slots[start : start + _RELINK_SLOTS]
            self.load(new, keys[old], linked[old])

    def load(self, slots: Slots, keys: Words, linked: npt.NDArray[np.bool_]) -> None:
        """Link many slots at once as they were linked before; `keys` and `linked` have one row a slot."""
        self._keys.reshape(-1, self._width)[slots] = keys
        self._linked[slots] = linked
        entries = (slots[:, None] * self._width + np.arange(self._width))[linked]
        buckets = keys[linked] & np.uint32(self._mask)
        order = np.argsort(buckets, kind="stable")
        entries, buckets = entries[order].astype(np.uint32), buckets[order]
        first = np.append(True, buckets[1:] != buckets[:-1])[: len(buckets)]
        self._next[entries[1:]] = entries[:-1]
        self._next[entries[first]] = self._heads[buckets[first]]
        last = np.append(first[1:], True)[: len(buckets)]
        self._heads[buckets[last]] = entries[last]
