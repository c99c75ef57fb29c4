"""Alias sets as operators write them: one thing, its id, its labels and every spelling that stands for it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from shared.models import EntityType
from shared.watchlist import ID_PATTERN, LanguageCode
from shared.yaml_config import ConfigModel

SetId = Annotated[str, Field(pattern=ID_PATTERN)]
Word = Annotated[str, Field(min_length=1)]


class Context(ConfigModel):
    """When an ambiguous alias counts: all given conditions must hold; words are compared without regard to case.

    `after`/`before`: one of these words stands right before / right behind the name (either is enough when both are given).
    `not_after`/`not_before`: none of them does. `opening_before`: at the start of a sentence it counts only before these.
    `near`: one of these words stands anywhere in the article. `languages`: of the article. `apart_from_names`: the
    neighbours are no Vietnamese personal names, so that the word is not a syllable of one.
    """

    after: tuple[Word, ...] = ()
    before: tuple[Word, ...] = ()
    not_after: tuple[Word, ...] = ()
    not_before: tuple[Word, ...] = ()
    opening_before: tuple[Word, ...] = ()
    near: tuple[Word, ...] = ()
    languages: tuple[LanguageCode, ...] = ()
    apart_from_names: bool = False


class Alias(ConfigModel):
    """One spelling; `when` names a context of the same folder, `side` and `period` say who writes it so, and when."""

    text: Word
    when: str | None = None
    side: str | None = None
    period: str | None = None
    inflect: bool = True


class AliasSet(ConfigModel):
    """One thing and its names: `territory` (ISO 3166) adds the country names of CLDR, `place` (GeoNames id) that place's."""

    id: SetId
    type: EntityType
    labels: dict[LanguageCode, Word] = Field(default_factory=dict)
    aliases: tuple[Word | Alias, ...] = ()
    territory: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    place: Annotated[int, Field(gt=0)] | None = None
    when: str | None = None
    side: str | None = None

    @model_validator(mode="after")
    def _has_a_name(self) -> Self:
        if not (self.labels or self.aliases or self.territory or self.place):
            raise ValueError("needs labels, aliases, a territory or a place")
        return self

    def language_of(self, text: str) -> str | None:
        """Return the language whose label a spelling is; None where it is the label of several, or of none."""
        languages = [language for language, label in self.labels.items() if label == text]
        return languages[0] if len(languages) == 1 else None

    def spellings(self) -> Iterator[Alias]:
        """Yield labels and aliases, each once in each context, with the set's own context where an alias has none."""
        seen: set[tuple[str, str | None]] = set()
        for item in (*self.labels.values(), *self.aliases):
            alias = item if isinstance(item, Alias) else Alias(text=item)
            if (alias.text, alias.when) not in seen:
                seen.add((alias.text, alias.when))
                yield alias if alias.when or not self.when else alias.model_copy(update={"when": self.when})


class AliasFile(ConfigModel):
    """One file of deploy/config/aliases: named contexts and alias sets."""

    contexts: dict[str, Context] = Field(default_factory=dict)
    sets: tuple[AliasSet, ...] = ()


def alias_files(folder: Path) -> list[Path]:
    """Return the YAML files of an alias folder in the order in which they are read."""
    return sorted(folder.glob("*.yaml"))
