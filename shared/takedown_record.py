"""The record of a takedown, as takedowns-v1 keeps it; `shared/takedowns.py` reads it."""

from pydantic import AwareDatetime, Field

from shared.models import ArticleId, Model


class Lift(Model):
    """The end of a takedown: when, by whom and why."""

    at: AwareDatetime
    author: str
    reason: str


class Takedown(Model):
    """An article that must not be held: by whom, why and when it was taken down. Key `article_id`.

    `article_id` is that of the raw article; its parts go with it. Of the link only the host is kept: its path may repeat the
    title. `removed` counts by place (topic or index) what was removed. A lifted takedown stays as the record of what was done.
    """

    article_id: ArticleId
    host: str | None = None
    author: str
    reason: str
    at: AwareDatetime
    removed: dict[str, int] = Field(default_factory=dict)
    lifted: Lift | None = None
