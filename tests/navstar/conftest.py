"""Two agents with real daemons, for the tests of this folder that ask for them."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from navstar.control import Reply
from tests.navstar.daemons import (
    Daemon,
    meshed,
    start,
    two_agents,
    until,
)


@pytest.fixture
def agents(tmp_path: Path) -> Iterator[tuple[Daemon, Daemon]]:
    with two_agents(tmp_path) as pair:
        yield pair


@pytest.fixture
def pair(agents: tuple[Daemon, Daemon]) -> tuple[Daemon, Daemon]:
    """Both agents, running and at rest; for tests that end one of them."""
    start(*agents)
    return agents


@pytest.fixture(scope="module")
def _standing(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Daemon, Daemon]]:
    with two_agents(tmp_path_factory.mktemp("standing")) as pair:
        start(*pair)
        yield pair


@pytest.fixture
def standing(_standing: tuple[Daemon, Daemon]) -> tuple[Daemon, Daemon]:
    """Two agents for tests that leave them as they found them, at rest again."""
    for daemon in _standing:
        daemon.write()
    for daemon, other in zip(_standing, reversed(_standing), strict=True):
        # What the test before has left in a file may be in force still.
        until(partial(daemon.ask, "status"), _has_read_its_file)
        until(daemon.rows, partial(_leads_to, other=other))
    meshed(*_standing)
    return _standing


def _has_read_its_file(status: Reply) -> bool:
    return not status["source"]["fault"]


def _leads_to(rows: set[str], other: Daemon) -> bool:
    """Whether the routes of an agent lead to the blocks that another has by default."""
    blocks = (f"9.0.{other.number}.0/24", f"fd01:b:0:0:{other.number}::/80")
    routes = [
        row.split()[1] for row in rows if re.match(r"route (9\.0\.|fd01:b:)", row)
    ]
    return sorted(routes) == sorted(blocks)
