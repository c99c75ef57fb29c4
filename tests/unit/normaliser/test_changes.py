"""Recorded changes: two steps chained say the same as one after the other, and the way back finds the raw place."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.normaliser.changes import Change, Track, apply, chain, join_neighbours

LETTERS = st.text(alphabet="abcđê \n", max_size=30)


@st.composite
def some_changes(draw: st.DrawFn, text: str) -> list[Change]:
    changes: list[Change] = []
    position = 0
    while position < len(text) and draw(st.booleans()):
        start = draw(st.integers(position, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        changes.append(Change(start, end, draw(st.text(alphabet="xyz", max_size=3)), "rule", "family"))
        position = end
    return changes


@st.composite
def two_steps(draw: st.DrawFn) -> tuple[str, list[Change], list[Change]]:
    text = draw(LETTERS)
    first = draw(some_changes(text))
    return text, first, draw(some_changes(apply(text, first)))


def undo(clean: str, raw: str, changes: list[Change]) -> str:
    """Return the raw text from the clean one, reading no raw characters but those the changes name."""
    pieces: list[str] = []
    position = raw_position = 0
    for change in changes:
        kept = change.start - raw_position
        pieces += [clean[position : position + kept], raw[change.start : change.end]]
        position += kept + len(change.replacement)
        raw_position = change.end
    return "".join([*pieces, clean[position:]])


@given(two_steps())
def test_a_chain_does_what_its_steps_do(steps: tuple[str, list[Change], list[Change]]) -> None:
    text, first, then = steps
    between = apply(text, first)
    both = chain(first, then, between)
    assert apply(text, both) == apply(between, then)
    assert undo(apply(text, both), text, both) == text
    assert all(one.end <= other.start for one, other in pairwise(both))


@given(LETTERS.flatmap(lambda text: st.tuples(st.just(text), some_changes(text))))
def test_joined_neighbours_make_the_same_text(case: tuple[str, list[Change]]) -> None:
    text, changes = case
    joined = join_neighbours(text, changes, frozenset({"family"}))
    assert apply(text, joined) == apply(text, changes)
    assert len(joined) <= len(changes)


def test_the_way_back_of_a_boundary() -> None:
    track = Track([Change(2, 5, "", "cut", "f"), Change(7, 8, "xyz", "write", "f")])
    assert [track.before(position) for position in range(8)] == [0, 1, 5, 6, 7, 7, 7, 8]


def test_a_later_change_gives_a_merged_one_its_name() -> None:
    repaired = [Change(1, 3, "é", "repair.misread", "encoding")]
    removed = [Change(0, 2, "", "vi.credit.tail", "credit")]
    assert chain(repaired, removed, "aéb") == [Change(0, 3, "", "vi.credit.tail", "credit")]
