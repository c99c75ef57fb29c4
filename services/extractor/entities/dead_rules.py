"""What an operator wrote but what can never make a difference, because something else beside it always covers it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import contains
from typing import Final

from services.extractor.entities.inflection import decline
from services.extractor.entities.sets import Alias, AliasSet, Context


def dead_aliases(item: AliasSet) -> Iterator[tuple[str, str]]:
    """Yield the spellings of a set that never count, and why: given twice, free without context, or another's case form."""
    free = set(item.labels.values()) if item.when is None else set()
    seen: set[tuple[str, str | None]] = {(label, item.when) for label in item.labels.values()}
    aliases = [alias if isinstance(alias, Alias) else Alias(text=alias) for alias in item.aliases]
    free |= {alias.text for alias in aliases if not (alias.when or item.when)}
    for alias in aliases:
        context = alias.when or item.when
        if (alias.text, context) in seen:
            yield alias.text, "is given twice"
        elif context and alias.text in free:
            yield alias.text, f"counts without its context `{context}`, too"
        elif not alias.inflect and (base := _inflected_from(alias, item, aliases)):
            yield alias.text, f"is a case form of `{base}`"
        seen.add((alias.text, context))


def _inflected_from(alias: Alias, item: AliasSet, aliases: Sequence[Alias]) -> str | None:
    """Return the other spelling with the same context whose case forms include this one."""
    if alias.text[0] < "\u0400":
        return None
    others = [Alias(text=label, when=item.when) for label in item.labels.values()]
    for other in (*others, *aliases):
        declines = other.inflect and other.when == alias.when and other.text[0] > "\u0400"
        if declines and alias.text in decline(other.text, item.type, item.language_of(other.text)):
            return other.text
    return None


def dead_words(context: Context) -> Iterator[tuple[str, str, str]]:
    """Yield condition, word and the word of the same condition that covers it: "nhật báo" where "báo" stands alone."""
    for name, covers in _COVERS.items():
        words = [word.casefold() for word in getattr(context, name)]
        for position, word in enumerate(words):
            if word in words[:position]:
                yield name, word, word
            elif other := next((other for other in words if other != word and covers(word, other)), None):
                yield name, word, other


def _ends_with(word: str, other: str) -> bool:
    return word.endswith(f" {other}")


def _starts_with(word: str, other: str) -> bool:
    return word.startswith(f"{other} ")


_COVERS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "after": _ends_with,
    "not_after": _ends_with,
    "before": _starts_with,
    "not_before": _starts_with,
    "opening_before": _starts_with,
    "near": contains,
}
