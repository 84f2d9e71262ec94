"""Stops: a process or machine that stood for days, and clocks that look like it."""

from __future__ import annotations

import struct

import pytest

from lashup.crdt import Actor, CausalContext, Delta, Dot, FactSet
from lashup.kv.absence import DAY, Absence
from lashup.kv.rider import Rider
from tests.kv.days import AFTER, ROOT, Days
from tests.kv.vocabulary import WALL, Peer, empty_tables


def _stopped_while_all_was_removed(days: Days) -> Peer:
    """A replica that has not run since the others had what they then forgot."""
    days.write(0, ROOT.register("old").assign(1))
    days.write(2, ROOT.register("mine").assign(1), ROOT.register("other").assign(1))
    days.pass_days(1)
    days.restart(0)
    days.restart(1)
    days.stop(2)
    # It is still in the socket when the process goes on, as are equal digests.
    days.write(1, ROOT.register("brief").assign(1), heard_by={0, 2})
    days.restart(0)
    days.write(0, ROOT.remove(), ROOT.register("new").assign(1))
    days.pass_days(AFTER + 10)
    assert days.actors(0) == 1
    return days.peers[2]


def test_a_process_that_was_stopped_for_long_is_as_one_that_was_off():
    days = Days(3)
    stopped = _stopped_while_all_was_removed(days)

    days.resume(2)
    assert stopped.replica.rider.away_since == 19_676
    days.pass_days(1)

    assert [days.value(n) for n in range(3)] == [{"new": 1}] * 3


def test_a_machine_that_was_suspended_is_as_one_that_was_off():
    days = Days(3)
    stopped = _stopped_while_all_was_removed(days)
    # The clock of its process has stood all the time.
    stopped.start(wall=days.wall)
    del stopped.disk["meta"][b"retirement"]
    stopped.start(wall=WALL + DAY)
    stopped.tick(now=days.now - 1.0, wall=WALL + DAY)
    equal = Rider(stopped.replica.root, is_informed=True)
    stopped.replica.hear_rider(equal, days.peers[0].address, now=days.now - 1.0)
    assert stopped.replica.rider.away_since == 0

    days.resume(2)
    days.pass_days(1)

    assert [days.value(n) for n in range(3)] == [{"new": 1}] * 3


def test_who_was_stopped_ends_the_exchange_that_it_was_in():
    days = Days(2)
    days.write(0, ROOT.register("r").assign(1))
    stopped = days.peers[1]
    stopped.hear_digest_of(days.peers[0], now=days.now)
    stopped.tick(now=days.now)
    assert len(stopped.said()) == 1
    days.stop(1)
    days.day += AFTER

    days.resume(1)

    assert stopped.said() == []
    days.meet()


def test_what_is_written_after_a_stop_is_of_another_actor():
    days = Days(3)
    stopped = _stopped_while_all_was_removed(days)
    on_its_way = stopped.write(ROOT.register("late").assign(1), wall=days.wall)

    days.resume(2)
    days.write(2, ROOT.register("later").assign(2), heard_by={0, 1})
    days.pass_days(1)

    assert stopped.acknowledged[-2:-1] != [on_its_way.delta]
    expected = {"new": 1, "late": 1, "later": 2}
    assert [days.value(n) for n in range(3)] == [expected] * 3


def test_what_was_written_before_anybody_was_current_is_dropped_after_a_stop():
    # The state machine found it.
    days = Days(3)
    days.write(0, ROOT.register("kept").assign(1))
    days.meet()
    for number in range(3):
        days.switch_off(number)
    days.day += 40
    for number in range(3):
        days.switch_on(number)
    days.meet()
    days.write(2, ROOT.register("old").assign(1), heard_by={0, 1})
    days.stop(2)
    days.write(0, ROOT.register("old").remove())
    days.pass_days(AFTER + 10)
    assert days.actors(0) == 1

    days.resume(2)
    days.pass_days(1)

    assert [days.value(n) for n in range(3)] == [{"kept": 1}] * 3


def test_what_was_announced_to_who_then_stopped_is_dropped_too():
    # The state machine found it.
    days = Days(3)
    days.write(0, ROOT.register("r").assign(1), heard_by={2})
    days.stop(2)
    days.restart(0)
    days.write(0, ROOT.register("r").assign(2))
    days.pass_days(AFTER + 1)
    assert days.actors(0) == 1

    days.resume(2)
    days.pass_days(1)

    assert [days.value(n) for n in range(3)] == [{"r": 2}] * 3
    assert [days.actors(n) for n in range(3)] == [1, 1, 1]


def test_who_was_alone_for_a_day_and_then_stopped_drops_what_its_disk_brought():
    # The state machine found it.
    days = Days(2)
    days.write(0, ROOT.register("old").assign(1))
    days.pass_days(1)
    days.switch_off(1)
    days.switch_on(1)
    for _ in range(2):
        days.run_alone(1)
        days.day += 1
    alone = days.peers[1]
    assert alone.replica.rider.away_since == 0
    days.stop(1)
    days.restart(0)
    days.write(0, ROOT.remove(), ROOT.register("new").assign(1))
    days.pass_days(AFTER + 10)

    days.resume(1)
    days.pass_days(1)

    assert days.value(0) == days.value(1) == {"new": 1}


