"""Verbs for tests of whole replicas: peers with a disk, and a network that misbehaves.

Everything goes through the real bytes.
"""

from __future__ import annotations

import heapq
import random
from collections import defaultdict, deque
from collections.abc import Callable, Iterable

from lashup.crdt import Delta, Dot, Fact, Key, MapView
from lashup.crdt.branch import Branch
from lashup.crdt.writer import Operation
from lashup.errors import LashupError
from lashup.kv.delta_codec import encode_delta, encode_dot
from lashup.kv.digest import Digest
from lashup.kv.effects import (
    Announce,
    ClockSkewed,
    KvEffect,
    Notify,
    Outdated,
    Save,
)
from lashup.kv.limits import Limits
from lashup.kv.replica import Replica
from lashup.kv.rows import CONTEXT_TABLE, FACT_TABLE, META_TABLE, Rows
from lashup.kv.store import Store
from lashup.kv.write import Write
from lashup.machine import Address, Send
from lashup.wire.fragments import Reassembly, split
from tests.vocabulary import KEY, facts_in

HASH_KEY = b"tests"
#: Any moment; peers agree on it unless told otherwise.
WALL = 1_700_000_000.0

Tables = dict[str, dict[bytes, bytes]]
#: (to; None for everybody, from, bytes)
Message = tuple[Address | None, Address, bytes]


def empty_tables() -> Tables:
    return {FACT_TABLE: {}, CONTEXT_TABLE: {}, META_TABLE: {}}


def carry_out(rows: Rows, tables: Tables) -> None:
    """Put rows on a disk: deletes, then puts."""
    for table, key in rows.deletes:
        tables[table].pop(key, None)
    for table, key, value in rows.puts:
        tables[table][key] = value


class Peer:
    """A replica with a disk that takes its time.

    Attributes:
        disk: What is durable.
        saves: What is on its way there, the oldest first.
        outgoing: What it has said and nobody has carried yet.
        writes: Every write of this life, also those minted again.
        acknowledged: Those that were committed, over all lives.
        clock_error: Seconds by which its wall clock is ahead.
    """

    def __init__(
        self,
        number: int,
        *,
        part_size: int = 1_200,
        limits: Limits | None = None,
        max_skew: float = 60.0,
        retire_after: int = 90,
    ) -> None:
        self.address: Address = (f"10.0.0.{number + 1}", 7946)
        self.disk = empty_tables()
        self.saves: deque[Save] = deque()
        self.outgoing: list[Message] = []
        self.acknowledged: list[Delta] = []
        self.skews: list[float] = []
        self.dropped = 0
        self.clock_error = 0.0
        self._make: Callable[[], Replica] = lambda: Replica(
            hash_key=HASH_KEY,
            rng=self._rng,
            part_size=part_size,
            limits=limits,
            max_skew=max_skew,
            retire_after=retire_after,
        )
        self._rng = random.Random(number)
        self.writes: list[Write] = []
        self.start()

    def start(self, *, wall: float = WALL) -> None:
        """Begin a life with what is on disk; what was on its way there is lost."""
        self.saves.clear()
        self.writes.clear()
        self.replica = self._make()
        self.replica.load(self.disk, wall=wall)

    @property
    def store(self) -> Store:
        return self.replica.store

    def view(self, key: Key = KEY) -> MapView:
        return self.replica.get(key)

    def write(
        self, *operations: Operation, key: Key = KEY, wall: float = WALL
    ) -> Write:
        """Begin a write: it waits for the disk."""
        save = self.replica.update(key, operations, wall=wall)
        assert save.write is not None
        self.saves.append(save)
        self.writes.append(save.write)
        return save.write

    def sync_disk(self, count: int = 1 << 30) -> None:
        """Let the oldest rows become durable, and what waits for them visible."""
        while self.saves and count > 0:
            count -= 1
            save = self.saves.popleft()
            carry_out(save.rows, self.disk)
            if save.write is None:
                continue
            outcome = self.replica.committed(save.write)
            if isinstance(outcome, Save):
                assert outcome.write is not None
                self.saves.append(outcome)
                self.writes.append(outcome.write)
            else:
                self.acknowledged.append(save.write.delta)
                self.take(outcome)

    def crash(self, *, durable: int = 0) -> None:
        """Stop; some of the rows have reached the disk, but nobody was told."""
        for save in list(self.saves)[:durable]:
            carry_out(save.rows, self.disk)
        self.start()

    def publish(self, *operations: Operation, key: Key = KEY) -> Delta:
        """Write, and see it visible and announced."""
        self.write(*operations, key=key)
        self.sync_disk()
        return self.acknowledged[-1]

    def tick(self, *, now: float, wall: float | None = None) -> None:
        wall = WALL + now + self.clock_error if wall is None else wall
        self.take(self.replica.tick(now=now, wall=wall))

    def hear(self, message: Message, *, now: float) -> None:
        """Take in what another peer said."""
        to, sender, data = message
        if to is None:
            self.take(self.replica.hear_announced_untrusted(data, now=now, wall=WALL))
        else:
            self.take(self.replica.receive_untrusted(data, sender, now=now, wall=WALL))

    def hear_digest_of(self, other: Peer, *, now: float) -> None:
        self.replica.hear_rider(other.replica.rider, other.address, now=now)

    def take(self, effects: Iterable[KvEffect]) -> None:
        for effect in effects:
            match effect:
                case Send(to, payload):
                    self.outgoing.append((to, self.address, payload))
                case Announce(delta):
                    self.outgoing.append((None, self.address, encode_delta(delta)))
                case Save():
                    self.saves.append(effect)
                case ClockSkewed(seconds):
                    self.skews.append(seconds)
                case Outdated(facts):
                    self.dropped += facts
                case Notify():
                    pass

    def said(self) -> list[Message]:
        """What there is to carry, taken away."""
        outgoing, self.outgoing = self.outgoing, []
        return outgoing


