import contextlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.errors import ConfigError, LimitExceeded, MalformedDatagram
from lashup.machine import Send
from lashup.multicast import Delivered, Multicast, MulticastConfig
from lashup.multicast.delivery_window import DeliveryWindows
from lashup.wire.readers import pack
from tests.membership.vocabulary import address, node_id
from tests.multicast.vocabulary import Cluster, view_of


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 20, 100])
@pytest.mark.parametrize("arity", [1, 2, 16])
def test_every_other_member_gets_each_message_exactly_once(size, arity):
    cluster = Cluster(size, arity=arity)

    for number in range(size):
        cluster.multicast(number, b"from %d" % number)

    for number in range(size):
        expected = [
            Delivered("t", node_id(other), b"from %d" % other)
            for other in range(size)
            if other != number
        ]
        assert cluster.delivered[address(number)] == expected


def test_a_message_costs_about_two_copies_for_each_member():
    cluster = Cluster(1000)

    cluster.multicast(7, b"x")

    assert cluster.copies <= 2.05 * 999


def test_a_thousand_members_are_reached_in_three_hops():
    cluster = Cluster(1000)

    cluster.multicast(7, b"x")

    assert max(cluster.hops.values()) <= 3


@pytest.mark.parametrize(
    ("loss", "crashed", "share"), [(0.01, 0, 0.999), (0.1, 0, 0.98), (0.01, 50, 0.995)]
)
def test_nearly_all_members_are_reached_before_any_repair(loss, crashed, share):
    cluster = Cluster(1000, loss=loss, seed=1)
    reached = 0

    for origin in range(40):
        others = [number for number in range(1000) if number != origin]
        cluster.crashed = set(map(address, cluster.rng.sample(others, crashed)))
        for messages in cluster.delivered.values():
            messages.clear()
        cluster.multicast(origin, b"x")
        reached += cluster.reached()

    assert reached / (40 * (999 - crashed)) >= share


def test_in_a_small_cluster_each_member_has_two_ways_too():
    lost = 0
    for seed in range(300):
        cluster = Cluster(5, loss=0.1, seed=seed)
        cluster.multicast(0, b"x")
        lost += 4 - cluster.reached()

    # One copy each would lose 10 %.
    assert lost / (4 * 300) < 0.05


def test_an_origin_that_some_do_not_know_reaches_those_who_do_and_most_others():
    cluster = Cluster(50)
    newcomer = Multicast(node_id(77), epoch=1, config=MulticastConfig())
    cluster.nodes[address(77)] = newcomer
    everybody = view_of([*range(50), 77])

    cluster.spread(newcomer.send("t", b"hello", view=everybody, now=0.0))

    assert cluster.reached() >= 48


def test_a_restarted_origin_is_heard_though_its_numbers_begin_anew():
    cluster = Cluster(5)
    cluster.multicast(0, b"before")

    cluster.nodes[address(0)] = Multicast(node_id(0), epoch=2, config=MulticastConfig())
    cluster.multicast(0, b"after")

    assert [d.payload for d in cluster.delivered[address(3)]] == [b"before", b"after"]


def test_nothing_is_delivered_to_the_origin():
    cluster = Cluster(5)
    view = cluster.view
    origin = cluster.nodes[address(0)]
    sends = origin.send("t", b"x", view=view, now=0.0)

    assert origin.receive(sends[0].payload, view=view, now=0.0) == []


def test_a_payload_of_60_kilobytes_passes():
    cluster = Cluster(3)

    cluster.multicast(0, bytes(60_000))

    assert len(cluster.delivered[address(2)][0].payload) == 60_000


def test_statistics_count_copies():
    cluster = Cluster(9, arity=2)
    cluster.multicast(0, b"x")

    totals: Counter[str] = Counter()
    for node in cluster.nodes.values():
        for name, value in node.statistics().items():
            totals[name] += int(value)
    assert totals["delivered"] == 8
    assert totals["sent"] + totals["forwarded"] == cluster.copies
    assert totals["received"] == cluster.copies
    assert totals["duplicates"] == cluster.copies - 8
    sent = totals["sent_bytes"] + totals["forwarded_bytes"]
    assert sent == totals["received_bytes"] > cluster.copies


def test_the_tree_of_an_origin_can_be_shown():
    cluster = Cluster(20, arity=3)
    node = cluster.nodes[address(4)]

    branches = node.tree(node_id(9), view=cluster.view)

    assert len(branches) == 20
    assert branches[node_id(9)].via is None
    assert branches[node_id(9)].distance == 0
    for branch in branches.values():
        if branch.via is not None:
            assert branches[branch.via].distance < branch.distance


def test_a_topic_that_is_too_long_is_refused():
    cluster = Cluster(2)

    with pytest.raises(LimitExceeded):
        cluster.multicast(0, b"x", topic="t" * 65)
    assert cluster.copies == 0


@pytest.mark.parametrize("field", ["arity", "window", "origins"])
def test_a_setting_that_cannot_work_is_refused_by_name(field):
    with pytest.raises(ConfigError) as refusal:
        MulticastConfig(**{field: 0})
    assert refusal.value.field == field


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_malformed(data):
    node = Multicast(node_id(0), epoch=1, config=MulticastConfig())

    with contextlib.suppress(MalformedDatagram):
        node.receive(data, view=view_of(range(3)), now=0.0)


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [1, b"x" * 16, 1, 1, "t"],
        [1, b"x" * 15, 1, 1, "t", b""],
        [1, b"x" * 16, -1, 1, "t", b""],
        [1, b"x" * 16, 1, "1", "t", b""],
        [1, b"x" * 16, 1, 1, "t" * 65, b""],
        [1, b"x" * 16, 1, 1, "t", "text"],
    ],
)
def test_a_message_that_is_wrong_in_one_field_is_malformed(fields):
    node = Multicast(node_id(0), epoch=1, config=MulticastConfig())

    with pytest.raises(MalformedDatagram):
        node.receive(pack(fields), view=view_of(range(3)), now=0.0)
    assert node.statistics()["delivered"] == 0


def test_a_message_of_a_later_version_is_passed_over():
    node = Multicast(node_id(0), epoch=1, config=MulticastConfig())

    assert node.receive(pack([2, "new"]), view=view_of(range(3)), now=0.0) == []


def test_fields_that_a_newer_version_appended_are_forwarded():
    cluster = Cluster(3)
    message = pack([1, node_id(0), 1, 1, "t", b"x", "more"])
    node = cluster.nodes[address(1)]

    effects = node.receive(message, view=cluster.view, now=0.0)

    assert Delivered("t", node_id(0), b"x") in effects
    assert {e.payload for e in effects if isinstance(e, Send)} <= {message}


@given(st.lists(st.integers(0, 40), max_size=60))
def test_the_window_tells_what_is_new_within_its_width(numbers):
    windows = DeliveryWindows(width=8, lives=4)
    seen: set[int] = set()
    for number in numbers:
        newest = max(seen, default=-1)
        expected = number not in seen and (not seen or number > newest - 8)
        assert windows.is_first((node_id(1), 1), number) is expected
        seen.add(number)


def test_windows_of_origins_that_fell_silent_are_dropped_first():
    windows = DeliveryWindows(width=8, lives=2)
    one, two, three = ((node_id(n), 1) for n in range(3))
    windows.is_first(one, 1)
    windows.is_first(two, 1)
    windows.is_first(one, 2)

    windows.is_first(three, 1)

    assert len(windows) == 2
    assert not windows.is_first(one, 2)
