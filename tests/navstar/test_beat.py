"""Loops that look every so often are woken together."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from navstar.beat import next_beat


@given(st.floats(0.0, 1e6), st.sampled_from([0.05, 0.2, 1.0, 30.0]))
def test_a_wait_is_half_a_period_at_least_and_one_and_a_half_at_most(
    start: float, period: float
) -> None:
    async def waited() -> float:
        begun = trio.current_time()
        await next_beat(period)
        return trio.current_time() - begun

    clock = MockClock(autojump_threshold=0.0)
    clock.jump(start)
    slack = 1e-9 * (start + 1.0)
    seconds = trio.run(waited, clock=clock)

    assert period / 2 - slack <= seconds <= 1.5 * period + slack


async def test_loops_that_begin_apart_wake_at_the_same_moments(
    nursery, autojump_clock
) -> None:
    woken: dict[str, list[float]] = {"every": [], "every other": []}

    async def look(name: str, start: float, period: float) -> None:
        await trio.sleep(start)
        while True:
            await next_beat(period)
            woken[name].append(trio.current_time())

    nursery.start_soon(look, "every", 0.3, 1.0)
    nursery.start_soon(look, "every other", 0.77, 2.0)
    await trio.sleep(60.5)

    assert len(woken["every"]) == pytest.approx(60, abs=2)
    assert len(woken["every other"]) == pytest.approx(30, abs=2)
    assert set(woken["every other"]) <= set(woken["every"])
