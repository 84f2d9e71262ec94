"""What the commands print for people."""

from __future__ import annotations

import pytest

from navstar import render

STEP = {
    "step": "fdb",
    "desired": "fdb right",
    "kernel": None,
    "publisher": None,
    "node": None,
    "claimed_ago": None,
    "problem": None,
}


@pytest.mark.parametrize(
    ("kernel", "problem", "shown"),
    [
        ("fdb right", None, "right      fdb right"),
        (None, "the kernel has no fdb for it", "missing    fdb right"),
        ("fdb wrong", "the kernel has another: fdb wrong", "different  fdb wrong"),
    ],
)
def test_a_step_is_right_missing_or_different(capsys, kernel, problem, shown) -> None:
    steps = [
        STEP | {"kernel": kernel, "problem": problem},
        # The widest of all, so that the columns stand alike.
        STEP | {"kernel": "x", "problem": "the kernel has another: x"},
    ]
    answer = {"address": "9.0.2.2", "meaning": "in a block", "steps": steps}

    render.show_explanation({**answer, "agent": None, "remarks": []})

    assert shown in capsys.readouterr().out


def test_every_line_of_a_fault_of_the_source_stands_below_its_title(capsys) -> None:
    render.complain("Source faulty", ["a: first\na: second"])

    assert capsys.readouterr().out == "\nSource faulty (2)\n  a: first\n  a: second\n"


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ({"daemon": True, "configuration": "/x", "vteps": []}, ""),
        (
            {"daemon": False, "configuration": "/x", "vteps": ["vtep1024"]},
            "No navstar answers: went by /x.\n",
        ),
        (
            {"daemon": False, "configuration": "/x", "vteps": []},
            "No navstar answers: went by /x, by which no VTEP is known; what one needs "
            "was not looked at.\n",
        ),
        (
            {"daemon": False, "configuration": None, "vteps": []},
            "No navstar answers: went by the defaults, by which no VTEP is known; what "
            "one needs was not looked at.\n",
        ),
    ],
)
def test_the_doctor_says_what_it_went_by(capsys, found, says) -> None:
    render.show_examination({"findings": [], "checked": ["kernel"], **found})

    shown = capsys.readouterr().out
    assert shown == f"Nothing is wrong with this host.\n{says}Looked at: kernel\n"
