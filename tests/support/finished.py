"""Finished articles as the indexer reads them, made from fields of the contract."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from services.commands.common import project_folder
from services.indexer.article import INDEXED_ARTICLE, IndexedArticle

EXAMPLES: Final = project_folder() / "schemas/examples/articles-unique-v1"
FULL: Final = INDEXED_ARTICLE.validate_json((EXAMPLES / "full.json").read_bytes())


def finished_article(fields: Mapping[str, Any]) -> IndexedArticle:
    """Return an article with these fields, checked as in a record, mentions with what the index keeps of them at least.

    Raises msgspec.ValidationError.
    """
    return msgspec.json.decode(msgspec.json.encode(fields), type=IndexedArticle)


def like_full(**changes: Any) -> IndexedArticle:
    """Return the full example with some fields changed; raises msgspec.ValidationError."""
    return finished_article(fields_of(FULL) | changes)


def fields_of(article: IndexedArticle) -> dict[str, Any]:
    """Return the fields of an article as they stand in its record."""
    fields: dict[str, Any] = msgspec.to_builtins(article)
    return fields
