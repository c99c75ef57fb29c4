"""`frontwire feeds`: add, try, list and exchange feeds without learning YAML first."""

import asyncio
import difflib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from services.commands.common import fail, json_option, out, print_json, print_table
from shared.settings import Settings, load_settings

if TYPE_CHECKING:
    from services.fetcher.discovery import Found
    from services.fetcher.feeds import Feed

FEEDS_FILE: Final = "feeds.yaml"

path_option = click.option(
    "--feeds", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The list of feeds, instead of feeds.yaml in FRONTWIRE_CONFIG_DIR.",
)  # fmt: skip


def feeds_path(path: Path | None) -> Path:
    """Return the list of feeds that is meant."""
    return path or load_settings().config_dir / FEEDS_FILE


@click.group()
def feeds() -> None:
    """Add feeds, try them, see how they are, exchange them with other readers.

    The list is feeds.yaml; a running fetcher follows it. docs/feeds.md explains every key.
    """


@feeds.command()
@click.argument("url")
@click.option("--name", help="How the feed is called; its own title when absent.")
@click.option("--source", help="Name of the outlet, when several feeds belong to one.")
@click.option("--language", help="vi, en, ru, uk …; when absent, what the feed states.")
@click.option("--country", help="Two letters: VN, US, RU, UA.")
@click.option("--side", help="Affiliation, when it is publicly known.")
@click.option("--timezone", help="Zone of dates that name none, as Asia/Ho_Chi_Minh.")
@click.option("--allow-private", multiple=True, help="host:port of a private address that may be reached.")
@path_option
def add(url: str, path: Path | None, allow_private: tuple[str, ...], **fields: str | None) -> None:
    """Find the feed of a site (or take URL as one), try it, and write its block into feeds.yaml."""
    from services.fetcher.feeds_file import add_blocks
    from services.fetcher.parsing import ParseFailed
    from services.fetcher.web import FetchFailed

    target, url = feeds_path(path), with_scheme(url)
    check_block({"name": "x", "url": url, "allow_private": allow_private, **given(fields)})
    try:
        found = asyncio.run(_find(url, allow_private, load_settings()))
    except (FetchFailed, ParseFailed) as problem:
        fail(str(problem))
    block = _block(found, allow_private, fields)
    if not add_blocks(target, [block]):
        fail(f"a feed of this name or address is already in {target}: {block['name']}, {block['url']}")
    out.print(f"{target}: added {block['name']} ({len(found.document.items)} items)", markup=False)
    for key, value in block.items():
        out.print(f"  {key}: {value}", markup=False)
    missing = [key for key in ("language", "timezone") if key not in block]
    if missing:
        out.print(f"say {' and '.join(missing)} too, in the file: dates and searches depend on it", style="yellow")


def with_scheme(address: str) -> str:
    """Return an address as a browser takes it: https:// where it names no scheme."""
    return address if "://" in address else f"https://{address}"


def given(fields: Mapping[str, str | None]) -> dict[str, str]:
    """Return the options that were given."""
    return {key: value for key, value in fields.items() if value}


def check_block(block: Mapping[str, Any]) -> None:
    """Fail, before anything is asked of the site, with each option that could not stand in the file."""
    from pydantic import ValidationError

    from services.fetcher.feeds import Feed

    try:
        Feed.model_validate(block)
    except ValidationError as error:
        reasons = [
            f"--{str(problem['loc'][0]).replace('_', '-')}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors()
        ]
        fail("\n".join(reasons).replace("--url", "URL"), 2)


def _block(found: "Found", allow_private: tuple[str, ...], fields: dict[str, str | None]) -> dict[str, Any]:
    """Return the block of a found feed; what the operator says outranks what the feed says of itself."""
    from shared.links import host_of

    stated = (found.document.language or "")[:2].lower()
    title = " ".join((found.document.title or "").replace("|", "/").split())[:100].strip()
    options = given(fields)
    block: dict[str, Any] = {
        "name": options.pop("name", "") or title or host_of(found.url) or found.url,
        "url": found.url,
    }
    if len(stated) == 2 and stated.isalpha():
        block["language"] = stated
    block |= options
    return block | {"allow_private": list(allow_private)} if allow_private else block


async def _find(url: str, allow_private: tuple[str, ...], settings: Settings) -> "Found":
    from services.fetcher.discovery import find_feed
    from services.fetcher.feeds import Feeds
    from services.fetcher.manners import Manners
    from services.fetcher.parsing import Parser
    from services.fetcher.web import Terms, Web

    parser = Parser(processes=1)
    try:
        async with Web(settings.user_agent, Manners(), Feeds().pace_of) as web:
            return await find_feed(web, parser, url, Terms(allow_private))
    finally:
        await parser.close()


