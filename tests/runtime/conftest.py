"""Both event loops, for whoever asks for one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

import pytest

from tests.runtime.loops import BACKENDS, run

RunTest: TypeAlias = Callable[[Callable[[], Awaitable[None]]], None]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The name of an event loop."""
    return str(request.param)


@pytest.fixture
def on(backend: str) -> RunTest:
    """Runs a test on it."""
    return partial(run, backend)
