import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.errors import MalformedDatagram
from lashup.membership import Liveness
from lashup.membership.member import Belief, Precedence, belief_untrusted
from tests.membership.strategies import beliefs_about, records, rival_records
from tests.membership.vocabulary import node_id, record

ALIVE, SUSPECT, DOWN, LEFT = Liveness

rivals = beliefs_about(rival_records)


def rank(belief: Belief) -> Precedence:
    return belief.precedence


@given(rivals, rivals, rivals)
def test_beliefs_about_a_node_are_totally_ordered(a, b, c):
    assert (rank(a) < rank(b)) + (rank(b) < rank(a)) + (rank(a) == rank(b)) == 1
    if rank(a) <= rank(b) <= rank(c):
        assert rank(a) <= rank(c)


@given(rivals, rivals)
def test_two_beliefs_of_one_rank_say_the_same(a, b):
    if rank(a) == rank(b):
        assert (a.record, a.liveness) == (b.record, b.liveness)


@pytest.mark.parametrize(
    ("said", "held", "wins"),
    [
        pytest.param((SUSPECT, 1, 1), (ALIVE, 1, 1), True, id="doubt-beats-life"),
        pytest.param((SUSPECT, 1, 1), (ALIVE, 1, 2), False, id="old-doubt-does-not"),
        pytest.param((ALIVE, 1, 1), (SUSPECT, 1, 1), False, id="same-cannot-refute"),
        pytest.param((ALIVE, 1, 2), (SUSPECT, 1, 1), True, id="next-refutes"),
        pytest.param((SUSPECT, 1, 2), (SUSPECT, 1, 1), True, id="doubt-of-the-next"),
        pytest.param((DOWN, 1, 1), (SUSPECT, 1, 1), True, id="down-beats-doubt"),
        pytest.param((DOWN, 1, 1), (ALIVE, 1, 2), False, id="down-of-an-older-word"),
        pytest.param((ALIVE, 1, 2), (DOWN, 1, 1), True, id="the-down-may-refute"),
        pytest.param((LEFT, 1, 1), (DOWN, 1, 1), True, id="goodbye-beats-down"),
        pytest.param((ALIVE, 2, 0), (DOWN, 1, 9), True, id="new-life-beats-down"),
        pytest.param((ALIVE, 2, 0), (LEFT, 1, 9), True, id="new-life-beats-goodbye"),
        pytest.param((ALIVE, 1, 9), (DOWN, 2, 0), False, id="old-life-stays-over"),
    ],
)
def test_precedence(said, held, wins):
    def belief(liveness: Liveness, epoch: int, incarnation: int) -> Belief:
        return Belief(record(1, epoch=epoch, incarnation=incarnation), liveness)

    assert (belief(*said).precedence > belief(*held).precedence) is wins


@given(beliefs_about(records))
def test_a_belief_survives_its_journey(belief):
    assert belief_untrusted(belief.encode()) == belief


@given(st.binary(max_size=200))
def test_any_bytes_are_a_belief_or_malformed(data):
    with contextlib.suppress(MalformedDatagram):
        belief_untrusted(data)


def test_a_suspicion_needs_an_accuser():
    anonymous = Belief(record(1), SUSPECT).encode()

    with pytest.raises(MalformedDatagram):
        belief_untrusted(anonymous)
    accused = Belief(record(1), SUSPECT, node_id(2))
    assert belief_untrusted(accused.encode()) == accused
