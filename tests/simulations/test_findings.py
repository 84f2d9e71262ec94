"""What the simulator found, each as the run that showed it: none may come back."""

from __future__ import annotations

from simulations.conditions import Value
from simulations.scenarios import SCENARIOS
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
