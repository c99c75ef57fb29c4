"""What must have become of every article of the bundled sample: deploy/sample/expected.yaml as a validated model.

Used by `frontwire demo` and by the tests that run the whole wire; the meaning of each field is explained in the file itself.
"""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from shared.models import DateOrigin, Flag
from shared.yaml_config import ConfigModel, load

Outcome = Annotated[str, Field(pattern=r"^(searchable|repeated|dead_letter:[a-z_]+)$")]
Qid = Annotated[str, Field(pattern=r"^Q[1-9]\d*$")]


class ExpectedDate(ConfigModel):
    """A date mention: its words, and its first and last day."""

    text: str
    from_: date = Field(alias="from")
    to: date


class ExpectedPublished(ConfigModel):
    """The publication date, as in `shared.models.Published`, and where it was read."""

    value: str | None = None
    origin: DateOrigin = DateOrigin.NONE


class ExpectedArticle(ConfigModel):
    """One article of the sample and what must have become of it. `path` is on the site; an article from a file has none."""

    key: str
    outcome: Outcome
    path: str | None = None
    language: str | None = None
    title: str | None = None
    published: ExpectedPublished = ExpectedPublished()
    dates: tuple[ExpectedDate, ...] = ()
    entities: tuple[Qid, ...] = ()
    flags: tuple[Flag, ...] = ()
    cluster: str | None = None
    duplicate_of: str | None = None
    relation: Literal["exact", "near", "contained"] | None = None
    story: str | None = None
    revised_title: str | None = None
    repeats: str | None = None


class ExpectedSearch(ConfigModel):
    """An example search, what it shows, and the keys of articles that must be among its hits."""

    query: str
    shows: str
    hits: tuple[str, ...]


class Totals(ConfigModel):
    """How many items the feeds and files hold, and how many of them end where; dead letters by reason."""

    feed_items: int
    file_articles: int
    searchable: int
    repeated: int
    dead_letters: dict[str, int]


class Expected(ConfigModel):
    """The whole file."""

    articles: tuple[ExpectedArticle, ...]
    files: tuple[ExpectedArticle, ...]
    totals: Totals
    searches: tuple[ExpectedSearch, ...]

    def searchable(self) -> list[ExpectedArticle]:
        """Return every article that must be in the index, those of the files included."""
        return [article for article in (*self.articles, *self.files) if article.outcome == "searchable"]


def read_expected(folder: Path) -> Expected:
    """Return the expectations of a sample folder. Raises `ConfigError` with everything that is wrong in expected.yaml."""
    return load(folder / "expected.yaml", Expected)
