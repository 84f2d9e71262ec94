"""Who is asked about a member that does not answer."""

import random

import pytest

from lashup.membership import LAN, Liveness
from lashup.membership.beliefs import Beliefs
from lashup.membership.member import Belief
from lashup.membership.panel import REFUTATION_PERIODS, Panel
from lashup.membership.turns import Turns
from tests.membership.vocabulary import LADDER, node_id, record

TARGET = 1


def beliefs_of(size: int) -> Beliefs:
    beliefs = Beliefs(record(0), LAN, now=0.0)
    for number in range(1, size):
        beliefs.believe(Belief(record(number), Liveness.ALIVE), now=0.0)
    return beliefs


def chosen(beliefs: Beliefs, *, config=LAN, now: float = 1.0):
    turns = Turns(beliefs, config, rng=random.Random(1))
    panel = Panel(beliefs, config, turns=turns, rng=random.Random(1))
    target = beliefs.members.live_peer(node_id(TARGET))
    assert target is not None
    helpers, needed = panel.choose(target, now=now)
    return set(helpers), needed


def refuted(number: int) -> Belief:
    return Belief(record(number, incarnation=1), Liveness.ALIVE)


@pytest.mark.parametrize("suspects", [0, 1, 20, 38])
def test_suspects_are_not_asked_while_others_are_enough(suspects):
    beliefs = beliefs_of(50)
    doubted = {node_id(number) for number in range(2, 2 + suspects)}
    for node in doubted:
        beliefs.doubt(node, now=0.5)

    helpers, needed = chosen(beliefs)

    assert (len(helpers), needed) == (10, 8)
    assert not helpers & (doubted | {node_id(0), node_id(TARGET)})


def test_suspects_are_asked_where_the_others_are_not_enough():
    beliefs = beliefs_of(12)
    for number in (2, 3, 4):
        beliefs.doubt(node_id(number), now=0.5)

    helpers, needed = chosen(beliefs)

    assert (len(helpers), needed) == (10, 8)
    assert helpers == {node_id(number) for number in range(2, 12)}


def test_who_is_left_is_asked_where_they_can_just_be_enough():
    beliefs = beliefs_of(12)
    for number in (2, 3):
        beliefs.doubt(node_id(number), now=0.5)

    assert chosen(beliefs) == ({node_id(number) for number in range(4, 12)}, 8)


def test_a_suspect_that_is_the_target_costs_nobody_a_place():
    beliefs = beliefs_of(12)
    beliefs.doubt(node_id(TARGET), now=0.5)

    assert len(chosen(beliefs)[0]) == 10


def test_who_has_refuted_a_suspicion_lately_is_left_to_the_ladder():
    beliefs = beliefs_of(50)
    beliefs.doubt(node_id(TARGET), now=0.5)
    beliefs.believe(refuted(TARGET), now=0.8)
    over = 0.8 + REFUTATION_PERIODS * LAN.probe_period

    assert chosen(beliefs, now=over - 0.01)[1] is None
    assert len(chosen(beliefs, now=over - 0.01)[0]) == LAN.indirect_probes
    assert chosen(beliefs, now=over + 0.01)[1] == 8


def test_who_was_never_suspected_has_refuted_nothing():
    beliefs = beliefs_of(50)
    beliefs.believe(refuted(TARGET), now=0.8)

    assert chosen(beliefs)[1] == 8


def test_a_refutation_is_of_one_life_only():
    beliefs = beliefs_of(50)
    beliefs.doubt(node_id(TARGET), now=0.5)
    beliefs.believe(refuted(TARGET), now=0.8)
    beliefs.give_up(node_id(TARGET), now=0.9)
    beliefs.believe(Belief(record(TARGET, epoch=2), Liveness.ALIVE), now=1.0)

    assert chosen(beliefs)[1] == 8


def test_a_suspect_that_has_restarted_has_refuted_nothing():
    beliefs = beliefs_of(50)
    beliefs.doubt(node_id(TARGET), now=0.5)
    beliefs.believe(Belief(record(TARGET, epoch=2), Liveness.ALIVE), now=0.8)

    assert chosen(beliefs)[1] == 8
    assert node_id(TARGET) not in beliefs.suspicions


def test_without_confirmation_no_number_of_helpers_will_do():
    helpers, needed = chosen(beliefs_of(50), config=LADDER)

    assert (len(helpers), needed) == (LADDER.indirect_probes, None)
