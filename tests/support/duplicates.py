"""Extracted articles of which a third are edited copies, and what the deduplicator decides on them, on Kafka and in memory."""

import random
from collections.abc import Iterable, Iterator
from datetime import timedelta

import orjson

from services.deduplicator.article import EXTRACTED_TEXT
from services.deduplicator.run import decide_stage
from services.deduplicator.transform import sketch
from shared.ids import article_id_for_text, trace_id_for
from shared.models import DateOrigin, ExtractedArticle, Language, Published, RawArticle, Source
from shared.stage import Outgoing, Record, article_message
from shared.topics import ARTICLES_EXTRACTED, ARTICLES_SKETCHED
from tests.support.articles import START, raw_article, text_of
from tests.support.wire import Wire

COPY_EVERY = 3
_REACH = 300
"""A copy is of one of so many articles before it."""

Answers = dict[str, set[tuple[str, str, tuple[str, ...]]]]
"""By article id: cluster, story, and what it is a copy or piece of. More than one means that a repeat was answered anew."""


def extracted_article(number: int, size: int = 1200, seed: int = 0) -> ExtractedArticle:
    """Return generated article `number` as the extractor passes it on; every third one is an edited copy of an earlier one."""
    article_id = article_id_for_text(f"extracted {seed}/{number}")
    at = START + timedelta(seconds=number)
    title, _, body = text_or_copy(number, size, seed).partition("\n\n")
    return ExtractedArticle(
        article_id=article_id,
        parent_id=article_id,
        feed="Generated",
        source=Source(name="Generated", language="vi"),
        title=title,
        body=body,
        raw_start=0,
        raw_end=len(body),
        language=Language(code="vi", score=1.0),
        published=Published(value=at.isoformat(), precision="second", origin=DateOrigin.FEED, confidence=1.0),
        fetched_at=at,
        first_seen_at=at,
        trace_id=trace_id_for(article_id, number),
        normaliser_version="generated",
        extractor_version="generated",
    )


def text_or_copy(number: int, size: int, seed: int) -> str:
    """Return the text of generated article `number`; every third one is an edited copy of an earlier one."""
    if number % COPY_EVERY != COPY_EVERY - 1:
        return text_of(number, size, seed)
    pick = random.Random(f"copy {seed}/{number}")
    source = pick.randrange(max(0, number - _REACH), number)
    text = text_of(source - (source % COPY_EVERY == COPY_EVERY - 1), size, seed)
    edits = (
        lambda: f"{text}\n\nẢnh: Reuters",
        lambda: text.replace(" theo lời ông ", " dẫn lời ông ", 2),
        lambda: text.replace(
            "\n\n", f"\n\nTin từ hãng thông tấn số {number}, cập nhật lúc {number % 24} giờ cùng ngày.\n\n", 1
        ),
    )
    return pick.choice(edits)()


def extracted_articles(numbers: range, size: int = 1200, seed: int = 0) -> Iterator[ExtractedArticle]:
    """Yield the generated articles with these numbers."""
    return (extracted_article(number, size, seed) for number in numbers)


def copied_articles(count: int, size: int, seed: int) -> Iterator[RawArticle]:
    """Yield raw articles of about `size` bytes, every third one an edited copy of an earlier one."""
    for number in range(count):
        yield raw_article(number, size, seed, text=text_or_copy(number, size, seed))


def sketched_messages(articles: Iterable[ExtractedArticle]) -> Iterator[Outgoing]:
    """Yield the messages that `sketch` makes of articles."""
    for article in articles:
        for made in sketch(EXTRACTED_TEXT.of(article)):
            yield article_message(ARTICLES_SKETCHED, made)


def send_all(wire: Wire, messages: Iterable[Outgoing]) -> int:
    """Send messages and wait for their acknowledgement; return how many there were."""
    sent = 0
    for message in messages:
        wire.producer.send(
            message.topic.name, key=message.key, value=message.value, headers=list(message.headers),
            partition=message.partition,
        )  # fmt: skip
        sent += 1
    wire.producer.flush(timeout=120)
    return sent


def publish_extracted(wire: Wire, articles: Iterable[ExtractedArticle]) -> int:
    """Publish extracted articles; return how many there were."""
    return send_all(wire, (article_message(ARTICLES_EXTRACTED, article) for article in articles))


def answers_in(records: Iterable[Record]) -> Answers:
    """Return the answers in finished articles."""
    answers: Answers = {}
    for record in records:
        fields = orjson.loads(record.value or b"{}")
        answer = (fields["cluster_id"], fields["story_id"], tuple(fields["duplicate_of"]))
        answers.setdefault(fields["article_id"], set()).add(answer)
    return answers


def answers_in_memory(sketched: Iterable[Record]) -> Answers:
    """Return what one process in memory answers to sketched articles in this order."""
    stage, _ = decide_stage({})
    made = (
        Record(out.topic.name, 0, 0, out.key, out.value) for each in sketched for out in stage.process(each).outputs
    )
    return answers_in(made)


def pairs(answers: Answers) -> int:
    """Return how many ties of a copy or piece to another article there are."""
    return sum(len(copied) for given in answers.values() for _, _, copied in given)
