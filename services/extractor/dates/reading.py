"""An expression that was found but not yet counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Fields = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Reading:
    """A rule with the fields it read at a span of the surface, or a wrapper with the readings inside it."""

    start: int
    end: int
    rule: str
    value: str
    fields: Fields = field(default_factory=dict)
    inside: tuple["Reading", ...] = ()
    operand: bool = True
