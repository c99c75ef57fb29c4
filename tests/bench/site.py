"""A fast local site for the bench: `/feed/N` is an RSS feed of twenty items, `/page/N` an article page of 40 kB."""

import sys

from aiohttp import web

from tests.support.articles import page_of, raw_articles

ITEMS = 20
_TEXTS = [article.text for article in raw_articles(50, 3000, seed=23)]


async def feed(request: web.Request) -> web.Response:
    """Answer with a feed whose items are its own."""
    number = int(request.match_info["number"])
    items = "".join(
        f"<item><title>Tin {number}-{item}</title><link>http://{request.host}/page/{number * ITEMS + item}</link>"
        f"<description>{_TEXTS[(number + item) % len(_TEXTS)][:300]}</description></item>"
        for item in range(ITEMS)
    )
    return web.Response(text=f"<rss version='2.0'><channel>{items}</channel></rss>", content_type="application/rss+xml")


async def page(request: web.Request) -> web.Response:
    """Answer with an article among the furniture of a site."""
    number = int(request.match_info["number"])
    return web.Response(text=page_of(f"Tin {number}", _TEXTS[number % len(_TEXTS)]), content_type="text/html")


if __name__ == "__main__":
    app = web.Application()
    app.router.add_get("/feed/{number}", feed)
    app.router.add_get("/page/{number}", page)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
