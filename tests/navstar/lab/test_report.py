"""The report of a run, as JSON and as a table."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from navstar.lab.errors import AgentFailed
from navstar.lab.report import (
    Check,
    Figure,
    Report,
    failed,
    report_json,
    report_table,
    seconds,
)


def _report(*checks: Check) -> Report:
    return Report("lab", agents=3, containers=2, checks=checks, elapsed_s=12.34)


def _check(*, ok: bool) -> Check:
    figures: dict[str, Figure] = {
        "took_s": 0.123456,
        "each_s": {"a": 0.5, "b": None},
        "lost": 0,
    }
    return Check("it works", ok=ok, said="0.12 s", goal="below 1 s", figures=figures)


def test_the_json_has_the_documented_form():
    assert report_json(_report(_check(ok=True))) == {
        "agents": 3,
        "containers": 2,
        "prefix": "lab",
        "checks": [
            {
                "name": "it works",
                "ok": True,
                "goal": "below 1 s",
                "figures": {
                    "took_s": 0.1235,
                    "each_s": {"a": 0.5, "b": None},
                    "lost": 0,
                },
            }
        ],
        "ok": True,
        "elapsed_s": 12.3,
    }


def test_one_line_that_does_not_hold_is_enough_to_fail():
    assert _report(_check(ok=True)).ok
    assert not _report(_check(ok=True), _check(ok=False)).ok
    assert not _report().ok


def test_an_outage_without_end_is_null_because_json_has_no_infinity():
    endless = Check("x", ok=False, said="", goal="", figures={"s": float("inf")})

    text = json.dumps(report_json(_report(endless)), allow_nan=False)

    assert json.loads(text)["checks"][0]["figures"] == {"s": None}


def test_a_step_that_broke_off_tells_why():
    check = failed("it works", "always", AgentFailed("a1 has ended", "its log"))

    assert not check.ok
    assert check.figures == {"error": "a1 has ended\nits log"}


def test_the_table_shows_figures_as_they_are_written():
    output = io.StringIO()
    odd = Check("x", ok=False, said="[fd00::1]:7947 [/]", goal="", figures={})

    Console(file=output, width=200).print(report_table(_report(odd, _check(ok=True))))

    assert "[fd00::1]:7947 [/]" in output.getvalue()
    assert "NOT every line holds" in output.getvalue()


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "never"), (float("inf"), "never"), (0.0123, "12 ms"), (2.5, "2.50 s")],
)
def test_durations_read_well(value, text):
    assert seconds(value) == text
