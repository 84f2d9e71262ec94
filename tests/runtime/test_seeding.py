"""Seeds that are read again while the node runs."""

import threading

import anyio
import anyio.to_thread
import pytest

from lashup import LOCAL, NodeConfig, SeedsUnread, open_node
from lashup.runtime import seeding
from lashup.runtime.udp import UdpEndpoint


@pytest.fixture(autouse=True)
def seeds_are_asked_often(monkeypatch):
    monkeypatch.setattr(seeding, "SEED_PERIOD", 0.02)


def config(name: str, *seeds) -> NodeConfig:
    return NodeConfig(name=name, seeds=seeds, membership=LOCAL)


class Source:
    """Says what it is told to, and counts."""

    def __init__(self) -> None:
        self.seeds: list[object] = []
        self.problem: Exception | None = None
        self.asked = 0

    def __call__(self):
        self.asked += 1
        if self.problem is not None:
            raise self.problem
        return list(self.seeds)

    async def was_asked(self, times: int) -> None:
        """Return when it was asked so often from now on."""
        enough = self.asked + times
        while self.asked < enough:  # noqa: ASYNC110  # asked in a thread
            await anyio.sleep(0.01)


def test_a_seed_that_is_named_later_is_joined_by(on):
    source = Source()

    async def main():
        async with (
            open_node(config("a")) as a,
            open_node(config("b"), seed_source=source) as b,
        ):
            await source.was_asked(3)
            assert len(b.live_members()) == 1

            source.seeds = [a.address]
            await b.wait_until(lambda: len(b.live_members()) == 2)
            await a.wait_until(lambda: len(a.live_members()) == 2)

    on(main)


def test_with_company_the_source_is_left_alone(on):
    source = Source()

    async def main():
        async with (
            open_node(config("a")) as a,
            open_node(config("b", a.address), seed_source=source) as b,
        ):
            await b.wait_until(lambda: len(b.live_members()) == 2)
            await anyio.sleep(0.1)  # Whoever is asking now is done.
            before = source.asked
            await anyio.sleep(0.2)

            assert source.asked == before

    on(main)


@pytest.mark.parametrize(
    ("seeds", "problem", "told"),
    [
        ([], OSError("no route to the DNS"), "OSError: no route to the DNS"),
        ([("db.example", 7)], None, "ConfigError: seeds[0]: 'db.example' is no IP"),
        ([7], None, "ConfigError: seeds[0]: 7 is no"),
    ],
)
def test_a_source_that_fails_is_told_once_and_asked_again(on, seeds, problem, told):
    source = Source()
    source.seeds, source.problem = seeds, problem

    async def main():
        async with (
            open_node(config("a")) as a,
            open_node(config("b"), seed_source=source) as b,
            b.events() as events,
        ):
            event = await anext(aiter(events))
            assert isinstance(event, SeedsUnread)
            assert event.problem.startswith(told)
            await source.was_asked(3)

            source.seeds, source.problem = [a.address], None
            async for event in events:
                assert not isinstance(event, SeedsUnread)
                break
            await b.wait_until(lambda: len(b.live_members()) == 2)

    on(main)


def test_closing_waits_for_no_source_and_raises_nothing(on):
    asked, answer = threading.Event(), threading.Event()

    def slow():
        asked.set()
        answer.wait(10)
        return [("127.0.0.1", 9)]

    async def main():
        try:
            with anyio.fail_after(5):
                async with open_node(config("b"), seed_source=slow):
                    await anyio.to_thread.run_sync(asked.wait)
        finally:
            answer.set()

    on(main)


def test_what_the_source_says_counts_again_after_other_seeds_were_given(on):
    source = Source()

    async def main():
        async with (
            open_node(config("a")) as a,
            open_node(config("b"), seed_source=source) as b,
        ):
            await source.was_asked(1)
            await b.join([("127.0.0.99", 9)])
            source.seeds = [a.address]
            await b.wait_until(lambda: len(b.live_members()) == 2)

    on(main)


def test_a_seed_that_the_source_names_no_more_is_asked_no_more(on):
    source = Source()

    async def main():
        with UdpEndpoint([("127.0.0.1", 0)]) as seed:
            async with open_node(config("b", seed.addresses[0]), seed_source=source):
                await source.was_asked(2)
                seed.drain()
                await anyio.sleep(0.7)  # Twice the period of a node that is alone.

                assert seed.drain() == []

    on(main)
