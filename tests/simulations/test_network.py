"""The network: what arrives, when, and as what."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from statistics import mean, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.errors import UsageError
from simulations.faults import BrokenLinks, OneWay, Partition
from simulations.latency import SECOND, Uniform, latency_of, log_normal, measured
from simulations.loss import GilbertElliott, Independent
from simulations.network import Link, Network, damaged

MILLISECOND = SECOND // 1000
ONE_MS = Uniform(MILLISECOND, MILLISECOND)


def network(link: Link | None = None, **more) -> Network:
    return Network(link or Link(ONE_MS), rng=Random(1), **more)


def sent(net: Network, count: int, *, every: int = MILLISECOND, size: int = 100):
    """What arrives of so many datagrams from a to b."""
    return [net.carry("a", "b", bytes(size), now=i * every) for i in range(count)]


def test_nothing_is_lost_unless_asked_for():
    assert all(len(arrivals) == 1 for arrivals in sent(network(), 100))


def test_a_datagram_takes_the_latency():
    ((at, data),) = network().carry("a", "b", b"hello", now=5)

    assert (at, data) == (5 + MILLISECOND, b"hello")


def test_independent_loss_loses_its_share():
    link = Link(ONE_MS, loss=Independent(0.3))

    lost = sum(not arrivals for arrivals in sent(network(link), 10_000))

    assert lost / 10_000 == pytest.approx(0.3, abs=0.02)


def test_loss_in_bursts_loses_the_same_share_but_in_runs():
    link = Link(ONE_MS, loss=GilbertElliott.of(0.3, burst=0.05))

    came = [bool(arrivals) for arrivals in sent(network(link), 100_000)]

    assert came.count(False) / len(came) == pytest.approx(0.3, abs=0.05)
    runs = "".join("x" if c else "." for c in came).split("x")
    lengths = [len(run) for run in runs if run]
    # 50 ms on average, at one datagram each millisecond.
    assert mean(lengths) == pytest.approx(50, rel=0.25)


def test_a_burst_is_over_for_who_sends_rarely():
    loss = GilbertElliott.of(0.5, burst=0.01)
    rng = Random(1)
    strikes = [loss.strikes("a", "b", now=i * SECOND, rng=rng) for i in range(4_000)]

    pairs = sum(a and b for a, b in pairwise(strikes))
    assert pairs / 4_000 == pytest.approx(0.25, abs=0.03)


def test_a_share_arrives_twice():
    link = Link(ONE_MS, duplicate=0.2)

    twice = sum(len(arrivals) == 2 for arrivals in sent(network(link), 10_000))

    assert twice / 10_000 == pytest.approx(0.2, abs=0.02)


def test_what_is_held_back_is_overtaken():
    link = Link(ONE_MS, reorder=0.5)

    times = [arrivals[0][0] for arrivals in sent(network(link), 100)]

    assert times != sorted(times)


def test_a_datagram_beyond_the_mtu_is_lost():
    net = network(Link(ONE_MS, mtu=100))

    assert net.carry("a", "b", bytes(100), now=0)
    assert not net.carry("a", "b", bytes(101), now=0)
    assert net.lost["mtu"] == 1


def test_damage_changes_bytes():
    data = bytes(range(200))
    net = network(Link(ONE_MS, corrupt=1 - 1e-12))

    ((_, arrived),) = net.carry("a", "b", data, now=0)

    assert arrived != data


@given(data=st.binary(max_size=50), seed=st.integers(0, 1000))
def test_damage_never_makes_a_datagram_longer(data, seed):
    assert len(damaged(data, rng=Random(seed))) <= len(data)


def test_one_way_may_be_unlike_all_others():
    net = network()
    net.set_link("a", "b", Link(Uniform(7, 7)))

    assert net.carry("a", "b", b"", now=0) == [(7, b"")]
    assert net.carry("b", "a", b"", now=0) == [(MILLISECOND, b"")]


class TestBandwidth:
    """A host's own link, each way."""

    def test_a_link_carries_no_more_than_its_bandwidth(self):
        net = network(bandwidth=100_000.0)

        arrivals = sent(net, 100, every=0, size=1000)

        last = max(at for each in arrivals for at, _ in each)
        assert last == pytest.approx(100 * 1000 / 100_000 * SECOND, rel=0.02)

    def test_what_does_not_fit_the_queue_is_lost(self):
        net = network(bandwidth=100_000.0, queue=10_000)

        arrivals = sent(net, 100, every=0, size=1000)

        assert sum(map(len, arrivals)) == 11
        assert net.lost["bandwidth"] == 89

    def test_what_comes_in_waits_for_the_receivers_link(self):
        net = network(bandwidth=100_000.0)

        first = net.take_in("b", 1000, now=0)
        second = net.take_in("b", 1000, now=0)

        assert (first, second) == (SECOND // 100, SECOND // 50)

    def test_any_bandwidth_is_no_wait(self):
        assert network().take_in("b", 1000, now=3) == 3


class TestFaults:
    """Who cannot hear whom."""

    def test_nothing_passes_between_two_parts(self):
        split = Partition([["a", "b"], ["c"], ["d"]])

        assert split.stops("a", "c")
        assert split.stops("c", "d")
        assert not split.stops("a", "b")

    def test_who_is_in_no_part_hears_all(self):
        split = Partition([["a"], ["b"]])

        assert split.stops("a", "b")
        assert not split.stops("a", "m")
        assert not split.stops("m", "b")

    def test_the_deaf_are_heard(self):
        deaf = OneWay(["a", "b"], ["c"])

        assert deaf.stops("a", "c")
        assert not deaf.stops("c", "a")

    def test_a_broken_link_breaks_one_way(self):
        broken = BrokenLinks(frozenset({("a", "b")}))

        assert broken.stops("a", "b")
        assert not broken.stops("b", "a")

    def test_all_faults_must_be_gone_for_a_datagram_to_pass(self):
        net = network()
        one, two = OneWay(["a"], ["b"]), Partition([["a"], ["b"]])
        net.faults += [one, two]

        net.faults.remove(two)
        assert not net.carry("a", "b", b"", now=0)
        net.faults.remove(one)
        assert net.carry("a", "b", b"", now=0)


class TestLatency:
    """Distributions, as they are written and as they are drawn."""

    def test_a_uniform_delay_is_between_its_bounds(self):
        latency, rng = latency_of("uniform:1ms:3ms"), Random(1)
        delays = [latency.draw(rng) for _ in range(1000)]

        assert min(delays) >= MILLISECOND
        assert max(delays) <= 3 * MILLISECOND
        assert mean(delays) == pytest.approx(2 * MILLISECOND, rel=0.05)

    def test_a_log_normal_delay_has_its_median_and_tail(self):
        latency, rng = latency_of("lognormal:20ms:0.5"), Random(1)
        delays = sorted(latency.draw(rng) for _ in range(20_000))

        assert median(delays) == pytest.approx(20 * MILLISECOND, rel=0.03)
        assert delays[-200] == pytest.approx(20 * 3.2 * MILLISECOND, rel=0.1)

    def test_log_normal_delays_are_rounded_beyond_what_libraries_disagree_on(self):
        assert all(delay % 100 == 0 for delay in log_normal(0.02, 0.5).delays)

    def test_measured_delays_are_drawn_as_they_are(self, tmp_path):
        path = tmp_path / "delays"
        path.write_text("0.001\n0.005\n")
        latency, rng = latency_of(f"samples:{path}"), Random(1)

        drawn = {latency.draw(rng) for _ in range(100)}

        assert drawn == {MILLISECOND, 5 * MILLISECOND}
        assert measured([0.001, 0.005]) == latency

    @pytest.mark.parametrize(
        "text", ["", "warp", "uniform:1ms", "constant:soon", "samples:/no/such/file"]
    )
    def test_what_is_no_distribution_is_refused(self, text):
        with pytest.raises(UsageError):
            latency_of(text)
