"""What runs measure, by clusters in which the answer is known."""

from __future__ import annotations

from functools import partial

import pytest

from simulations.convergence import Spread
from simulations.faults import Partition
from simulations.measure import Curve, Metric
from simulations.traffic import Traffic
from tests.simulations.test_world import acquainted


class TestSpread:
    """When hosts come to have something."""

    def test_a_share_is_reached_when_so_many_have_it(self):
        cluster = acquainted(4)
        world = cluster.world
        have: set[str] = set()
        spread = Spread(world, "it", cluster.hosts, has=lambda h: h.name in have)
        for index, host in enumerate(cluster.hosts):
            world.after(index + 1.0, partial(have.add, host.name))
            world.after(index + 1.0, partial(world.stepped, host))

        world.run_until(lambda: spread.is_complete, limit=10.0)

        assert spread.time_of(0.5) == 2.0
        assert spread.metrics() == {
            Metric.CONVERGE_50: 2.0,
            Metric.CONVERGE_99: 4.0,
            Metric.CONVERGE_ALL: 4.0,
        }
        assert spread.curve().points == ((1.0, 0.25), (2.0, 0.5), (3.0, 0.75), (4.0, 1))

    def test_what_was_never_reached_is_not_measured(self):
        cluster = acquainted(2)
        spread = Spread(cluster.world, "it", cluster.hosts, has=lambda _: False)

        assert spread.metrics() == {}
        assert spread.lacking == ["n00000", "n00001"]

    def test_a_write_spreads_to_all(self):
        cluster = acquainted(10)
        cluster.write(cluster.hosts[3], ("key",), b"value")
        spread = cluster.spread(("key",), b"value")

        cluster.run_for(1.0)

        assert spread.is_complete
        assert 0 < spread.metrics()[Metric.CONVERGE_ALL] < 0.1


class TestAgreement:
    """Whether all running nodes hold the same."""

    def test_a_write_that_is_not_everywhere_is_no_agreement(self):
        cluster = acquainted(4)
        cluster.write(cluster.hosts[0], ("key",), 1)
        cluster.world.run_until(lambda: not cluster.agreement.on_table, limit=1.0)

        assert not cluster.agreement.on_table
        assert cluster.agreement.on_members
        cluster.run_for(1.0)
        assert cluster.agreement.on_all

    def test_a_host_that_is_off_has_no_say(self):
        cluster = acquainted(3)
        cluster.hosts[0].crash()
        assert not cluster.agreement.on_members  # the others do not know it yet

        cluster.run_for(60.0)

        assert cluster.agreement.on_members

    def test_two_halves_that_each_agree_do_not_agree(self):
        cluster = acquainted(4)
        names = [host.name for host in cluster.hosts]
        cluster.put_in(Partition([names[:2], names[2:]]))

        cluster.run_for(60.0)

        assert not cluster.agreement.on_members


class TestTraffic:
    """Bytes, datagrams and copies."""

    def test_a_cluster_at_rest_sends_a_ping_and_an_ack_a_second(self):
        cluster = acquainted(10)
        traffic = Traffic(cluster.world)

        cluster.run_for(20.0)

        metrics = traffic.metrics()
        assert metrics[Metric.DATAGRAMS] == pytest.approx(2.0, rel=0.03)
        assert metrics[Metric.BYTES] == pytest.approx(
            metrics[Metric.BYTES_WORST], rel=1
        )

    def test_an_update_comes_about_twice_to_each(self):
        cluster = acquainted(100)
        traffic = Traffic(cluster.world)
        cluster.write(cluster.hosts[0], ("key",), 1)

        cluster.run_for(1.0)

        assert 1.5 < traffic.copies(1)[Metric.COPIES] <= 2.1

    def test_no_time_is_no_rate(self):
        assert Traffic(acquainted(2).world).metrics() == {}


def test_a_curve_tells_when_a_share_was_reached():
    curve = Curve("it", ((1.0, 0.5), (2.0, 1.0)))

    assert (curve.time_of(0.4), curve.time_of(0.6)) == (1.0, 2.0)
    assert Curve("it", ()).time_of(0.5) is None


def test_a_heat_map_shows_what_each_host_sees():
    cluster = acquainted(3)
    cluster.heat.watch(period=1.0)
    cluster.hosts[2].crash()
    cluster.run_for(1.5)

    heat_map = cluster.heat.map()

    assert heat_map is not None
    assert heat_map.nodes == ("n00000", "n00001", "n00002")
    assert heat_map.live == ((3, 3, 3), (3, 3, None))
