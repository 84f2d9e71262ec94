import random

from hypothesis import given
from hypothesis import strategies as st

from lashup.membership import Liveness, Member
from lashup.membership.member import Belief
from lashup.membership.member_list import MemberList
from tests.membership.vocabulary import address, node_id, record

changes = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 2), st.sampled_from(Liveness))
)
names = st.sampled_from(("a", "b"))


def member_list() -> MemberList:
    members = MemberList(record(0), hash_key=b"k", reaped_limit=3)
    members.put(Member(record(0), Liveness.ALIVE, since=0.0))
    return members


@given(changes, st.lists(st.tuples(names, st.integers(1, 3)), min_size=1))
def test_what_is_kept_up_to_date_is_what_counting_would_give(story, lives):
    members = member_list()
    for step, (number, incarnation, liveness) in enumerate(story):
        if number:
            name, epoch = lives[step % len(lives)]
            said = record(
                number,
                name=name,
                epoch=epoch,
                incarnation=incarnation,
                at=address(number % 3),
            )
            members.put(Member(said, liveness, since=0.0))

    everybody = list(members)
    live = [m for m in everybody if m.liveness.is_live]
    assert members.live == tuple(sorted(m.id for m in live))
    assert members.live_count == len(live)
    assert set(members.summary) == {m.id for m in live}
    assert set(members.down) == {m.id for m in everybody if m.liveness is Liveness.DOWN}
    assert members.troubled == any(m.liveness is not Liveness.ALIVE for m in everybody)
    for number in range(3):
        at = {m.id for m in everybody if address(number) in m.addresses}
        assert {m.id for m in members.at_address(address(number))} == at
    holders = [(m.name, m.epoch, m.id) for m in live]
    assert members.names.contested == {
        name for name in ("a", "b") if sum(h[0] == name for h in holders) > 1
    }
    for each in everybody:
        others = [h for h in holders if h[0] == each.name and h[2] != each.id]
        rival = max(others, key=lambda h: h[1:], default=None)
        assert members.names.rival(each) == (rival and rival[2])
        assert members.names.earlier(each) == [
            h[2] for h in sorted(others) if h[1] < each.epoch
        ]


@given(changes, changes)
def test_two_tables_have_one_hash_exactly_when_the_live_records_are_the_same(a, b):
    tables = []
    for story in (a, b):
        members = member_list()
        for number, incarnation, liveness in story:
            said = record(number, incarnation=incarnation)
            members.put(Member(said, liveness if number else Liveness.ALIVE, 0.0))
        tables.append(members)

    records = [{m.record for m in t if m.liveness.is_live} for t in tables]
    assert (tables[0].summary.root == tables[1].summary.root) is (
        records[0] == records[1]
    )


@given(st.integers(1, 60), st.integers(0, 8), st.integers(0, 9))
def test_a_sample_is_of_different_live_peers(size, count, excluded):
    members = member_list()
    for number in range(1, size):
        members.put(Member(record(number), Liveness.ALIVE, since=0.0))
    without = frozenset(node_id(n) for n in range(1, excluded + 1))

    sample = members.sample(count, without=without, rng=random.Random(1))

    ids = {member.id for member in sample}
    possible = {node_id(n) for n in range(excluded + 1, size)}
    assert len(ids) == len(sample) == min(count, len(possible))
    assert ids <= possible


def test_a_life_that_was_reaped_is_held_against_it_and_a_new_one_is_not():
    members = member_list()
    members.put(Member(record(1, epoch=5), Liveness.DOWN, since=0.0))

    members.reap(node_id(1))

    assert members.get(node_id(1)) is None
    assert members.is_reaped(Belief(record(1, epoch=5, incarnation=9), Liveness.ALIVE))
    assert not members.is_reaped(Belief(record(1, epoch=6), Liveness.ALIVE))


def test_of_more_reaped_lives_than_the_limit_the_oldest_are_forgotten():
    members = member_list()
    for number in range(1, 6):
        members.put(Member(record(number), Liveness.DOWN, since=0.0))
        members.reap(node_id(number))

    assert list(members.reaped) == [node_id(3), node_id(4), node_id(5)]


def test_a_member_is_sent_to_at_an_address_of_a_family_that_we_have():
    v4, v6 = ("10.0.0.1", 1), ("fd00::1", 1)
    both = Member(record(1), Liveness.ALIVE, since=0.0)
    both = Member(
        type(both.record)(node_id(1), "n1", 1, 0, (v6, v4)), Liveness.ALIVE, 0.0
    )

    for mine, expected in ((v4, v4), (v6, v6)):
        members = MemberList(record(0, at=mine), hash_key=b"", reaped_limit=1)
        assert members.address_of(both) == expected
