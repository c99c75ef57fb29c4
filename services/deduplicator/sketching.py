"""A text turned into a MinHash signature and candidate keys: the CPU-heavy part, without state.

The signature is over runs of three words and estimates how alike two texts are. The keys find the texts that are worth
holding against each other: each is the smallest run of six words under one permutation, so that an article and its excerpt
share some whenever whole phrases survive. (On the development set 24 such keys miss no copy, 40 bands of three rows with
8 keys of the lead miss 1 %: docs/decisions/0008.)

The bytes are ours (version 1): a change of any constant here needs a new `SKETCH_VERSION`, and sketches of two versions are
never held against each other. MinHash: Broder, "On the resemblance and containment of documents", 1997; low bits of the
minima are enough to estimate it (Li and König, "b-Bit Minwise Hashing", 2010).
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import xxhash
from msgspec import Struct

from services.deduplicator.comparison import Form, Hashes, Remembered, hash_of
from shared.reading import Offset

SKETCH_VERSION: Final = 1
PERMUTATIONS: Final = 128
PHRASE_KEYS: Final = 24
"""The first `PHRASE_KEYS` keys of a sketch find copies, the others are the terms of its story."""
MAX_NUMBERS: Final = 16
MAX_WEIGHT: Final = 15
"""A term of the story is a 64-bit value: a hash, with the term's weight (1 to 15) in its lowest four bits."""

_SHINGLE_WORDS: Final = 3
_PHRASE_WORDS: Final = 6
_CHUNK: Final = 1024


def _fixed(purpose: str, count: int) -> Hashes:
    """Return `count` fixed pseudo-random 64-bit numbers: the same on every machine and with every numpy."""
    return np.array([xxhash.xxh3_64_intdigest(purpose.encode(), seed=i) for i in range(count)], np.uint64)


_FACTORS: Final = (_fixed("factor", PERMUTATIONS) | np.uint64(1)).astype(np.uint32)
_PLACES: Final = _fixed("place", _PHRASE_WORDS) | np.uint64(1)
_KEY_SALTS: Final = _fixed("key", PHRASE_KEYS)


@dataclass(frozen=True)
class Features:
    """A sketch as arrays: what the decision computes with. Sorted numbers and terms; keys and terms are 64-bit hashes."""

    exact: bytes
    signature: npt.NDArray[np.uint8]
    keys: Hashes
    terms: Hashes
    numbers: Hashes
    shingles: int


class Sketch(Struct, frozen=True, kw_only=True, gc=False):
    """A sketch as it stands in a record: see `shared.models.Sketch`."""

    version: int
    exact: str
    signature: str
    keys: str
    numbers: str
    shingles: Offset


def sketch_form(form: Form, terms: Iterable[tuple[str, int]]) -> Sketch:
    """Return the sketch of a text given in comparison form, and of the weighted terms of its story.

    A text without words has no keys: it is never a copy of anything.
    """
    shingles = _distinct(_runs(form.words, _SHINGLE_WORDS))
    if len(shingles):
        signature = _mix(_minima(shingles, PERMUTATIONS)).astype(np.uint8)
        keys = _mix(_minima(_runs(form.words, _PHRASE_WORDS), PHRASE_KEYS) ^ _KEY_SALTS)
    else:
        signature, keys = np.zeros(PERMUTATIONS, np.uint8), np.empty(0, np.uint64)
    return Sketch(
        version=SKETCH_VERSION,
        exact=form.exact,
        signature=_encode(signature),
        keys=_encode(np.concatenate((keys, hashed_terms(terms)))),
        numbers=_encode(_distinct(form.numbers)[:MAX_NUMBERS]),
        shingles=len(shingles),
    )


def features_of(sketch: Sketch) -> Features:
    """Return a sketch as arrays; raises ValueError when it is not of this version or is damaged."""
    if sketch.version != SKETCH_VERSION:
        raise ValueError(f"sketch version {sketch.version}, this decision reads {SKETCH_VERSION}")
    signature = np.frombuffer(base64.b64decode(sketch.signature, validate=True), np.uint8)
    if len(signature) != PERMUTATIONS:
        raise ValueError(f"signature of {len(signature)} bytes, {PERMUTATIONS} expected")
    keys = _decode(sketch.keys)
    phrase_keys = PHRASE_KEYS if sketch.shingles else 0
    return Features(
        exact=bytes.fromhex(sketch.exact)[:8],
        signature=signature,
        keys=keys[:phrase_keys],
        terms=keys[phrase_keys:],
        numbers=_decode(sketch.numbers),
        shingles=sketch.shingles,
    )


def _runs(hashes: Hashes, length: int) -> Hashes:
    """Return the hash of every run of `length` words; a shorter text is one run."""
    if not len(hashes):
        return hashes
    length = min(length, len(hashes))
    step = hashes.itemsize
    windows = np.ndarray((len(hashes) - length + 1, length), np.uint64, hashes, strides=(step, step))
    return _mix(windows @ _PLACES[:length])


def _distinct(values: Hashes) -> Hashes:
    ordered = np.sort(values)
    first = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered[first]


def _mix(values: Hashes) -> Hashes:
    """Return well-spread 64-bit values (the finaliser of splitmix64, Steele et al. 2014)."""
    mixed = values >> np.uint64(30)
    mixed ^= values
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def _minima(runs: Hashes, permutations: int) -> Hashes:
    """Return for each permutation of the 32-bit numbers (an odd factor) the smallest image of a run."""
    short = (runs >> np.uint64(32)).astype(np.uint32)
    factors = _FACTORS[:permutations, None]
    minima: npt.NDArray[np.uint32] = (short[:_CHUNK] * factors).min(axis=1)
    for start in range(_CHUNK, len(short), _CHUNK):
        np.minimum(minima, (short[start : start + _CHUNK] * factors).min(axis=1), out=minima)
    return minima.astype(np.uint64)


def hashed_terms(terms: Iterable[tuple[str, int]]) -> Hashes:
    """Return weighted terms as a sketch holds them: the upper bits of a hash, the weight in the lowest four."""
    weighted = list(terms)
    weights = np.array([weight for _, weight in weighted], np.uint64)
    hashes = np.frombuffer(b"".join(_term_hash(term) for term, _ in weighted), ">u8").astype(np.uint64)
    return hashes & ~np.uint64(MAX_WEIGHT) | weights


_term_hash: Final = Remembered(hash_of).__getitem__


def _encode(values: npt.NDArray[np.uint64] | npt.NDArray[np.uint8]) -> str:
    return base64.b64encode(values.astype(values.dtype.newbyteorder("<")).tobytes()).decode()


def _decode(text: str) -> Hashes:
    return np.frombuffer(base64.b64decode(text, validate=True), "<u8").astype(np.uint64)
