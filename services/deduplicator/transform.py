"""The deduplicator's two rules: `sketch` has no state, `decide` is asked about one article after the other.

Three answers are kept apart: a copy joins the cluster of what it copies; a piece (a teaser, one article of a glued file) is
tied to the whole by `duplicate_of` and keeps a cluster of its own; different articles on one event share a story.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final, NamedTuple

import msgspec

from services.deduplicator.article import Carried, ExtractedText, Passed, SketchedText
from services.deduplicator.comparison import form_of
from services.deduplicator.rows import MAX_ANSWERS, Answer, Method, Row, new_row
from services.deduplicator.rules import (
    DECISION_VERSION,
    SHARED_TEXT,
    STORY_SIMILARITY_SHARING,
    Relation,
    Verdict,
    judge,
    weigh_numbers,
)
from services.deduplicator.sketching import features_of, sketch_form
from services.deduplicator.story import story_terms
from services.deduplicator.window import MAX_RELATED, Candidate, Kin, Window, article_time
from shared.errors import Reason, Rejected
from shared.models import milliseconds

MAX_EDGES: Final = 12
"""Articles named in `duplicate_of`, the likeliest first."""
SHORT_WORDS: Final = 20
"""A body of fewer words is compared together with its title: "More soon." is no copy of the next "More soon."."""

MAX_LINKS: Final = 5
"""Further stories named in `linked_stories`."""

_MAX_SEQUENCE: Final = 999
_RANKS: Final = {Relation.EXACT: 0, Relation.NEAR: 1, Relation.CONTAINED: 2, Relation.NONE: 3}
_METHODS: Final[dict[Relation, Method]] = {
    Relation.EXACT: "exact",
    Relation.NEAR: "near",
    Relation.CONTAINED: "contained",
    Relation.NONE: "new",
}


def sketch(carried: Carried[ExtractedText]) -> Iterator[Passed]:
    """Yield the article with the sketch of its text: the CPU-heavy part of the decision, in any number of workers."""
    article = carried.text
    form = form_of(article.body)
    if len(form.words) < SHORT_WORDS:
        form = form_of(f"{article.title}. {article.body}")
    made = sketch_form(form, story_terms(article.title, article.body, article.mentions()))
    yield carried.extended(msgspec.json.encode({"sketch": made}))


def decide(carried: Carried[SketchedText], *, window: Window) -> Iterator[Passed]:
    """Yield the article with its cluster, its story and the reasons, and remember it in the window.

    The answer follows from the articles before it in the one order. A text that was answered before gets the same answer again.
    Raises `Rejected` when the sketch cannot be read.
    """
    article = carried.text
    try:
        features = features_of(article.sketch)
    except ValueError as error:
        raise Rejected(Reason.UNSUPPORTED_SCHEMA, str(error)) from None
    known = window.recall(article.article_id)
    fetched_ms = milliseconds(article.fetched_at)
    repeated = known and known.answer_to(features.exact, fetched_ms)
    if known and repeated:
        # Written again: after a crash the row may stand in the local store without having reached the changelog.
        window.confirm(article.article_id)
        yield _unique(carried, known, repeated)
        return
    now = window.moment(article.fetched_at)
    time = article_time(article.published.value, article.first_seen_at, backlog=article.backlog, days=window.days)
    row = new_row(
        features, cluster=article.article_id, story=article.article_id, time=time, dated=bool(article.published.value)
    )
    candidates, related = window.look(row, now, besides=article.article_id)
    judged = _verdicts(row, features.exact, candidates)
    stories = _stories(row, judged, related, window)
    answer, row = _answer(article, row, features.exact, judged, stories, known)
    window.remember(article.article_id, row, now, replacing=known)
    yield _unique(carried, row, answer)


class _Judged(NamedTuple):
    """An article of the window and how the new one relates to it."""

    article_id: str
    row: Row
    verdict: Verdict
    kinship: float

    @property
    def is_copy(self) -> bool:
        """Whether the article is the other one, edited or not."""
        return self.verdict.relation in (Relation.EXACT, Relation.NEAR)

    @property
    def shares_story(self) -> bool:
        """Whether the two are on one event: one is a copy or piece of the other, or repeats its background."""
        repeats = self.verdict.containment >= SHARED_TEXT and self.kinship >= STORY_SIMILARITY_SHARING
        return repeats or self.verdict.relation is not Relation.NONE


def _verdicts(row: Row, exact: bytes, candidates: list[Candidate]) -> list[_Judged]:
    """Return the candidates with their verdicts: the same text, then copies, then pieces, then what is neither."""
    judged = [
        _Judged(c.article_id, c.row, judge(row, exact, c.row, c.similarity, c.containment), c.kinship)
        for c in candidates
    ]
    return sorted(judged, key=lambda j: (_RANKS[j.verdict.relation], -j.verdict.containment, j.row.order))


class _Stories(NamedTuple):
    """The stories an article has to do with, the likeliest first; and the nearest article of the one it joins, if any."""

    found: list[str]
    joined: Kin | None


def _stories(row: Row, judged: list[_Judged], related: list[Kin], window: Window) -> _Stories:
    """Return the stories of what an article shares text or rare terms with, and the first whose members support it."""
    sharing = [j for j in judged if j.shares_story]
    kin = [Kin(j.article_id, j.row.story, round(min(1.0, max(j.verdict.containment, j.kinship)), 4)) for j in sharing]
    kin += related
    known = {one.article_id for one in kin} | {j.row.cluster for j in sharing}
    found = _distinct(one.story for one in kin)
    joined = next((story for story in found[:MAX_RELATED] if window.supports(row, story, knows=known)), None)
    return _Stories(found, next((one for one in kin if one.story == joined), None))


def _answer(
    article: SketchedText,
    row: Row,
    exact: bytes,
    judged: list[_Judged],
    stories: _Stories,
    known: Row | None,
) -> tuple[Answer, Row]:
    """Return the answer for an article and its row with the ids it keeps for ever and the answer."""
    matches = [j for j in judged if j.verdict.relation is not Relation.NONE]
    first = matches[0] if matches else None
    cluster, story = row.cluster, row.story
    if known:
        cluster, story = known.cluster, known.story
    elif first and first.is_copy:
        cluster, story = first.row.cluster, first.row.story
    elif stories.joined:
        story = stories.joined.story
    nearest = judged[0] if judged else None
    agreement, threshold = weigh_numbers(row, nearest.row)[1:] if nearest else (None, None)
    fetched_ms = milliseconds(article.fetched_at)
    answer = Answer(
        text=exact,
        fetched_ms=fetched_ms,
        method="revision" if known else _METHODS[first.verdict.relation if first else Relation.NONE],
        neighbour=nearest.article_id if nearest else None,
        similarity=nearest.verdict.similarity if nearest else None,
        containment=nearest.verdict.containment if nearest else None,
        number_agreement=agreement,
        threshold=threshold,
        story_neighbour=stories.joined.article_id if stories.joined else None,
        story_score=stories.joined.score if stories.joined else None,
        candidates=len(judged),
        version=DECISION_VERSION,
        sequence=_sequence(known, fetched_ms),
        duplicate_of=tuple(_edges(article.article_id, cluster, judged)),
        linked_stories=tuple(_distinct(found for found in stories.found if found != story)[:MAX_LINKS]),
    )
    answers = (answer, *known.answers) if known else (answer,)
    return answer, replace(row, cluster=cluster, story=story, answers=answers[:MAX_ANSWERS])


def _edges(article_id: str, cluster: str, judged: list[_Judged]) -> list[str]:
    """Return what an article is a copy of, or ties it to: its cluster's original, then pieces and wholes of other clusters.

    A piece of one copy is a piece of all: the article is tied to every copy at hand of what it is a piece of, and to what is
    tied to a copy of its own, however far the copies have moved apart.
    """
    matches = [j for j in judged if j.verdict.relation is not Relation.NONE]
    others = [j for j in matches if j.row.cluster != cluster]
    tied_clusters = {j.row.cluster for j in others}
    own = {cluster, *(j.article_id for j in judged if j.row.cluster == cluster)}
    named = (
        cluster,
        *(j.article_id for j in others),
        *(j.row.cluster for j in others),
        *(j.article_id for j in judged if j.row.cluster in tied_clusters),
        *(j.article_id for j in judged if own.intersection(j.row.answers[0].duplicate_of)),
        *(tied for j in matches if j.row.cluster == cluster for tied in j.row.answers[0].duplicate_of),
    )
    return _distinct(tied for tied in named if tied != article_id and tied not in own - {cluster})[:MAX_EDGES]


def _sequence(known: Row | None, fetched_ms: int) -> int:
    """Return the decision's number among those on one fetch: a later decision on the same fetch must win in the index."""
    if known is None or known.answers[0].fetched_ms != fetched_ms:
        return 0
    return min(known.answers[0].sequence + 1, _MAX_SEQUENCE)


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _unique(carried: Carried[SketchedText], row: Row, answer: Answer) -> Passed:
    """Return the article with its answer, in the fields of `UniqueArticle`."""
    decision = {
        "method": answer.method,
        "neighbour": answer.neighbour,
        "similarity": answer.similarity,
        "containment": answer.containment,
        "number_agreement": answer.number_agreement,
        "threshold": answer.threshold,
        "story_neighbour": answer.story_neighbour,
        "story_score": answer.story_score,
        "candidates": answer.candidates,
        "version": str(answer.version),
    }
    fields = {
        "cluster_id": row.cluster,
        "story_id": row.story,
        "duplicate_of": answer.duplicate_of,
        "linked_stories": answer.linked_stories,
        "decision": decision,
        "decision_seq": answer.sequence,
    }
    return carried.extended(msgspec.json.encode(fields))
