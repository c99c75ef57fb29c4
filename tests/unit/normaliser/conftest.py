"""What the normaliser's tests share: the rules in force and a way to make a raw article."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from services.normaliser.rules import Rules, load_rules
from shared.models import RawArticle, Source

MakeRaw = Callable[..., RawArticle]


@pytest.fixture(scope="session")
def rules() -> Rules:
    return load_rules()


@pytest.fixture(scope="session")
def make_raw() -> MakeRaw:
    def make(text: str, **fields: Any) -> RawArticle:
        fetched_at = datetime(2025, 11, 23, tzinfo=UTC)
        source = Source(name="Thời Báo Biển", timezone=fields.pop("timezone", None))
        common: dict[str, Any] = {
            "article_id": "0" * 32,
            "feed": "bien",
            "source": source,
            "fetched_at": fetched_at,
            "first_seen_at": fetched_at,
            "trace_id": "1" * 32,
        }
        return RawArticle(text=text, **(common | fields))

    return make
