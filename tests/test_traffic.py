"""What is counted, and that every count an exporter may ask for is always there."""

from __future__ import annotations

import pytest

from lashup.kv import messages as kv_messages
from lashup.kv.confirmation import Have
from lashup.kv.messages import Answer, Ask, Request
from lashup.machine import NodeId
from lashup.membership import MembershipConfig
from lashup.membership.messages import KIND_NAMES, Kind
from lashup.membership.round_trip import RoundTrips
from lashup.traffic import Traffic
from tests.membership.vocabulary import cluster


def test_messages_and_bytes_are_counted_both_ways():
    traffic = Traffic(["ping", "ack"])
    traffic.sent("ping", 40)
    traffic.sent("ping", 2)
    traffic.received("ack", 7)

    assert traffic.statistics() == {
        "sent_ping": 2, "sent_ping_bytes": 42, "sent_ack": 0, "sent_ack_bytes": 0,
        "received_ping": 0, "received_ping_bytes": 0,
        "received_ack": 1, "received_ack_bytes": 7,
    }  # fmt: skip


def test_every_kind_of_message_has_a_name():
    assert [name.upper() for name in KIND_NAMES.values()] == [k.name for k in Kind]


@pytest.mark.parametrize(
    ("message", "kind"),
    [(Ask(b""), "ask"), (Answer(b""), "answer"), (Request(1, ()), "request"),
     (Have(3), "have")],
)  # fmt: skip
def test_the_stores_messages_are_counted_by_their_kind(message, kind):
    assert kv_messages.kind_of(kv_messages.encode(message)) == kind


@pytest.mark.parametrize("message", [b"", b"\x92", b"\x92\x63\x01", b"\xff" * 9])
def test_what_is_none_of_them_is_counted_too(message):
    assert kv_messages.kind_of(message) == "unknown_kind"


def test_round_trips_are_counted_at_or_below_each_limit():
    trips = RoundTrips(MembershipConfig())
    for seconds in (0.0004, 0.0005, 0.003, 2.0):
        trips.measured(NodeId(bytes(16)), seconds)

    numbers = trips.statistics()

    assert numbers["round_trip_le_0.0005"] == 2
    assert numbers["round_trip_le_0.0025"] == 2
    assert numbers["round_trip_le_0.005"] == 3
    assert numbers["round_trip_le_1"] == 3
    assert numbers["round_trip_count"] == 4
    assert numbers["round_trip_sum"] == pytest.approx(2.0039)


def test_what_one_member_sends_another_receives_and_round_trips_add_up():
    world, swims = cluster(5, seed=2)
    world.run(30.0)
    numbers = [swim.statistics() for swim in swims]

    for name in KIND_NAMES.values():
        sent = sum(each[f"sent_{name}_bytes"] for each in numbers)
        assert sent == sum(each[f"received_{name}_bytes"] for each in numbers)
    for each in numbers:
        assert each["sent_ping"] > 25
        assert each["round_trip_count"] > 25
        below = [n for key, n in each.items() if key.startswith("round_trip_le_")]
        assert below == sorted(below)
        assert below[-1] == each["round_trip_count"]
        assert 0 < each["round_trip_sum"] < each["round_trip_count"] * 0.01
