"""What goes into a parser process and what comes out of it; it imports next to nothing, for every such process holds it all."""

from pydantic import BaseModel, ConfigDict


class _Slip(BaseModel):
    """Base of what is passed on; unlike the records of the topics it costs neither 3 MB nor 80 ms to declare."""

    model_config = ConfigDict(frozen=True)


class Reading(_Slip):
    """How a document is to be read: the name of a Python codec, when the operator knows better, and CSS selectors.

    `listing` finds the links of a listing page; `keep` and `remove` are what of an article page is looked at and what is cut out.
    """

    charset: str | None = None
    listing: str | None = None
    keep: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


class Item(_Slip):
    """One article as a feed or a file announces it. Dates are the raw strings; `updated` is the source's own revision date."""

    link: str | None = None
    guid: str | None = None
    title: str | None = None
    text: str | None = None
    author: str | None = None
    section: str | None = None
    published: str | None = None
    updated: str | None = None


class Document(_Slip):
    """A feed document: its name and language, its items, the sitemaps an index leads to, when it wants to be asked for again.

    `skip_hours` are hours in UTC, `skip_days` English names of weekdays.
    """

    title: str | None = None
    language: str | None = None
    items: tuple[Item, ...] = ()
    sitemaps: tuple[str, ...] = ()
    ttl_seconds: float | None = None
    skip_hours: tuple[int, ...] = ()
    skip_days: tuple[str, ...] = ()


class Page(_Slip):
    """What was read from an article page; `text` is empty when there is no article on it.

    `published` is an ISO 8601 instant or date, or the page's own words.
    """

    text: str
    title: str | None = None
    author: str | None = None
    section: str | None = None
    published: str | None = None
