"""The composition: what leaves a node, when, and what bad bytes do to it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.channels import Channel
from lashup.config import DEFAULT_MAX_DATAGRAM, NodeConfig
from lashup.crdt.map import MapField
from lashup.effects import Effect, Visible
from lashup.errors import MalformedDatagram, UsageError
from lashup.identity import next_start
from lashup.kv.confirmation import Wait
from lashup.kv.messages import Request, encode
from lashup.kv.serving import Want
from lashup.machine import Address, Persist, Transmit
from lashup.membership import Liveness
from lashup.node import Node
from lashup.outbox import Outbox
from lashup.wire.envelope import Seal
from lashup.wire.frames import frames_untrusted
from lashup.wire.keyring import Keyring

KEY = bytes(range(32))
WALL = 1_000_000.0
ROOT = MapField()


def address(n: int) -> Address:
    return f"127.0.0.{n}", 7946


def node(
    n: int,
    *,
    key: bytes = KEY,
    cluster: str = "lashup",
    life: int = 0,
    now: float = 0.0,
    retire_after: int = 0,
    max_datagram: int = DEFAULT_MAX_DATAGRAM,
) -> Node:
    """The n-th node in one of its lives; a greater number starts later."""
    first = next_start({}, rng=random.Random(n), wall=WALL)
    identity = replace(first, epoch=first.epoch + life, boot_id=bytes([n, life] * 8))
    return Node(
        NodeConfig(
            name=f"n{n}",
            keys=[key],
            cluster=cluster,
            retire_after=retire_after,
            max_datagram=max_datagram,
        ),
        identity,
        addresses=(address(n),),
        tables={},
        rng=random.Random(f"{n} {life}"),
        now=now,
        wall=WALL + now,
    )


class Pair:
    """Two nodes that know each other, and a network without loss between them."""

    def __init__(self, *, retire_after: int = 0) -> None:
        self.now = 0.0
        self.a = node(1, retire_after=retire_after)
        self.b = node(2, retire_after=retire_after)
        self.nodes = {address(1): self.a, address(2): self.b}
        self.saved: list[Persist] = []
        self.deliver(self.b, self.b.join([address(1)], now=0.0))
        self.run(until=3.0)

    def run(self, *, until: float) -> None:
        while (due := min(n.next_wakeup() for n in self.nodes.values())) < until:
            self.now = max(self.now, due)
            for each in self.nodes.values():
                self.deliver(each, each.tick(now=self.now))
        self.now = until

    def deliver(self, source: Node, effects: list[Effect]) -> None:
        """Carry out effects; rows are on disk at once."""
        (sender,) = (at for at, n in self.nodes.items() if n is source)
        for effect in effects:
            match effect:
                case Transmit(to, data) if to in self.nodes:
                    target = self.nodes[to]
                    answer = target.receive(data, sender, now=self.now)
                    self.deliver(target, answer)
                case Persist(ticket):
                    self.saved.append(effect)
                    visible = source.persisted(ticket, now=self.now)
                    self.deliver(source, visible)
                case _:
                    pass


def transmits(effects: list[Effect]) -> list[Transmit]:
    return [effect for effect in effects if isinstance(effect, Transmit)]


def state(subject: Node) -> object:
    """Everything of a node that bad bytes must not change."""
    members = [(m.record, m.liveness) for m in subject.membership.members]
    return (
        members,
        subject.kv.root,
        subject.membership.table_hash,
        len(subject.kv.keys()),
    )


def test_two_nodes_that_met_see_each_other_alive() -> None:
    pair = Pair()

    for each in (pair.a, pair.b):
        assert [m.liveness for m in each.membership.members] == [Liveness.ALIVE] * 2


def test_nothing_of_a_write_leaves_before_its_rows_are_on_disk() -> None:
    pair = Pair()

    update, before = pair.a.update(("k",), [ROOT.register("x").assign(1)], now=3.0)
    (persist,) = before
    root_while_waiting = pair.a.kv.root
    assert isinstance(persist, Persist)
    after = pair.a.persisted(persist.ticket, now=3.0)

    assert root_while_waiting == 0
    assert not pair.b.kv.get(("k",))
    assert Visible(update) in after
    assert transmits(after)
    pair.deliver(pair.a, after)
    assert pair.b.kv.get(("k",)).register("x") == 1


def written(pair: Pair, value: int, *, wait: Wait | None = None) -> list[Effect]:
    """What leaves when a write of the first node is on disk."""
    write = [ROOT.register("x").assign(value)]
    _, (persist,) = pair.a.update(("k",), write, now=pair.now, wait=wait)
    assert isinstance(persist, Persist)
    return pair.a.persisted(persist.ticket, now=pair.now)


def test_a_write_close_behind_another_is_told_twenty_milliseconds_later() -> None:
    pair = Pair()

    pair.deliver(pair.a, written(pair, 1))
    held = written(pair, 2)
    soon = pair.b.kv.get(("k",)).register("x")
    pair.run(until=pair.now + 0.021)

    assert transmits(held) == []
    assert soon == 1
    assert pair.b.kv.get(("k",)).register("x") == 2


@pytest.mark.parametrize("way", ["wait", "leave", "announce"])
def test_whoever_waits_for_others_or_ends_has_told_all_it_wrote(way: str) -> None:
    pair = Pair()
    pair.deliver(pair.a, written(pair, 1))

    match way:
        case "wait":
            pair.deliver(pair.a, written(pair, 2, wait=2))
        case "leave":
            written(pair, 2)
            pair.deliver(pair.a, pair.a.leave(now=pair.now))
        case _:
            written(pair, 2)
            pair.deliver(pair.a, pair.a.announce(now=pair.now))

    assert pair.b.kv.get(("k",)).register("x") == 2


def test_who_says_that_it_has_a_write_saves_it_at_once() -> None:
    pair = Pair()
    pair.saved.clear()

    pair.deliver(pair.a, written(pair, 1, wait=2))

    heard, *later = [n for n, persist in enumerate(pair.saved) if persist.within]
    assert not later
    assert any(not persist.within for persist in pair.saved[heard:])


def test_writes_are_told_together_in_datagrams_that_pass_every_path() -> None:
    pair = Pair()
    pair.a._outbox.narrow = {address(2): 576}

    for number in range(30):
        write = [ROOT.register("x").assign("x" * 40)]
        _, effects = pair.a.update(("k", number), write, now=pair.now)
        pair.deliver(pair.a, effects)
    pair.deliver(pair.a, pair.a.announce(now=pair.now))

    assert len(pair.b.kv.keys()) == 30
    assert pair.b._inbox.statistics()["joined"] == 0
    assert pair.a.multicast.statistics()["sent"] < 15


@pytest.mark.parametrize("first", ["tick", "announce", "leave", "set_tags"])
def test_a_write_that_a_long_stop_has_held_back_is_told_to_nobody(first: str) -> None:
    pair = Pair(retire_after=7)
    pair.deliver(pair.a, written(pair, 1))
    written(pair, 2)
    told = pair.a.multicast.statistics()["sent"]
    later = pair.now + 10 * 86_400.0

    match first:
        case "tick":
            pair.a.tick(now=later)
        case "announce":
            pair.a.announce(now=later)
        case "leave":
            pair.a.leave(now=later)
        case _:
            pair.a.set_tags({}, now=later)
    pair.a.announce(now=later)

    assert pair.a.multicast.statistics()["sent"] == told


@pytest.mark.parametrize(
    "call",
    [
        lambda a, now: a.evidence(address(2), now=now),
        lambda a, now: a.set_tags({"k": "v"}, now=now),
        lambda a, now: a.set_addresses((address(3),), now=now),
        lambda a, now: a.join([address(2)], now=now),
        lambda a, now: a.leave(now=now),
    ],
)
def test_whatever_is_said_first_after_a_long_stop_says_that_too(call) -> None:
    pair = Pair(retire_after=7)
    pair.deliver(pair.a, written(pair, 1))

    call(pair.a, pair.now + 10 * 86_400.0)

    assert pair.a.kv.rider.away_since
    assert pair.a.membership.rider == pair.a.kv.rider.encode()


def test_what_a_node_heard_is_saved_before_what_it_says_next() -> None:
    pair = Pair()
    _, (persist,) = pair.a.update(("k",), [ROOT.register("x").assign(1)], now=3.0)
    assert isinstance(persist, Persist)
    (first, *_) = transmits(pair.a.persisted(persist.ticket, now=3.0))

    effects = pair.b.receive(first.data, address(1), now=3.0)

    kinds = [type(effect) for effect in effects]
    assert Persist in kinds
    assert Transmit not in kinds[: kinds.index(Persist)]


def test_an_update_that_is_longer_than_a_datagram_arrives_whole() -> None:
    pair = Pair()
    blob = bytes(range(256)) * 60

    _, effects = pair.a.update(("k",), [ROOT.register("x").assign(blob)], now=3.0)
    pair.deliver(pair.a, effects)

    assert pair.b.kv.get(("k",)).register("x") == blob


def test_a_delta_that_is_lost_comes_with_the_next_probes() -> None:
    pair = Pair()
    _, (persist,) = pair.a.update(("k",), [ROOT.register("x").assign(1)], now=3.0)
    assert isinstance(persist, Persist)
    pair.a.persisted(persist.ticket, now=3.0)  # every datagram of it is lost

    pair.run(until=6.0)

    assert pair.b.kv.get(("k",)).register("x") == 1
    assert pair.a.kv.root == pair.b.kv.root


@pytest.mark.parametrize(
    "stranger",
    [node(2, key=bytes(32)), node(2, cluster="other")],
    ids=["foreign key", "other label"],
)
def test_datagrams_of_strangers_change_nothing_and_are_not_answered(
    stranger: Node,
) -> None:
    subject = node(1)
    before = state(subject)
    (hello, *_) = transmits(stranger.join([address(1)], now=0.0))

    with pytest.raises(MalformedDatagram):
        subject.receive(hello.data, address(2), now=0.0)

    assert state(subject) == before


@given(st.binary(max_size=2_000))
def test_any_bytes_raise_one_exception_and_change_nothing(data: bytes) -> None:
    subject = node(1)
    before = state(subject)

    with pytest.raises(MalformedDatagram):
        subject.receive(data, address(2), now=0.0)

    assert state(subject) == before


@given(
    st.lists(
        st.tuples(st.integers(0, 255), st.binary(max_size=300)), min_size=1, max_size=4
    )
)
def test_a_member_that_babbles_changes_nothing_and_is_counted(
    frames: list[tuple[int, bytes]],
) -> None:
    subject = node(1)
    before = state(subject)
    boot = bytes(16)
    outbox = Outbox(Seal(Keyring([KEY]), label="lashup", boot_id=boot), size=1_400)
    for channel, payload in frames:
        outbox.put(address(1), channel, payload)

    for datagram in outbox.seal_all():
        effects = subject.receive(datagram.data, address(2), now=0.0)
        assert not any(isinstance(e, Persist) for e in effects)

    assert state(subject) == before


def test_a_flipped_bit_anywhere_is_refused() -> None:
    subject = node(1)
    before = state(subject)
    (hello, *_) = transmits(node(2).join([address(1)], now=0.0))

    for bit in range(8 * len(hello.data)):
        flipped = bytearray(hello.data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(MalformedDatagram):
            subject.receive(bytes(flipped), address(2), now=0.0)

    assert state(subject) == before


def test_messages_to_one_peer_share_a_datagram_and_none_exceeds_the_limit() -> None:
    seal = Seal(Keyring([KEY]), label="c", boot_id=bytes(16))
    opener = Seal(Keyring([KEY]), label="c", boot_id=bytes(range(16)))
    outbox = Outbox(seal, size=1_400)
    sizes = [100, 200, 1_200, 5_000, 10]
    for size in sizes:
        outbox.put(address(2), Channel.KV, bytes(size))

    datagrams = [t.data for t in outbox.seal_all()]

    frames = [
        frame
        for datagram in datagrams
        for frame in frames_untrusted(opener.open_untrusted(datagram).plaintext)
    ]
    assert max(map(len, datagrams)) <= 1_400
    assert len(datagrams) < len(frames)
    assert [len(p) for c, p in frames if c == Channel.KV] == [100, 200, 1_200, 10]


@pytest.mark.parametrize("size", [1_200, 9_000])
def test_a_node_starts_with_the_least_datagram_and_with_the_greatest(size: int) -> None:
    assert node(1, max_datagram=size).membership.members


def test_a_later_epoch_that_others_know_is_saved_for_the_next_start() -> None:
    pair = Pair()
    later = node(2, life=200, now=pair.now)
    pair.nodes[address(2)] = later
    pair.deliver(later, later.join([address(1)], now=pair.now))
    pair.run(until=6.0)
    restored = node(2, life=1, now=pair.now)  # an old backup of the data directory
    pair.nodes[address(2)] = restored
    pair.saved.clear()

    pair.deliver(restored, restored.join([address(1)], now=pair.now))
    pair.run(until=9.0)

    epochs = [
        int.from_bytes(value, "big")
        for persist in pair.saved
        for table, key, value in persist.puts
        if (table, key) == ("meta", b"epoch")
    ]
    assert epochs
    assert epochs[-1] == restored.membership.me.epoch
    assert restored.membership.me.epoch > later.membership.me.epoch


def test_a_question_from_where_no_member_is_draws_one_datagram_at_most() -> None:
    pair = Pair()
    for n in range(300):
        _, effects = pair.a.update(("k", n), [ROOT.register("x").assign(n)], now=3.0)
        pair.deliver(pair.a, effects)
    (actor, runs), *_ = pair.a.kv.store.facts.context.items()
    question = encode(Request(1, (Want(actor, (), runs),)))

    def answers(sender: Address, boot: bytes) -> int:
        outbox = Outbox(Seal(Keyring([KEY]), label="lashup", boot_id=boot), size=1_400)
        outbox.put(address(1), Channel.KV, question)
        (asked,) = outbox.seal_all()
        return len(transmits(pair.a.receive(asked.data, sender, now=pair.now)))

    assert answers(("192.0.2.9", 53), bytes(16)) == 1
    assert answers(address(2), bytes(range(16))) > 5


def test_a_write_that_is_refused_after_a_stop_loses_no_rows_of_earlier_ones():
    stopped = node(1, retire_after=90)
    number, effects = stopped.update(("k",), [ROOT.register("r").assign(1)], now=0.0)
    stopped.tick(now=0.0)
    (first,) = effects
    assert isinstance(first, Persist)
    week = 7 * 86_400.0

    with pytest.raises(UsageError):
        stopped.update((), [], now=week)
    again = stopped.persisted(first.ticket, now=week)

    # The rows of the write by its new actor, and then the write that waits for them.
    saved = [effect for effect in again if isinstance(effect, Persist)]
    assert len(saved) == 2
    done = stopped.persisted(saved[1].ticket, now=week)
    assert Visible(number) in done
