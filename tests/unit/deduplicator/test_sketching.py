"""Signatures and keys: they estimate what they say, stay the same for ever, and cost a bounded amount."""

import random

import numpy as np
import pytest
from msgspec import structs

from services.deduplicator.comparison import Form, form_of
from services.deduplicator.sketching import PERMUTATIONS, PHRASE_KEYS, Sketch, features_of, sketch_form


def _words(count: int, seed: int = 1) -> list[str]:
    pick = random.Random(seed)
    return [f"w{pick.randrange(10**6)}" for _ in range(count)]


def _form(words: list[str]) -> Form:
    return form_of(" ".join(words))


def test_the_format_is_frozen() -> None:
    sketch = sketch_form(form_of("một hai ba bốn năm sáu bảy tám 9 10"), [("entity Q1", 7)])
    assert sketch == Sketch(
        version=1,
        exact="90bfd86c1e15df70bdb65fcf97000522",
        signature="OROw34CAoLZJ8xfwZpXmdslTn0+MHWYBjnjmLqt8ebLB+akJn8u+fZi71Aprv1GFdzCNHfZ7UVTccA3u9p+YfgffphY41Xtv1jiRRwJHo/JbTDGVkIBM+bn5BeRPBCPxkK0BSl1xtmUUP0VG5XtU2jav0eXtmThMmv39ACAP3bs=",
        keys="oqXZDj6lJGP2jYvGZSlPY148gzpcsOk7IAQp3zVIC31LxuvgO1eG4zkIlbG87w/26NqwtlxkCD5YVCneTi/uNmHWNcmoA3IaO0jKM/T5jGce0xHu0Sz/xIhS26ER9847D+fBGoq4ST21DL+U6FFF1x5B5BqdJi9xCqxW8iXadWdrrxYuNQ3nQSLr7bMCX17ImjK/t52FBQGX1m9Yf/JsQWLTqsS027FhVF6nd0E+hxloWhCLifPyV3cGul+MjmXxx+3ydmKo1f4=",
        numbers="aLISaAY6NSgyyDntRIRp0A==",
        shingles=8,
    )


@pytest.mark.parametrize("overlap", [0.2, 0.5, 0.8])
def test_the_signature_estimates_similarity(overlap: float) -> None:
    errors = []
    for seed in range(40):
        shared, size = int(600 * overlap / (1 + overlap)), 300
        common = _words(shared, seed)
        one = features_of(sketch_form(_form(common + _words(size - shared, seed + 1000)), ()))
        two = features_of(sketch_form(_form(common + _words(size - shared, seed + 2000)), ()))
        true = (shared - 2) / (2 * (size - 2) - (shared - 2))
        errors.append(float((one.signature == two.signature).mean()) - true)
    assert abs(float(np.mean(errors))) < 0.02
    assert float(np.std(errors)) < 0.06


def test_an_excerpt_shares_keys_with_the_whole() -> None:
    whole = _words(400)
    excerpt = features_of(sketch_form(_form(whole[100:220]), ()))
    assert set(excerpt.keys.tolist()) & set(features_of(sketch_form(_form(whole), ())).keys.tolist())


def test_other_texts_share_no_keys() -> None:
    one, two = (features_of(sketch_form(_form(_words(300, seed)), ())) for seed in (1, 2))
    assert not set(one.keys.tolist()) & set(two.keys.tolist())


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 6, 7, 600, 20_000])
def test_every_length_has_a_sketch(count: int) -> None:
    features = features_of(sketch_form(_form(_words(count)), [("name x", 3)]))
    assert len(features.signature) == PERMUTATIONS
    assert len(features.keys) == (PHRASE_KEYS if count else 0)
    assert len(features.terms) == 1
    assert features.terms[0] & np.uint64(15) == 3


def test_repetition_changes_nothing_but_the_seam() -> None:
    words = _words(1500)
    once, twice = (features_of(sketch_form(_form(text), ())) for text in (words, words * 2))
    assert float((once.signature == twice.signature).mean()) > 0.95
    assert twice.shingles == once.shingles + 2


@pytest.mark.parametrize(
    "damage",
    [{"version": 2}, {"signature": "AAAA"}, {"signature": "%%%%"}, {"keys": "AAAA"}, {"exact": "xyz"}],
)
def test_damage_is_refused(damage: dict[str, object]) -> None:
    sketch = structs.replace(sketch_form(_form(_words(20)), ()), **damage)
    with pytest.raises(ValueError):
        features_of(sketch)
