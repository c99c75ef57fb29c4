"""Clustering of documents: the caller's own ids, parts of glued documents, and clear complaints."""

import pytest

from services.deduplicator.cluster import cluster_articles, cluster_documents
from tests.unit.deduplicator.labelled import FIRE, TRAIN, article


def _document(
    name: str, text: tuple[str, ...], published: str | None = "2026-02-01T08:00:00+07:00"
) -> dict[str, object]:
    return {"id": name, "published": published, "url": None, "title": "", "body": "\n".join(text)}


def test_decisions_name_documents_by_their_own_ids() -> None:
    rows = list(cluster_documents([_document("fire", FIRE), _document("train", TRAIN), _document("fire again", FIRE)]))
    assert rows[2] == {
        "id": "fire again",
        "cluster": "fire",
        "duplicate_of": ["fire"],
        "story": "fire",
        "method": "exact",
        "score": 1.0,
        "neighbour": "fire",
    }
    assert [row["cluster"] for row in rows] == ["fire", "train", "fire"]


def test_the_parts_of_a_glued_document_belong_to_their_own_clusters() -> None:
    glued = [_document("glued#1", FIRE), _document("glued#2", TRAIN)]
    rows = list(cluster_documents([_document("fire", FIRE), _document("train", TRAIN), *glued]))
    assert [(row["id"], row["cluster"]) for row in rows[2:]] == [("glued#1", "fire"), ("glued#2", "train")]


def test_any_text_is_an_id() -> None:
    names = ["https://outlet.example/a#top", "#", "số 1", "x#0", "x#100"]
    rows = list(cluster_documents([_document(name, FIRE) for name in names]))
    assert [row["id"] for row in rows] == names
    assert {row["cluster"] for row in rows} == {names[0]}


def test_order_of_publication_is_not_required_and_undated_documents_pass() -> None:
    times = ["2026-02-10", "2024-02-10T00:00:00Z", None, "2026-02-01T00:00:00"]
    rows = list(cluster_documents([_document(str(number), FIRE, time) for number, time in enumerate(times)]))
    assert [row["cluster"] for row in rows] == ["0", "1", "0", "0"]


def test_a_wrong_time_is_named() -> None:
    with pytest.raises(ValueError, match=r"document broken: published 'soon'"):
        list(cluster_documents([_document("broken", FIRE, "soon")]))


def test_articles_are_clustered_as_they_are() -> None:
    rows = list(cluster_articles([("a", article("a", FIRE)), ("b", article("b", FIRE, minutes=3))]))
    assert rows[1]["duplicate_of"] == ["a"]
