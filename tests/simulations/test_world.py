"""Time, and hosts in it: what they do is what the agent does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lashup.membership import Liveness
from simulations.cluster import Cluster, address_of
from simulations.conditions import Conditions
from simulations.faults import Partition
from simulations.host import Host, State
from simulations.latency import SECOND, Uniform
from simulations.network import Link
from simulations.socket_buffer import ROOM
from simulations.trace import Trace


def cluster_of(count: int, **conditions) -> Cluster:
    chosen = replace(Conditions(nodes=max(2, count)), **conditions)
    cluster = Cluster(chosen, seed=1, trace=Trace(None))
    cluster.add(count, seeds=cluster.first_addresses(1))
    return cluster


def acquainted(count: int, **conditions) -> Cluster:
    cluster = cluster_of(count, **conditions)
    cluster.start_acquainted()
    return cluster


class TestTime:
    """One heap, whole nanoseconds."""

    def test_what_arrives_comes_before_what_a_clock_brings(self, monkeypatch):
        cluster = acquainted(2)
        order: list[str] = []
        host = cluster.hosts[0]
        due = cluster.world.now + SECOND // 1000
        cluster.world.at(due, lambda: order.append("clock"))
        monkeypatch.setattr(host, "arrived", lambda *_: order.append("datagram"))
        cluster.world.network.set_link("n00001", "n00000", _link(SECOND // 1000))
        cluster.world.send(cluster.hosts[1], host.address, b"x")

        cluster.run_for(0.001)

        assert order == ["datagram", "clock"]

    def test_time_ends_at_the_limit_when_the_condition_never_holds(self):
        cluster = acquainted(2)
        before = cluster.world.seconds

        assert not cluster.world.run_until(lambda: False, limit=2.5)
        assert cluster.world.seconds == before + 2.5

    def test_a_machine_that_asks_for_now_is_woken_after_now(self):
        world = cluster_of(1).world

        assert world.wake_time(0.0) == 1

    def test_a_wake_up_is_never_before_its_deadline(self):
        world = cluster_of(1).world
        for deadline in (0.1, 1 / 3, 5.123456789999999, 1e5 + 1e-9):
            at = world.wake_time(deadline)
            assert at / SECOND >= deadline


class TestPriming:
    """Nodes that know each other from the start."""

    @pytest.mark.parametrize("count", [1, 2, 3, 40])
    def test_primed_nodes_see_all_members_and_agree(self, count):
        cluster = acquainted(count)

        assert cluster.agreement.on_all
        assert all(
            len(host.running.membership.alive()) == count for host in cluster.hosts
        )

    def test_a_primed_cluster_is_quiet(self):
        cluster = acquainted(20)
        before = sum(host.sent_datagrams for host in cluster.hosts)

        cluster.run_for(10.0)

        # A ping and an ack a second each; once a minute, a path is tested with four.
        after = sum(host.sent_datagrams for host in cluster.hosts)
        assert after - before == pytest.approx(20 * 10 * (2 + 4 / 60), rel=0.02)

    def test_primed_nodes_hold_what_nodes_hold_that_have_joined(self):
        primed, joined = acquainted(8), cluster_of(8)
        for host in joined.hosts:
            host.start()
        joined.run_until_agreed(limit=30.0)

        def records(cluster: Cluster) -> list[set[bytes]]:
            return [
                {m.record.encoded for m in h.running.membership.members}
                for h in cluster.hosts
            ]

        assert records(primed) == records(joined)


class TestHosts:
    """Processes, sockets, clocks."""

    def test_a_paused_host_does_nothing_and_its_buffer_fills_up(self):
        cluster = acquainted(5)
        host = cluster.hosts[0]
        host.pause()
        before = host.sent_datagrams

        cluster.run_for(3.0)

        assert host.sent_datagrams == before
        assert len(host.inbox) > 0

    def test_a_buffer_takes_no_more_than_its_room(self):
        cluster = acquainted(2)
        host = cluster.hosts[0]
        host.pause()

        for _ in range(5_000):
            host.arrived(bytes(1400), ("198.51.100.1", 1))

        assert host.inbox.used <= ROOM
        assert host.inbox.overflowed > 0

    def test_a_host_that_goes_on_reads_before_it_looks_at_its_timers(self):
        cluster = acquainted(5)
        host = cluster.hosts[0]
        host.pause()
        cluster.run_for(3.0)

        host.resume()

        assert not len(host.inbox)
        assert host.running.membership.statistics()["stalls"] == 1
        cluster.run_for(10.0)
        assert cluster.detection.false_downs == 0

    def test_a_slow_host_deals_with_one_datagram_after_the_other(self):
        cluster = acquainted(2)
        host = cluster.hosts[0]
        host.seconds_per_datagram = 0.1
        for _ in range(10):
            host.arrived(b"noise", ("198.51.100.1", 1))

        cluster.run_for(0.55)

        assert host.refused == 6

    def test_a_crashed_host_hears_nothing_and_wakes_no_more(self):
        cluster = acquainted(3)
        host = cluster.hosts[0]
        host.crash()
        before = host.sent_datagrams

        cluster.run_for(5.0)

        assert host.state is State.OFF
        assert host.sent_datagrams == before
        assert not len(host.inbox)

    def test_a_host_that_starts_again_is_the_same_node_in_a_later_epoch(self):
        cluster = acquainted(3)
        host = cluster.hosts[0]
        node, epoch = host.running.id, host.running.membership.me.epoch
        host.crash()

        host.start()

        assert host.running.id == node
        assert host.running.membership.me.epoch > epoch

    def test_a_host_without_its_disk_is_another_node(self):
        cluster = acquainted(3)
        host = cluster.hosts[0]
        node = host.running.id
        host.crash()
        host.disk.restore({})

        host.start()

        assert host.running.id != node

    def test_a_host_may_start_again_at_another_address(self):
        cluster = acquainted(3)
        host = cluster.hosts[2]
        host.crash()
        cluster.move(host, address_of(77))
        host.start()

        cluster.run_until_agreed(limit=30.0)

        seen = cluster.hosts[0].running.membership.member(host.running.id)
        assert seen is not None
        assert seen.addresses == (address_of(77),)

    def test_a_write_is_told_to_nobody_before_it_is_on_disk(self):
        cluster = acquainted(3, disk=0.5)
        cluster.write(cluster.hosts[0], ("key",), 1)

        cluster.run_for(0.4)
        early = [host.running.kv.keys() for host in cluster.hosts]
        cluster.run_for(0.2)
        late = [host.running.kv.keys() for host in cluster.hosts]

        assert early == [[], [], []]
        assert late == [[("key",)]] * 3

    def test_a_write_that_was_not_on_disk_when_the_power_went_is_gone_or_whole(self):
        cluster = acquainted(3, disk=0.5)
        host = cluster.hosts[0]
        cluster.write(host, ("key",), 1)
        cluster.run_for(0.1)
        host.crash()
        cluster.run_for(1.0)

        host.start()
        cluster.run_until_agreed(limit=30.0)

        cluster.invariants.check()
        assert not cluster.invariants.violations

    def test_clocks_are_wrong_by_no_more_than_the_skew(self):
        cluster = acquainted(10, skew=5.0)
        walls = [host.wall for host in cluster.hosts]

        assert 1.0 < max(walls) - min(walls) <= 10.0

    def test_a_drifting_clock_is_followed_by_the_node(self):
        cluster = cluster_of(2)
        host = cluster.hosts[0]
        host._drift = 0.1
        host.start()
        cluster.run_for(50.0)

        now = cluster.world.seconds
        assert now + host.running.wall_offset == pytest.approx(host.wall, abs=0.2)

    def test_a_leaver_is_seen_to_have_left(self):
        cluster = acquainted(4)
        host = cluster.hosts[0]
        host.leave()
        cluster.run_for(3.0)

        seen = cluster.hosts[1].running.membership.member(host.running.id)
        assert seen is not None
        assert seen.liveness is Liveness.LEFT
        host.stop()
        assert cluster.agreement.on_all


class TestDetection:
    """What counts as a false alarm."""

    def test_who_is_on_the_other_side_is_rightly_taken_for_down(self):
        cluster = acquainted(6)
        names = [host.name for host in cluster.hosts]
        cluster.put_in(Partition([names[:3], names[3:]]))

        cluster.run_for(60.0)

        assert cluster.detection.false_downs == 0
        assert not cluster.agreement.on_members

    def test_who_runs_and_is_connected_is_not(self):
        cluster = acquainted(3)
        cluster.detection.excuses_faults = False
        cluster.put_in(Partition([["n00000"], ["n00001", "n00002"]]))

        cluster.run_for(60.0)

        assert cluster.detection.false_downs == 4

    def test_all_have_noticed_when_the_last_one_has(self):
        cluster = acquainted(5)
        cluster.fail(cluster.hosts[0], Host.crash)
        assert not cluster.detection.is_complete()

        cluster.run_for(60.0)

        assert cluster.detection.is_complete()


def _link(delay: int):
    return Link(Uniform(delay, delay))
