"""What the detector forgets of an article that was taken down: title and link. Its stories still count."""

from collections.abc import Iterator
from itertools import chain

from services.alerter.state import State
from services.alerter.watched import Story
from shared.alerts import Alert, EvidenceStory, without_text
from shared.ids import root_id


def tells_of(state: State, article_id: str | None) -> bool:
    """Return whether title or link of an article, or of a part of it, is remembered."""
    return any(
        (told.title or told.url) and root_id(told.article_id) == article_id
        for told in chain[Story | EvidenceStory](
            _stories(state), *(watched.alert.stories for watched in state.all_watched() if watched.alert)
        )
    )


def forget_text(state: State, article_id: str | None) -> list[Alert]:
    """Forget title and link of an article, parts included; return the open alerts that had them, as their next records."""
    changed: list[Alert] = []
    for story in _stories(state):
        if root_id(story.article_id) == article_id:
            story.title, story.url = "", None
    for watched in state.all_watched():
        bare = watched.alert and without_text(watched.alert, lambda each: root_id(each) == article_id)
        if bare and bare is not watched.alert:
            watched.alert = bare.model_copy(update={"sequence": bare.sequence + 1})
            changed.append(watched.alert)
    return changed


def _stories(state: State) -> Iterator[Story]:
    for watched in state.all_watched():
        yield from watched.recent
    for term in state.terms.known.values():
        yield from term.recent
