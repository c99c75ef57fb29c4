"""Values of the operator's files that several files share."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.config_types import SecretName, Zone, parse_duration


@pytest.mark.parametrize(("text", "seconds"), [("500ms", 0.5), ("5s", 5), ("1.5m", 90), ("2 h", 7200), ("1d", 86400)])
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "-5s", "5 weeks", "1h30m"])
def test_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration such as 30s, 10m or 1h"):
        parse_duration(text)


def test_a_time_zone_must_exist() -> None:
    assert TypeAdapter(Zone).validate_python("Asia/Ho_Chi_Minh") == "Asia/Ho_Chi_Minh"
    with pytest.raises(ValidationError, match="an example is Asia/Ho_Chi_Minh"):
        TypeAdapter(Zone).validate_python("Asia/Sai_Gon")


@pytest.mark.parametrize(
    ("given", "said"),
    [({"env": "A_TOKEN"}, "the variable A_TOKEN"), ({"file": "/run/secrets/token"}, "the file /run/secrets/token")],
)
def test_a_secret_is_named_by_its_place(given: dict[str, Any], said: str) -> None:
    assert str(SecretName(**given)) == said


@pytest.mark.parametrize("given", [{}, {"env": "A", "file": "a"}, {"env": "my token"}, {"value": "hunter2"}])
def test_a_secret_is_never_written_down(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SecretName(**given)
