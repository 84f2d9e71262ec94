"""Keys replaced while the network is broken: the machines of all nodes, simulated."""

from __future__ import annotations

from lashup.machine import NodeId
from lashup.rotation import Command, MemberKeys, Order
from lashup.wire.keyring import key_id_of
from simulations.cluster import Cluster
from simulations.faults import Partition
from tests.simulations.test_world import acquainted

NEW = bytes(range(3, 35))
NEW_ID = key_id_of(NEW)


def order(
    cluster: Cluster, order: Order, *, seconds: float
) -> dict[NodeId, MemberKeys]:
    """The first node orders, all others are told for some virtual seconds."""
    first, *others = cluster.hosts
    node = first.running
    peers = {
        host.running.id: host.running.membership.me.addresses[0] for host in others
    }
    number, effects = node.order_keys(order, peers, now=cluster.world.seconds)
    first.carry_out(effects)
    cluster.run_for(seconds)
    answers = dict(node.rotation.answers(number))
    node.rotation.end(number)
    return answers


def test_keys_are_replaced_with_one_node_partitioned_and_nobody_is_locked_out():
    cluster = acquainted(5)
    hosts, old_id = cluster.hosts, cluster.hosts[0].running.keyring.sealing_id
    cut = Partition([[host.name for host in hosts[:4]], [hosts[4].name]])
    cluster.put_in(cut)

    # The worst that can be done: the new key is in use before the fifth has it.
    assert len(order(cluster, Order(Command.INSTALL, NEW), seconds=3.0)) == 4
    assert len(order(cluster, Order(Command.USE, NEW_ID), seconds=3.0)) == 4
    cluster.run_for(30.0)
    assert len(hosts[0].running.membership.alive()) == 4
    cluster.take_out(cut)

    # Orders go out under every key, so it hears this one; then it is a member again.
    told = order(cluster, Order(Command.INSTALL, NEW), seconds=3.0)
    assert told[hosts[4].running.id].keys == (old_id, NEW_ID)
    cluster.run_for(30.0)
    assert {len(host.running.membership.alive()) for host in hosts} == {5}
    assert len(order(cluster, Order(Command.USE, NEW_ID), seconds=3.0)) == 5
    removed = order(cluster, Order(Command.REMOVE, old_id), seconds=3.0)

    assert removed == dict.fromkeys(removed, MemberKeys(NEW_ID, (NEW_ID,)))
    cluster.run_for(10.0)
    assert {len(host.running.membership.alive()) for host in hosts} == {5}


def test_a_lost_order_is_repeated_and_all_keep_hearing_each_other():
    cluster = acquainted(8, loss=0.3)

    for command, argument in (
        (Command.INSTALL, NEW),
        (Command.USE, NEW_ID),
        (Command.REMOVE, cluster.hosts[0].running.keyring.sealing_id),
    ):
        assert len(order(cluster, Order(command, argument), seconds=20.0)) == 8

    assert {len(h.running.membership.alive()) for h in cluster.hosts} == {8}
    assert {tuple(h.running.keyring) for h in cluster.hosts} == {(NEW_ID,)}