@feeds.command()
@click.argument("feed")
@click.option("--pages", default=3, show_default=True, help="How many article pages to fetch.")
@path_option
@json_option
def test(feed: str, pages: int, path: Path | None, as_json: bool) -> None:
    """Show what would be ingested from FEED, a name in feeds.yaml or an address; nothing is published."""
    from services.fetcher.dry_run import DryRun
    from services.fetcher.feeds import Feed, load_feeds
    from shared.models import RawArticle

    configured = load_feeds(feeds_path(path))
    known = configured.named(feed)
    if known is None and ("." not in feed or " " in feed):
        near = difflib.get_close_matches(feed, [each.name for each in configured.feeds], 1)
        fail(f"no feed is called {feed}" + (f"; did you mean {near[0]}?" if near else f" in {feeds_path(path)}"))
    feed = feed if known else with_scheme(feed)
    block = (known or Feed(name=feed[:100], url=feed)).model_copy(update={"enabled": True})
    articles: list[RawArticle] = []
    one = configured.model_copy(update={"feeds": (block,)})
    tried = asyncio.run(DryRun(one, load_settings().user_agent, articles.append, pages).run())
    state = tried.states.get(block.name)
    if as_json:
        print_json([article.model_dump(mode="json") for article in articles])
    elif articles or not (state and state.failures):
        print_table(f"{block.name}: {(state and state.items) or 0} items", ("title", "feed date", "page date", "text"), [
            (a.title or "", a.feed_published or "", a.page_published or "", f"{len(a.text)} characters: {a.text[:80]}")
            for a in articles
        ])  # fmt: skip
    if state is None or state.failures:
        fail(f"{state.last_error}: {state.last_error_detail}" if state else "the feed was not visited")


@feeds.command("list")
@path_option
@json_option
def list_feeds(path: Path | None, as_json: bool) -> None:
    """Show how every feed is: its status, last success, last new story, next visit, failures."""
    from services.fetcher.feeds import load_feeds
    from services.fetcher.remembered import read_states
    from services.fetcher.scheduler import state_of
    from services.fetcher.state import HostBook, partition_of_host

    configured = load_feeds(feeds_path(path)).feeds
    partitions = sorted({partition_of_host(feed.host) for feed in configured})
    book = read_states(load_settings(), partitions) if partitions else None
    rows = [
        feed_status(feed, state_of((book and book.host(feed.host)) or HostBook(), feed))
        for feed in sorted(configured, key=lambda feed: feed.name)
    ]
    if as_json:
        print_json(rows)
    else:
        print_table("Feeds", tuple(rows[0]) if rows else ("feed",), [tuple(row.values()) for row in rows])


def feed_status(feed: "Feed", state: Any) -> dict[str, Any]:
    """Return one line on a feed: what is remembered of it in words and times, empty where there is nothing."""
    from services.fetcher.moves import proposed_address

    status = "off" if not feed.enabled else "never visited" if state is None else state.last_error or "ok"
    status = "waits" if feed.enabled and state and state.waits_since else status
    moved = proposed_address(state)
    detail = (state.last_error_detail if state else "") or (f"moved to {moved}" if moved else "")
    times = ("last_success_at", "last_new_at", "next_visit_at")
    moments = {name: getattr(state, name) if state else None for name in times}
    return {
        "feed": feed.name,
        "status": status,
        **{name: f"{moment:%Y-%m-%d %H:%M}Z" if moment else "" for name, moment in moments.items()},
        "items": (state and state.items) or 0,
        "failures": state.failures if state else 0,
        "detail": detail,
    }


@feeds.command()
@path_option
@json_option
def verify(path: Path | None, as_json: bool) -> None:
    """Try every feed, those switched off too, and report dead, moved and empty ones. Exits with 1 when there are any.

    Fetches no article pages and publishes nothing.
    """
    from services.fetcher.dry_run import DryRun
    from services.fetcher.feeds import load_feeds

    configured = load_feeds(feeds_path(path))
    blocks = tuple(feed.model_copy(update={"enabled": True}) for feed in configured.feeds if feed.url)
    run = DryRun(configured.model_copy(update={"feeds": blocks}), load_settings().user_agent, lambda _: None, 0)
    tried = asyncio.run(run.run())
    rows = []
    for feed in blocks:
        state, newest = tried.states.get(feed.name), tried.newest.get(feed.name)
        items = (state and state.items) or 0
        failure = state.last_error if state else "not visited"
        moved = state.moved_to if state else None
        rows.append({
            "feed": feed.name,
            "status": failure or ("moved" if moved else "ok" if items else "empty"),
            "items": items,
            "newest": f"{newest:%Y-%m-%d %H:%M %z}" if newest else "",
            "detail": (state.last_error_detail if state else "") or moved or "",
        })  # fmt: skip
    if as_json:
        print_json(rows)
    else:
        print_table(
            f"{len(rows)} feeds", ("feed", "status", "items", "newest", "detail"), [tuple(row.values()) for row in rows]
        )
    sys.exit(any(row["status"] != "ok" for row in rows))


@feeds.command("import")
@click.argument("opml", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@path_option
def import_feeds(opml: Path, path: Path | None) -> None:
    """Add the feeds of an OPML file to feeds.yaml; those that are there already are left out."""
    from services.fetcher.feeds_file import add_blocks
    from services.fetcher.opml import read_opml

    try:
        blocks = read_opml(opml.read_bytes())
    except ValueError as problem:
        fail(f"{opml}: {problem}")
    added = add_blocks(feeds_path(path), blocks)
    out.print(f"added {len(added)}, already there {len(blocks) - len(added)}")


@feeds.command()
@path_option
def export(path: Path | None) -> None:
    """Print the feeds that have an address as OPML."""
    from services.fetcher.feeds import load_feeds
    from services.fetcher.opml import write_opml

    click.echo(write_opml(load_feeds(feeds_path(path)).feeds), nl=False)
