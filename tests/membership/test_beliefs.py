import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.errors import ConfigError, LimitExceeded
from lashup.identity import epoch_row, next_start
from lashup.kv.rows import META_TABLE
from lashup.membership import (
    LAN,
    Changed,
    Conflict,
    Failed,
    Joined,
    Left,
    Liveness,
    MemberEvent,
    Reaped,
    Returned,
    Suspected,
)
from lashup.membership.beliefs import Beliefs, Reaction
from lashup.membership.member import Belief
from lashup.membership.record import COUNTER_LIMIT
from tests.membership.strategies import beliefs_about, rival_records
from tests.membership.vocabulary import address, node_id, record

ALIVE, SUSPECT, DOWN, LEFT = Liveness

rumours = st.lists(beliefs_about(rival_records), min_size=1)


def beliefs(**says) -> Beliefs:
    return Beliefs(record(0, **says), LAN, now=0.0)


def about(number: int, liveness: Liveness, **says) -> Belief:
    accuser = node_id(99) if liveness is SUSPECT else None
    return Belief(record(number, **says), liveness, accuser)


def hear(node: Beliefs, *heard: Belief, now: float = 0.0) -> list[type[MemberEvent]]:
    for belief in heard:
        node.believe(belief, now=now)
    return [type(event) for event in node.take_events()]


@given(rumours, st.randoms(use_true_random=False))
def test_the_order_and_the_repetition_of_gossip_do_not_matter(heard, rng):
    one, other = beliefs(), beliefs()
    hear(one, *heard)
    hear(other, *rng.sample(heard, len(heard)), *rng.choices(heard, k=3))

    node = heard[0].record.id
    held = one.held(node), other.held(node)
    assert held[0] is not None
    assert held[1] is not None
    assert held[0].precedence == held[1].precedence
    assert held[0].precedence == max(belief.precedence for belief in heard)
    assert one.members.summary.root == other.members.summary.root


@given(rumours)
def test_a_node_ends_up_believing_its_own_word_whatever_is_said_of_it(heard):
    node = Beliefs(heard[0].record, LAN, now=0.0)
    for at, belief in enumerate(heard):
        node.believe(belief, now=10.0 * at)

    own = node.held(node.me.id)
    assert own is not None
    assert own.liveness is ALIVE
    assert all(
        own.precedence >= belief.precedence
        for belief in heard
        if belief.record != node.me
    )


@pytest.mark.parametrize(
    ("story", "events"),
    [
        pytest.param([(ALIVE, 1, 0)], [Joined], id="joins"),
        pytest.param([(ALIVE, 1, 0)] * 2, [Joined], id="joins-once"),
        pytest.param([(SUSPECT, 1, 0)], [Joined, Suspected], id="joins-as-suspect"),
        pytest.param([(DOWN, 1, 0)], [], id="was-never-seen"),
        pytest.param(
            [(ALIVE, 1, 0), (SUSPECT, 1, 0), (ALIVE, 1, 1)],
            [Joined, Suspected, Changed],
            id="refutes",
        ),
        pytest.param(
            [(ALIVE, 1, 0), (SUSPECT, 1, 0), (DOWN, 1, 0), (ALIVE, 1, 1)],
            [Joined, Suspected, Failed, Returned],
            id="fails-and-returns",
        ),
        pytest.param([(ALIVE, 1, 0), (ALIVE, 1, 1)], [Joined], id="mere-incarnation"),
        pytest.param([(ALIVE, 1, 0), (ALIVE, 2, 0)], [Joined, Changed], id="restarts"),
        pytest.param(
            [(ALIVE, 1, 0), (LEFT, 1, 0), (DOWN, 1, 0), (ALIVE, 2, 0)],
            [Joined, Left, Returned],
            id="leaves-and-returns-at-once-with-a-newer-epoch",
        ),
        pytest.param([(ALIVE, 1, 0), (LEFT, 1, 0), (ALIVE, 1, 0)], [Joined, Left]),
    ],
)
def test_events_tell_the_story(story, events):
    heard = [about(1, live, epoch=e, incarnation=i) for live, e, i in story]

    assert hear(beliefs(), *heard) == events


