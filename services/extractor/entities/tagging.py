"""What a trained tagger of names is, whatever its language and library."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from shared.models import EntityType


class Tagged(NamedTuple):
    """A name that a tagger sees: its offsets in the sentence."""

    start: int
    end: int
    type: EntityType


class Tagger(Protocol):
    """Finds names in single sentences of one language; `name` tells one model from the next."""

    @property
    def name(self) -> str:
        """What was trained, and its version."""

    def tag(self, sentences: Sequence[str]) -> Iterable[Sequence[Tagged]]:
        """Return the names of each sentence, in the order given: several at once cost less than one by one.

        None is empty.
        """

    def knows(self, word: str) -> bool:
        """Return whether a word, in lower case, is in its vocabulary: perhaps an ordinary one."""


# By ISO 639-1 code of the language.
Taggers = Mapping[str, Tagger]
