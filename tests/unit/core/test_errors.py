"""The closed list of refusals: each has a remedy and a name that metrics, headers and examples can carry."""

import re

import pytest

from shared.errors import REMEDIES, Drop, Reason, Rejected, Transient


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_remedy(reason: Reason) -> None:
    remedy = REMEDIES[reason]
    assert remedy[0].isupper()
    assert remedy.endswith(".")
    assert len(remedy) <= 120


def test_remedies_are_sorted_as_the_reasons_are() -> None:
    assert list(REMEDIES) == list(Reason)
    assert list(Reason) == sorted(Reason)


@pytest.mark.parametrize("label", [*Reason, *Drop])
def test_labels_suit_metrics(label: Reason | Drop) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", label.value)
    assert label.value == label.name.lower()


def test_a_refusal_carries_reason_and_detail() -> None:
    refusal = Rejected(Reason.EMPTY_BODY, "thân bài trống")
    assert (refusal.reason, refusal.detail) == (Reason.EMPTY_BODY, "thân bài trống")
    assert str(refusal) == "empty_body: thân bài trống"


def test_a_retry_is_no_refusal() -> None:
    assert not issubclass(Transient, Rejected)
    assert not issubclass(Rejected, Transient)
