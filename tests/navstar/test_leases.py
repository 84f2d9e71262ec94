"""How long an agent that is dead keeps its lines."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from navstar.leases import TURN, Leases
from tests.navstar.daemons import start, two_agents, until

LEASE = 100.0
ALL = {"a", "b", "c", "d"}


class Watcher:
    """Looks once a second, from the beginning on."""

    def __init__(self, me: str = "a") -> None:
        self.leases = Leases()
        self.me = me
        self.now = -1.0

    def ended(self, alive: str, *, until: float) -> str:
        """Whose lease has ended by then, while these lived all the time."""
        found: frozenset[str] = frozenset()
        while self.now < until:
            self.now += 1.0
            found = self.look(alive)
        return "".join(sorted(found))

    def look(self, alive: str) -> frozenset[str]:
        return self.leases.ended(ALL, set(alive), me=self.me, lease=LEASE, now=self.now)


def test_who_is_dead_for_the_whole_lease_loses_its_lines() -> None:
    watcher = Watcher()

    assert watcher.ended("abc", until=LEASE - 1) == ""
    assert watcher.ended("abc", until=LEASE) == "d"


def test_who_lives_again_has_a_whole_lease_again() -> None:
    watcher = Watcher()
    watcher.ended("abc", until=49.0)
    watcher.ended("abcd", until=59.0)

    assert watcher.ended("abc", until=LEASE + 59) == ""
    assert watcher.ended("abc", until=LEASE + 60) == "d"


def test_one_agent_takes_lines_back_and_the_others_wait_their_turn() -> None:
    watcher = Watcher("c")

    assert watcher.ended("abc", until=LEASE + 2 * TURN - 1) == ""
    assert watcher.ended("abc", until=LEASE + 2 * TURN) == "d"


def test_no_lease_runs_while_most_agents_are_silent() -> None:
    watcher = Watcher()
    watcher.ended("abc", until=49.0)

    assert watcher.ended("a", until=LEASE + 50) == ""
    assert watcher.ended("ab", until=2 * LEASE + 50) == ""
    assert watcher.ended("ab", until=2 * LEASE + 51) == "cd"


def test_who_was_stopped_takes_nobody_for_dead_all_the_time() -> None:
    watcher = Watcher()
    watcher.ended("abc", until=10.0)

    watcher.now = 2 * LEASE

    assert watcher.look("abc") == frozenset()
    assert watcher.ended("abc", until=3 * LEASE) == ""
    assert watcher.ended("abc", until=3 * LEASE + 1) == "d"


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
