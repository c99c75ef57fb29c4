"""Kinds and runs of characters, held against the regular expressions they stand for."""

import re

from hypothesis import given
from hypothesis import strategies as st

from services.deduplicator.characters import DIGIT, LETTER, POINT, codes_of, inside_numbers, kinds_of, runs
from services.deduplicator.comparison import form_of, plain_number
from services.deduplicator.story import MAX_TERMS, story_terms

TEXTS = st.text(st.sampled_from("aAбЗЄửỳoà019٣.,/:!?…\n “«'(–-)»_😀\ud800") | st.characters(), max_size=60)


@given(TEXTS)
def test_letters_and_numbers_are_what_the_patterns_match(text: str) -> None:
    kinds = kinds_of(codes_of(text))
    for kind, pattern in ((LETTER, r"[^\W\d_]+"), (DIGIT, r"\d+")):
        starts, ends = runs(kinds & kind > 0)
        spans = list(zip(starts.tolist(), ends.tolist(), strict=True))
        assert spans == [match.span() for match in re.finditer(pattern, text)]
    inside = [match.start() for match in re.finditer(r"(?<=\d)[.,](?=\d)", text)]
    assert inside_numbers(kinds, POINT).tolist() == inside


@given(st.text(st.sampled_from("aб019٣.,- _"), max_size=60))
def test_words_in_comparison_form_are_those_of_the_plain_definition(text: str) -> None:
    even = re.sub(r"\d+(?:[.,]\d+)+", lambda number: plain_number(number[0]), text)
    assert form_of(text).text.split() == re.findall(r"\w+", even)


@given(st.text(st.sampled_from("abNÉЗà01_,/; "), max_size=50))
def test_names_and_numbers_are_cut_as_by_the_plain_definition(text: str) -> None:
    pieces = re.findall(r"[A-ZÉЗ][^\W\d_]+|\d+(?:[.,/]\d+)*", text)
    expected = {f"number {plain_number(piece)}" for piece in pieces if piece[0].isdigit() and len(piece) > 1}
    expected |= {f"name {stem(piece.lower())}" for piece in pieces if piece[0].isalpha()}
    terms = {term for term, _ in story_terms("", f"a {text}")}
    assert terms <= expected
    assert terms == expected or len(terms) == MAX_TERMS


def stem(name: str) -> str:
    return name[:5] if name[0] == "з" else name
