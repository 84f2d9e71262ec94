"""How soon all have news of a member, and how soon and how often a message arrives."""

from __future__ import annotations

from collections import deque
from functools import partial
from random import Random
from statistics import median

from benchmarks.row import Case, Effort, Row, percentile_99
from benchmarks.seeds import over_seeds
from benchmarks.simulated import Watched, cluster_of
from lashup.machine import Address, NodeId, Send
from lashup.multicast import Delivered, Multicast, MulticastConfig

#: Seconds of one link in the measurement of multicast.
_LINK = 0.0005


def measure_tags(effort: Effort) -> list[Case]:
    """One node of 100 says something new of itself."""
    seeds = 2 if effort is Effort.QUICK else 100
    name = f"n = 100, {seeds} seeds"
    times = over_seeds(partial(_tags_known_after, 100), seeds, what=name)
    value, p99 = median(times), percentile_99(times)
    ok = value <= 0.1 and p99 <= 0.5
    return [Case(name, value, ok, p99=p99)]


def _tags_known_after(nodes: int, *, seed: int) -> float:
    cluster = cluster_of(nodes, seed=seed)
    rng = Random(f"{seed} benchmark")
    cluster.run_for(rng.uniform(0.0, 1.0))
    host = rng.choice(cluster.hosts)
    node, began = host.running, cluster.world.seconds
    host.carry_out(node.set_tags({"role": "db"}, now=began))
    cluster.world.run_until(lambda: _all_have_tags(cluster, node.id), limit=30.0)
    return cluster.world.seconds - began


def _all_have_tags(cluster: Watched, node: NodeId) -> bool:
    for host in cluster.hosts:
        member = host.running.membership.member(node)
        if member is None or not member.tags:
            return False
    return True


class _Everybody:
    """A view in which all of them are alive."""

    def __init__(self, nodes: int, rng: Random) -> None:
        ids = sorted(NodeId(rng.randbytes(16)) for _ in range(nodes))
        self.order = ids
        self.addresses: dict[NodeId, Address] = {
            node: (f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}", 7946)
            for i, node in enumerate(ids)
        }

    def address_of(self, node: NodeId) -> Address | None:
        return self.addresses.get(node)


def measure_multicast(effort: Effort) -> list[Case]:
    """One message to 1,000 nodes, before any repair."""
    runs = 3 if effort is Effort.QUICK else 40
    cases = []
    for loss, goal in ((0.0, 1.0), (0.01, 0.999), (0.1, 0.98)):
        play = partial(_multicast, 1_000, loss=loss)
        played = over_seeds(play, runs, what=f"loss {loss:.0%}")
        reached = sum(share for share, _, _ in played) / runs
        copies = sum(copies for _, copies, _ in played) / runs
        name = f"loss {loss:.0%}"
        cases.append(
            Case(f"{name}: nodes reached", reached, reached >= goal, unit="of 1")
        )
        cases.append(Case(f"{name}: copies", copies, copies <= 2.05, unit="per node"))
        if loss == 0.0:
            ms = median(ms for _, _, ms in played)
            cases.append(Case(f"{name}: 99 % of nodes after", ms, ms <= 5.0, unit="ms"))
    return cases


def _multicast(nodes: int, *, loss: float, seed: int) -> tuple[float, float, float]:
    """Share reached, payload copies sent per node, milliseconds until 99 % have it."""
    rng = Random(seed)
    view = _Everybody(nodes, rng)
    machines = {
        address: Multicast(node, epoch=1, config=MulticastConfig())
        for node, address in view.addresses.items()
    }
    origin = machines[view.addresses[rng.choice(view.order)]]
    on_the_way = deque(
        (1, send) for send in origin.send("t", b"payload", view=view, now=0.0)
    )
    copies, hops = 0, []
    while on_the_way:
        hop, send = on_the_way.popleft()
        copies += 1
        if rng.random() < loss:
            continue
        for effect in machines[send.to].receive(
            send.payload, view=view, now=hop * _LINK
        ):
            match effect:
                case Send():
                    on_the_way.append((hop + 1, effect))
                case Delivered():
                    hops.append(hop)
    last = sorted(hops)[min(len(hops), round(0.99 * nodes)) - 1]
    return len(hops) / (nodes - 1), copies / nodes, last * _LINK * 1_000


TAGS = Row(
    name="tags",
    what="a change of tags known to all, n = 100, simulated",
    unit="s",
    goal="p50 ≤ 0.1, p99 ≤ 0.5",
    peer="serf 0.11 / 0.36 / 0.50 at n = 5 / 20 / 50; Python's best SWIM library 0.47 "
    "at 100",
    measure=measure_tags,
)

MULTICAST = Row(
    name="multicast",
    what="a multicast to 1,000 nodes over links of 0.5 ms, before any repair",
    unit="see the case",
    goal="99 % of nodes ≤ 5 ms; reached ≥ 99.9 % at 1 % loss, ≥ 98 % at 10 %; copies "
    "≤ 2.05",
    peer="two trees that forward only their own: 99.95 % and 94.7 %",
    measure=measure_multicast,
)
