from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.links import TRACKING_NAMES, clean_link, host_of

# Frozen: a change here is a new identity for every article that was ever read.
FROZEN = [
    ("https://bao.example/tin/mot-bai.html", "https://bao.example/tin/mot-bai.html"),
    ("http://bao.example/tin/mot-bai.html", "https://bao.example/tin/mot-bai.html"),
    ("  HTTPS://Bao.EXAMPLE:443/Tin.html#phan-2\n", "https://bao.example/Tin.html"),
    ("http://bao.example:80", "https://bao.example/"),
    ("http://127.0.0.1:8765/a.html?utm_source=rss", "https://127.0.0.1:8765/a.html"),
    ("https://[2001:db8::1]:8080/x", "https://[2001:db8::1]:8080/x"),
    ("https://user:secret@bao.example/x", "https://bao.example/x"),
    ("https://bao.example./x", "https://bao.example/x"),
    ("https://bao.example/x?b=2&a=1&utm_medium=feed&fbclid=q", "https://bao.example/x?a=1&b=2"),
    ("https://bao.example/x?tag=b&tag=a", "https://bao.example/x?tag=b&tag=a"),
    ("https://bao.example/x?", "https://bao.example/x"),
    ("https://bao.example/x?cid=5&eid=7&keyword=kursk", "https://bao.example/x?cid=5&eid=7&keyword=kursk"),
    ("https://bao.example/x?gidzl=a&zarsrc=30&vn_source=rss", "https://bao.example/x"),
    ("https://bao.example/a/../b/./c", "https://bao.example/b/c"),
    ("https://báo.example/tin", "https://xn--bo-mia.example/tin"),
    ("https://bao.example/chiến sự", "https://bao.example/chi%E1%BA%BFn%20s%E1%BB%B1"),
    ("https://bao.example/chi%e1%ba%bfn%20s%e1%bb%b1", "https://bao.example/chi%E1%BA%BFn%20s%E1%BB%B1"),
    ("https://bao.example/%7Etin/a%2Fb", "https://bao.example/~tin/a%2Fb"),
]


@pytest.mark.parametrize(("link", "cleaned"), FROZEN)
def test_a_link_has_one_frozen_spelling(link: str, cleaned: str) -> None:
    assert clean_link(link) == cleaned
    assert clean_link(cleaned) == cleaned


@pytest.mark.parametrize(
    "link", ["", "tin.html", "ftp://bao.example/x", "https://", "javascript:alert(1)", "http://[::1", "http://x:99999/"]
)
def test_what_is_no_web_address_has_no_spelling(link: str) -> None:
    assert clean_link(link) is None


@pytest.mark.parametrize("name", sorted(TRACKING_NAMES))
def test_tracking_parameters_are_no_part_of_an_identity(name: str) -> None:
    assert clean_link(f"https://bao.example/x?{name}=1&id=9") == "https://bao.example/x?id=9"


@given(st.text(max_size=30), st.text(max_size=30))
def test_cleaning_twice_is_cleaning_once(path: str, value: str) -> None:
    once = clean_link(f"https://bao.example/{quote(path, safe='/.')}?id={quote(value)}")
    assert once is not None
    assert clean_link(once) == once


def test_host_is_the_unit_of_manners() -> None:
    assert host_of("https://Báo.example:8443/x") == "xn--bo-mia.example"
    assert host_of("/tin.html") is None
