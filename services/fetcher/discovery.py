"""The feed of a site: the address itself, or what its page names as its feed."""

from typing import NamedTuple

from services.fetcher.documents import Document, Reading
from services.fetcher.parsing import ParseFailed, Parser
from services.fetcher.web import FetchFailed, Terms, Web


class Found(NamedTuple):
    """A feed: its address, and what it holds."""

    url: str
    document: Document


async def find_feed(web: Web, parser: Parser, url: str, terms: Terms) -> Found:
    """Return the feed at an address, or the first one its page names. Raises `FetchFailed`, `ParseFailed` when there is none."""
    answer = await web.get(url, terms)
    try:
        return Found(url, await parser.feed(answer.body, answer.url, answer.headers.get("content-type"), Reading()))
    except ParseFailed:
        links = await parser.links(answer.body, answer.url, answer.headers.get("content-type"))
    for link in links:
        try:
            answer = await web.get(link, terms)
            return Found(
                link, await parser.feed(answer.body, answer.url, answer.headers.get("content-type"), Reading())
            )
        except (FetchFailed, ParseFailed):
            continue
    tried = f"none of {', '.join(links)} is one" if links else "its page names none"
    raise ParseFailed(
        f"no feed at {url}: it is no feed itself, and {tried}. "
        "Give the address of its list of feeds, or write a page with headlines as a listing (docs/feeds.md)"
    )
