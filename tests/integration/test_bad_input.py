"""Bad input is normal: refused with a reason, kept byte for byte, its neighbours pass, and a replay brings it through.

One wire for the whole file: each test looks at what its own keys became.
"""

import hashlib
import json
from datetime import UTC, datetime
from functools import partial

import pytest

from shared import dead_letters, headers
from shared.dead_letters import DeadLetter
from shared.errors import Reason
from shared.models import RawArticle
from shared.stage import article_message
from shared.topics import (
    ARTICLES_EXTRACTED,
    ARTICLES_NORMALISED,
    ARTICLES_RAW,
    ARTICLES_SKETCHED,
    ARTICLES_UNIQUE,
    DEAD_LETTER_HEAD_BYTES,
    Topic,
)
from tests.support.articles import raw_article
from tests.support.wire import ALIAS, JOBS, WORKERS, Wire, wait_until

pytestmark = pytest.mark.engines

STAGE_TOPICS = (ARTICLES_RAW, ARTICLES_NORMALISED, ARTICLES_EXTRACTED, ARTICLES_SKETCHED, ARTICLES_UNIQUE)


def good(number: int, seed: int = 10) -> RawArticle:
    """Return a raw article that passes."""
    return raw_article(number, seed=seed)


def without(raw: RawArticle, name: str) -> bytes:
    """Return a raw article's JSON without one field."""
    fields = json.loads(raw.to_json())
    del fields[name]
    return json.dumps(fields).encode()


def having(raw: RawArticle, **fields: object) -> bytes:
    """Return a raw article's JSON with other values."""
    return json.dumps(json.loads(raw.to_json()) | fields).encode()


@pytest.fixture
def wire(standing_wire: Wire) -> Wire:
    """One wire for the whole file."""
    return standing_wire


BAD = {
    Reason.BROKEN_JSON: b'{"article_id": "0123',
    Reason.EMPTY_BODY: having(good(900), text="  \n\u200b "),
    Reason.INVALID_UTF8: b'{"article_id": "\xff\xfe"}',
    Reason.MISSING_FIELD: without(good(901), "text"),
    Reason.WRONG_TYPE: having(good(902), text=["not", "text"]),
}


def letters_of(wire: Wire, topic: Topic, keys: set[bytes]) -> list[DeadLetter]:
    """Return a topic's dead letters of these keys."""
    return [letter for letter in wire.letters(topic) if letter.key in keys]


def test_every_kind_of_bad_record_is_kept_and_its_neighbours_pass(wire: Wire) -> None:
    """Bad records first, in the middle and last of a batch, in one partition with good ones."""
    wire.start(*WORKERS)
    neighbours = [good(number) for number in range(len(BAD) * 3 + 1)]
    sent: list[tuple[bytes, bytes]] = []
    queue = iter(neighbours)
    for _ in range(3):
        for reason, value in BAD.items():
            key = f"bad-{reason}-{len(sent)}".encode()
            wire.put(ARTICLES_RAW, key, value, partition=2)
            sent.append((key, value))
            message = article_message(ARTICLES_RAW, next(queue))
            wire.put(ARTICLES_RAW, message.key, message.value, message.headers, partition=2)
    newer = good(903)
    wire.put(ARTICLES_RAW, newer.article_id.encode(), newer.to_json(), ((headers.SCHEMA_VERSION_HEADER, b"2.0"),), 2)
    wire.publish([next(queue)])
    wire.wait_indexed({raw.article_id for raw in neighbours})
    keys = {newer.article_id.encode(), *(key for key, _ in sent)}
    letters = letters_of(wire, ARTICLES_RAW, keys)
    kept = {(letter.key, letter.record.value): letter for letter in letters}
    for key, value in sent:
        letter = kept[(key, value)]
        assert letter.reason in key.decode()
        assert letter.stage == "normaliser"
        assert letter.origin.startswith(f"{ARTICLES_RAW.name}/2/")
        assert letter.error
        assert len(letter.error) <= 200
    assert kept[(newer.article_id.encode(), newer.to_json())].reason == Reason.UNSUPPORTED_SCHEMA
    assert len(letters) == len(sent) + 1


def test_every_stage_refuses_what_it_cannot_read(wire: Wire) -> None:
    """Broken JSON on every topic lands on that topic's own dead-letter topic."""
    wire.start(*WORKERS)
    for topic in STAGE_TOPICS:
        wire.put(topic, f"broken {topic.name}".encode(), b"{not json")
    for topic in STAGE_TOPICS:
        key = f"broken {topic.name}".encode()
        wait_until(partial(letters_of, wire, topic, {key}), f"a dead letter of {topic.name}")
        (letter,) = letters_of(wire, topic, {key})
        assert (letter.reason, letter.record.value) == (Reason.BROKEN_JSON, b"{not json")
        assert letter.origin.startswith(f"{topic.name}/0/")


