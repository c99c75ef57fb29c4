"""What the detector forgets of an article that was taken down: title and link. Its stories still count."""

from itertools import chain

from services.alerter.state import State
from services.alerter.watched import Story
from shared.alerts import Alert, EvidenceStory, without_text
from shared.ids import root_id


def tells_of(state: State, article_id: str | None) -> bool:
    """Return whether title or link of an article, or of a part of it, is remembered."""
    return any(
        (told.title or told.url) and root_id(told.article_id) == article_id
        for watched in state.keywords.values()
        for told in chain[Story | EvidenceStory](watched.recent, watched.alert.stories if watched.alert else ())
    )


def forget_text(state: State, article_id: str | None) -> list[Alert]:
    """Forget title and link of an article, parts included; return the open alerts that had them, as their next records."""
    changed: list[Alert] = []
    for watched in state.keywords.values():
        for story in watched.recent:
            if root_id(story.article_id) == article_id:
                story.title, story.url = "", None
        bare = watched.alert and without_text(watched.alert, lambda each: root_id(each) == article_id)
        if bare and bare is not watched.alert:
            watched.alert = bare.model_copy(update={"sequence": bare.sequence + 1})
            changed.append(watched.alert)
    return changed
