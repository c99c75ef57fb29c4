import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from services.fetcher.addresses import is_public
from services.fetcher.manners import FORGET_ABOVE_HOSTS, Held, Manners, Pace


@dataclass
class Time:
    """A clock that moves only when somebody sleeps."""

    now: float = 100.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds
        await asyncio.sleep(0)


def play(scenario: Callable[[Manners, Time], Awaitable[None]]) -> Time:
    time = Time()

    async def main() -> None:
        await scenario(Manners(time.clock, time.sleep), time)

    asyncio.run(main())
    return time


def test_requests_to_one_host_are_one_at_a_time_and_spaced() -> None:
    inside: list[str] = []

    async def scenario(manners: Manners, _: Time) -> None:
        async def ask(name: str, host: str) -> None:
            async with manners.turn(host, Pace(2.0)):
                inside.append(f"{name} in")
                await asyncio.sleep(0)
                inside.append(f"{name} out")

        await asyncio.gather(ask("a", "x"), ask("b", "x"), ask("c", "x"))

    time = play(scenario)
    assert inside == ["a in", "a out", "b in", "b out", "c in", "c out"]
    assert time.slept == [2.0, 2.0]


def test_hosts_do_not_wait_for_each_other() -> None:
    async def scenario(manners: Manners, _: Time) -> None:
        async with manners.turn("x", Pace(2.0)), manners.turn("y", Pace(2.0)):
            pass

    assert play(scenario).slept == []


def test_a_failed_request_also_keeps_its_distance() -> None:
    async def scenario(manners: Manners, _: Time) -> None:
        with pytest.raises(OSError):
            async with manners.turn("x", Pace(3.0)):
                raise OSError
        async with manners.turn("x", Pace(3.0)):
            pass

    assert play(scenario).slept == [3.0]


def test_a_held_host_is_not_asked_and_a_shorter_hold_does_not_free_it() -> None:
    async def scenario(manners: Manners, time: Time) -> None:
        manners.hold("x", 60)
        manners.hold("x", 5)
        with pytest.raises(Held) as held:
            async with manners.turn("x", Pace(1.0)):
                raise AssertionError("asked")
        assert held.value.seconds == 60
        assert (manners.held_for("x"), manners.held_for("y")) == (60, 0)
        time.now += 61
        assert manners.held_for("x") == 0
        async with manners.turn("x", Pace(1.0)):
            pass

    assert play(scenario).slept == []


def test_idle_hosts_are_forgotten_and_held_ones_are_not() -> None:
    async def scenario(manners: Manners, time: Time) -> None:
        manners.hold("held", 1000)
        for number in range(FORGET_ABOVE_HOSTS):
            manners.hold(f"host{number}", 0)
        time.now += 1
        async with manners.turn("x", Pace(1.0)):
            pass
        assert len(manners.hosts) == 2
        assert manners.held_for("held") > 0

    play(scenario)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_may_be_asked(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.9.9.9", "169.254.169.254", "172.16.0.1", "192.168.1.1",
        "192.88.99.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2001:0:53aa::1", "2001:db8::1", "2002:7f00:1::",
        "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "example", "",
    ],
)  # fmt: skip
def test_addresses_that_lead_inside_or_to_everyone_may_not(address: str) -> None:
    assert not is_public(address)
