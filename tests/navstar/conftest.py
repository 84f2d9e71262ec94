"""Two agents with real daemons, for the tests of this folder that ask for them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.navstar.daemons import (
    Daemon,
    meshed,
    start,
    two_agents,
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
    meshed(*_standing)
    return _standing
