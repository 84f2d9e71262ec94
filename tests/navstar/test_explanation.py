"""Which way a packet goes, and where kernel and table disagree."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from navstar.difference import disagreements
from navstar.explanation import Explanation, explain
from navstar.look import Look
from navstar.provenance import Publishers, claimed_ago
from navstar.tables import Fdb, Link, Neighbour, Route, Row
from navstar.withdrawal import Verdict
from tests.navstar.overlay_lines import block4, desire, line4, line6, mac

LINES = (line4(3), line6(3), line4(4))
DESIRED = desire(*LINES)


def look(actual: frozenset[Row] = DESIRED.rows, **changes: object) -> Look:
    return replace(Look(desired=DESIRED, actual=actual), **changes)  # type: ignore[arg-type]


def told(address: str, found: Look) -> Explanation:
    return explain(ip_address(address), found, LINES)


WAY = ["rule", "link", "address", "route", "neighbour", "fdb"]


@pytest.mark.parametrize(
    ("address", "meaning", "steps"),
    [
        ("9.0.3.12", "in 9.0.3.0/24, the block of a3", WAY),
        ("fd01:b:0:0:3::7", "in fd01:b:0:0:3::/80, the block of a3", WAY),
        ("10.0.0.4", "an address of a4 itself, asked for by containers", WAY),
        ("44.128.0.4", "the VTEP of a4", [step for step in WAY if step != "route"]),
        ("44.128.0.1", "this agent's own VTEP address, on vtep1024", []),
        ("10.0.0.1", "this agent's own address, where VXLAN packets arrive", []),
        ("9.0.1.7", "in 9.0.1.0/24, this agent's own block: behind its bridge", []),
        ("9.0.9.7", "not in the table: no line of any agent leads there", []),
    ],
)
def test_the_way_to_each_kind_of_address(address, meaning, steps) -> None:
    explained = told(address, look())

    assert explained.meaning == meaning
    assert [step.name for step in explained.steps] == steps
    assert all(step.is_right for step in explained.steps)
    agent = IPv4Address("10.0.0.4" if ".4" in address[-2:] else "10.0.0.3")
    assert explained.agent == (agent if steps else None)


@given(st.sampled_from(sorted(DESIRED.rows, key=str)))
def test_a_row_that_is_missing_is_the_step_that_is_wrong(row: Row) -> None:
    explained = told("9.0.3.12", look(DESIRED.rows - {row}))

    wrong = [step.desired for step in explained.steps if not step.is_right]
    on_the_way = [step.desired for step in explained.steps]
    assert wrong == ([row] if row in on_the_way else [])


def test_a_row_that_is_another_is_shown_beside_the_one_that_should_be() -> None:
    right = Fdb("vtep1024", mac(3), IPv4Address("10.0.0.3"))
    wrong = replace(right, agent=IPv4Address("10.0.0.99"))

    explained = told("9.0.3.12", look(DESIRED.rows - {right} | {wrong}))

    (step,) = (step for step in explained.steps if not step.is_right)
    assert (step.name, step.desired, step.actual) == ("fdb", right, wrong)
    assert step.line == LINES[0]


def test_who_lost_the_address_is_told_why() -> None:
    rival = line4(5, subnet=block4(3), claimed_at=99)
    found = Look(desired=desire(*LINES, rival), actual=DESIRED.rows)

    explained = explain(ip_address("9.0.3.12"), found, (*LINES, rival))

    assert explained.meaning.endswith("the block of a3")
    assert "also claimed by a5" in explained.remarks[0]


def test_an_address_whose_only_claim_was_refused_is_not_called_unknown() -> None:
    rival = line4(5, mac=mac(3), claimed_at=99)
    found = Look(desired=desire(*LINES, rival), actual=DESIRED.rows)

    explained = explain(ip_address("9.0.5.12"), found, (*LINES, rival))

    assert explained.meaning == "claimed in the table, but no row is to lead there"
    assert "also claimed by a5" in explained.remarks[0]


def test_a_way_that_no_line_wants_any_more_is_still_explained() -> None:
    found = Look(desired=desire(), actual=DESIRED.rows)

    explained = explain(ip_address("9.0.3.12"), found, ())

    assert "the block of" in explained.meaning
    assert any(step.name == "route" for step in explained.steps)


@given(st.sets(st.sampled_from(sorted(DESIRED.rows, key=str))))
def test_every_missing_row_is_a_disagreement_and_no_other(missing: set[Row]) -> None:
    found = disagreements(look(DESIRED.rows - missing), LINES)

    assert {one.desired for one in found} == missing
    assert {one.state for one in found} <= {"missing"}


def test_what_differs_is_one_disagreement_and_what_is_held_says_so() -> None:
    right = Neighbour("vtep1024", IPv4Address("44.128.0.3"), mac(3))
    wrong = replace(right, mac=mac(9))
    (route,) = (r for r in desire(line4(9)).rows if "9.0.9.0/24" in str(r))
    held = Verdict(DESIRED.rows, frozenset({route}), "a reason")
    actual = DESIRED.rows - {right} | {wrong, route}

    found = disagreements(look(actual, verdict=held), LINES)

    assert [(one.state, one.desired, one.actual) for one in found] == [
        ("different", right, wrong),
        ("held", None, route),
    ]
    assert found[0].line == LINES[0]


def test_every_row_that_leads_to_an_agent_knows_its_publisher() -> None:
    publishers = Publishers(LINES)

    for row in DESIRED.rows:
        leads = isinstance(row, Neighbour | Fdb | Route)
        assert (publishers.of(row) is not None) == leads
        if isinstance(row, Link):
            assert publishers.near(row) is None


def test_a_claim_is_as_old_as_its_timestamp_says() -> None:
    line = line4(3, claimed_at=(1_000_000 << 16) + 5)

    assert claimed_ago(line, wall=1_060.0) == 60.0
    assert claimed_ago(line, wall=900.0) == 0.0