def test_what_the_index_refuses_is_kept_and_a_replay_after_the_fix_brings_it_through(wire: Wire) -> None:
    """An index somebody made with a wrong mapping refuses; once it is mended, `dlq replay` indexes what was refused, once."""
    month = datetime(2024, 3, 5, tzinfo=UTC)
    index = f"{ALIAS}-{month:%Y.%m}"
    wire.start(*WORKERS)
    wire.client.indices.create(index=index, mappings={"properties": {"title": {"type": "long"}}})
    raws = [good(number, seed=12).model_copy(update={"first_seen_at": month}) for number in range(3)]
    ids, keys = {raw.article_id for raw in raws}, {raw.article_id.encode() for raw in raws}
    wire.publish(raws)
    wait_until(lambda: len(letters_of(wire, ARTICLES_UNIQUE, keys)) == 3, "three dead letters")
    for letter in letters_of(wire, ARTICLES_UNIQUE, keys):
        assert letter.reason == Reason.INDEX_REFUSED
        assert "title" in letter.error
    assert not ids & set(wire.indexed())
    wire.client.indices.delete(index=index)
    assert dead_letters.replay(wire.settings, ARTICLES_UNIQUE).sent >= 3
    wire.wait_indexed(ids)
    wait_until(lambda: wire.metric("indexer", "frontwire_lag_records") == 0, "the end of the replay")
    assert len(letters_of(wire, ARTICLES_UNIQUE, keys)) == 3


def test_an_article_of_20_mb_is_kept_as_hash_size_and_head(wire: Wire) -> None:
    """A file of 20 MB among small ones: its first 64 kB, its size and its hash are kept; the others are indexed."""
    folder = wire.settings.config_dir / "incoming"
    folder.mkdir()
    huge = ("Bản tin rất dài về chiến sự. " * 800_000)[: 20 * 1024 * 1024]
    (folder / "b-huge.txt").write_text(huge, encoding="utf-8")
    small = []
    for number, name in enumerate(("a-small.txt", "c-small.txt")):
        text = good(number, seed=13).text
        (folder / name).write_text(text, encoding="utf-8")
        small.append(text.partition("\n")[0])
    feeds = f"feeds:\n  - name: Folder\n    path: {folder}\n    timezone: Asia/Ho_Chi_Minh\n    every: 2s\n"
    (wire.settings.config_dir / "feeds.yaml").write_text(feeds, encoding="utf-8")
    wire.start(JOBS["fetcher"], *WORKERS)
    wait_until(lambda: titles_of(wire, "Folder") == set(small), "the small articles")
    wait_until(lambda: too_large(wire), "the dead letter")
    (letter,) = too_large(wire)
    body = (folder / "b-huge.txt").read_bytes()
    assert letter.is_cut
    assert letter.record.value == body[:DEAD_LETTER_HEAD_BYTES]
    assert headers.value_of(letter.record.headers, headers.DLQ_SIZE) == str(len(body))
    assert headers.value_of(letter.record.headers, headers.DLQ_SHA256) == hashlib.sha256(body).hexdigest()
    assert dead_letters.replay(wire.settings, ARTICLES_RAW).skipped == 1


def too_large(wire: Wire) -> list[DeadLetter]:
    """Return the dead letters of what is larger than a message may be."""
    return [letter for letter in wire.letters(ARTICLES_RAW) if letter.reason == Reason.TOO_LARGE]


def titles_of(wire: Wire, feed: str) -> set[str]:
    """Return the titles that are searchable of one feed."""
    wire.client.indices.refresh(index=ALIAS, ignore_unavailable=True)
    found = wire.client.search(index=ALIAS, query={"term": {"feed": feed}}, ignore_unavailable=True)
    return {hit["_source"]["title"] for hit in found["hits"]["hits"]}


def test_damage_is_repaired_or_flagged_and_never_loses_the_article(wire: Wire) -> None:
    """Control characters and a date in the year 9999: the article is searchable, repaired, undated and flagged."""
    wire.start(*WORKERS)
    damaged = good(1, seed=14)
    damaged = damaged.model_copy(
        update={
            "text": damaged.text.replace(" ", " \x07\x00", 1),
            "feed_published": "Fri, 31 Dec 9999 23:59:59 +0000",
            "url": None,
        }
    )
    wire.publish([damaged])
    wire.wait_indexed({damaged.article_id})
    article = wire.document(damaged)
    assert article["published_at"] is None
    assert {"control_characters_removed", "date_refused"} <= set(article["flags"])
    assert "\x07" not in article["title"] + article["body"]
    assert "\x00" not in article["title"] + article["body"]
