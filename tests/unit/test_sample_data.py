"""The bundled sample itself: well formed, as warty as it says, and in step with expected.yaml."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import feedparser
import pytest
from lxml import etree
from lxml import html as lxml_html
from ruamel.yaml import YAML

from services.fetcher.feeds import load_feeds
from shared.links import clean_link
from shared.sample_articles import Item, Outlet, Wart
from shared.sample_expected import ExpectedArticle, ExpectedSearch, Totals, read_expected
from shared.sample_site import DEFAULT_FOLDER, make_site
from shared.text import fold

pytestmark = pytest.mark.slow

SEEDS: Final = DEFAULT_FOLDER.parents[2] / "shared" / "data" / "seeds"
SITE: Final = make_site(DEFAULT_FOLDER, "http://127.0.0.1:8765")
ITEMS: Final = {item.key: item for item in SITE.items}
OUTLETS: Final = {outlet.path: outlet for outlet in SITE.outlets}
PAGES: Final = [item for item in SITE.items if item.article.page == "full"]
WARTS: Final = [(item, wart) for item in SITE.items for wart in item.article.warts]


def read(name: str) -> Any:
    return YAML(typ="safe").load((DEFAULT_FOLDER / name).read_text(encoding="utf-8"))


EXPECTED: Final = read_expected(DEFAULT_FOLDER)
ROWS: Final = {row.key: row for row in EXPECTED.articles}
TEXT_ROWS: Final = [row for row in EXPECTED.articles if row.outcome == "searchable"]


def by_key(row: ExpectedArticle) -> str:
    return row.key


def outlet_of(item: Item) -> Outlet:
    return OUTLETS[item.key.partition("/")[0]]


def plain(item: Item) -> str:
    """Return what a reader reads of an undamaged article: its body, or its summary when there is no page."""
    body = item.article.body or item.article.summary
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def page_text(item: Item) -> str:
    """Return the page as its own bytes mean it, whatever charset it claims."""
    charset = "cp1258" if Wart.WINDOWS_1258 in item.article.warts else outlet_of(item).charset
    return SITE.pages[item.path].body.decode(charset)


def shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", fold(text))
    return {tuple(words[i : i + 3]) for i in range(len(words) - 2)}


def similarity(a: str, b: str) -> float:
    one, two = shingles(a), shingles(b)
    return len(one & two) / max(1, len(one | two))


# Well formed.


@pytest.mark.parametrize("outlet", SITE.outlets, ids=lambda o: o.path)
def test_every_feed_is_well_formed_and_holds_every_article(outlet: Outlet) -> None:
    page = SITE.pages[outlet.feed_path]
    etree.fromstring(page.body, etree.XMLParser(resolve_entities=False))
    feed = feedparser.parse(page.body, response_headers={"content-type": page.headers["Content-Type"]})
    assert not feed.bozo
    own = [item for item in SITE.items if outlet_of(item) == outlet]
    links = {
        f"http://127.0.0.1:8765{item.path}{query}" for item in own for query in {"", item.article.repeat_query or ""}
    }
    assert {entry.link for entry in feed.entries} == links
    assert len({entry.id for entry in feed.entries}) == len(feed.entries) == len(links)
    titles = {unicodedata.normalize("NFC", re.sub("[\u200b\u00ad]", "", entry.title)) for entry in feed.entries}
    assert titles == {item.article.title for item in own}


@pytest.mark.parametrize("item", PAGES, ids=lambda i: i.key)
def test_every_page_parses_in_its_charset_and_shows_its_title(item: Item) -> None:
    page = SITE.pages[item.path]
    tree = lxml_html.document_fromstring(page_text(item))
    heading = tree.findtext(".//title") or ""
    cleaned = unicodedata.normalize("NFC", re.sub("[\u200b\u00ad]", "", heading))
    assert item.article.title in cleaned
    declared = page.headers["Content-Type"].rpartition("charset=")[2]
    assert f"charset={declared}" in page_text(item).replace('"', "")


def test_pages_state_their_time_in_three_ways() -> None:
    ways = Counter[str]()
    for item in PAGES:
        text, outlet = page_text(item), outlet_of(item)
        found = {
            "json_ld": '"datePublished"' in text,
            "meta": "article:published_time" in text,
            "visible": 'class="date"' in text,
        }
        stated = [way for way, there in found.items() if there]
        assert stated == ([outlet.page_date] if item.article.page_date else [])
        ways.update(stated)
    assert set(ways) == {"json_ld", "meta", "visible"}


def test_a_visible_date_is_written_the_vietnamese_way() -> None:
    assert "Thứ Năm, 13/11/2025, 07:20 (GMT+7)" in page_text(ITEMS["vi-du/g7-hop-tai-canada"])


def test_feeds_hold_a_summary_a_picture_or_the_whole_body() -> None:
    feeds = {
        outlet.path: {
            entry.link.rpartition("/")[2]: entry
            for entry in feedparser.parse(SITE.pages[outlet.feed_path].body).entries
        }
        for outlet in SITE.outlets
    }
    pictured = feeds["bao-mau"]["kursk-do-bom-min.html"]
    assert "<img" in pictured.summary
    assert ITEMS["bao-mau/kursk-do-bom-min"].article.summary in pictured.summary
    assert feeds["bao-mau"]["toan-canh-bang-hinh.html"].summary.count("<") == 3
    assert feeds["tin-thu"]["duc-chuyen-patriot.html"].summary == ITEMS["tin-thu/duc-chuyen-patriot"].article.summary
    assert "ngừng bắn tại Istanbul" in feeds["tin-van"]["diem-tin-sang-0811.html"].content[0].value
    assert "Покровська" in feeds["pryklad"]["pokrovsk-oborona.html"].content[0].value


def test_feeds_write_their_times_in_three_ways() -> None:
    assert b"<pubDate>Fri, 07 Nov 2025 20:05:00 GMT+7</pubDate>" in SITE.pages["/tin-thu/rss.xml"].body
    assert b"<pubDate>03/11/2025 09:00</pubDate>" in SITE.pages["/tin-thu/rss.xml"].body
    assert b"<pubDate>Fri, 07 Nov 2025 18:40:00 +0700</pubDate>" in SITE.pages["/bao-mau/rss.xml"].body
    assert b"<published>2025-11-15T10:00:00+07:00</published>" in SITE.pages["/vi-du/atom.xml"].body


# As warty as it says.

CHECKS: Final[dict[Wart, Callable[[Item], object]]] = {
    Wart.ALL_CAPS: lambda i: i.article.title.isupper(),
    Wart.AUTHOR_LINE: lambda i: i.article.author and i.article.author in plain(i)[-60:],
    Wart.CONTROL_CHARACTERS: lambda i: re.search("[\x07\x0b\x1f]", page_text(i)),
    Wart.CREDIT: lambda i: re.search(r"(Ảnh( minh họa)?|Photo|Фото): ", plain(i)),
    Wart.DATELINE: lambda i: re.match(r"\(?\w[^.]{2,40}( [-–] |\) — |\. /)", plain(i)),
    Wart.DOUBLE_ESCAPED: lambda i: "&amp;aacute;" in page_text(i),
    Wart.EMPTY_BODY: lambda i: not plain(i),
    Wart.ENDING: lambda i: plain(i).endswith("./."),
    Wart.FOREIGN_PASSAGE: lambda i: len(re.findall("[а-яё]", plain(i))) > 200 and "Ukraine" in plain(i),
    Wart.NFD: lambda i: not unicodedata.is_normalized("NFC", page_text(i)) and "a\u0323" in page_text(i),
    Wart.PREFIX: lambda i: re.match(r"date \d{4}-\d\d-\d\d ", plain(i)),
    Wart.RELATED: lambda i: re.search(r"(Xem thêm|Read more): ", plain(i)),
    Wart.RELATIVE_DATE: lambda i: ROWS[i.key].dates,
    Wart.TEASER: lambda i: plain(i).endswith("...") and len(plain(i)) < 0.7 * len(plain(ITEMS[str(i.article.copy_of)])),
    Wart.TONE_NEW: lambda i: re.search("[hH]oà |[tT]huỷ ", plain(i)),
    Wart.TONE_OLD: lambda i: re.search("[hH]òa |[tT]hủy ", plain(i)),
    Wart.UNACCENTED: lambda i: (i.article.title + plain(i)).isascii(),
    Wart.VIDEO: lambda i: "Video đang HOT" in plain(i),
    Wart.WINDOWS_1258: lambda i: (
        "charset=windows-1258" in page_text(i) and "ngừng bắn" in unicodedata.normalize("NFC", page_text(i))
    ),
    Wart.WRONG_CHARSET: lambda i: "charset=iso-8859-1" in page_text(i) and "phòng không" in page_text(i),
    Wart.YEAR_9999: lambda i: "9999" in str(i.article.feed_date),
    Wart.ZERO_WIDTH: lambda i: {"\u200b", "\u00ad"} <= set(page_text(i)),
}


@pytest.mark.parametrize(("item", "wart"), WARTS, ids=lambda v: v.key if isinstance(v, Item) else str(v))
def test_a_declared_wart_is_there(item: Item, wart: Wart) -> None:
    assert CHECKS[wart](item)


def test_every_wart_is_declared_somewhere() -> None:
    assert {wart for _, wart in WARTS} == set(Wart)


def test_only_declared_pages_hold_characters_that_do_not_belong() -> None:
    damaged = {Wart.CONTROL_CHARACTERS, Wart.NFD, Wart.WINDOWS_1258, Wart.ZERO_WIDTH}
    for item in PAGES:
        if not damaged & set(item.article.warts):
            assert unicodedata.is_normalized("NFC", page_text(item)), item.key
            assert not re.search("[\x00-\x08\x0b-\x1f\u00ad\u200b]", page_text(item)), item.key


# In step with expected.yaml.


def test_every_article_is_expected_and_every_expected_article_exists() -> None:
    repeats = {f"{item.key}{item.article.repeat_query}" for item in SITE.items if item.article.repeat_query}
    assert set(ROWS) == set(ITEMS) | repeats
    assert len(ROWS) == len(EXPECTED.articles)
    for row in EXPECTED.articles:
        key, mark, query = row.key.partition("?")
        assert row.path == ITEMS[key].path + mark + query


def test_the_sample_is_as_large_and_as_mixed_as_promised() -> None:
    languages = Counter(outlet_of(item).language for item in SITE.items)
    assert languages["vi"] >= 20
    assert languages["en"] >= 5
    assert languages["ru"] >= 4
    assert languages["uk"] >= 4
    assert len(SITE.outlets) >= 5


def test_the_totals_are_the_sums() -> None:
    outcomes = Counter(row.outcome for row in (*EXPECTED.articles, *EXPECTED.files))
    assert EXPECTED.totals == Totals(
        feed_items=len(EXPECTED.articles),
        file_articles=len(EXPECTED.files),
        searchable=outcomes.pop("searchable"),
        repeated=outcomes.pop("repeated"),
        dead_letters={outcome.removeprefix("dead_letter:"): count for outcome, count in outcomes.items()},
    )
    assert len(EXPECTED.searchable()) == EXPECTED.totals.searchable


@pytest.mark.parametrize("row", TEXT_ROWS, ids=by_key)
def test_expected_language_title_and_time_are_those_of_the_file(row: ExpectedArticle) -> None:
    item = ITEMS[row.key]
    assert row.title == unicodedata.normalize("NFC", item.article.title)
    assert row.language == outlet_of(item).language
    value, origin = row.published.value, row.published.origin
    if value is None:
        assert (origin, item.article.page_date) == ("none", False)
        return
    assert origin == ("feed" if item.article.feed_date != "" else "visible" if item.article.page_date else "url")
    wanted = item.article.published.isoformat()
    assert value == (wanted if origin != "url" else wanted[:10])
    assert origin != "url" or value.replace("-", "/") in item.path


@pytest.mark.parametrize("row", TEXT_ROWS, ids=by_key)
def test_expected_dates_stand_in_the_text_and_are_days_in_order(row: ExpectedArticle) -> None:
    text = plain(ITEMS[row.key])
    for mention in row.dates:
        assert mention.text in text
        assert mention.from_ <= mention.to


@pytest.mark.parametrize("row", TEXT_ROWS, ids=by_key)
def test_every_text_expects_a_linked_entity(row: ExpectedArticle) -> None:
    assert row.entities


def test_copies_are_as_close_as_their_relation_says() -> None:
    found = Counter[str]()
    for row in TEXT_ROWS:
        if row.duplicate_of is None or row.relation is None:
            continue
        copy, original = plain(ITEMS[row.key]), plain(ITEMS[row.duplicate_of])
        assert row.cluster == ROWS[row.duplicate_of].cluster
        assert row.key.partition("/")[0] != row.duplicate_of.partition("/")[0]
        contained = len(shingles(copy) & shingles(original)) / len(shingles(copy))
        near = similarity(copy, original)
        assert {"exact": copy == original, "near": 0.6 < near < 1, "contained": near < 0.6 < contained}[row.relation]
        found[row.relation] += 1
    assert found == {"exact": 2, "near": 3, "contained": 1}


def test_a_follow_up_repeats_background_and_is_no_copy() -> None:
    follow_up, first = plain(ITEMS["vi-du/kyiv-dien-ngay-thu-hai"]), plain(ITEMS["bao-mau/kyiv-cat-dien-luan-phien"])
    assert 0.1 < similarity(follow_up, first) < 0.35


def test_no_two_articles_of_different_clusters_are_alike() -> None:
    for one, two in combinations(TEXT_ROWS, 2):
        if (one.cluster or one.key) != (two.cluster or two.key):
            assert similarity(plain(ITEMS[one.key]), plain(ITEMS[two.key])) < 0.35, (one.key, two.key)


def test_two_stories_are_told_by_several_outlets_in_their_own_words() -> None:
    told: dict[str, set[tuple[str, str]]] = {}
    for row in TEXT_ROWS:
        if row.story and row.language == "vi":
            told.setdefault(row.story, set()).add((row.cluster or row.key, row.key.partition("/")[0]))
    several = [story for story, tellings in told.items() if len({cluster for cluster, _ in tellings}) > 1]
    assert len(several) >= 2


@pytest.mark.parametrize("search", EXPECTED.searches, ids=lambda s: s.query)
def test_expected_hits_hold_the_words_that_are_searched(search: ExpectedSearch) -> None:
    for key in search.hits:
        assert ROWS[key].outcome == "searchable"
        text = fold(f"{ITEMS[key].article.title} {plain(ITEMS[key])}")
        assert fold(search.query) in text


def test_the_feeds_file_lists_every_outlet_as_it_is() -> None:
    *feeds, files = read("feeds.yaml")["feeds"]
    assert [feed["name"] for feed in feeds] == [outlet.name for outlet in SITE.outlets]
    for feed, outlet in zip(feeds, SITE.outlets, strict=True):
        assert feed["url"] == f"${{SAMPLE_SITE}}{outlet.feed_path}"
        assert (feed["kind"], feed["language"], feed["country"]) == (outlet.feed, outlet.language, outlet.country)
        assert feed["timezone"] == outlet.timezone
        assert feed["allow_private"] == ["${SAMPLE_HOST}"]
    assert (files["path"], files["kind"]) == ("${SAMPLE_FILES}", "files")


def test_the_feeds_file_is_good_configuration_once_its_places_are_filled(tmp_path: Path) -> None:
    text = (DEFAULT_FOLDER / "feeds.yaml").read_text(encoding="utf-8")
    places = {"SITE": "http://127.0.0.1:8765", "HOST": "127.0.0.1:8765", "FILES": str(DEFAULT_FOLDER / "files")}
    for name, value in places.items():
        text = text.replace(f"${{SAMPLE_{name}}}", value)
    (tmp_path / "feeds.yaml").write_text(text, encoding="utf-8")
    feeds = load_feeds(tmp_path / "feeds.yaml")
    assert len(feeds.feeds) == len(SITE.outlets) + 1
    assert [feed.name for feed in feeds.feeds if feed.full_text == "feed"] == ["Tin Vắn"]


def test_a_repeated_item_is_the_same_link_once_cleaned() -> None:
    repeated = [row for row in EXPECTED.articles if row.outcome == "repeated"]
    assert repeated
    for row in repeated:
        again, first = (f"http://127.0.0.1:8765{path}" for path in (row.path, ROWS[str(row.repeats)].path))
        assert again != first
        assert clean_link(again) == clean_link(first)


# The plain files.


def test_every_plain_file_is_expected() -> None:
    keys = []
    for path in sorted((DEFAULT_FOLDER / "files").iterdir()):
        lines = path.read_text(encoding="utf-8").splitlines()
        keys += [f"{path.name}#{n}" for n in range(1, len(lines) + 1)] if path.suffix == ".jsonl" else [path.name]
    assert sorted(row.key for row in EXPECTED.files) == sorted(keys)


@pytest.mark.parametrize("row", EXPECTED.files, ids=by_key)
def test_what_is_expected_of_a_plain_file_stands_in_it(row: ExpectedArticle) -> None:
    name, _, line = row.key.partition("#")
    text = (DEFAULT_FOLDER / "files" / name).read_text(encoding="utf-8")
    if line:
        record = json.loads(text.splitlines()[int(line) - 1])
        assert set(record) <= {"id", "url", "title", "text", "published"}
        assert (record["title"], record["published"]) == (row.title, row.published.value)
        assert datetime.fromisoformat(record["published"]).utcoffset() is not None
        text = record["text"]
    else:
        assert row.published.value
        assert row.published.value in text
    for mention in row.dates:
        assert mention.text in text


def test_the_text_file_begins_with_a_fused_prefix() -> None:
    text = (DEFAULT_FOLDER / "files" / "tram-suoi-mua-dong.txt").read_text(encoding="utf-8")
    assert text.startswith(" date 2025-11-14 ")
    assert text.rstrip().endswith("./.")


# Written by us.


def sentences(text: str) -> set[str]:
    parts = re.split(r"[.!?…]\s+|\n+", text)
    return {folded for part in parts if len((folded := " ".join(re.findall(r"\w+", fold(part)))).split()) >= 6}


@pytest.mark.skipif(not SEEDS.is_dir(), reason="the seed articles are not beside this checkout")
def test_no_sentence_is_copied_from_the_seed_articles() -> None:
    seeds: set[str] = set()
    for path in SEEDS.glob("*.txt"):
        seeds |= sentences(path.read_text(encoding="utf-8"))
    files = [path.read_text(encoding="utf-8") for path in Path(DEFAULT_FOLDER / "files").iterdir()]
    ours = set[str]().union(*(sentences(plain(item)) for item in SITE.items), *(sentences(text) for text in files))
    assert len(seeds) > 50
    assert not seeds & ours
