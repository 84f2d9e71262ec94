"""Many hosts of one cluster, and the words that scenarios are written in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from hashlib import blake2b
from random import Random

from lashup.config import NodeConfig
from lashup.crdt.field import Key
from lashup.crdt.map import MapField
from lashup.machine import Address, Persist
from lashup.membership import MemberEvent
from lashup.membership.config import LAN, MembershipConfig
from lashup.wire.envelope import Seal
from lashup.wire.keyring import Keyring
from simulations.conditions import Conditions
from simulations.convergence import Agreement, Spread
from simulations.detection import Detection
from simulations.disk import Disk
from simulations.faults import Fault
from simulations.heat import Heat
from simulations.host import Host
from simulations.invariants import Invariants
from simulations.latency import latency_of
from simulations.loss import GilbertElliott, Independent, Loss
from simulations.network import Link, Network
from simulations.priming import prime
from simulations.trace import Trace
from simulations.world import World

PORT = 7946
_LABEL = "simulation"
#: Seconds between two looks at all queues and replicas.
_CHECK_PERIOD = 10.0
#: Seconds after priming until nothing but probes is on the network.
_SETTLE = 4.0


class Cluster:
    """The hosts of one run, and those who watch them.

    Args:
        conditions: How many, on what network.
        seed: All chance follows from it.
        trace: Told of everything.
        membership: Timing of all nodes.

    Attributes:
        world: Time and network.
        hosts: In the order of their names.
        agreement: Whether the running ones agree.
        detection: Who was taken for down.
        invariants: What did not hold.
        heat: How the members are seen, if `watch_members` was called.
    """

    def __init__(
        self,
        conditions: Conditions,
        *,
        seed: int,
        trace: Trace,
        membership: MembershipConfig = LAN,
    ) -> None:
        key = blake2b(b"simulation %d" % seed, digest_size=32).digest()
        network = Network(
            link_of(conditions),
            rng=Random(f"{seed} network"),
            bandwidth=conditions.bandwidth,
        )
        self.world = World(seed=seed, network=network, trace=trace)
        self.hash_key = blake2b(_LABEL.encode(), digest_size=32).digest()
        self.hosts: list[Host] = []
        self.agreement = Agreement(self.world)
        self.detection = Detection(self.world)
        self.invariants = Invariants(self.world, hash_key=self.hash_key)
        self.heat = Heat(self.world)
        self._conditions = conditions
        self._membership = membership
        self._key = key
        self._check()

    def add(self, count: int, *, seeds: Sequence[Address] = ()) -> list[Host]:
        """Put up so many hosts more; they are off."""
        added = [self._host(len(self.hosts) + i, seeds) for i in range(count)]
        self.hosts += added
        self.world.hosts.update({host.name: host for host in added})
        return added

    def first_addresses(self, count: int) -> list[Address]:
        """The addresses of the first hosts, whether or not they are there yet."""
        return [address_of(index) for index in range(count)]

    def spare_address(self) -> Address:
        """An address at which no host of the cluster ever was."""
        return address_of(0xFF_0000 + len(self.hosts))

    def start_acquainted(self, hosts: Sequence[Host] | None = None) -> None:
        """Start hosts that know each other already, and wait until that is quiet."""
        chosen = self.hosts if hosts is None else hosts
        for host in chosen:
            host.boot()
        prime(
            chosen,
            seal=self.seal("priming"),
            hash_key=self.hash_key,
            now=self.world.seconds,
        )
        self.run_for(_SETTLE)

    def seal(self, purpose: str) -> Seal:
        """What seals like a member of this cluster."""
        boot_id = self.world.rng_of(purpose).randbytes(16)
        return Seal(Keyring([self._key]), label=_LABEL, boot_id=boot_id)

    def run_for(self, seconds: float) -> None:
        """Let time pass."""
        self.world.run_for(seconds)

    def run_until(
        self, condition: Callable[[], bool], *, limit: float, what: str
    ) -> bool:
        """Let time pass until something holds. That it never does is a violation."""
        with self.agreement.followed():
            reached = self.world.run_until(condition, limit=limit)
        if not reached:
            self.invariants.violated(f"not within {limit:g} s: {what}")
        return reached

    def run_until_agreed(self, *, limit: float) -> bool:
        """Let time pass until all running nodes have equal members and tables."""
        what = "equal members and equal tables"
        return self.run_until(lambda: self.agreement.on_all, limit=limit, what=what)

    def put_in(self, fault: Fault) -> None:
        """Break the network."""
        self.world.network.faults.append(fault)
        self._mark("fault")

    def take_out(self, fault: Fault) -> None:
        """Mend what was broken."""
        self.world.network.faults.remove(fault)
        self._mark("mended")

    def fail(self, host: Host, how: Callable[[Host], None]) -> None:
        """Let a host fail, and see who notices: `fail(host, Host.crash)`."""
        how(host)
        self.detection.begin_fault(host)
        self._mark(f"{how.__name__} {host.name}")

    def write(self, host: Host, key: Key, value: object) -> None:
        """Assign the register "value" of a key."""
        host.update(key, [MapField().register("value").assign(value)])

    def write_later(self, seconds: float, host: Host, key: Key, value: object) -> None:
        """Write in so many seconds, if the host still runs then."""

        def write() -> None:
            if host.is_running:
                self.write(host, key, value)

        self.world.after(seconds, write)

    def spread(
        self, key: Key, value: object, *, hosts: Iterable[Host] | None = None
    ) -> Spread:
        """Watch a value that was just written reach all hosts, or some."""

        def has(host: Host) -> bool:
            return host.running.kv.get(key).register("value") == value

        chosen = self.hosts if hosts is None else hosts
        return Spread(self.world, "has the update", chosen, has=has)

    def move(self, host: Host, address: Address) -> None:
        """At its next start a host listens somewhere else."""
        host.configure(replace(host.config, bind=address))

    def rename(self, host: Host, name: str) -> None:
        """At its next start a host's node has another name."""
        host.configure(replace(host.config, name=name))

    # What hosts tell.

    def started(self, host: Host) -> None:
        """A node has read its disk and begins."""
        self.detection.started(host)
        self.invariants.started(host)

    def member_event(self, host: Host, event: MemberEvent) -> None:
        """A node tells of a member."""
        self.detection.member_event(host, event)

    def written(self, host: Host, persist: Persist) -> None:
        """A node has minted facts."""
        self.invariants.written(host, persist)

    def merged(self, host: Host, persist: Persist) -> None:
        """A node has learnt facts."""
        self.invariants.merged(host, persist)

    def saved(self, host: Host, persist: Persist) -> None:
        """Something is on a node's disk."""
        del host
        self.invariants.saved(persist)

    def _host(self, index: int, seeds: Sequence[Address]) -> Host:
        conditions = self._conditions
        name = f"n{index:05}"
        config = NodeConfig(
            name=name,
            bind=address_of(index),
            seeds=tuple(seeds),
            cluster=_LABEL,
            keys=(self._key,),
            membership=self._membership,
        )
        rng = self.world.rng_of(f"{name} clock")
        return Host(
            self.world,
            config,
            name=name,
            witness=self,
            disk=Disk(seconds=conditions.disk),
            skew=conditions.skew * rng.uniform(-1, 1),
        )

    def _mark(self, what: str) -> None:
        self.heat.mark(what)
        self.world.trace.event(self.world.now, "network", what)

    def _check(self) -> None:
        self.invariants.check()
        self.world.after(_CHECK_PERIOD, self._check)


def address_of(index: int) -> Address:
    """The address of the host of that number."""
    return f"10.{index >> 16}.{index >> 8 & 255}.{index & 255}", PORT


def link_of(conditions: Conditions) -> Link:
    """The links of a network as the conditions say."""
    loss: Loss | None = None
    if conditions.loss > 0:
        loss = Independent(conditions.loss)
        if conditions.burst > 0:
            loss = GilbertElliott.of(conditions.loss, burst=conditions.burst)
    return Link(
        latency=latency_of(conditions.latency),
        loss=loss,
        duplicate=conditions.duplicate,
        reorder=conditions.reorder,
        corrupt=conditions.corrupt,
        mtu=conditions.mtu,
    )
