"""The server of the bundled sample news site: pages, conditional requests, damage and later states."""

import http.client
import signal
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import sample_site
from shared.sample_articles import Article, Item, Wart, to_windows_1258
from shared.sample_site import DEFAULT_FOLDER, Site, make_site, serve

pytestmark = pytest.mark.slow

BASE = "http://127.0.0.1:8765"
REVISABLE = "bao-mau/kyiv-cat-dien-luan-phien"
VIETNAMESE = "aăâbcdđeêghiklmnoôơpqrstuưvxyAĂÂĐÊÔƠƯ .,“”–0123456789"
TONES = ["", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323"]


@pytest.fixture(scope="module")
def site() -> Site:
    return make_site(DEFAULT_FOLDER, BASE)


@pytest.fixture
def base_url() -> Iterator[str]:
    with serve() as url:
        yield url


def request(
    url: str, method: str = "GET", headers: dict[str, str] | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    try:
        connection.request(method, parts.path, headers=headers or {})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def item(body: str, *warts: Wart) -> Item:
    return Item(
        "o/s", Article.model_validate({"title": "t", "published": "2025-11-07T00:00:00Z", "body": body, "warts": warts})
    )


def test_the_same_files_give_the_same_bytes(site: Site) -> None:
    assert make_site(DEFAULT_FOLDER, BASE) == site


def test_links_in_feeds_begin_with_the_base_url(site: Site) -> None:
    other = make_site(DEFAULT_FOLDER, "http://localhost:1")
    for outlet in site.outlets:
        feed = other.pages[outlet.feed_path].body
        assert b"http://localhost:1/" in feed
        assert BASE.encode() not in feed


def test_the_root_lists_every_outlet_and_each_outlet_its_articles(site: Site) -> None:
    root = site.get("/").body.decode()
    for outlet in site.outlets:
        assert f'href="/{outlet.path}/"' in root
        listing = site.get(f"/{outlet.path}/").body.decode()
        own = [i for i in site.items if i.key.startswith(f"{outlet.path}/")]
        assert all(i.path in listing for i in own)


def test_robots_and_photo_are_served(site: Site) -> None:
    assert site.get("/robots.txt").body.startswith(b"User-agent: *")
    assert site.get("/static/photo.svg").headers["Content-Type"] == "image/svg+xml"


def test_a_query_does_not_change_the_page(site: Site) -> None:
    path = f"/{REVISABLE}.html"
    assert site.get(f"{path}?utm_source=rss") == site.get(path)
    assert site.get(path).status == 200


@pytest.mark.parametrize("path", ["/nowhere.html", "/vi-du/kursk-luoi-chan-tram-bien-ap.html", "/../outlets.yaml"])
def test_what_is_not_there_is_404(site: Site, path: str) -> None:
    assert site.get(path).status == 404


def test_an_unchanged_page_is_304_by_tag_or_by_date(site: Site) -> None:
    page = site.get("/bao-mau/rss.xml")
    tag, changed = page.headers["ETag"], page.headers["Last-Modified"]
    for headers in (
        {"If-None-Match": tag},
        {"if-none-match": f'"other", W/{tag}'},
        {"If-None-Match": "*"},
        {"If-Modified-Since": changed},
        {"If-Modified-Since": "Sat, 22 Nov 2036 00:00:00 GMT"},
        {"If-Modified-Since": "Sat, 22 Nov 2036 00:00:00 -0000"},
    ):
        answer = site.get("/bao-mau/rss.xml", headers)
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers == {"ETag": tag, "Last-Modified": changed}


@pytest.mark.parametrize(
    "headers",
    [
        {"If-None-Match": '"other"'},
        {"If-None-Match": '"other"', "If-Modified-Since": "Sat, 22 Nov 2036 00:00:00 GMT"},
        {"If-Modified-Since": "Wed, 01 Oct 2025 00:00:00 GMT"},
        {"If-Modified-Since": "yesterday"},
        {},
    ],
)
def test_a_changed_page_is_sent_whole(site: Site, headers: dict[str, str]) -> None:
    assert site.get("/bao-mau/rss.xml", headers).status == 200


def test_an_article_in_its_later_state_has_a_new_title_body_and_tag(site: Site) -> None:
    later = make_site(DEFAULT_FOLDER, BASE, revised=[REVISABLE])
    before, after = (s.get(f"/{REVISABLE}.html") for s in (site, later))
    assert "chỉ được cấp điện từ tám" in before.body.decode()
    assert "khôi phục một phần nguồn điện" in after.body.decode()
    assert before.headers["ETag"] != after.headers["ETag"]
    assert site.get("/bao-mau/rss.xml").headers["ETag"] != later.get("/bao-mau/rss.xml").headers["ETag"]
    assert [i.key for i in site.items] == [i.key for i in later.items]


@pytest.mark.parametrize("key", ["bao-mau/khong-co", "bao-mau/kursk-do-bom-min"])
def test_an_article_without_a_later_state_is_refused(key: str) -> None:
    with pytest.raises(KeyError, match=key):
        make_site(DEFAULT_FOLDER, BASE, revised=[key])


def test_an_edit_of_words_that_are_not_there_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    for name in ("outlets.yaml", "templates", "static"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(DEFAULT_FOLDER / name)
    articles = folder / "articles" / "wire"
    articles.mkdir(parents=True)
    (articles / "first.yaml").write_text(
        "title: a\npublished: '2025-11-07T00:00:00Z'\nbody: one two\n", encoding="utf-8"
    )
    copy = "title: b\npublished: '2025-11-07T00:00:00Z'\ncopy_of: wire/first\nedits: [{old: three, new: four}]\n"
    (articles / "second.yaml").write_text(copy, encoding="utf-8")
    with pytest.raises(ValueError, match="wire/second: the copied text does not hold 'three'"):
        make_site(folder, BASE)


def test_damage_is_what_it_says() -> None:
    assert item("Hoà bình").page_html() == "<p>Hoà bình</p>"
    assert item("Hoà", Wart.NFD).body_html() == "<p>Hoa\u0300</p>"
    assert item("a quoted word here", Wart.ZERO_WIDTH).body_html() == "<p>a quo\u00adted word here</p>"
    assert item("cá", Wart.DOUBLE_ESCAPED).page_html() == "<p>c&amp;aacute;</p>"
    assert item("a, b", Wart.CONTROL_CHARACTERS).page_html() == "<p>a,\x0b b\x07</p>"
    assert item("a, b", Wart.CONTROL_CHARACTERS).body_html() == "<p>a, b</p>"


def test_paragraphs_are_escaped_and_html_is_kept() -> None:
    assert item('1 < 2 & "3"\n\n<p class="x">4 &amp; 5</p>\n').body_html() == (
        '<p>1 &lt; 2 &amp; "3"</p>\n<p class="x">4 &amp; 5</p>'
    )


@given(st.lists(st.tuples(st.sampled_from(VIETNAMESE), st.sampled_from(TONES)), max_size=30))
def test_windows_1258_decodes_to_the_same_vietnamese(letters: list[tuple[str, str]]) -> None:
    vowels = "aăâeêioôơuưyAĂÂÊÔƠƯ"
    text = unicodedata.normalize("NFC", "".join(c + (tone if c in vowels else "") for c, tone in letters))
    assert unicodedata.normalize("NFC", to_windows_1258(text).decode("cp1258")) == text


def test_over_http_pages_feeds_and_conditional_requests(base_url: str) -> None:
    response, body = request(f"{base_url}/vi-du/atom.xml")
    assert response.status == 200
    assert f"{base_url}/vi-du/".encode() in body
    again, empty = request(f"{base_url}/vi-du/atom.xml", headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status, empty) == (304, b"")
    head, nothing = request(f"{base_url}/vi-du/atom.xml", method="HEAD")
    assert (head.status, nothing) == (200, b"")
    assert int(head.headers["Content-Length"]) == len(body)
    missing, _ = request(f"{base_url}/nowhere")
    assert missing.status == 404


def test_the_same_port_can_be_taken_again_for_a_later_state() -> None:
    with serve() as url:
        _, before = request(f"{url}/{REVISABLE}.html")
    with serve(port=urlsplit(url).port or 0, revised=[REVISABLE]) as again:
        _, after = request(f"{again}/{REVISABLE}.html")
    assert url == again
    assert before != after


def test_a_taken_port_ends_with_one_clear_line(base_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    port = str(urlsplit(base_url).port)
    with pytest.raises(SystemExit) as stopped:
        sample_site.main(["--port", port])
    assert stopped.value.code == 1
    assert capsys.readouterr().err.startswith(f"cannot serve on port {port}: ")


def test_it_runs_as_a_process_and_ends_with_ctrl_c() -> None:
    command = [sys.executable, "-m", "shared.sample_site", "--port", "0"]
    with subprocess.Popen(command, cwd=DEFAULT_FOLDER.parents[1], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        response, _ = request(f"{url}/robots.txt")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=5) == 0
    assert response.status == 200
