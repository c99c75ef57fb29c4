"""What is said of regular expressions before they are used: which run without end, and what a text must hold for them."""

import re
from collections.abc import Iterable, Sequence
from importlib import import_module
from itertools import chain
from typing import Any, Final

_NOWHERE: Final = r"(?!)"


class Sieve:
    """Tells which of some patterns a text can hold at all, by two looks: at the signs and at the words that they need."""

    def __init__(self, patterns: Sequence["re.Pattern[str]"]) -> None:
        self._always: list[int] = []
        self._of_need: dict[str, list[int]] = {}
        for place, pattern in enumerate(patterns):
            needed = _needed(_parsed(pattern.pattern))
            if not needed:
                self._always.append(place)
            for need in needed:
                self._of_need.setdefault(need, []).append(place)
        signs = "".join(re.escape(need) for need in sorted(self._of_need) if len(need) == 1)
        self._words = sorted(need for need in self._of_need if len(need) > 1)
        self._sign = re.compile(f"[{signs}]" if signs else _NOWHERE)
        self._word = re.compile("|".join(map(re.escape, self._words)) or _NOWHERE)

    def possible(self, text: str) -> list[int]:
        """Return the places of the patterns that may be found in a text, in order."""
        needs = set(self._sign.findall(text))
        if self._word.search(text):
            needs.update(word for word in self._words if word in text)
        return sorted({*self._always, *chain.from_iterable(self._of_need[need] for need in needs)})


def refuse_nested_repeats(pattern: str) -> None:
    """Raise `ValueError` for a repeat without limit inside another: such a pattern can take time without end."""
    if _nested(_parsed(pattern), False):
        raise ValueError(
            "a repeat without limit inside another one: give the inner one a limit, or write it possessive (a++)"
        )


def _nested(node: Any, inside: bool) -> bool:
    unlimited = 1000
    for name, argument in node:
        kind = str(name)
        if kind in ("MAX_REPEAT", "MIN_REPEAT"):
            is_unlimited = int(argument[1]) > unlimited
            if (inside and is_unlimited) or _nested(argument[2], inside or is_unlimited):
                return True
        elif kind == "SUBPATTERN":
            if _nested(argument[3], inside):
                return True
        elif kind == "BRANCH":
            if any(_nested(branch, inside) for branch in argument[1]):
                return True
        elif kind in ("ASSERT", "ASSERT_NOT") and _nested(argument[1], inside):
            return True
    return False


def _parsed(pattern: str) -> Any:
    """Return a pattern as the tree the standard library compiles it from."""
    return import_module("re._parser").parse(pattern)


def _needed(items: Iterable[Any]) -> tuple[str, ...]:
    """Return strings of which every text a parsed pattern is found in holds at least one; none when nothing can be said."""
    found: list[tuple[str, ...]] = []
    run = ""
    for item in items:
        name, argument = str(item[0]), item[1]
        if name == "LITERAL":
            run += chr(argument)
            continue
        found.append((run,) if run else ())
        run = ""
        if name == "SUBPATTERN":
            found.append(() if argument[1] & re.IGNORECASE else _needed(argument[3]))
        elif name == "MAX_REPEAT" and argument[0]:
            found.append(_needed(argument[2]))
        elif name == "BRANCH":
            branches = [_needed(branch) for branch in argument[1]]
            found.append(tuple(sorted({word for branch in branches for word in branch})) if all(branches) else ())
        elif name == "IN" and all(str(kind) == "LITERAL" for kind, _ in argument):
            found.append(tuple(chr(code) for _, code in argument))
    found.append((run,) if run else ())
    return min(filter(None, found), key=lambda words: (len(words), -min(map(len, words))), default=())
