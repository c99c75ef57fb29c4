"""Finds earlier articles on the same event: terms of all articles in memory, and keys of the rarest ones to find them by.

How rare a term is follows from the window itself, so the measure needs no list of stop words and no language: a name that
every article holds weighs next to nothing.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from services.deduplicator.index import KeyIndex, Slots, Words
from services.deduplicator.rows import short_terms
from services.deduplicator.sketching import MAX_WEIGHT, hashed_terms
from services.deduplicator.story import MAX_TERMS, common_terms

STORY_DAYS: Final = 7
"""Two articles on one event are at most so many days apart; a story lives on as long as such articles follow."""
KEYS_A_STORY: Final = 10
"""Three rare terms, their six pairs, and the story itself."""
ARTICLES_A_STORY_KEY: Final = 16
"""Articles that one key leads to, the earliest: of a story, these are the members that a new article is held against."""
MAX_SCORED: Final = 64

_SINGLE_KEYS: Final = 3
_SOUGHT_KEYS: Final = 6
"""Terms that an article is found by one by one (3) and looks for others by (6): what is rarest differs between the two."""
_PAIRED_TERMS: Final = 4
_BUCKET_SECONDS: Final = STORY_DAYS * 86_400 // 2
_NEIGHBOUR_BUCKETS: Final = (0, -1, -2, 1, 2)
_FREQUENCY_SLOTS: Final = 1 << 18
_PRIOR_ARTICLES: Final = 60
"""Articles assumed before the first one, which hold no terms but common names: a new window knows no frequencies."""
_COMMON_RARITY: Final = 2.0
"""Logarithm of the inverse frequency up to which a term says nothing: about one article in seven holds it."""
_TERM_SHIFT: Final = MAX_WEIGHT.bit_length()
_SIEVE: Final = 1 << 14
_PAIRS: Final = np.triu_indices(_PAIRED_TERMS, 1)
_SPREAD_FIRST: Final = np.uint32(0x9E3779B1)
_SPREAD_SECOND: Final = np.uint32(0x85EBCA77)

Floats = npt.NDArray[np.float64]


def _hash(terms: Words) -> Words:
    return terms >> np.uint32(_TERM_SHIFT)


def _place(terms: Words) -> Words:
    places: Words = _hash(terms) & np.uint32(_FREQUENCY_SLOTS - 1)
    return places


def _common() -> Floats:
    """Return how many of the assumed articles hold each term, and one more: no term is held by none."""
    articles = np.zeros(_FREQUENCY_SLOTS, np.float32)
    shares = common_terms()
    articles[_place(short_terms(hashed_terms((term, 0) for term in shares)))] = list(shares.values())
    return (articles * _PRIOR_ARTICLES).astype(np.float64) + 1.0


_PRIOR: Final = _common()


class StoryIndex:
    """The terms of the articles in the window, by slot, with how many articles hold each term."""

    def __init__(self, capacity: int) -> None:
        self._keys = KeyIndex(width=KEYS_A_STORY, limit=ARTICLES_A_STORY_KEY, capacity=capacity)
        self._terms: Words = np.zeros((capacity, MAX_TERMS), np.uint32)
        self._frequency: Words = np.zeros(_FREQUENCY_SLOTS, np.uint32)
        self._articles = 0
        self.unscored = 0

    @property
    def nbytes(self) -> int:
        """Bytes held by the arrays."""
        return self._keys.nbytes + self._terms.nbytes + self._frequency.nbytes

    @property
    def capped(self) -> int:
        """Keys and candidates that were left out because a limit was reached."""
        return self._keys.refused + self.unscored

    def keys_of(self, terms: Words, time: int, story: str) -> Words:
        """Return the keys of an article at a time (seconds): rare terms, one by one and in pairs, in its days; its story."""
        keys = self._timeless_keys(terms) ^ _bucket(time // _BUCKET_SECONDS)
        return np.append(keys, _story_key(story))

    def members(self, story: str) -> Slots:
        """Return the slots of a story's articles, copies left out: at most `ARTICLES_A_STORY_KEY`, the earliest."""
        return np.fromiter(self._keys.find(np.array([_story_key(story)])), np.int64)

    def sought(self, terms: Words, time: int, oldest: int) -> Slots:
        """Return the slots of articles near in time that share rare terms, at most `MAX_SCORED`.

        When there are more, it is those that share most keys, of these the earliest after the slot of `oldest`.
        """
        # A term that no article holds yet is the rarest of all, and finds nothing.
        held = terms[self._frequency[_place(terms)] > 0]
        keys, bucket = self._timeless_keys(held, singles=_SOUGHT_KEYS), time // _BUCKET_SECONDS
        shared = self._keys.find(np.concatenate([keys ^ _bucket(bucket + step) for step in _NEIGHBOUR_BUCKETS]))
        capacity = self._keys.capacity
        likeliest = sorted(shared, key=lambda slot: (-shared[slot], (slot - oldest) % capacity))
        self.unscored += max(0, len(likeliest) - MAX_SCORED)
        return np.array(likeliest[:MAX_SCORED], np.int64)

    def _timeless_keys(self, terms: Words, *, singles: int = _SINGLE_KEYS) -> Words:
        """Return the keys of an article's rarest terms, `singles` one by one and some in pairs, before time is mixed in."""
        ranked = terms[np.argsort(-self._values(terms), kind="stable")[:_SOUGHT_KEYS]] >> _TERM_SHIFT
        rarest = ranked[:_PAIRED_TERMS]
        first, second = np.triu_indices(len(rarest), 1) if len(rarest) != _PAIRED_TERMS else _PAIRS
        pairs = np.minimum(rarest[first], rarest[second]) * _SPREAD_FIRST ^ np.maximum(rarest[first], rarest[second])
        keys: Words = np.concatenate((ranked[:singles], pairs)) * _SPREAD_SECOND
        return keys

    def _rarity(self, places: Words) -> Floats:
        """Return the logarithm of the inverse frequency of the terms at these places of the table of frequencies."""
        held = self._frequency.take(places) + _PRIOR.take(places)
        rarity: Floats = np.log((self._articles + 1 + _PRIOR_ARTICLES) / held)
        return rarity

    def _values(self, terms: Words) -> Floats:
        values: Floats = (terms & np.uint32(MAX_WEIGHT)) * self._rarity(_place(terms))
        return values

    def likeness(self, terms: Words, slots: Slots) -> tuple[Floats, Floats]:
        """Return how alike an article's terms and those of each slot are: as a cosine (0 to 1), and as evidence.

        Evidence is how much rarer than common the shared terms are, all in all: two short notes that name nothing but two
        capitals are alike without it. Both are 0 for a slot that holds a copy.
        """
        if not len(terms):
            return np.zeros(len(slots)), np.zeros(len(slots))
        order = np.argsort(terms)
        mine, my_values = _hash(terms[order]), self._values(terms)[order]
        theirs = self._terms.take(slots, axis=0)
        rarity = self._rarity(_place(theirs))
        values = (theirs & np.uint32(MAX_WEIGHT)) * rarity
        shared, at = _shared(mine, _hash(theirs).ravel())
        who = shared // MAX_TERMS
        products = np.bincount(who, values.take(shared) * my_values[at], len(slots)).astype(np.float64)
        evidence = np.bincount(who, np.maximum(rarity.take(shared) - _COMMON_RARITY, 0), len(slots)).astype(np.float64)
        norms = np.sqrt((values * values).sum(axis=1) * (my_values * my_values).sum())
        return products / np.maximum(norms, 1e-9), evidence

    def add(self, slot: int, terms: Words, keys: Words) -> int:
        """Count an article's terms and put it under its keys; return which keys took it, as bits."""
        self._count(slot, terms)
        return self._keys.link(slot, keys)

    def _count(self, slot: int, terms: Words) -> None:
        self._terms[slot] = 0
        self._terms[slot, : len(terms)] = terms
        np.add.at(self._frequency, _place(terms), 1)
        self._articles += 1

    def remove(self, slot: int) -> None:
        """Take an article out; one that was never added is left alone."""
        terms = self._terms[slot][self._terms[slot] != 0]
        if len(terms):
            self._keys.unlink(slot)
            np.subtract.at(self._frequency, _place(terms), 1)
            self._terms[slot] = 0
            self._articles -= 1

    def load(self, slots: Slots, terms: list[Words], keys: Words, linked: npt.NDArray[np.bool_]) -> None:
        """Add many articles at once, under the keys that took them before."""
        for slot, held in zip(slots.tolist(), terms, strict=True):
            self._count(slot, held)
        self._keys.load(slots, keys, linked)

    def grow(self, capacity: int, old: Slots, new: Slots) -> None:
        """Make room for `capacity` slots and move the contents of the old slots to the new ones."""
        terms = self._terms
        self._terms = np.zeros((capacity, MAX_TERMS), np.uint32)
        self._terms[new] = terms[old]
        self._keys.grow(capacity, old, new)


def _shared(mine: Words, theirs: Words) -> tuple[Slots, Slots]:
    """Return where the sorted terms `mine` stand among others, and which of mine each of those is; 0 stands for no term."""
    # Few are shared: a sieve leaves those that may be, with a handful of others.
    sieve = np.zeros(_SIEVE, np.bool_)
    sieve[mine & (_SIEVE - 1)] = True
    shared = np.flatnonzero(sieve.take(theirs & (_SIEVE - 1)))
    found = theirs.take(shared)
    at = np.minimum(np.searchsorted(mine, found), len(mine) - 1)
    same = (mine[at] == found) & (found > 0)
    return shared[same], at[same]


def _story_key(story: str) -> np.uint32:
    return np.uint32(int(story[:8], 16) ^ len(story))


def _bucket(number: int) -> np.uint32:
    """Return a stretch of days as bits to mix into a key."""
    return np.uint32(number * 0xC2B2AE3D & 0xFFFFFFFF)
