"""Links into Kibana: what a reader of rison and percent-encoding gets back is what was meant."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import kibana_links
from shared.kibana_links import Kibana, Period

KIBANA = Kibana("http://kibana.example:5601")
NOON = datetime(2025, 11, 22, 12, 0, tzinfo=UTC)
PERIOD = Period(NOON - timedelta(hours=3), NOON)
NAMES = [
    'Tàu "Moskva"',
    "Київ & Дніпро",
    "đầu hàng",
    "it's 100 % (one+two)",
    "a\\b",
    "!n",
    "-5",
    "",
    "x=1#y?z&w",
    "now-15m",
]


def read_rison(text: str) -> Any:
    """Return the value of a rison text: a reader of its own, written from the notation's grammar."""
    value, rest = _read(text)
    assert rest == "", rest
    return value


def _read(text: str) -> tuple[Any, str]:
    if text.startswith("!("):
        return _read_list(text[2:])
    if text.startswith("!"):
        return {"n": None, "t": True, "f": False}[text[1]], text[2:]
    if text.startswith("("):
        return _read_mapping(text[1:])
    if text.startswith("'"):
        found = re.match(r"'((?:[^'!]|!['!])*)'", text)
        assert found, text
        return re.sub(r"!(.)", r"\1", found[1]), text[found.end() :]
    found = re.match(r"[^ '!:(),*@$]+", text)
    assert found, text
    word = found[0]
    return (float(word) if "." in word or "e" in word else int(word)) if re.match(r"-?\d", word) else word, text[
        found.end() :
    ]


def _read_list(text: str) -> tuple[list[Any], str]:
    items: list[Any] = []
    while not text.startswith(")"):
        item, text = _read(text.removeprefix(",") if items else text)
        items.append(item)
    return items, text[1:]


def _read_mapping(text: str) -> tuple[dict[str, Any], str]:
    items: dict[str, Any] = {}
    while not text.startswith(")"):
        name, text = _read(text.removeprefix(",") if items else text)
        assert text.startswith(":")
        items[name], text = _read(text[1:])
    return items, text[1:]


def states(link: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Return the path after the `#` of a link with its `_g` and `_a`, as a browser and Kibana read them."""
    fragment = urlsplit(link).fragment
    path, _, query = fragment.partition("?")
    parts = parse_qs(query, strict_parsing=True)
    assert set(parts) == {"_g", "_a"}
    return path, read_rison(parts["_g"][0]), read_rison(parts["_a"][0])


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_of_the_link_gets_query_and_times_back(name: str) -> None:
    query = f"{kibana_links.is_exactly('keywords', name)} and not is_copy: true"
    path, everywhere, here = states(kibana_links.discover(KIBANA, query, PERIOD))
    assert path == f"/view/{kibana_links.ARTICLES_SEARCH}"
    assert everywhere == {"time": {"from": "2025-11-22T09:00:00.000Z", "to": "2025-11-22T12:00:00.000Z"}}
    assert here == {"query": {"language": "kuery", "query": query}}


@pytest.mark.parametrize("name", NAMES)
def test_a_link_survives_chat_programs_and_html(name: str) -> None:
    link = kibana_links.dashboard(KIBANA, kibana_links.is_exactly("keywords", name), PERIOD)
    start = "http://kibana.example:5601/app/dashboards#/view/frontwire-keyword?_g="
    assert link.startswith(start)
    assert re.fullmatch(r"[\w%.:,~-]+&_a=[\w%.:,~-]+", link.removeprefix(start), re.ASCII)
    assert link.endswith("%29")


def test_a_phrase_of_kql_holds_quotes_and_backslashes() -> None:
    assert kibana_links.kql_phrase('a "b" \\ c\n d') == '"a \\"b\\" \\\\ c d"'
    assert kibana_links.is_exactly("story_id", "s1", "s2") == 'story_id: ("s1" or "s2")'


def test_the_period_of_a_window_contains_it_and_what_came_before() -> None:
    made = Period.of_window(NOON - timedelta(hours=2), NOON)
    assert made == Period(NOON - timedelta(hours=8), NOON + timedelta(hours=1))
    assert Period.around(NOON, timedelta(days=1)) == Period(NOON - timedelta(days=1), NOON + timedelta(days=1))


def test_times_are_written_in_utc_and_need_a_zone() -> None:
    hanoi = timezone(timedelta(hours=7))
    period = Period(datetime(2025, 11, 22, 2, 0, tzinfo=hanoi), datetime(2025, 11, 22, 8, 0, 0, 1500, tzinfo=hanoi))
    _, everywhere, _ = states(kibana_links.discover(KIBANA, "", period))
    assert everywhere["time"] == {"from": "2025-11-21T19:00:00.000Z", "to": "2025-11-22T01:00:00.001Z"}
    with pytest.raises(ValueError, match="time zone"):
        kibana_links.discover(KIBANA, "", Period(NOON.replace(tzinfo=None), NOON))


@pytest.mark.parametrize(
    ("kibana", "start"),
    [
        (Kibana("https://desk.example/kibana/"), "https://desk.example/kibana/app/discover#/view/"),
        (Kibana("http://k:5601", "ca đêm"), "http://k:5601/s/ca%20%C4%91%C3%AAm/app/discover#/view/"),
    ],
)
def test_a_space_and_a_path_come_before_the_page(kibana: Kibana, start: str) -> None:
    assert kibana_links.discover(kibana, "", PERIOD).startswith(start)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": [1, -2.5, None], "a": True}, "(a:!t,b:!(1,-2.5,!n))"),
        ("it's!", "'it!'s!!'"),
        ("2025", "'2025'"),
        ("kuery", "kuery"),
        (1e21, "1e21"),
        ([], "!()"),
    ],
)
def test_rison(value: Any, text: str) -> None:
    assert kibana_links.rison(value) == text
    assert read_rison(text) == value


def test_rison_refuses_what_it_has_no_form_for() -> None:
    with pytest.raises(TypeError, match="object"):
        kibana_links.rison(object())


leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(values)
@settings(max_examples=30)
def test_every_value_comes_back(value: Any) -> None:
    assert read_rison(kibana_links.rison(value)) == value
