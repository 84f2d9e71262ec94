"""One node: the machines put together. The only place that knows all of them.

Theory of operation
-------------------
A datagram is opened, taken apart into frames, and each frame goes to the machine of
its channel. What the machines want sent is collected per destination, so that
messages which leave together share a datagram, and sealed. A message too long for
a datagram goes in fragments, which are frames of their own channel.

The store's digest rides on membership's pings and acks. How a write comes to the disk
and to the others is in `table_side`.

No machine knows another. This file decides nothing that one of them could decide.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b

from lashup.channels import TABLE_TOPIC, Channel
from lashup.config import NodeConfig
from lashup.crdt.facts import Delta
from lashup.crdt.field import Key
from lashup.crdt.token import Token
from lashup.crdt.writer import Operation
from lashup.effects import Effect
from lashup.errors import MalformedDatagram
from lashup.identity import Identity
from lashup.inbox import Inbox
from lashup.kv.confirmation import Wait
from lashup.kv.replica import Replica
from lashup.kv.rider import rider_untrusted
from lashup.kv.rows import META_TABLE
from lashup.machine import Address, NodeId, Send
from lashup.membership import Changed, Remember, RiderHeard, Swim
from lashup.membership import Effect as MembershipEffect
from lashup.membership.record import record_untrusted
from lashup.multicast import Branch, Delivered, Multicast
from lashup.multicast.topics import check_topic
from lashup.outbox import Outbox
from lashup.rotation import Keep, Order, Rotation, RotationEffect
from lashup.savings import KEYRING_ROW, MEMBER_TABLE, Savings
from lashup.table_side import TableSide
from lashup.traffic import flat
from lashup.view import View
from lashup.wire.envelope import Seal
from lashup.wire.kept_keyring import ring_untrusted


class Node:
    """Membership, multicast and the table of one node, without sockets or clocks.

    Args:
        config: As the user gave it.
        identity: This start of it; saved before the first effect is carried out.
        addresses: Where others reach it, the preferred first.
        tables: What earlier starts left on disk.
        rng: Unpredictable in production.
        now: Seconds on the driver's clock.
        wall: Seconds since 1970 at `now`.

    Raises:
        MalformedDatagram: `tables` is not what this version writes.

    Attributes:
        malformed: Messages from members that did not parse.
    """

    def __init__(
        self,
        config: NodeConfig,
        identity: Identity,
        *,
        addresses: tuple[Address, ...],
        tables: Mapping[str, Mapping[bytes, bytes]],
        rng: random.Random,
        now: float,
        wall: float,
    ) -> None:
        self.malformed = 0
        self.keyring = ring_untrusted(
            config.keys,
            label=config.cluster,
            row=tables.get(META_TABLE, {}).get(KEYRING_ROW),
        )
        self.rotation = Rotation(
            self.keyring, configured=config.keys, me=identity.id, rng=rng
        )
        self.cluster = config.cluster
        self._seal = Seal(self.keyring, label=config.cluster, boot_id=identity.boot_id)
        self._outbox = Outbox(self._seal, size=config.max_datagram)
        self.paths = config.paths_for(identity, self._seal.overhead, now=now)
        self._outbox.narrow = self.paths.narrow
        self._inbox = Inbox(self._seal)
        hash_key = blake2b(config.cluster.encode(), digest_size=32).digest()
        payload = self._outbox.payload
        self.kv = Replica(
            hash_key=hash_key,
            rng=rng,
            part_size=payload - 64,
            limits=config.limits,
            max_skew=config.max_clock_skew,
            retire_after=config.retire_after,
        )
        self.kv.load(tables, wall=wall)
        remembered = tables.get(MEMBER_TABLE, {})
        self._savings = Savings(remembered=remembered)
        self.membership = Swim(
            config.record_for(identity, addresses),
            config.membership_for(payload=payload, hash_key=hash_key),
            rng=rng,
            now=now,
            remembered=[record_untrusted(r) for r in remembered.values()],
            wall_offset=wall - now,
        )
        self._view = View(self.membership)
        self.multicast = Multicast(
            identity.id, epoch=identity.epoch, config=config.multicast
        )
        self._table = TableSide(
            self.kv,
            outbox=self._outbox,
            savings=self._savings,
            multicast=self.multicast,
            view=self._view,
            room=lambda: self._outbox.least_payload - 64,
        )
        self.waits = self._table.waits
        self._unsaid: list[Effect] = []

    @property
    def id(self) -> NodeId:
        """Who this node is, wherever it is."""
        return self.membership.me.id

    @property
    def wall_offset(self) -> float:
        """Seconds since 1970 less the driver's clock.

        The driver keeps it right; the wall clock may jump.
        """
        return self.membership.wall_offset

    @wall_offset.setter
    def wall_offset(self, seconds: float) -> None:
        self.membership.wall_offset = seconds

    def next_wakeup(self) -> float:
        """The time by which `tick` must be called. A late call is safe."""
        return min(
            self.membership.next_wakeup(),
            self._table.next_wakeup(),
            self._inbox.next_wakeup(),
            self.rotation.next_wakeup(),
            self.paths.next_wakeup(),
        )

    def tick(self, *, now: float) -> list[Effect]:
        """Do whatever has come due by `now`."""
        effects = self._wake(now=now)
        self._inbox.tick(now=now)
        self._take(Channel.MEMBERSHIP, self.membership.tick(now=now), effects, now=now)
        self._table.tick(effects, now=now, wall=self._wall(now))
        self._take_rotation(self.rotation.tick(now=now), effects)
        tests = self.paths.tick(self._outbox.take_long(), view=self._view, now=now)
        effects += self._outbox.seal_each_alone(Channel.PATH, tests)
        return self._seal_all(effects)

    def receive(self, data: bytes, sender: Address, *, now: float) -> list[Effect]:
        """Take in one datagram.

        Raises:
            MalformedDatagram: No member sealed it, or it came before. Nothing has
                changed but the counts, and nothing is answered.
        """
        messages = self._inbox.messages_untrusted(data, now=now)
        effects = self._wake(now=now)
        for channel, payload in messages:
            self._receive_message(channel, payload, sender, effects, now=now)
        return self._seal_all(effects)

    def join(self, seeds: Iterable[Address], *, now: float) -> list[Effect]:
        """Ask some addresses for the members; repeated by itself until one answers.

        Raises:
            NodeClosed: This node has said goodbye. Nobody is asked.
        """
        return self._let(lambda: self.membership.join(seeds, now=now), now=now)

    def evidence(self, address: Address, *, now: float) -> list[Effect]:
        """Something says that nobody listens at an address any more; see `Swim`."""
        return self._let(lambda: self.membership.evidence(address, now=now), now=now)

    def leave(self, *, now: float) -> list[Effect]:
        """Say goodbye. Done when `membership.has_left`."""
        effects = self.announce(now=now)
        return effects + self._let(lambda: self.membership.leave(now=now), now=now)

    def set_tags(self, tags: Mapping[str, str], *, now: float) -> list[Effect]:
        """Change what every member sees of this node.

        Raises:
            ConfigError: Other than strings by strings. Nothing has changed.
            LimitExceeded: More than 512 bytes packed. Nothing has changed.
        """
        return self._let(lambda: self.membership.set_tags(tags, now=now), now=now)

    def set_addresses(
        self, addresses: tuple[Address, ...], *, now: float
    ) -> list[Effect]:
        """Tell every member where this node is reached; see `Swim`."""
        membership = self.membership
        return self._let(lambda: membership.set_addresses(addresses, now=now), now=now)

    def order_keys(
        self, order: Order, peers: Mapping[NodeId, Address], *, now: float
    ) -> tuple[int, list[Effect]]:
        """Give an order about the cluster's keys; see `Rotation.begin`.

        Raises:
            UsageError: This node cannot carry it out itself. Nothing has changed.
        """
        number, outcome = self.rotation.begin(order, peers, now=now)
        effects: list[Effect] = []
        self._take_rotation(outcome, effects)
        return number, effects

    def update(
        self,
        key: Key,
        operations: Iterable[Operation],
        *,
        now: float,
        expect: Token | None = None,
        wait: Wait | None = None,
    ) -> tuple[int, list[Effect]]:
        """Write one key.

        Args:
            key: Which.
            operations: Carried out in order, visible all at once.
            now: The time.
            expect: What was read of the key, where that must still be so.
            wait: Who is to be asked whether they have it, until `waits.end`.

        Returns:
            A number for this update, which `Visible` names once it is on disk and
            announced, or about to be, and the effects.

        Raises:
            ConcurrentUpdate: Something else has been written. Nothing has changed.
            UsageError: It cannot be stored, or not now. Nothing has changed.
        """
        # Kept for the next call where the write is refused.
        self._unsaid = self._look_at_clocks(now=now)
        number, effect = self._table.update(
            key, operations, wall=self._wall(now), expect=expect, wait=wait
        )
        effects, self._unsaid = self._unsaid, []
        return number, [*effects, effect]

    def announce(self, *, now: float) -> list[Effect]:
        """Tell the others of writes that wait for more to be told with: it ends."""
        effects = self._look_at_clocks(now=now)
        self._table.announce(now=now)
        return self._seal_all(effects)

    def load(
        self, delta: Delta, *, as_of: int | None, now: float
    ) -> tuple[int, list[Effect]]:
        """Join a part of a dump. Others get it by reconciliation.

        Args:
            delta: The part.
            as_of: The day of the dump; None: what was removed since may come back.
            now: The time.

        Returns:
            A number, which `Visible` names once it is on disk, and the effects.
        """
        effects = self._look_at_clocks(now=now)
        number, outcome = self._table.load(
            delta, as_of=as_of, now=now, wall=self._wall(now)
        )
        return number, effects + outcome

    def persisted(self, ticket: int, *, now: float) -> list[Effect]:
        """The rows of a `Persist` effect are on disk."""
        effects = self._look_at_clocks(now=now)
        if (token := self._savings.take_keyring(ticket)) is not None:
            self._take_rotation(self.rotation.kept(token, now=now), effects)
        self._table.persisted(ticket, effects, now=now)
        return self._seal_all(effects)

    def send_multicast(self, topic: str, payload: bytes, *, now: float) -> list[Effect]:
        """Send a message to every member, best effort, at once.

        Raises:
            UsageError: A reserved topic, or a payload that is too long.
        """
        check_topic(topic)
        self._unsaid = self._look_at_clocks(now=now)
        sends = self.multicast.send(topic, payload, view=self._view, now=now)
        effects, self._unsaid = self._unsaid, []
        self._take(Channel.MULTICAST, sends, effects, now=now)
        return self._seal_all(effects)

    def tree(self, origin: NodeId) -> dict[NodeId, Branch]:
        """How a multicast of `origin` reaches every member when nothing is lost."""
        return self.multicast.tree(origin, view=self._view)

    def statistics(self) -> dict[str, int | float]:
        """Plain numbers about everything, ready for an exporter."""
        groups: dict[str, Mapping[str, int | float]] = {
            "membership": self.membership.statistics(),
            "multicast": self.multicast.statistics(),
            "kv": self._table.statistics(),
            "seal": self._seal.statistics(),
            "fragments": self._inbox.statistics(),
            "paths": self.paths.statistics(),
        }
        malformed = self.malformed + self._inbox.malformed
        return {**flat(groups), "malformed_messages": malformed}

    def _receive_message(
        self,
        channel: int,
        payload: bytes,
        sender: Address,
        effects: list[Effect],
        *,
        now: float,
    ) -> None:
        """One machine's message. What is malformed is counted and passed over."""
        try:
            match channel:
                case Channel.MEMBERSHIP:
                    outcome = self.membership.receive(payload, sender, now=now)
                    self._take(Channel.MEMBERSHIP, outcome, effects, now=now)
                case Channel.KV:
                    self._table.receive_untrusted(
                        payload, sender, effects, now=now, wall=self._wall(now)
                    )
                case Channel.MULTICAST:
                    heard = self.multicast.receive(payload, view=self._view, now=now)
                    self._take(Channel.MULTICAST, heard, effects, now=now)
                case Channel.KEYS:
                    told = self.rotation.receive_untrusted(payload, sender)
                    self._take_rotation(told, effects)
                case Channel.PATH:
                    found = self.paths.receive_untrusted(payload, sender, now=now)
                    effects += self._outbox.seal_each_alone(Channel.PATH, found)
                case _:
                    pass  # A later version's.
        except MalformedDatagram:
            self.malformed += 1

    def _take(
        self,
        channel: Channel,
        outcome: Iterable[MembershipEffect | Delivered],
        effects: list[Effect],
        *,
        now: float,
    ) -> None:
        """Pass on what membership or multicast wants."""
        for effect in outcome:
            if isinstance(effect, Send):  # Nearly all are.
                self._outbox.put(effect.to, channel, effect.payload)
                continue
            match effect:
                case RiderHeard(_, address, rider):
                    self.kv.hear_rider(rider_untrusted(rider), address, now=now)
                case Changed(member) if member.id == self.id:
                    # Somebody knew a later life of ours; the next start must be later.
                    effects.append(self._savings.epoch(member.epoch))
                    effects.append(effect)
                case Remember(records):
                    effects.append(self._savings.members(records))
                case Delivered(topic, _, payload) if topic == TABLE_TOPIC:
                    self._table.hear_announced_untrusted(
                        payload, effects, now=now, wall=self._wall(now)
                    )
                case _:
                    effects.append(effect)

    def _let(
        self, call: Callable[[], Iterable[MembershipEffect]], *, now: float
    ) -> list[Effect]:
        """Carry out what a call of membership wants."""
        self._unsaid = self._wake(now=now)  # Said later where the call is refused.
        outcome = call()
        effects, self._unsaid = self._unsaid, []
        self._take(Channel.MEMBERSHIP, outcome, effects, now=now)
        return self._seal_all(effects)

    def _take_rotation(
        self, outcome: Iterable[RotationEffect], effects: list[Effect]
    ) -> None:
        """Pass on what concerns the keys."""
        for effect in outcome:
            match effect:
                case Send(to, payload):
                    effects += self._outbox.seal_for_every_key(
                        to, Channel.KEYS, payload
                    )
                case Keep(token, row):
                    effects.append(self._savings.keyring(row, token))

    def _seal_all(self, effects: list[Effect]) -> list[Effect]:
        """Append the datagrams: what is to be durable stands before them."""
        effects += self._outbox.seal_all()
        return effects

    def _look_at_clocks(self, *, now: float) -> list[Effect]:
        """What comes before all else at a call: who was stopped must know it first."""
        effects, self._unsaid = self._unsaid, []
        self._table.look_at_clocks(effects, now=now, wall=self._wall(now))
        return effects

    def _wake(self, *, now: float) -> list[Effect]:
        """The same before a call that may send probes, and what rides on them."""
        effects = self._look_at_clocks(now=now)
        self.membership.rider = self.kv.rider.encode()
        return effects

    def _wall(self, now: float) -> float:
        return now + self.wall_offset