@pytest.mark.parametrize("liveness", [SUSPECT, DOWN, LEFT])
def test_a_rumour_about_itself_is_refuted_by_a_later_incarnation(liveness):
    node = beliefs(epoch=4, incarnation=2)

    reaction = node.believe(about(0, liveness, epoch=4, incarnation=7), now=0.0)

    assert reaction is Reaction.REFUTED
    assert (node.me.epoch, node.me.incarnation) == (4, 8)


def test_a_rumour_about_an_earlier_word_of_itself_needs_no_answer():
    node = beliefs(epoch=4, incarnation=2)

    assert node.believe(about(0, DOWN, epoch=4, incarnation=1), now=0.0) is (
        Reaction.NOTHING
    )
    assert node.believe(about(0, DOWN, epoch=3, incarnation=9), now=0.0) is (
        Reaction.NOTHING
    )
    assert node.me.incarnation == 2


def test_a_node_that_started_with_an_old_clock_begins_an_epoch_after_the_known_one():
    node = beliefs(epoch=4)

    events = hear(node, about(0, ALIVE, epoch=9, incarnation=3))

    assert (node.me.epoch, node.me.incarnation) == (10, 0)
    assert events == [Changed]


def test_two_copies_of_a_node_do_not_outbid_each_other_as_fast_as_they_can():
    node = beliefs(epoch=4)

    for epoch in range(10, 30):
        hear(node, about(0, ALIVE, epoch=epoch), now=epoch / 100)

    assert node.me.epoch == 11


def test_a_copy_of_a_node_elsewhere_is_reported_once():
    node = beliefs(epoch=4)
    elsewhere = {"at": address(9)}

    first = hear(node, about(0, ALIVE, epoch=10, **elsewhere), now=1.0)
    second = hear(node, about(0, ALIVE, epoch=12, **elsewhere), now=3.0)
    third = hear(node, about(0, ALIVE, epoch=14, **elsewhere), now=5.0)

    # The first may be an earlier life, of a disk that was restored.
    assert [Conflict in each for each in (first, second, third)] == [False, True, False]
    assert len(node.copies) == 1


def test_a_claim_that_cannot_be_outdone_does_not_break_the_node():
    node = beliefs(epoch=4)

    hear(node, about(0, DOWN, epoch=COUNTER_LIMIT - 1, incarnation=COUNTER_LIMIT - 1))
    hear(node, about(0, DOWN, epoch=4, incarnation=COUNTER_LIMIT - 1))

    assert node.me.epoch == 4
    assert node.hear_obituary(COUNTER_LIMIT - 1, now=0.0) is Reaction.NOTHING


@pytest.mark.parametrize("claimed", [2**61 - 2, 2**61, 2**62 - 2, 2**62, 2**63 - 3])
def test_whatever_epoch_somebody_claims_for_a_node_it_can_start_again(claimed):
    for liveness in (ALIVE, DOWN):
        node = beliefs(epoch=4)

        hear(node, about(0, liveness, epoch=claimed))
        node.hear_obituary(claimed, now=0.0)
        on_disk = {META_TABLE: dict([epoch_row(node.me.epoch)[1:]])}
        following = next_start(on_disk, rng=random.Random(0), wall=0.0)

        assert node.me.epoch < following.epoch < COUNTER_LIMIT


def test_a_reaped_life_is_not_brought_back_by_gossip():
    node = beliefs()
    hear(node, about(1, ALIVE, epoch=7), about(1, DOWN, epoch=7))
    node.expire(now=LAN.reap_down_after)
    assert [type(event) for event in node.take_events()] == [Reaped]

    replayed = [
        about(1, live, epoch=7, incarnation=i) for live in Liveness for i in (0, 9)
    ]

    assert {node.believe(b, now=1e6) for b in replayed} == {Reaction.REFUSED}
    assert hear(node, about(1, ALIVE, epoch=8)) == [Joined]


def test_a_node_that_was_reaped_elsewhere_begins_a_new_epoch():
    node = beliefs(epoch=7)

    assert node.hear_obituary(6, now=0.0) is Reaction.NOTHING
    assert node.hear_obituary(7, now=0.0) is Reaction.REFUTED
    assert node.me.epoch == 8


