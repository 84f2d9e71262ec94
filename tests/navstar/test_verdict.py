"""What `navstar status` holds for wrong."""

from copy import deepcopy
from typing import Any

import pytest

from navstar.verdict import problems_of

WELL: dict[str, Any] = {
    "state": "reconciling",
    "uptime": 60.0,
    "kv_synchronised": True,
    "is_alone": False,
    "source": {"origin": "file", "fault": None},
    "seeds": {"answered": True, "silent_for": 0.0},
    "refused_datagrams": {"unknown_key": 0, "forged": 0},
    "rows": {"desired": 12, "actual": 12, "missing": 0},
    "kernel": {"last_pass": {"fault": None}},
    "conflicts": [],
    "unusable": [],
    "in_the_way": [],
    "contested": [],
    "refused": [],
}


def with_(**changed: object) -> dict[str, Any]:
    return {**deepcopy(WELL), **changed}


def test_when_all_is_well_nothing_is_wrong() -> None:
    assert problems_of(WELL) == []


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (with_(conflicts=["a and b"]), "1 conflict"),
        (with_(conflicts=["a", "b"]), "2 conflicts"),
        (with_(source={"origin": "f", "fault": "gone"}), "source cannot be read"),
        (with_(rows={"desired": 12, "actual": 2, "missing": 10}), "10 rows missing"),
        (with_(refused=["row"]), "1 row refused by the kernel"),
        (with_(contested=["a", "b"]), "2 rows of ours that somebody keeps undoing"),
        (with_(unusable=["web: no block"]), "1 overlay of ours that cannot be"),
        (with_(in_the_way=["vtep1024: foreign"]), "1 foreign link in the way"),
        (with_(kernel={"last_pass": {"fault": "oops"}}), "last pass failed"),
        (with_(kv_synchronised=False), "not synchronised"),
        (with_(state="waiting"), "waiting for"),
        (with_(state="down"), "navstar up"),
        (
            with_(seeds={"answered": False, "silent_for": 11.0}),
            "no seed has answered for 11.0 s",
        ),
    ],
)
def test_what_is_wrong_is_said(status: dict[str, Any], says: str) -> None:
    (problem,) = problems_of(status)

    assert says in problem


@pytest.mark.parametrize(
    "status",
    [
        with_(kv_synchronised=False, uptime=9.0),
        with_(state="waiting", uptime=9.0),
        with_(kv_synchronised=False, is_alone=True),
        with_(refused_datagrams={"unknown_key": 100, "forged": 0}),
    ],
    ids=["young", "waiting", "alone", "a stranger's datagrams"],
)
def test_what_may_be_so_is_not_wrong(status: dict[str, Any]) -> None:
    assert problems_of(status) == []


def test_silent_seeds_are_said_once_and_with_the_likely_cause() -> None:
    status = with_(
        seeds={"answered": False, "silent_for": 30.0},
        kv_synchronised=False,
        refused_datagrams={"unknown_key": 8, "forged": 1},
    )

    (problem,) = problems_of(status)

    assert "9 datagrams did not open: another key or cluster" in problem
