"""Connecting to a broker that comes and goes."""

import threading

import pytest
from kafka.errors import KafkaTimeoutError

from shared import kafka_clients
from shared.kafka_clients import connected
from shared.settings import load_settings


class Admin:
    """A client that finds a broker."""

    def close(self) -> None:
        """Leave it."""


def test_a_broker_that_goes_away_before_the_client_is_made_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_clients, "make_admin", lambda _: Admin())
    tries = iter((KafkaTimeoutError("Unable to bootstrap"), KafkaTimeoutError("Unable to bootstrap"), None))

    def make() -> str:
        if error := next(tries):
            raise error
        return "client"

    assert connected(load_settings(), threading.Event(), make) == "client"


def test_nothing_is_made_after_the_stop() -> None:
    stopping = threading.Event()
    stopping.set()
    assert connected(load_settings(), stopping, lambda: pytest.fail("made")) is None