def test_suspects_are_down_when_their_time_is_over():
    node = beliefs()
    hear(node, about(1, ALIVE))
    node.expire(now=0.0)
    node.doubt(node_id(1), now=10.0)
    assert node.next_wakeup() == 14.0

    node.expire(now=14.0)

    assert [type(event) for event in node.take_events()] == [Suspected, Failed]


def test_a_new_identity_with_the_same_name_and_address_replaces_the_old_one():
    node = beliefs()
    hear(node, about(1, ALIVE, name="x", epoch=3))

    events = hear(node, about(2, ALIVE, name="x", epoch=5, at=address(1)))

    assert events == [Joined, Left]
    assert node.members.live_peer(node_id(1)) is None


def test_what_is_heard_late_of_the_replaced_identity_does_not_replace_the_new_one():
    node = beliefs()
    hear(node, about(2, ALIVE, name="x", epoch=5, at=address(1)))

    hear(node, about(1, ALIVE, name="x", epoch=3))

    assert node.members.live_peer(node_id(2)) is not None


def test_whoever_is_met_at_an_address_replaces_its_namesake_there_by_any_clock():
    node = beliefs()
    hear(node, about(1, ALIVE, name="x", epoch=9))
    hear(node, about(2, ALIVE, name="x", epoch=5, at=address(1)))

    node.met(node_id(2), address(1), now=0.0)

    assert node.members.live_peer(node_id(1)) is None
    assert node.members.live_peer(node_id(2)) is not None


def test_another_name_at_the_same_address_replaces_nobody():
    node = beliefs()
    hear(node, about(1, ALIVE, epoch=3))

    hear(node, about(2, ALIVE, epoch=5, at=address(1)))
    node.met(node_id(2), address(1), now=0.0)

    assert node.members.live_peer(node_id(1)) is not None


def test_two_live_holders_of_a_name_are_reported_and_both_stay():
    node = beliefs()
    hear(node, about(1, ALIVE, name="x", epoch=3))
    node.believe(about(2, ALIVE, name="x", epoch=5), now=0.0)

    (conflict,) = [e for e in node.take_events() if isinstance(e, Conflict)]

    assert (conflict.member.id, conflict.keeper.id) == (node_id(1), node_id(2))
    assert node.members.live_count == 3


def test_a_third_holder_of_a_name_is_reported_with_the_one_that_keeps_it():
    node = beliefs()
    hear(node, about(1, ALIVE, name="x", epoch=3), about(2, ALIVE, name="x", epoch=5))

    node.believe(about(3, ALIVE, name="x", epoch=4), now=0.0)

    (conflict,) = [e for e in node.take_events() if isinstance(e, Conflict)]
    assert (conflict.member.id, conflict.keeper.id) == (node_id(3), node_id(2))


def test_a_holder_of_the_nodes_own_name_is_reported_too():
    assert Conflict in hear(beliefs(name="x"), about(1, ALIVE, name="x"))


def test_tags_beyond_the_limit_change_nothing():
    node = beliefs()
    before = node.me

    with pytest.raises(LimitExceeded):
        node.set_tags({"t": "x" * 600}, now=0.0)

    assert node.me is before


@pytest.mark.parametrize("tags", [{"a": 1}, {1: "a"}, {"a": None}, None, ["a"]])
def test_tags_that_others_could_not_read_change_nothing(tags):
    node = beliefs()
    before = node.me

    with pytest.raises(ConfigError, match="tags"):
        node.set_tags(tags, now=0.0)

    assert node.me is before


def test_what_to_remember_is_said_once_in_a_while_and_leaves_out_who_left():
    node = beliefs()
    hear(node, *(about(n, ALIVE) for n in range(1, 5)), about(1, LEFT), about(2, DOWN))

    (remember,) = node.expire(now=0.0)
    assert {r.id for r in remember.records} == {node_id(n) for n in (2, 3, 4)}

    hear(node, about(5, ALIVE), now=1.0)
    assert node.expire(now=1.0) == []
    assert node.next_wakeup() == LAN.remember_period
    (remember,) = node.expire(now=LAN.remember_period)
    assert len(remember.records) == 4
