"""A member that many newcomers ask at once sends them on to others."""

import dataclasses
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.membership import LAN, Failed, Liveness
from lashup.membership.admission import NAMED, Admission
from lashup.membership.beliefs import Beliefs
from lashup.membership.member import Belief
from lashup.membership.messages import Ask, Redirect
from tests.membership.conversation import receive, said
from tests.membership.vocabulary import World, address, cluster, node_id, record

RATE = LAN.walk_answers
SETTLED = LAN.settled_after
NEWCOMER = node_id(99)


def admission(*, peers: int, config=LAN) -> Admission:
    beliefs = Beliefs(record(0), config, now=0.0)
    for number in range(1, peers + 1):
        beliefs.believe(Belief(record(number), Liveness.ALIVE), now=0.0)
    return Admission(beliefs, config, rng=random.Random(1))


def test_a_burst_is_answered_and_what_comes_then_is_sent_on_to_three():
    asked = admission(peers=20)
    sent_on = [asked.elsewhere(NEWCOMER, now=20.0) for _ in range(150)]

    assert sent_on[:100] == [()] * 100
    assert all(len(set(named)) == NAMED for named in sent_on[100:])
    assert asked.redirects == 50
    assert asked.elsewhere(NEWCOMER, now=20.0 + 1.01 / RATE) == ()


def test_nobody_is_sent_on_to_itself():
    asked = admission(peers=4)
    for _ in range(100):
        asked.elsewhere(node_id(2), now=20.0)

    named = {n for _ in range(50) for n in asked.elsewhere(node_id(2), now=20.0)}

    assert named == {node_id(1), node_id(3), node_id(4)}


def test_where_all_are_new_everybody_is_answered():
    asked = admission(peers=20)

    assert {asked.elsewhere(NEWCOMER, now=SETTLED - 0.1) for _ in range(500)} == {()}
    assert admission(peers=0).elsewhere(NEWCOMER, now=99.0) == ()
    assert asked.redirects == 0


@given(st.lists(st.floats(0.0, 0.05), max_size=200))
def test_no_stretch_of_time_has_more_answers_than_the_rate_and_the_burst(gaps):
    config = dataclasses.replace(LAN, walk_answers=20.0)
    asked, now = admission(peers=5, config=config), 20.0
    answered = []
    for gap in gaps:
        now += gap
        if not asked.elsewhere(NEWCOMER, now=now):
            answered.append(now)

    for place, since in enumerate(answered):
        assert (
            len(answered) - place <= 20.0 * (answered[-1] - since) + 0.2 * 20.0 + 1.01
        )


def test_newcomers_of_a_busy_seed_get_the_table_from_others():
    config = dataclasses.replace(LAN, walk_answers=5.0)
    world, swims = cluster(20, seed=1, config=config)
    world.run(SETTLED + 1.0)
    before = [swim.statistics()["sent_answer"] for swim in swims]
    for number in range(20, 60):
        world.start(number)

    seconds = world.run_until(world.all_agree, within=20.0)

    answers = [
        swim.statistics()["sent_answer"] - earlier
        for swim, earlier in zip(swims, before, strict=True)
    ]
    assert seconds < 5.0
    assert swims[0].statistics()["redirects"] > 10
    assert sum(answers) > 4 * answers[0]
    assert world.heard(Failed) == []


def test_who_is_sent_on_by_all_insists():
    config = dataclasses.replace(LAN, walk_answers=1.0)
    world, swims = cluster(4, seed=1, config=config)
    world.run(SETTLED + 1.0)
    for number in range(4, 12):
        world.start(number)

    assert world.converge(within=30.0) < 30.0
    assert sum(swim.statistics()["redirects"] for swim in swims) > 3


def test_only_whom_we_walk_can_send_us_on():
    world, swims = cluster(20, seed=1)
    swim = swims[0]

    effects = receive(swim, Redirect((node_id(5),)), sender=3, now=world.now)

    assert [m for _, m in said(effects) if isinstance(m, Ask)] == []


def test_a_walk_that_is_sent_on_goes_on_with_one_that_is_live():
    world = World(seed=1)
    newcomer = world.start(1, seeds=[0])
    for number in (0, 2, 3):
        belief = Belief(record(number), Liveness.ALIVE)
        newcomer._beliefs.believe(belief, now=world.now)
    asks = newcomer._reconciliation.compare(
        7, peer=node_id(0), address=address(0), now=world.now
    )

    redirect = Redirect((node_id(0), node_id(77), node_id(3), node_id(2)))
    effects = receive(newcomer, redirect, sender=0, now=world.now)

    assert [to for to, m in asks if isinstance(m, Ask)] == [address(0)]
    assert {to for to, m in said(effects) if isinstance(m, Ask)} == {address(3)}


@pytest.mark.parametrize("rate", [0.5, 2.0, 4.0, 500.0])
def test_every_rate_admits_as_many_as_it_says(rate):
    config = dataclasses.replace(LAN, walk_answers=rate)
    asked = admission(peers=5, config=config)
    times = [20.0 + n / 1_000 for n in range(20_000)]

    answered = sum(asked.elsewhere(NEWCOMER, now=at) == () for at in times)

    assert answered == pytest.approx(20 * rate, rel=0.02, abs=0.2 * rate + 1)


def walking(*others: int):
    """A newcomer that walks the table of member 0, and knows some others."""
    newcomer = World(seed=1).start(1, seeds=[0])
    for number in (0, *others):
        belief = Belief(record(number), Liveness.ALIVE)
        newcomer._beliefs.believe(belief, now=1000.0)
    newcomer._reconciliation.compare(7, peer=node_id(0), address=address(0), now=1000.0)
    return newcomer


def asks(effects) -> set[tuple[str, int]]:
    return {to for to, message in said(effects) if isinstance(message, Ask)}


def test_who_is_not_walked_cannot_end_a_walk():
    newcomer = walking(2, 3)

    effects = receive(newcomer, Redirect((node_id(3),)), sender=2, now=1000.0)

    assert asks(effects) == set()
    assert asks(receive(newcomer, Redirect((node_id(3),)), sender=0, now=1000.0))


def test_after_three_turns_a_walk_stays_where_it_is():
    newcomer = walking(2, 3, 4, 5)

    turns = [
        asks(receive(newcomer, Redirect((node_id(to),)), sender=at, now=1000.0))
        for at, to in ((0, 2), (2, 3), (3, 4), (4, 5))
    ]

    assert turns == [{address(2)}, {address(3)}, {address(4)}, set()]