class Datagrams:
    """Cuts messages that are long, and joins them at each receiver, as nodes do.

    Args:
        budget: Bytes of the longest datagram.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._number = 0
        self._joining: defaultdict[Address, Reassembly] = defaultdict(Reassembly)

    def cut(self, message: Message) -> list[Message]:
        to, sender, data = message
        if len(data) < self._budget:
            return [(to, sender, b"w" + data)]
        self._number += 1
        fragments = split(self._number, data, self._budget - 1)
        return [(to, sender, b"f" + fragment) for fragment in fragments]

    def join(self, at: Address, datagram: Message, *, now: float) -> Message | None:
        """The message that is whole with this datagram, None when none is."""
        to, sender, data = datagram
        kind, payload = data[:1], data[1:]
        if kind == b"w":
            return to, sender, payload
        joining = self._joining[at]
        whole = joining.receive_untrusted(payload, repr(sender).encode(), now=now)
        return None if whole is None else (to, sender, whole)

    def forget(self, at: Address) -> None:
        """A receiver crashed."""
        self._joining.pop(at, None)

    def count(self, name: str) -> int:
        """A number of `Reassembly.statistics`, of all receivers together."""
        return sum(one.statistics()[name] for one in self._joining.values())


class Network:
    """Carries messages in virtual time: loses, repeats and reorders them."""

    def __init__(
        self,
        *peers: Peer,
        rng: random.Random,
        loss: float = 0.0,
        repeat: float = 0.0,
        budget: int = 1 << 20,
    ) -> None:
        self.peers = {peer.address: peer for peer in peers}
        self.now = 0.0
        self.bytes = 0
        self.carried: list[bytes] = []
        self._rng = rng
        self._loss = loss
        self._repeat = repeat
        self._number = 0
        self.datagrams = Datagrams(budget)
        self._underway: list[tuple[float, int, Address, Message]] = []

    def run(self, *, until: Callable[[], bool], seconds: float) -> bool:
        """Run until something holds; False when it does not in time.

        Every second, everybody hears the digest of one other.
        """
        end = self.now + seconds
        probe_at = self.now
        while not until():
            wakeups = [p.replica.next_wakeup() for p in self.peers.values()]
            arrival = self._underway[0][0] if self._underway else end + 1
            self.now = max(self.now, min(arrival, probe_at, *wakeups))
            if self.now > end:
                return False
            if self.now >= probe_at:
                probe_at = self.now + 1.0
                for peer in self.peers.values():
                    other = self._rng.choice(list(self.peers.values()))
                    if other is not peer and self._rng.random() >= self._loss:
                        peer.hear_digest_of(other, now=self.now)
            while self._underway and self._underway[0][0] <= self.now:
                _, _, to, datagram = heapq.heappop(self._underway)
                message = self.datagrams.join(to, datagram, now=self.now)
                if message is not None:
                    self.peers[to].hear(message, now=self.now)
            for peer in self.peers.values():
                peer.tick(now=self.now)
                peer.sync_disk()
            self.collect()
        return True

    def collect(self) -> None:
        """Take what everybody said on its way."""
        for peer in self.peers.values():
            for message in peer.said():
                self.carried.append(message[2])
                self.bytes += len(message[2])
                for to in self.peers if message[0] is None else [message[0]]:
                    if to != peer.address and to in self.peers:  # else it is off
                        for datagram in self.datagrams.cut(message):
                            self._send(to, datagram)

    def _send(self, to: Address, datagram: Message) -> None:
        copies = 2 if self._rng.random() < self._repeat else 1
        for _ in range(copies):
            if self._rng.random() >= self._loss:
                self._number += 1
                at = self.now + self._rng.uniform(0.0005, 0.005)
                heapq.heappush(self._underway, (at, self._number, to, datagram))


def are_equal(*peers: Peer) -> bool:
    """Whether all hold the same facts and contexts, and so the same digest."""
    first, *others = peers
    return all(
        peer.replica.root == first.replica.root
        and peer.store.facts == first.store.facts
        for peer in others
    )


def state_of(peer: Peer) -> object:
    """Everything that a malformed message might have changed, to be compared."""
    store = peer.store
    exchange = peer.replica.anti_entropy
    return (
        dict(iter(store.facts)),
        repr(store.facts.context),
        store.digest.root,
        store.clock.last,
        store.waiting,
        {key: facts_in(store.facts.branch(key)) for key in list(store.facts.keys())},
        repr(exchange._exchange),
        repr(exchange._suspect),
    )


def digest_from_scratch(store: Store) -> int:
    """What the digest is when it is computed from the state alone."""
    fresh = Digest(hash_key=HASH_KEY)
    scratch = Store(hash_key=HASH_KEY, rng=random.Random(0))
    joined = scratch.facts.join(store.facts.as_delta())
    fresh.note(joined, scratch.facts)
    return fresh.root


def ahead_from_scratch(store: Store, key: bytes) -> set[tuple[object, Dot, bytes]]:
    """A key's value with its writes in flight, computed from the state alone."""
    facts: dict[Dot, Fact] = {dot: fact for dot, fact in store.facts if fact.key == key}
    for write in store._in_flight.values():
        if write.key == key:
            facts = {d: f for d, f in facts.items() if d not in write.delta.context}
            # A later write, committed before, may have dropped some already.
            facts |= {
                dot: fact
                for dot, fact in write.delta.facts.items()
                if dot not in store.facts.context
            }
    return {(fact.path, dot, fact.payload) for dot, fact in facts.items()}


def ahead_of(store: Store, key: bytes) -> set[tuple[object, Dot, bytes]]:
    """The same, as the store has it."""
    branch: Branch = store._ahead.branch(key)
    return {(path, dot, payload) for path, dot, payload in facts_in(branch)}


def on_disk(peer: Peer, dot: Dot) -> bool:
    return encode_dot(dot) in peer.disk[FACT_TABLE]


def failure(call: Callable[[], object]) -> LashupError | None:
    """The error that a call raises, if it is one of ours."""
    try:
        call()
    except LashupError as error:
        return error
    return None
