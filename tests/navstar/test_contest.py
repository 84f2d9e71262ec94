"""Rows that somebody keeps undoing: who waits, how long, and who does not."""

import math
from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from navstar.changed import Changed
from navstar.contest import CALM, Contest
from navstar.diff import Delete, Put, diff
from navstar.tables import Addr, Fdb, Link, Neighbour, Route, kernel_key, link_of
from tests.navstar.example_rows import GROUND, LINK, path_to

DESIRED = GROUND | path_to(2) | path_to(3)
AUDIT = 10.0
#: Seconds from an event to the pass that it asks for.
REACTION = 0.05


def one_of(kind, rows=DESIRED):
    return min((row for row in rows if isinstance(row, kind)), key=str)


ROUTE, FDB, ADDR = one_of(Route), one_of(Fdb), one_of(Addr)


class Fight:
    """A kernel, somebody who breaks things, and the one who repairs them."""

    def __init__(self) -> None:
        self.contest = Contest(longest_wait=AUDIT)
        self.contest.ended(DESIRED)
        self.kernel = DESIRED
        self.now = 0.0
        self.port = 0
        self.repairs = 0

    def look(self):
        """One pass; what it decided."""
        ops = diff(DESIRED, self.kernel)
        ports = dict.fromkeys(Changed, self.port) if self.port else {}
        ruling = self.contest.judge(ops, self.kernel, ports=ports, now=self.now)
        self.repairs += len(ruling.ops)
        rows = {kernel_key(row): row for row in self.kernel}
        for op in ruling.ops:
            rows.pop(kernel_key(op.row), None)
            if isinstance(op, Put):
                rows[kernel_key(op.row)] = op.row
        self.kernel = frozenset(rows.values())
        self.contest.ended(self.kernel)
        return ruling

    def undo(self, *rows):
        """Somebody deletes rows, and a pass follows."""
        self.now += REACTION
        self.kernel -= set(rows)
        return self.look()

    def wait_out(self, ruling):
        self.now = ruling.look_again_at
        return self.look()


def contested(*rows):
    """A fight in which this has been undone until it has to wait."""
    fight = Fight()
    for _ in range(3):
        assert not fight.undo(*rows).held
    return fight, fight.undo(*rows)


def test_the_fourth_time_has_to_wait_and_is_reported():
    _, ruling = contested(ROUTE)

    assert ruling.ops == ()
    assert ruling.held == (Put(ROUTE),)
    (one,) = ruling.contested
    assert (one.row, one.found, one.repairs) == (ROUTE, None, 3)
    assert one.waits == 1.0 - REACTION


def test_the_wait_doubles_up_to_the_audit_period():
    fight, ruling = contested(ROUTE)
    waits = []

    for _ in range(8):
        fight.wait_out(ruling)
        began = fight.now
        ruling = fight.undo(ROUTE)
        waits.append(ruling.look_again_at - began)

    assert waits == pytest.approx([2, 4, 8, 10, 10, 10, 10, 10])


def test_other_rows_do_not_wait():
    fight, _ = contested(ROUTE)

    ruling = fight.undo(FDB)

    assert ruling.ops == (Put(FDB),)
    assert ruling.held == (Put(ROUTE),)


def test_whoever_does_something_else_each_time_is_no_fight():
    fight = Fight()
    rows = sorted(DESIRED - {LINK}, key=str)

    for _ in range(3):
        for row in rows:
            assert not fight.undo(row).held
    for mtu in range(1300, 1320):
        fight.now += REACTION
        fight.kernel = fight.kernel - {LINK} | {replace(LINK, mtu=mtu)}
        assert not fight.look().held


def test_what_is_left_alone_is_contested_no_more():
    fight, ruling = contested(ROUTE)
    fight.wait_out(ruling)

    fight.now += CALM - 1
    assert len(fight.look().contested) == 1
    fight.now += 1
    assert fight.look().contested == ()
    assert fight.undo(ROUTE).ops == (Put(ROUTE),)


def test_what_falls_with_the_link_waits_for_the_link_and_is_no_fight_of_its_own():
    gone = [row for row in DESIRED if link_of(row) == LINK.name]
    fight, ruling = contested(*gone)

    assert [one.row for one in ruling.contested] == [LINK]
    assert {op.row for op in ruling.held if isinstance(op, Put)} >= {LINK, ROUTE, FDB}
    assert ruling.ops == ()
    assert set(fight.wait_out(ruling).ops) == set(ruling.held)


