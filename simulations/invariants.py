"""What must hold in every run, whatever the network does to the nodes.

While it runs:

*   no dot is minted twice, by whatever life of whatever host;
*   no fact comes from nowhere: what a node learns, somebody has minted, and so;
*   a fact that a node has removed does not return there.

At the end, and whenever asked:

*   replicas with equal digests hold equal contexts and equal facts, and the other way
    round: what differs differs in its digest, and so will be repaired;
*   the digest that was kept up to date is the digest of what is there;
*   what was removed on purpose is nowhere, once all replicas are equal;
*   queues are within their bounds;
*   nobody who is healthy and connected is left down.

Equal contexts alone do not make equal facts while deltas are on their way. A fact
that was written over, in a delta that was lost, is held until it is repaired, though
its successor's successor has brought the dot of the delta that is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from lashup.crdt.facts import FactSet, Joined
from lashup.kv.delta_codec import encode_dot
from lashup.kv.digest import Digest
from lashup.kv.rows import FACT_TABLE
from lashup.machine import Persist
from lashup.membership import Liveness
from simulations.host import Host
from simulations.socket_buffer import ROOM
from simulations.world import World

#: Greatest values of a node's statistics: each is a bound that lashup promises.
_BOUNDS = {
    "kv_writes_waiting": 1_024,
    "seal_senders": 16_384,
    "fragments_waiting_bytes": 32 << 20,
    "membership_members_reaped": 8_192,
}
#: Different replicas that are compared, each with each.
_COMPARED = 20
#: So many violations are told; more say nothing new.
_TOLD = 20

#: An encoded dot, as it is the key of a fact's row.
_Dot: TypeAlias = bytes


class Invariants:
    """Keeps an eye on all hosts of a world.

    Args:
        world: Which.
        hash_key: Of the nodes' digests.

    Attributes:
        violations: What did not hold, in the order of its being noticed.
    """

    def __init__(self, world: World, *, hash_key: bytes) -> None:
        self.violations: list[str] = []
        self._world = world
        self._hash_key = hash_key
        self._minted: dict[_Dot, bytes] = {}
        #: Somebody has removed these, and has that on disk.
        self._removed: dict[_Dot, None] = {}
        #: By host: what was there in this life, and is not any more.
        self._gone: dict[str, set[_Dot]] = {}

    def violated(self, what: str) -> None:
        """Something does not hold."""
        if len(self.violations) < _TOLD:
            self.violations.append(f"{self._world.seconds:.6f} s: {what}")

    def started(self, host: Host) -> None:
        """A host has read its disk: what it forgot by that, it may learn again."""
        self._gone[host.name] = set()

    def written(self, host: Host, persist: Persist) -> None:
        """A host has minted facts."""
        for table, dot, fact in persist.puts:
            if table == FACT_TABLE:
                if dot in self._minted:
                    self.violated(f"{host.name} mints dot {dot.hex()} a second time")
                self._minted[dot] = fact

    def merged(self, host: Host, persist: Persist) -> None:
        """A host has learnt facts from others."""
        gone = self._gone[host.name]
        for table, dot, fact in persist.puts:
            if table != FACT_TABLE:
                continue
            if self._minted.get(dot) != fact:
                self.violated(f"{host.name} learns {dot.hex()}, which nobody wrote so")
            if dot in gone:
                self.violated(f"{host.name} learns {dot.hex()} again, which it removed")
        gone.update(dot for table, dot in persist.deletes if table == FACT_TABLE)

    def saved(self, persist: Persist) -> None:
        """A host has something on disk."""
        for table, dot in persist.deletes:
            if table == FACT_TABLE:
                self._removed[dot] = None

    def rolled_back(self) -> None:
        """A disk went back in time, and what only it knew to be removed may return."""
        self._removed.clear()

    def check(self) -> None:
        """Look at all replicas and queues as they are now."""
        hosts = [host for host in self._world.hosts.values() if host.node is not None]
        self._check_replicas(hosts)
        for host in hosts:
            for problem in _beyond_bounds(host):
                self.violated(f"{host.name}: {problem}")

    def check_nobody_left_down(self) -> None:
        """Nobody who runs and is connected is taken for down by one like that."""
        network = self._world.network
        hosts = [h for h in self._world.hosts.values() if h.is_running]
        owners = {h.running.id: h for h in hosts if not h.is_leaving}
        for host in hosts:
            for member in host.running.membership.members:
                other = owners.get(member.id)
                if other is None or member.liveness.is_live:
                    continue
                if not network.connects(host.name, other.name):
                    continue
                if member.liveness is Liveness.DOWN:
                    self.violated(f"{host.name} leaves {other.name} down")
                else:
                    self.violated(f"{host.name} takes {other.name} for gone for good")

    def _check_replicas(self, hosts: list[Host]) -> None:
        first_of: dict[int, Host] = {}
        for host in hosts:
            store = host.running.kv.store
            first = first_of.setdefault(store.digest.root, host)
            if first is host:
                self._check_digest(host)
            elif first.running.kv.store.facts != store.facts:
                names = f"{first.name} and {host.name}"
                self.violated(f"{names}: equal digests, other facts or contexts")
        firsts = list(first_of.values())
        for index, host in enumerate(firsts[:_COMPARED]):
            for other in firsts[index + 1 : _COMPARED]:
                if host.running.kv.store.facts == other.running.kv.store.facts:
                    names = f"{host.name} and {other.name}"
                    self.violated(f"{names}: equal tables, other digests")
        # A node that is off may be the only one that knows of a removal.
        if len(first_of) == 1 and len(hosts) == len(self._world.hosts):
            self._check_removed(hosts[0])

    def _check_digest(self, host: Host) -> None:
        store = host.running.kv.store
        if store.digest.root != digest_of(store.facts, hash_key=self._hash_key):
            self.violated(f"{host.name}: the digest is not that of the table")

    def _check_removed(self, host: Host) -> None:
        for dot, _ in host.running.kv.store.facts:
            if encode_dot(dot) in self._removed:
                self.violated(f"{host.name} still holds {encode_dot(dot).hex()}")


def digest_of(facts: FactSet, *, hash_key: bytes) -> int:
    """The digest of a fact set, made anew."""
    digest = Digest(hash_key=hash_key)
    actors = tuple(actor for actor, _ in facts.context.items())
    digest.note(Joined(tuple(facts), (), actors, {}), facts)
    return digest.root


def _beyond_bounds(host: Host) -> Iterator[str]:
    numbers = host.running.statistics()
    bounds = {
        **_BOUNDS,
        # One update for each member that is or was known, and one walk's worth.
        "membership_updates_waiting": numbers["membership_members_known"],
    }
    for name, bound in bounds.items():
        if numbers[name] > bound:
            yield f"{name} is {numbers[name]}, beyond {bound}"
    if host.inbox.used > ROOM:
        yield f"{host.inbox.used} bytes wait in a socket's buffer of {ROOM}"
