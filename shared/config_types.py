"""Kinds of values that stand in several of the operator's files: durations, time zones, plain names, secrets by name."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from shared.yaml_config import ConfigModel

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")


def parse_duration(value: object) -> timedelta:
    """Return a duration written as number and unit (`500ms`, `5s`, `10m`, `1h`, `1d`). Raises ValueError."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(str(value).strip())
    if not match:
        raise ValueError(f"{value!r} is not a duration such as 30s, 10m or 1h")
    return timedelta(seconds=float(match[1]) * _UNITS[match[2]])


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise ValueError(f"{name!r} is no time zone; an example is Asia/Ho_Chi_Minh") from None
    return name


def _plain_name(name: str) -> str:
    if name != name.strip() or "|" in name or not name.isprintable():
        raise ValueError("must not hold '|', control characters, or blanks at its ends")
    return name


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Zone = Annotated[str, AfterValidator(_known_zone)]
Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_plain_name)]


class SecretName(ConfigModel):
    """Where a secret is kept: in an environment variable or in a file, never in the configuration itself."""

    env: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")] | None = None
    file: Path | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError("needs either env (a variable's name) or file (a path)")
        return self

    def __str__(self) -> str:
        return f"the variable {self.env}" if self.env else f"the file {self.file}"
