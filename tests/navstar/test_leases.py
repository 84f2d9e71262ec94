"""How long an agent that is dead keeps its lines."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from navstar.leases import TURN, Leases
from tests.navstar.daemons import start, two_agents, until

LEASE = 100.0
ALL = {"a", "b", "c", "d"}


def ended(leases: Leases, alive: str, *, now: float, me: str = "a") -> str:
    found = leases.ended(ALL, set(alive), me=me, lease=LEASE, now=now)
    return "".join(sorted(found))


def test_who_is_dead_for_the_whole_lease_loses_its_lines() -> None:
    leases = Leases()

    ended(leases, "abc", now=0.0)

    assert ended(leases, "abc", now=LEASE - 1) == ""
    assert ended(leases, "abc", now=LEASE) == "d"


def test_who_lives_again_has_a_whole_lease_again() -> None:
    leases = Leases()
    ended(leases, "abc", now=0.0)
    ended(leases, "abcd", now=50.0)
    ended(leases, "abc", now=60.0)

    assert ended(leases, "abc", now=LEASE + 59) == ""
    assert ended(leases, "abc", now=LEASE + 60) == "d"


def test_one_agent_takes_lines_back_and_the_others_wait_their_turn() -> None:
    leases = Leases()
    ended(leases, "abc", me="c", now=0.0)

    assert ended(leases, "abc", me="c", now=LEASE + 2 * TURN - 1) == ""
    assert ended(leases, "abc", me="c", now=LEASE + 2 * TURN) == "d"


def test_no_lease_runs_while_most_agents_are_silent() -> None:
    leases = Leases()
    ended(leases, "abc", now=0.0)
    ended(leases, "a", now=50.0)

    assert ended(leases, "a", now=LEASE + 50) == ""
    assert ended(leases, "ab", now=LEASE + 50) == ""
    assert ended(leases, "ab", now=2 * LEASE + 50) == "cd"


@pytest.mark.kernel
def test_the_rows_of_a_dead_agent_go_when_its_lease_has_run_out(tmp_path: Path) -> None:
    with two_agents(tmp_path) as (first, second):
        first.write(reconcile="lease = 0.5")
        start(first, second)
        before = first.rows()

        second.end(signal.SIGKILL)
        until(first.rows, lambda rows: not any("9.0.2.0/24" in row for row in rows))
        # It comes back after all.
        second.start()

        assert until(first.rows, lambda rows: rows == before)
