"""What the simulator found, each as the run that showed it: none may come back."""

from __future__ import annotations

from dataclasses import replace

from lashup.membership import LAN
from simulations.cluster import Cluster
from simulations.conditions import Conditions, Value
from simulations.faults import Partition
from simulations.scenarios import SCENARIOS
from simulations.trace import Trace
from tests.simulations.test_world import acquainted


def test_a_fact_whose_overwriting_delta_was_lost_is_repaired():
    """Contexts were equal and facts were not: only the digest shows the difference."""
    conditions: dict[str, Value] = {
        "nodes": 4,
        "loss": 0.2,
        "latency": "lognormal:20ms:0.8",
        "corrupt": 0.05,
        "disk": 0.2,
    }

    outcome = SCENARIOS["rejoin-old-disk"].run(conditions, seed=259958)

    assert not outcome.violations


def test_a_node_that_knows_its_seeds_pings_nobody_but_members():
    """A seed that is no member is tried for ever: a primed cluster was never quiet."""
    cluster = acquainted(20)
    cluster.run_for(10.0)

    assert cluster.world.network.lost["nobody"] == 0


def test_a_split_soon_after_all_have_started_together_heals_as_fast_as_a_later_one():
    """`partition --nodes 1000`: none tried who was down for 125 s, and it took 63.

    With a smaller rate of tries sixty nodes show it: 30 s, of which 18 are over.
    """
    membership = replace(LAN, heal_rate=1.0)
    cluster = Cluster(
        Conditions(nodes=60), seed=1, trace=Trace(None), membership=membership
    )
    cluster.add(60)
    cluster.start_acquainted()
    cluster.run_for(4.0)
    names = [host.name for host in cluster.hosts]
    split = Partition([names[:30], names[30:]])
    cluster.put_in(split)
    cluster.run_for(14.0)
    assert {len(h.running.membership.alive()) for h in cluster.hosts} == {30}

    cluster.take_out(split)

    assert cluster.run_until_agreed(limit=6.0)
