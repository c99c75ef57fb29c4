"""`frontwire follow`: one file through every transform, in memory, with what each changed."""

from pathlib import Path
from typing import Any

import click

from services.commands.common import fail, json_option, out, print_json
from shared.dead_letters import DeadLetter
from shared.memory_runner import MemoryBroker
from shared.models import Model, RawArticle, UniqueArticle
from shared.settings import Settings, load_settings
from shared.stage import Outgoing, Stage
from shared.topics import ARTICLES_RAW, ARTICLES_UNIQUE, PIPELINE, Topic, dead_letter_topic


def stages(settings: Settings) -> list[Stage[Any]]:
    """Return every stage between the raw and the unique topic, wired as the services wire them, with a window of its own."""
    from services.deduplicator.run import decide_stage, sketch_stage
    from services.extractor.run import extractor_stage
    from services.normaliser.run import normaliser_stage

    return [normaliser_stage(settings), extractor_stage(settings), sketch_stage(), decide_stage({})[0]]


def fetched(path: Path) -> list[Outgoing]:
    """Return the messages the fetcher makes of a file: raw articles, and dead letters for what cannot be read."""
    from services.fetcher.run import read_once

    return read_once(path)


def run_through(settings: Settings, messages: list[Outgoing]) -> MemoryBroker:
    """Return the in-memory topics after these messages went through every stage."""
    broker = MemoryBroker(stages(settings))
    for message in messages:
        broker.send(message)
    broker.run()
    return broker


def records_of(broker: MemoryBroker, topic: Topic) -> list[Model]:
    """Return what a topic holds, as models."""
    model: Any = topic.model
    return [model.model_validate_json(record.value) for record in broker.logs[topic.name] if record.value]


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def follow(file: Path, as_json: bool) -> None:
    """Run FILE through every transform in memory and print what each one changed.

    Needs no engines. The answer to "what does the wire do with this article, and why?"
    """
    settings = load_settings()
    broker = run_through(settings, fetched(file))
    raws = [raw for raw in records_of(broker, ARTICLES_RAW) if isinstance(raw, RawArticle)]
    finished = [article for article in records_of(broker, ARTICLES_UNIQUE) if isinstance(article, UniqueArticle)]
    if as_json:
        print_json([article.model_dump(mode="json", by_alias=True) for article in finished])
    else:
        for raw in raws:
            parts = [article for article in finished if article.parent_id == raw.article_id]
            _show(raw, parts)
    letters = [DeadLetter(record) for topic in PIPELINE for record in broker.logs[dead_letter_topic(topic).name]]
    if letters:
        fail("\n".join(f"dead letter at {letter.stage}: {letter.reason}: {letter.error}" for letter in letters))


def _show(raw: RawArticle, parts: list[UniqueArticle]) -> None:
    _head("raw", f"{raw.article_id}  {len(raw.text):,} characters, {raw.media_type}")
    for article in parts:
        _show_normalised(article)
        _show_extracted(article)
        decision = article.decision
        _head("deduplicator", f"cluster {article.cluster_id}  story {article.story_id}  {decision.method}")
        if decision.neighbour:
            _line(
                f"neighbour {decision.neighbour}, similarity {decision.similarity}, containment {decision.containment}, "
                f"numbers {decision.number_agreement}, threshold {decision.threshold}"
            )
        if decision.story_neighbour:
            _line(f"story by {decision.story_neighbour}, score {decision.story_score}")


def _show_normalised(article: UniqueArticle) -> None:
    part = f"part {article.part} of {article.parts_total}" if article.parts_total > 1 else "one article"
    _head("normaliser", f"{article.article_id}  {part}{', truncated' if article.truncated else ''}")
    for evidence in article.split_evidence:
        _line(f"cut: {evidence}")
    _line(f"title      {article.title}")
    _line(f"language   {article.language.code} ({article.language.score:.2f})"
          + "".join(f", passage in {passage.language.code}" for passage in article.passages))  # fmt: skip
    published = article.published
    between = f", between {published.earliest} and {published.latest}" if published.earliest else ""
    _line(
        f"published  {published.value or 'undated'}{between}, origin {published.origin.value}: {published.explanation}"
    )
    for edit in article.edits:
        if edit.raw.strip():
            _line(
                f"changed    {edit.rule} at {edit.start}: {_short(edit.raw)}"
                + (f" → {_short(edit.replacement)}" if edit.replacement else "")
                + (f" ({edit.file})" if edit.file else "")
            )
    for flag in article.flags:
        _line(f"flag       {flag.value}")


def _show_extracted(article: UniqueArticle) -> None:
    _head("extractor", f"{len(article.dates)} dates, {len(article.entities)} names, {len(article.hits)} keyword hits")
    for mention in article.dates:
        interval = (
            f"{mention.from_ or '…'} to {mention.to or '…'}" if mention.anchored else f"unanchored {mention.known}"
        )
        _line(f"date       {_short(mention.text)} = {interval} ({mention.rule}, from {mention.anchor})")
    seen: set[tuple[str, str]] = set()
    for entity in article.entities:
        if (entity.text, entity.canonical) not in seen:
            seen.add((entity.text, entity.canonical))
            _line(f"name       {_short(entity.text)} = {entity.label} [{entity.canonical}] ({entity.rule})")
    for hit in article.hits:
        _line(f"keyword    {hit.keyword}: {_short(hit.text)} ({hit.alias})")


def _head(stage: str, text: str) -> None:
    out.print(f"{stage:13}{text}", style="bold", markup=False)


def _line(text: str) -> None:
    out.print(f"  {text}", markup=False)


def _short(text: str, limit: int = 100) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= limit else f"{text[: limit - 1]}…")
