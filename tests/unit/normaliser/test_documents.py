"""The clean-up on documents in the wordings of many outlets: each was labelled before the rules had seen it."""

from datetime import datetime
from typing import Any

import pytest

from services.normaliser.cli_io import normalise_document
from services.normaliser.rules import Rules
from tests.unit.normaliser.documents import Document, read_documents

pytestmark = pytest.mark.slow

DOCUMENTS = read_documents()


@pytest.fixture(scope="module")
def outputs(rules: Rules) -> dict[str, dict[str, Any]]:
    return {
        document.name: normalise_document({"id": document.name, "input": document.given}, rules)
        for document in DOCUMENTS
    }


def removed(output: dict[str, Any]) -> set[int]:
    return {place for span in output["removed"] for place in range(span["start"], span["end"])}


def test_nearly_all_boilerplate_goes(outputs: dict[str, dict[str, Any]]) -> None:
    total = sum(len(document.boilerplate) for document in DOCUMENTS)
    found = sum(len(document.boilerplate & removed(outputs[document.name])) for document in DOCUMENTS)
    assert found >= 0.97 * total


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_the_article_stays_with_its_parts_its_language_and_its_date(
    document: Document, outputs: dict[str, dict[str, Any]]
) -> None:
    output, text = outputs[document.name], document.given["text"]
    assert not document.body() & removed(output)
    begins = [text[: part["start"]].rstrip() for part in output["parts"]]
    assert begins == [text[:start].rstrip() for start in document.starts]
    assert output["language"] == document.language
    assert (instant(output["published"]["value"]), output["published"]["origin"]) in {
        (instant(value), origin) for value, origin in document.published
    }
    assert " ".join(output.get("text", text).split()) == " ".join(document.plain.split())


def instant(value: str | None) -> str | datetime | None:
    """Return a time as one that compares by instant, a day or nothing as it is."""
    return datetime.fromisoformat(value) if value and "T" in value else value