def test_a_contested_mtu_holds_up_no_row_on_the_link():
    fight = Fight()
    for _ in range(4):
        fight.now += REACTION
        fight.kernel = fight.kernel - {LINK} | {replace(LINK, mtu=1300)}
        ruling = fight.look()
    assert ruling.held == (Put(LINK),)

    assert fight.undo(ROUTE).ops == (Put(ROUTE),)


def test_what_falls_with_an_address_waits_for_it():
    mine = [
        r for r in DESIRED if isinstance(r, Route | Neighbour) and "44.128" in f"{r}"
    ]
    address = next(r for r in DESIRED if isinstance(r, Addr) and "44.128" in str(r))

    _, ruling = contested(address, *mine)

    assert [one.row for one in ruling.contested] == [address]
    assert {op.row for op in ruling.held} == {address, *mine}


def test_a_row_with_our_mark_that_comes_back_again_and_again_is_a_fight_too():
    fight = Fight()
    stray = replace(FDB, mac="02:00:00:00:00:77")

    for _ in range(4):
        fight.now += REACTION
        fight.kernel |= {stray}
        ruling = fight.look()

    assert ruling.held == (Delete(stray),)
    assert ruling.contested[0].found == stray


def test_the_last_who_changed_such_a_row_is_named():
    fight = Fight()
    fight.port = 4711
    fight.undo(ROUTE)
    fight.port = 0
    for _ in range(3):
        ruling = fight.undo(ROUTE)

    assert [one.port for one in ruling.contested] == [4711]


def test_what_the_table_changes_is_no_fight():
    contest = Contest(longest_wait=AUDIT)
    actual = DESIRED
    other = replace(FDB, agent=ip_address("10.0.0.99"))
    wanted = [DESIRED - {FDB} | {other}, DESIRED]

    for number in range(20):
        contest.ended(actual)
        desired = wanted[number % 2]
        ops = diff(desired, actual)
        ruling = contest.judge(ops, actual, ports={}, now=number * REACTION)
        assert (ruling.ops, ruling.held) == (ops, ())
        actual = desired


def test_a_flush_of_everything_is_repaired_at_once_however_many_rows():
    fight = Fight()

    assert len(fight.undo(*DESIRED).ops) == len(DESIRED)


@given(st.lists(st.sets(st.sampled_from(sorted(DESIRED, key=str))), max_size=40))
def test_every_operation_goes_or_waits_and_what_waits_is_looked_at_again(blows):
    fight = Fight()
    for rows in blows:
        fight.now += REACTION
        fight.kernel -= rows
        ops = diff(DESIRED, fight.kernel)
        ruling = fight.look()

        assert sorted(ruling.ops + ruling.held, key=str) == sorted(ops, key=str)
        assert bool(ruling.held) == (ruling.look_again_at < math.inf)
        assert not ruling.held or ruling.look_again_at - fight.now <= AUDIT
    fight.now += AUDIT
    # Whoever stops gets everything repaired within an audit period.
    fight.look()
    assert fight.kernel == DESIRED


@given(st.sampled_from(sorted(DESIRED, key=str)), st.integers(1, 200))
def test_a_fight_costs_few_writes_however_fast_the_other_is(row, seconds):
    fight = Fight()
    while fight.now < seconds:
        ruling = fight.undo(row)
        if ruling.held:
            fight.wait_out(ruling)

    # 3 at once, then after 1, 2, 4, 8 and every 10 seconds.
    assert fight.repairs <= 3 + 4 + 1 + seconds / AUDIT


def test_a_link_that_is_down_holds_up_what_is_on_it():
    fight = Fight()
    down = replace(LINK, up=False)
    lost = {
        row for row in DESIRED if isinstance(row, Route) and row.subnet.version == 4
    }
    for _ in range(4):
        fight.now += REACTION
        fight.kernel = fight.kernel - lost - {LINK} | {down}
        ruling = fight.look()

    assert {op.row for op in ruling.held} == {LINK, *lost}
    assert isinstance(ruling.contested[0].found, Link)
