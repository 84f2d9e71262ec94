"""A few of the faults that `python -m benchmarks run repair` does, one of each kind."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from benchmarks.faults import FAULTS, strike, struck_pair
from navstar.lab.demolition import strangers
from navstar.lab.laboratory import Lab
from navstar.lab.record import DIRECTORY_VARIABLE

pytestmark = pytest.mark.kernel

BY_NAME = {fault.name: fault for fault in FAULTS}

#: What the kernel tells of, what it does not, and what takes other rows along.
A_FEW = [
    "FDB row deleted",
    "route deleted, v6",
    "rule deleted, v4",
    "VTEP address deleted, v4",
    "VTEP set down",
    "VTEP deleted",
    "VTEP MAC changed",
    "IPv6 of the VTEP switched off",
    "all routes of ours flushed",
    "underlay link down and up",
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Two agents in step, for all faults in turn."""
    prefix = f"f{os.getpid()}"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(DIRECTORY_VARIABLE, str(tmp_path_factory.mktemp("labs")))
        with struck_pair(prefix) as lab:
            yield lab
        assert strangers(prefix) == []


@pytest.mark.parametrize("name", A_FEW)
def test_what_somebody_does_to_the_kernel_is_undone_within_a_second(lab, name):
    repair = strike(lab, BY_NAME[name])

    assert repair.seconds <= repair.fault.within
    if not repair.fault.can_lose:
        assert repair.lost == 0
    assert repair.writes <= 20


def test_no_fault_is_listed_twice():
    assert len(BY_NAME) == len(FAULTS)
