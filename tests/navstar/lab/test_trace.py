"""What a stream of pings says of losses and outages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from navstar.lab.trace import Outage, Trace

_STEP = 0.005


def _trace(answers: str) -> Trace:
    """A trace from a picture: `.` for an answered probe, `x` for a lost one."""
    sent_at = [index * _STEP for index in range(len(answers))]
    answered_at = {
        index: sent_at[index] + 0.001
        for index, answer in enumerate(answers)
        if answer == "."
    }
    return Trace(sent_at, answered_at)


pictures = st.text(alphabet=".x", max_size=60)


@given(pictures)
def test_every_lost_probe_is_in_exactly_one_outage(picture):
    trace = _trace(picture)

    assert sum(each.lost for each in trace.outages) == trace.lost == picture.count("x")


@given(pictures)
def test_outages_are_as_many_as_runs_of_losses(picture):
    runs = [run for run in picture.split(".") if run]

    assert [each.lost for each in _trace(picture).outages] == [len(run) for run in runs]


def test_an_outage_lasts_from_its_first_lost_probe_to_the_next_answer():
    (outage,) = _trace("..xx..").outages

    assert outage == Outage(began_at=2 * _STEP, ended_at=4 * _STEP + 0.001, lost=2)


def test_an_outage_that_has_not_ended_is_endless():
    assert _trace("..x").longest_outage == float("inf")
    assert _trace("...").longest_outage == 0


@given(pictures, st.integers(0, 60))
def test_the_first_answer_is_to_the_first_answered_probe_sent_since(picture, start):
    trace = _trace(picture)

    first = trace.first_answer(start * _STEP)

    later = picture[start:].find(".")
    expected = None if later < 0 else trace.answered_at[start + later]
    assert first == expected
