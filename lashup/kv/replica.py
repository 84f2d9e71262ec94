"""The key-value store as a machine: calls, messages and time in, effects out.

It owns the store, the exchange with peers and the subscriptions, and knows nothing
of membership: the digests of peers are handed to it, and what it announces somebody
else carries to all.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping

from lashup.crdt.branch import Branch
from lashup.crdt.facts import Delta
from lashup.crdt.field import Key, key_name, pack_key
from lashup.crdt.hybrid_clock import DEFAULT_MAX_SKEW
from lashup.crdt.map import MapView
from lashup.crdt.token import Token
from lashup.crdt.writer import Operation
from lashup.kv import messages
from lashup.kv.absence import Absence
from lashup.kv.ageing import Ageing
from lashup.kv.anti_entropy import AntiEntropy
from lashup.kv.confirmation import Confirmations, Have, HaveYou
from lashup.kv.delta_codec import decode_delta_untrusted
from lashup.kv.effects import (
    Announce,
    Confirmed,
    KvEffect,
    Notify,
    Save,
    SaveNow,
    Stopped,
    StoreLarge,
)
from lashup.kv.limits import Limits
from lashup.kv.pattern import EVERYTHING, Pattern, matching
from lashup.kv.retirement import DEFAULT_AFTER, Retirement
from lashup.kv.rider import Rider
from lashup.kv.rows import META_TABLE
from lashup.kv.serving import BURST
from lashup.kv.skew import Skew
from lashup.kv.store import Store
from lashup.kv.subscription import KeyChanged, Subscription
from lashup.kv.subscriptions import Subscriptions
from lashup.kv.write import Write
from lashup.machine import Address, Send

#: Seconds after a stop in which what comes in may be older than the stop: all that the
#: socket has kept is read in less.
_DEAF = 5.0


class Replica:
    """One node's share of the table.

    Args:
        hash_key: The same on all members of a cluster.
        rng: Where actors come from.
        part_size: Bytes of payload that one datagram of a repair may carry.
        limits: Bounds on local writes.
        max_skew: Seconds that a peer's clock may be ahead.
        retire_after: Days after which an actor without facts is forgotten; 0: never.
    """

    def __init__(
        self,
        *,
        hash_key: bytes,
        rng: random.Random,
        part_size: int,
        limits: Limits | None = None,
        max_skew: float = DEFAULT_MAX_SKEW,
        retire_after: int = DEFAULT_AFTER,
    ) -> None:
        self._limits = limits if limits is not None else Limits()
        self.store = Store(
            hash_key=hash_key, rng=rng, limits=self._limits, max_skew=max_skew
        )
        summary = self.store.digest.summary
        self.absence = Absence(after=retire_after)
        self.retirement = Retirement(self.store.facts, self.absence, after=retire_after)
        self.anti_entropy = AntiEntropy(
            self.store.facts,
            summary,
            part_size=part_size,
            absence=self.absence,
            retirement=self.retirement,
        )
        self._ageing = Ageing(
            self.store,
            self.absence,
            self.retirement,
            self.anti_entropy,
            merge=lambda delta, wall: self.merge(delta, wall=wall),
        )
        self.confirmations = Confirmations(self.store.facts, encode=messages.encode)
        self._subscriptions = Subscriptions()
        self._is_large = False
        self._skew = Skew()
        self._deaf_until = -math.inf

    @property
    def root(self) -> int:
        """The digest: 64 bits, equal where stores are equal."""
        return self.store.digest.root

    @property
    def rider(self) -> Rider:
        """What to put on probes and acks."""
        exchange = self.anti_entropy
        is_informed = exchange.had_table or exchange.is_informed
        horizon, away_since = self.absence.horizon, self.absence.away_since
        return Rider(self.root, is_informed, horizon, away_since)

    def load(self, tables: Mapping[str, Mapping[bytes, bytes]], *, wall: float) -> None:
        """Take over what an earlier life left on disk. Only for an empty store.

        Raises:
            MalformedDatagram: The rows are not what this version writes.
        """
        self.store.load(tables, wall=wall)
        rows = tables.get(META_TABLE, {})
        self.absence.load(rows, self.store.facts, wall=wall)
        self.retirement.load(rows)
        self.anti_entropy.had_table = self.root != 0
        self._skew.found_on_disk(self.store.skew_at_load)

    def next_wakeup(self) -> float:
        """The time by which `tick` must be called. A late call is safe."""
        return min(
            self.anti_entropy.next_wakeup(),
            self.confirmations.next_wakeup(),
            self.retirement.next_wakeup(),
        )

    def look_at_clocks(self, *, now: float, wall: float) -> list[KvEffect]:
        """See whether this node was stopped for long: before anything else is done.

        Who was stopped is as who was off. What comes in at once may have been under
        way since before, and nothing is taken of it.
        """
        if not self._ageing.was_stopped(now=now, wall=wall):
            return []
        self._deaf_until = now + _DEAF
        return [Stopped(), *self._ageing.take_another_actor()]

    def tick(self, *, now: float, wall: float) -> list[KvEffect]:
        """Do whatever has come due by `now`.

        Args:
            now: The time.
            wall: Seconds since 1970.
        """
        effects: list[KvEffect] = [*self.look_at_clocks(now=now, wall=wall)]
        effects += self._ageing.retire(now=now, wall=wall)
        effects += self.anti_entropy.tick(now=now)
        effects += self.confirmations.tick(now=now)
        return effects + self._ageing.drop_outdated(wall=wall)

    def get(self, key: Key) -> MapView:
        """The value of a key as everybody sees it; an empty one when it has none.

        Raises:
            UsageError: Not a key.
        """
        return MapView(self.store.facts.branch(pack_key(key)))

    def keys(self, pattern: Pattern = EVERYTHING) -> list[Key]:
        """The keys that match a pattern and have a value, in order.

        Costs what begins as the pattern does, not the whole table.

        Raises:
            UsageError: Not a pattern.
        """
        return [key_name(key) for key in matching(pattern, self.store.facts)]

    def update(
        self,
        key: Key,
        operations: Iterable[Operation],
        *,
        wall: float,
        expect: Token | None = None,
    ) -> Save:
        """Write one key. Visible after `committed`.

        Raises:
            ConcurrentUpdate: The key has changed since `expect` was read.
            UsageError: It cannot be stored, or not now. Nothing has changed.
        """
        write = self.store.write(key, operations, wall=wall, expect=expect)
        return Save(write.rows, write)

    def committed(self, write: Write) -> list[KvEffect] | Save:
        """A write is on disk: make it visible here and announce it.

        Returns:
            The effects; or the same write once more to be saved, under another actor,
            when its actor was lost meanwhile (see `store`).
        """
        outcome = self.store.commit(write)
        if isinstance(outcome, Write):
            return Save(outcome.rows, outcome)
        if not len(outcome.delta.context):
            return []
        announce = Announce(outcome.delta)
        return [announce, *self._warn(), *self._notify(outcome.before)]

    def subscribe(self, pattern: Pattern) -> Subscription:
        """Follow the keys that match a pattern; present values are there to take.

        Raises:
            UsageError: Not a pattern.
        """
        subscription = Subscription(pattern, matching(pattern, self.store.facts))
        self._subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Forget a subscription; one that is not there is no error."""
        self._subscriptions.remove(subscription)

    def take(self, subscription: Subscription) -> KeyChanged | None:
        """The next change for a subscriber; None when it has seen everything."""
        while (key := subscription.next_key()) is not None:
            change = subscription.take(key, self.store.facts.branch(key))
            if change is not None:
                return change
        return None

    def hear_rider(self, rider: Rider, peer: Address, *, now: float) -> None:
        """What a peer's store says of itself came in on a probe or ack."""
        if now >= self._deaf_until:
            self.anti_entropy.hear_rider(rider, peer, now=now)

    def hear_announced_untrusted(
        self, payload: bytes, *, now: float, wall: float
    ) -> list[KvEffect]:
        """A delta that somebody announced came in.

        Raises:
            MalformedDatagram: It is none. Nothing has changed.
        """
        delta = decode_delta_untrusted(payload)
        self.absence.has_met = True
        if now < self._deaf_until:
            return []
        is_odd = self.retirement.may_have_forgotten(delta)
        if is_odd and not self.store.has_another_life(delta):
            return []  # It comes by anti-entropy, once its writer has caught up.
        return self.merge(delta, wall=wall)

    def receive_untrusted(
        self,
        data: bytes,
        sender: Address,
        *,
        now: float,
        wall: float,
        burst: int = BURST,
    ) -> list[KvEffect]:
        """Take in one message of the exchange.

        Args:
            data: The message.
            sender: Where it came from, and where an answer goes.
            now: The time.
            wall: Seconds since 1970.
            burst: Datagrams of an answer, at most.

        Raises:
            MalformedDatagram: It is none. Nothing has changed.
        """
        exchange = self.anti_entropy
        if now < self._deaf_until:
            return []
        match messages.decode_untrusted(data):
            case messages.Ask(ask):
                return list(exchange.answer_untrusted(ask, sender))
            case messages.Answer(answer):
                asks = exchange.hear_answer_untrusted(answer, sender, now=now)
                return [*asks, *self._ageing.drop_outdated(wall=wall)]
            case messages.Request() as request:
                return list(exchange.serve(request, sender, burst=burst))
            case messages.Part() as part:
                delta = self.retirement.admit(part.delta, part.idle)
                effects = self.merge(delta, wall=wall)
                effects += exchange.hear_part(part, sender, now=now)
                return effects + self._ageing.drop_outdated(wall=wall)
            case HaveYou() as question:
                have = self.confirmations.answer(question)
                if have is None:
                    return []
                # Who asks does not want it in memory alone for long.
                return [SaveNow(), Send(sender, messages.encode(have))]
            case Have() as have:
                return [Confirmed()] if self.confirmations.hear(have) else []
            case None:
                return []

    def statistics(self) -> dict[str, int | float]:
        """Plain numbers: sizes now, and counts since the start."""
        return {
            "facts": len(self.store.facts),
            "actors": len(self.store.facts.context),
            "actors_idle": self.retirement.idle,
            "actors_retired": self.retirement.forgotten,
            "facts_outdated": self._ageing.dropped,
            "writes_waiting": self.store.waiting,
            "exchanges": self.anti_entropy.exchanges,
            "exchanges_failed": self.anti_entropy.failures,
            "synchronised": int(self.anti_entropy.is_synchronised),
            "informed": int(self.anti_entropy.is_informed),
            "subscriptions": len(self._subscriptions),
            **self._skew.statistics(),
        }

    def merge(self, delta: Delta, *, wall: float) -> list[KvEffect]:
        """Join a delta that did not come from a write of this node."""
        merged = self.store.merge(delta, wall=wall)
        effects: list[KvEffect] = []
        if merged.rows.puts or merged.rows.deletes:
            effects.append(Save(merged.rows, None))
        if merged.skew:
            effects += self._skew.note(merged.skew, wall=wall)
        return effects + self._warn() + self._notify(merged.before)

    def load_dump(
        self, delta: Delta, *, as_of: int | None, wall: float
    ) -> list[KvEffect]:
        """Join a part of a dump.

        Args:
            delta: The part.
            as_of: The day since 1970 on which the dump was up to date; None: what it
                has is to stay, even if it was removed since.
            wall: Seconds since 1970.
        """
        actors = [actor for actor, _ in delta.context.items()]
        saves = [] if as_of is None else self._ageing.bring(actors, as_of=as_of)
        return [*saves, *self.merge(delta, wall=wall)]

    def _warn(self) -> list[KvEffect]:
        facts, warning = len(self.store.facts), self._limits.store_warning
        if facts > warning and not self._is_large:
            self._is_large = True
            return [StoreLarge(facts, self._limits.store)]
        if facts < 0.9 * warning:
            self._is_large = False
        return []

    def _notify(self, before: Mapping[bytes, Branch]) -> list[KvEffect]:
        told = self._subscriptions.offer(before, self.store.facts.branch)
        return [Notify(subscription) for subscription in told]
