import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from navstar.schedule import REST, Cause, Schedule, Timing

TIMING = Timing(coalesce=0.02, kernel_coalesce=0.05, audit_period=10.0)


def schedule() -> Schedule:
    return Schedule(TIMING, rng=random.Random(1), now=100.0)


def at_rest() -> Schedule:
    """After a pass from 100.0 to 100.001 that found everything right."""
    one = schedule()
    one.begin()
    one.succeeded(took=0.001, now=100.0)
    return one


def test_the_first_pass_is_due_at_once() -> None:
    assert (schedule().due_at, schedule().cause) == (100.0, Cause.START)


def test_without_any_change_the_audit_comes_round() -> None:
    assert (at_rest().due_at, at_rest().cause) == (110.0, Cause.AUDIT)


@pytest.mark.parametrize(
    ("cause", "wait"),
    [
        (Cause.TABLE, 0.02),
        (Cause.ALLOCATION, 0.02),
        (Cause.KERNEL, 0.01),
        (Cause.OPERATOR, 0.0),
    ],
)
def test_each_cause_has_its_own_patience(cause: Cause, wait: float) -> None:
    one = at_rest()

    one.trigger(cause, now=105.0)

    assert one.due_at == 105.0 + wait
    assert one.cause is cause


def test_a_steady_stream_of_changes_does_not_put_the_pass_off() -> None:
    one = at_rest()

    for step in range(100):
        one.trigger(Cause.TABLE, now=105.0 + step * 0.001)

    assert one.due_at == 105.02


def test_a_burst_of_events_is_waited_out_but_not_for_ever() -> None:
    short, long = at_rest(), at_rest()

    for step in range(4):
        short.trigger(Cause.KERNEL, now=105.0 + step * 0.005)
    for step in range(1000):
        long.trigger(Cause.KERNEL, now=105.0 + step * 0.001)

    assert short.due_at == pytest.approx(105.025)
    assert long.due_at == pytest.approx(105.05)
    assert long.cause is Cause.KERNEL


def test_events_do_not_put_off_what_is_due_for_another_reason() -> None:
    one = at_rest()
    one.trigger(Cause.TABLE, now=105.0)

    one.trigger(Cause.KERNEL, now=105.015)

    assert (one.due_at, one.cause) == (105.02, Cause.TABLE)


def test_a_change_during_a_pass_asks_for_another_one() -> None:
    one = at_rest()
    one.begin()

    one.trigger(Cause.TABLE, now=105.0)
    one.succeeded(took=0.5, now=105.5)

    assert one.due_at == 105.02


def test_events_of_the_kernel_leave_the_host_its_rest() -> None:
    one = schedule()
    one.begin()
    one.succeeded(took=0.04, now=100.0)

    one.trigger(Cause.KERNEL, now=100.001)

    assert one.due_at == pytest.approx(100.0 + REST * 0.04)


def test_a_pass_that_repaired_something_is_soon_followed_by_another() -> None:
    one = schedule()
    one.begin()
    one.succeeded(took=0.2, now=100.0, repaired=1)

    one.trigger(Cause.KERNEL, now=100.001)

    assert one.due_at == pytest.approx(100.2)


def test_the_rest_after_a_pass_does_not_hold_up_changes_of_the_table() -> None:
    one = schedule()
    one.begin()
    one.succeeded(took=0.04, now=100.0)

    one.trigger(Cause.TABLE, now=100.001)

    assert one.due_at == pytest.approx(100.021)


def test_what_is_held_back_is_looked_at_again_in_time() -> None:
    one = schedule()
    one.begin()

    one.succeeded(took=0.0, now=100.0, look_again_at=104.0)

    assert (one.due_at, one.cause) == (104.0, Cause.SECOND_LOOK)


def test_failures_back_off_up_to_the_audit_period_and_success_forgets_them() -> None:
    one = schedule()
    waits = []
    now = 100.0
    for _ in range(6):
        one.begin()
        one.failed(took=0.0, now=now)
        waits.append(one.due_at - now)
        now = one.due_at

    for waited, nominal in zip(waits, [1, 2, 4, 8, 10, 10], strict=True):
        assert 0.8 * nominal <= waited <= min(1.2 * nominal, 10)
    one.begin()
    one.succeeded(took=0.0, now=now)
    one.begin()
    one.failed(took=0.0, now=now)
    assert one.due_at - now <= 1.2


@given(st.lists(st.tuples(st.sampled_from(Cause), st.floats(0, 5)), max_size=30))
def test_a_pass_is_never_further_away_than_an_audit_period(steps) -> None:
    one = at_rest()
    now = 100.0
    for cause, wait in steps:
        now += wait
        one.trigger(cause, now=now)
        if now >= one.due_at:
            one.begin()
            assert one.due_at == math.inf
            one.succeeded(took=0.01, now=now)

        assert one.due_at <= now + TIMING.audit_period


def test_a_glance_does_not_put_the_audit_off() -> None:
    one = at_rest()
    for step in range(9):
        one.trigger(Cause.TABLE, now=101.0 + step)
        one.begin()

        one.glanced()

    assert (one.due_at, one.cause) == (110.0, Cause.AUDIT)
