"""Every scenario, small: all invariants hold, and it measures what it is for."""

from __future__ import annotations

import pytest

from simulations.measure import Metric
from simulations.scenarios import SCENARIOS
from tests.simulations.runs import SMALL, play

_MEASURES = {
    "join": {Metric.CONVERGE_50, Metric.CONVERGE_99, Metric.CONVERGE_ALL},
    "detect": {Metric.FALSE_DOWNS},
    "update": {Metric.CONVERGE_ALL, Metric.COPIES, Metric.BYTES},
    "partition": {Metric.HEAL, Metric.HEAL_MEMBERS, Metric.HEAL_TABLE},
    "asymmetric": {Metric.HEAL, Metric.FALSE_DOWNS},
    "churn": {Metric.HEAL, Metric.FALSE_DOWNS},
    "restart": {Metric.HEAL},
    "takeover": {Metric.CONVERGE_ALL},
    "rejoin-old-disk": {Metric.HEAL},
    "overlay": {Metric.CONVERGE_ALL},
    "steady": {Metric.BYTES, Metric.DATAGRAMS, Metric.BYTES_WORST},
    "flood": {Metric.HEAL, Metric.FALSE_DOWNS},
    "bootstrap": {Metric.CONVERGE_ALL},
}


def test_every_scenario_is_tried_here():
    assert set(SCENARIOS) == set(SMALL) == set(_MEASURES)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", SMALL)
def test_no_invariant_breaks_in(name, seed):
    outcome = play(name, seed)

    assert not outcome.violations, outcome.command
    assert outcome.metrics.keys() >= _MEASURES[name]


@pytest.mark.parametrize("how", ["crash", "pause"])
def test_who_fails_is_taken_for_down_by_all(how):
    outcome = play("detect", 1, how=how, victims=1, **{"for": 60.0})

    assert outcome.metrics[Metric.FALSE_DOWNS] == 0
    assert (
        0 < outcome.metrics[Metric.DETECT_FIRST] <= outcome.metrics[Metric.DETECT_ALL]
    )


@pytest.mark.parametrize("fault", ["deaf", "mute", "links"])
def test_an_asymmetric_fault_heals(fault):
    assert not play("asymmetric", 1, fault=fault, share=0.2).violations


@pytest.mark.parametrize("what", ["name", "address", "moved"])
def test_a_takeover_is_seen_by_all(what):
    assert not play("takeover", 1, what=what).violations


@pytest.mark.parametrize("kind", ["noise", "damaged", "replayed"])
def test_a_flood_does_no_harm(kind):
    outcome = play("flood", 1, kind=kind)

    assert not outcome.violations
    assert outcome.metrics[Metric.FALSE_DOWNS] == 0


def test_a_rolling_restart_loses_nothing():
    assert not play("restart", 1, how="rolling", down=1.0).violations


def test_both_sides_of_a_long_partition_declare_the_other_down_and_heal():
    outcome = play("partition", 1, parts=2, loss=0.0, **{"for": 120.0})

    heat_map = outcome.heat_map
    assert heat_map is not None
    assert min(min(filter(None, row)) for row in heat_map.live) == 5
    assert set(heat_map.live[-1]) == {10}
    assert not outcome.violations


def test_curves_and_metrics_tell_the_same_times():
    outcome = play("update", 3)

    (curve,) = outcome.curves
    assert curve.time_of(0.5) == outcome.metrics[Metric.CONVERGE_50]
    assert curve.time_of(1.0) == outcome.metrics[Metric.CONVERGE_ALL]


def test_a_newcomer_gets_the_table_over_paths_that_drop_long_datagrams():
    outcome = play("bootstrap", 1, mtu=900)

    assert outcome.violations == ()
    assert outcome.metrics[Metric.CONVERGE_ALL] < 10.0
    assert outcome.metrics[Metric.FALSE_DOWNS] == 0
