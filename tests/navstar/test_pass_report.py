"""What the operator is told of a pass that the kernel did not wholly take."""

from __future__ import annotations

import errno

from navstar.applied import Applied, Refused
from navstar.diff import diff
from navstar.look import Look
from navstar.pass_report import PassReport
from navstar.schedule import Cause
from navstar.tables import Link, Route, Row
from simulations.kernel import FakeKernel
from tests.navstar.changing_numbers import AFTER, BEFORE, Agent, kernel_with
from tests.navstar.example_rows import VTEP, path_to


def report(applied: Applied) -> PassReport:
    return PassReport(Cause.AUDIT, Look(), applied, took=0.0, ended_at=0.0)


def refused(row: Row) -> Refused:
    return Refused(diff({row}, set())[0], errno.EEXIST, "exists")


def test_a_link_that_cannot_be_made_is_one_complaint_and_the_rest_a_number() -> None:
    kernel = kernel_with(BEFORE)
    ops = Agent().look(AFTER["vni, name"], kernel).ops
    kernel.foreign_links.add("vtk9")

    applied = kernel.apply(ops)

    waiting = len(applied.refused) - 1
    assert waiting > 10
    (told,) = report(applied).complaints
    assert told.startswith("put link vtk9 ")
    assert told.endswith(f"; {waiting} other operations wait for it")


def test_other_refused_rows_are_told_one_by_one() -> None:
    rows = [row for row in path_to(2) if isinstance(row, Route)]
    applied = Applied(refused=tuple(map(refused, rows)))

    assert len(report(applied).complaints) == len(rows)


def test_rows_on_a_link_that_somebody_took_away_are_told_one_by_one() -> None:
    kernel = FakeKernel()
    applied = kernel.apply(diff(path_to(2), set()))

    told = report(applied).complaints

    assert len(told) == len(path_to(2))
    assert all(VTEP in one for one in told)
    assert not any(isinstance(one.op.row, Link) for one in applied.refused)