def test_a_stop_of_a_night_changes_nothing():
    days = Days(2)
    days.write(1, ROOT.register("r").assign(1))
    peer = days.peers[1]
    peer.tick(now=days.now + DAY / 2 - 1, wall=days.wall + DAY / 2 - 1)
    days.write(1, ROOT.register("s").assign(1))

    assert days.actors(1) == 1
    assert peer.replica.rider.away_since == 0


def _loaded(*, ran: int, wall: float = WALL) -> Absence:
    """One whose disk brings an actor, and was last on some day."""
    absence = Absence(after=AFTER)
    state = {b"retirement": struct.pack(">HHH", 0, 0, ran)}
    facts = FactSet()
    facts.join(Delta({}, CausalContext([Dot(Actor(b"12345678"), 1)])))
    absence.load(state, facts, wall=wall)
    absence.was_stopped(CausalContext(), now=0.0, wall=wall)
    absence.begin_round(now=0.0, wall=wall)
    return absence


def test_who_was_away_and_then_stopped_is_away_since_the_first_day():
    absence = _loaded(ran=19_600)

    assert absence.was_stopped(CausalContext(), now=AFTER * DAY, wall=WALL)

    assert absence.away_since == 19_600


def test_who_takes_from_one_that_was_away_for_longer_is_as_old_as_that():
    absence = _loaded(ran=19_600)

    absence.took([Actor(b"abcdefgh")], Rider(1, True, 0, 19_500))

    assert absence.away_since == 19_500


def test_who_met_others_before_its_clock_was_set_lacks_nothing_that_they_forgot():
    absence = _loaded(ran=10, wall=20 * DAY)
    others = Rider(1, True, 19_600)
    absence.agree(others)

    assert absence.was_stopped(CausalContext(), now=60.0, wall=WALL)
    absence.begin_round(now=60.0, wall=WALL)

    assert not absence.is_outdated_for(others)
    assert absence.is_outdated_for(Rider(1, True, 19_601))


@pytest.mark.parametrize("years", [3, 54])
@pytest.mark.parametrize("number", [1, 2])
def test_a_clock_that_is_set_after_the_start_takes_nothing_from_who_wrote(
    number, years
):
    days = Days(3)
    days.switch_off(2)
    days.peers[2].disk = empty_tables()  # It has never met anybody.
    days.write(0, ROOT.register("gone").assign(1))
    days.write(0, ROOT.remove(), ROOT.register("there").assign(1))
    days.restart(0)
    days.write(0, ROOT.register("there").assign(2))
    days.pass_days(AFTER + 10)
    days.switch_off(1)
    late = days.peers[number]

    behind = days.wall - years * 365 * DAY
    days.on.add(number)
    late.start(wall=behind)
    late.tick(now=days.now, wall=behind)
    late.write(ROOT.register("mine").assign(1), wall=behind)
    late.sync_disk()
    late.said()  # Nobody hears of it.
    late.tick(now=days.now + 60.0, wall=days.wall + 60.0)
    days.pass_days(3)

    assert days.value(0) == days.value(number) == {"there": 2, "mine": 1}
    assert late.dropped == 0


@pytest.mark.parametrize("jump", [-400, -2, 2, 400])
def test_a_clock_that_jumps_costs_nobody_anything(jump):
    days = Days(3)
    days.write(0, ROOT.register("gone").assign(1), ROOT.register("there").assign(1))
    days.pass_days(1)
    days.switch_off(2)
    days.write(0, ROOT.register("gone").remove())
    days.pass_days(1)

    days.peers[0].tick(now=days.now + 60.0, wall=days.wall + 60.0 + jump * DAY)
    days.meet()
    days.peers[0].tick(now=days.now + 90.0, wall=days.wall + 90.0)
    days.switch_on(2)
    days.pass_days(1)

    assert [days.value(n) for n in range(3)] == [{"there": 1}] * 3
    days.write(1, ROOT.remove())
    days.pass_days(AFTER + 3)
    assert [days.actors(n) for n in range(3)] == [0, 0, 0]


def test_a_horizon_of_a_clock_that_is_ahead_is_not_followed():
    peer = Peer(0)
    peer.tick(now=0.0, wall=WALL)

    peer.replica.hear_rider(Rider(1, True, 60_000, 0), ("10.0.0.9", 1), now=0.0)
    assert peer.replica.absence._heard == 0

    peer.replica.hear_rider(Rider(1, True, 19_000, 0), ("10.0.0.9", 1), now=0.0)
    assert peer.replica.absence._heard == 19_000
    # It has nothing of what those behind the horizon have.
    assert peer.replica.rider.horizon == 0
