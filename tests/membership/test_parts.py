"""Laws of the small parts: deadlines, updates, local health, round trips."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.errors import ConfigError
from lashup.machine import NEVER
from lashup.membership import LAN, LOCAL, WAN, MembershipConfig
from lashup.membership.deadlines import Deadlines
from lashup.membership.dissemination import Dissemination, transmissions
from lashup.membership.health import LocalHealth
from lashup.membership.round_trip import RoundTrips
from tests.membership.vocabulary import node_id


@given(
    st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 20))),
    st.integers(0, 20),
)
def test_deadlines_are_what_a_dictionary_of_deadlines_would_be(steps, now):
    deadlines: Deadlines[int] = Deadlines()
    model: dict[int, int] = {}
    for key, at in steps:
        if at is None:
            deadlines.discard(key)
            model.pop(key, None)
        else:
            deadlines.set(key, at)
            model[key] = at
        assert deadlines.next_at() == min(model.values(), default=NEVER)
    due = list(deadlines.take_due(now))

    assert sorted(due) == sorted(key for key, at in model.items() if at <= now)
    assert [model[key] for key in due] == sorted(model[key] for key in due)
    assert len(deadlines) == len(model) - len(due)


def test_a_deadline_that_is_pushed_back_for_ever_takes_no_more_room():
    deadlines: Deadlines[int] = Deadlines()

    for at in range(10_000):
        deadlines.set(1, at)

    assert len(deadlines._heap) < 100


@pytest.mark.parametrize(
    ("members", "times"), [(1, 4), (5, 4), (9, 4), (10, 8), (99, 8), (100, 12)]
)
def test_an_update_is_sent_in_proportion_to_the_logarithm_of_the_cluster(
    members, times
):
    assert transmissions(members, multiplier=4) == times
    assert times == 4 * math.ceil(math.log10(members + 1))


@given(st.lists(st.integers(1, 40), min_size=1), st.integers(1, 6))
def test_every_update_is_sent_exactly_as_often_as_allowed(sizes, limit):
    updates = Dissemination()
    for number, size in enumerate(sizes):
        updates.put(node_id(number), bytes([number % 256]) * size)
    sent = 0
    while updates:
        packet = updates.take(100, limit=limit)
        assert packet
        assert sum(len(update) + 3 for update in packet) <= 100
        sent += len(packet)

    assert sent == limit * len(sizes)


def test_the_least_sent_goes_first_and_the_newest_among_equals():
    updates = Dissemination()
    updates.put(node_id(1), b"1")
    updates.put(node_id(2), b"2")
    updates.take(4, limit=9)

    updates.put(node_id(3), b"3")
    updates.put(node_id(4), b"4")

    assert updates.take(99, limit=9) == [b"4", b"3", b"1", b"2"]
    assert updates.take(99, limit=9) == [b"4", b"3", b"1", b"2"]


def test_what_no_packet_has_carried_is_counted():
    updates = Dissemination()
    assert updates.unsent == 0

    updates.put(node_id(1), b"1")
    updates.put(node_id(2), b"2")
    assert updates.unsent == 2
    updates.take(4, limit=9)
    assert updates.unsent == 1
    updates.put(node_id(2), b"new")
    assert updates.unsent == 2


def test_later_news_of_a_member_replaces_earlier_news():
    updates = Dissemination()
    updates.put(node_id(1), b"old")
    updates.put(node_id(1), b"new")

    assert updates.take(99, limit=1) == [b"new"]
    assert updates.take(99, limit=1) == []


def test_an_update_that_does_not_fit_waits_and_lets_smaller_ones_go():
    updates = Dissemination()
    updates.put(node_id(1), b"small")
    updates.put(node_id(2), b"large" * 10)

    assert updates.take(20, limit=1) == [b"small"]
    assert updates.take(99, limit=1) == [b"large" * 10]


def test_local_health_is_hurt_by_missing_nacks_not_by_dead_members():
    health = LocalHealth(limit=8)

    health.probe_failed(helpers=3, nacks=3)
    assert health.score == 0
    health.probe_failed(helpers=3, nacks=1)
    assert health.score == 2
    health.probe_failed(helpers=0, nacks=0)
    assert health.score == 3
    health.refuted()
    assert health.score == 4
    health.probe_succeeded()
    assert (health.score, health.multiplier) == (3, 4)


@pytest.mark.parametrize(
    ("helpers", "nacks", "score"),
    [(10, 10, 0), (10, 5, 0), (10, 4, 1), (10, 3, 2), (10, 1, 2), (10, 0, 3)],
)
def test_of_many_helpers_the_half_is_enough_to_show_that_we_are_heard(
    helpers, nacks, score
):
    health = LocalHealth(limit=8)

    health.probe_failed(helpers=helpers, nacks=nacks)

    assert health.score == score


@given(st.lists(st.sampled_from(["good", "bad", "stall"])))
def test_local_health_stays_within_its_bounds(story):
    health = LocalHealth(limit=8)
    for event in story:
        match event:
            case "good":
                health.probe_succeeded()
            case "bad":
                health.probe_failed(helpers=3, nacks=0)
            case "stall":
                health.stalled(1e9)
        assert 0 <= health.score <= 8


def test_the_probe_timeout_follows_the_round_trip_between_its_bounds():
    trips = RoundTrips(LAN)
    assert trips.timeout(node_id(1)) == 0.5

    for _ in range(50):
        trips.measured(node_id(1), 0.001)
        trips.measured(node_id(2), 0.2)
        trips.measured(node_id(3), 3.0)

    assert trips.timeout(node_id(1)) == LAN.probe_timeout_floor
    assert trips.timeout(node_id(2)) == pytest.approx(0.2, abs=0.01)
    assert trips.timeout(node_id(3)) == LAN.probe_period / 2
    assert trips.mean(node_id(2)) == pytest.approx(0.2)


def test_a_round_trip_that_varies_is_waited_for_longer():
    trips = RoundTrips(LAN)
    for n in range(50):
        trips.measured(node_id(1), 0.15)
        trips.measured(node_id(2), 0.1 + 0.1 * (n % 2))

    assert trips.timeout(node_id(2)) > trips.timeout(node_id(1)) + 0.1


def test_a_member_that_was_forgotten_has_no_round_trip():
    trips = RoundTrips(LAN)
    trips.measured(node_id(1), 0.1)

    trips.forget(node_id(1))

    assert trips.mean(node_id(1)) is None


@pytest.mark.parametrize("preset", [LAN, WAN, LOCAL])
def test_presets_give_helpers_half_of_the_period(preset):
    assert preset.probe_timeout_floor <= preset.probe_period / 2
    assert preset.join_period < 1.0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("probe_period", 0.0),
        ("probe_timeout", 1.0),
        ("probe_timeout_floor", 0.6),
        ("nack_share", 1.0),
        ("gossip_nodes", 0),
        ("max_payload", 1148),
        ("hash_key", b"x" * 65),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_name(field, value):
    with pytest.raises(ConfigError) as refusal:
        MembershipConfig(**{field: value})
    assert refusal.value.field == field
