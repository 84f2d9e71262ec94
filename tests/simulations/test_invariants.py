"""The invariants notice what they are there for: each is broken once, on purpose."""

from __future__ import annotations

from lashup.crdt.fact import Fact
from lashup.crdt.facts import Delta
from lashup.kv.delta_codec import encode_dot, encode_fact
from lashup.kv.rows import FACT_TABLE
from lashup.machine import Persist
from simulations.cluster import Cluster
from simulations.faults import Partition
from tests.simulations.test_world import acquainted


def written() -> tuple[Cluster, bytes, bytes]:
    """A cluster in which one fact was written; its dot and its row."""
    cluster = acquainted(3)
    cluster.write(cluster.hosts[0], ("key",), 1)
    cluster.run_for(1.0)
    ((dot, fact),) = cluster.hosts[1].running.kv.store.facts
    return cluster, encode_dot(dot), encode_fact(fact)


def told(cluster: Cluster) -> str:
    return "\n".join(cluster.invariants.violations)


def test_a_good_run_violates_nothing():
    cluster, _, _ = written()

    cluster.invariants.check()
    cluster.invariants.check_nobody_left_down()

    assert not cluster.invariants.violations


def test_a_dot_that_is_minted_twice_is_noticed():
    cluster, dot, row = written()

    cluster.written(cluster.hosts[2], Persist(9, ((FACT_TABLE, dot, row),)))

    assert "a second time" in told(cluster)


def test_a_fact_from_nowhere_is_noticed():
    cluster, dot, _ = written()

    cluster.merged(cluster.hosts[2], Persist(9, ((FACT_TABLE, dot, b"else"),)))

    assert "nobody wrote so" in told(cluster)


def test_a_removed_fact_that_returns_is_noticed():
    cluster, dot, row = written()
    host = cluster.hosts[2]
    cluster.merged(host, Persist(9, (), ((FACT_TABLE, dot),)))

    cluster.merged(host, Persist(10, ((FACT_TABLE, dot, row),)))

    assert "which it removed" in told(cluster)


def test_a_removed_fact_that_all_still_hold_is_noticed():
    cluster, dot, _ = written()
    cluster.saved(cluster.hosts[0], Persist(9, (), ((FACT_TABLE, dot),)))

    cluster.invariants.check()

    assert "still holds" in told(cluster)


def test_a_disk_that_goes_back_in_time_may_bring_back_what_it_removed():
    cluster, dot, _ = written()
    cluster.saved(cluster.hosts[0], Persist(9, (), ((FACT_TABLE, dot),)))
    cluster.invariants.rolled_back()

    cluster.invariants.check()

    assert not cluster.invariants.violations


def test_equal_digests_with_other_facts_are_noticed():
    cluster, _, _ = written()
    facts = cluster.hosts[2].running.kv.store.facts
    (leaf,) = facts._live
    dot, fact = leaf.dot, leaf.fact
    facts._drop(dot, leaf)
    facts._put(dot, Fact(fact.key, fact.path, b"other"))

    cluster.invariants.check()

    assert "equal digests, other facts" in told(cluster)


def test_a_digest_that_is_not_the_tables_is_noticed():
    cluster, _, _ = written()
    store = cluster.hosts[0].running.kv.store
    ((dot, _),) = store.facts
    store.facts.join(Delta({}, store.facts.context.copy()))  # the digest is not told

    cluster.invariants.check()

    assert "the digest is not that of the table" in told(cluster)
    assert dot not in dict(store.facts)


def test_a_healthy_connected_node_that_is_left_down_is_noticed():
    cluster = acquainted(4)
    names = [host.name for host in cluster.hosts]
    split = Partition([names[:2], names[2:]])
    cluster.put_in(split)
    cluster.run_for(60.0)
    cluster.invariants.check_nobody_left_down()
    assert not cluster.invariants.violations  # they are not connected

    cluster.take_out(split)
    cluster.invariants.check_nobody_left_down()

    assert "leaves n00002 down" in told(cluster)


def test_a_queue_beyond_its_bound_is_noticed():
    cluster = acquainted(2)
    cluster.hosts[0].inbox.used = 1 << 30

    cluster.invariants.check()

    assert "bytes wait in a socket's buffer" in told(cluster)


def test_no_more_is_told_than_anybody_reads():
    cluster, dot, _ = written()
    for _ in range(100):
        cluster.merged(cluster.hosts[2], Persist(9, ((FACT_TABLE, dot, b"else"),)))

    assert len(cluster.invariants.violations) == 20
