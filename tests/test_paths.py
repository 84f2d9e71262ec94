"""Paths that carry less than configured: found, used at their width, and reported."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lashup.channels import Channel
from lashup.crdt.map import MapField
from lashup.effects import Effect
from lashup.errors import MalformedDatagram
from lashup.machine import Persist, Send, Transmit
from lashup.membership import Liveness
from lashup.node import Node
from lashup.path_width import PathNarrow, PathWide
from lashup.paths import Paths
from lashup.view import View
from lashup.wire.envelope import Seal
from lashup.wire.frames import LEAST_DATAGRAM, frames_untrusted
from lashup.wire.keyring import Keyring
from tests.membership.vocabulary import cluster
from tests.test_node import KEY, address, node

CONFIGURED = 1_400
GRAIN = 16


class Network:
    """Two nodes; what is longer than `width` from the first one never comes.

    Attributes:
        lost: Share of the other datagrams that is lost.
        drops: Says which of them never come, whatever the chance.
    """

    def __init__(self, *, width: int, lost: float = 0.0, seed: int = 0) -> None:
        self.width = width
        self.lost = lost
        self.drops: Callable[[Node, bytes], bool] = lambda _, __: False
        self.now = 0.0
        self.told: list[object] = []
        self.sent: list[tuple[float, Node, int]] = []
        self._rng = random.Random(seed)
        self.a, self.b = node(1), node(2)
        self.nodes = {address(1): self.a, address(2): self.b}
        self.deliver(self.b, self.b.join([address(1)], now=0.0))
        self.run(5.0)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := min(n.next_wakeup() for n in self.nodes.values())) < end:
            self.now = max(self.now, due)
            for each in self.nodes.values():
                if each.next_wakeup() <= self.now:
                    self.deliver(each, each.tick(now=self.now))
        self.now = end

    def deliver(self, source: Node, effects: list[Effect]) -> None:
        sender = address(1) if source is self.a else address(2)
        for effect in effects:
            match effect:
                case Transmit(to, data):
                    self.sent.append((self.now, source, len(data)))
                    if self._passes(source, data):
                        target = self.nodes[to]
                        answer = target.receive(data, sender, now=self.now)
                        self.deliver(target, answer)
                case Persist(ticket):
                    self.deliver(source, source.persisted(ticket, now=self.now))
                case PathNarrow() | PathWide():
                    self.told.append(effect)
                case _:
                    pass

    def write(self, key: str, size: int) -> None:
        """A value on the first node that random bytes keep from being packed small."""
        value = self._rng.randbytes(size)
        update = [MapField().register("x").assign(value)]
        self.deliver(self.a, self.a.update((key,), update, now=self.now)[1])

    def assert_both_alive(self) -> None:
        for each in self.nodes.values():
            liveness = [m.liveness for m in each.membership.members]
            assert liveness == [Liveness.ALIVE] * 2

    def _passes(self, source: Node, data: bytes) -> bool:
        if source is self.a and len(data) > self.width:
            return False
        return not self.drops(source, data) and self._rng.random() >= self.lost


@settings(max_examples=15, deadline=None)
@given(width=st.integers(LEAST_DATAGRAM, CONFIGURED - 1))
def test_the_width_of_a_narrow_path_is_found_and_reported_once(width: int) -> None:
    network = Network(width=width)

    network.run(180.0)

    (told,) = network.told
    assert isinstance(told, PathNarrow)
    assert told.node == network.b.id
    assert width - GRAIN <= told.width <= width
    assert network.a.paths.narrow == {address(2): told.width}
    assert network.a.statistics()["paths_narrow"] == 1
    network.assert_both_alive()


def test_a_long_value_comes_through_a_narrow_path() -> None:
    network = Network(width=1_250)

    network.write("k", 15_000)
    network.run(40.0)

    assert network.b.kv.get(("k",)) == network.a.kv.get(("k",))
    assert network.a.paths.narrow


def test_a_path_in_use_that_becomes_narrow_is_used_so_within_36_seconds() -> None:
    network = Network(width=CONFIGURED)
    network.run(70.0)  # Each was tested in its turn, and found to be wide.
    network.width = 1_250

    for number in range(36):
        network.write(f"{number}", 5_000)
        network.run(1.0)

    assert network.a.paths.narrow[address(2)] <= 1_250


def test_a_path_that_is_wide_again_is_used_and_reported_as_wide() -> None:
    network = Network(width=1_300)
    network.run(180.0)
    network.width = CONFIGURED

    network.run(480.0)

    assert [type(each) for each in network.told] == [PathNarrow, PathWide]
    assert network.a.paths.narrow == {}


def test_a_path_that_becomes_narrower_still_is_found_again() -> None:
    network = Network(width=1_300)
    network.run(180.0)
    network.width = 900

    network.run(240.0)

    assert 900 - GRAIN <= network.a.paths.narrow[address(2)] <= 900
    assert [type(each) for each in network.told] == [PathNarrow, PathNarrow]


@pytest.mark.parametrize("seed", range(5))
def test_loss_alone_narrows_no_path_for_long(seed: int) -> None:
    network = Network(width=CONFIGURED, lost=0.1, seed=seed)

    network.run(600.0)

    assert network.told == []


def test_a_member_that_does_not_know_the_question_is_not_narrow() -> None:
    network = Network(width=CONFIGURED)
    network.drops = _about_paths()

    network.run(300.0)

    assert network.told == []
    assert network.a.paths.narrow == {}
    network.assert_both_alive()


def test_at_rest_tests_cost_less_than_30_bytes_a_second() -> None:
    network = Network(width=CONFIGURED)
    network.run(120.0)
    network.sent.clear()

    network.run(600.0)

    mine = [length for _, source, length in network.sent if source is network.a]
    about_paths = [length for length in mine if length > 1_000]
    assert 9 <= len(about_paths) <= 11
    assert sum(about_paths) / 600.0 < 30.0


def test_a_busy_path_is_not_tested_more_than_twice_a_minute() -> None:
    network = Network(width=CONFIGURED)
    before = network.a.statistics()["paths_tests"]

    for number in range(120):
        network.write(f"{number}", 1_000)
        network.run(1.0)

    assert network.a.statistics()["paths_tests"] - before <= 6


def test_in_a_storm_one_path_a_second_is_tested_and_not_all_at_once() -> None:
    _, swims = cluster(30, seed=1)
    paths, view = _paths(), View(swims[0])
    used = [swim.me.addresses[0] for swim in swims[1:]]

    tested = []
    for tenth in range(50):
        now = 1.0 + tenth / 10
        for effect in paths.tick(used, view=view, now=now):
            assert isinstance(effect, Send)
            tested.append(effect.to)
            paths.receive_untrusted(_answer_to(effect), effect.to, now=now)

    assert len(set(tested)) == 5
    assert len(tested) == 2 * 5  # each a bare and a padded one


def test_an_answer_is_as_long_as_the_shortest_question_and_no_longer() -> None:
    paths = _paths()
    for length in (11, 500, 1_300):
        question = b"\1".ljust(length, b"\0")
        (answer,) = paths.receive_untrusted(question, ("::1", 1), now=0.0)
        assert isinstance(answer, Send)
        assert len(answer.payload) == 11


@given(payload=st.binary(max_size=40))
def test_what_makes_no_sense_changes_nothing(payload: bytes) -> None:
    paths = _paths()
    try:
        effects = paths.receive_untrusted(payload, ("::1", 1), now=0.0)
    except MalformedDatagram:
        assert len(payload) < 11
    else:
        assert len(effects) == (payload[0] == 1)
    assert paths.narrow == {}


def _paths() -> Paths:
    return Paths(CONFIGURED, overhead=60, patience=1.0, epoch=1, me=node(1).id, now=0.0)


def _answer_to(test: Send) -> bytes:
    [answer] = _paths().receive_untrusted(test.payload, address(1), now=0.0)
    assert isinstance(answer, Send)
    return answer.payload


def _about_paths() -> Callable[[Node, bytes], bool]:
    """Drops tests and their answers, as who does not know them does."""
    seal = Seal(Keyring([KEY]), label="lashup", boot_id=bytes(16))

    def drops(_: Node, data: bytes) -> bool:
        frames = frames_untrusted(seal.open_untrusted(data).plaintext)
        return any(channel == Channel.PATH for channel, _ in frames)

    return drops
