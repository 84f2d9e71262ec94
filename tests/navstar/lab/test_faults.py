"""The faults that `python -m benchmarks run repair` does, each done and repaired.

By default only some of each kind, for they take minutes. `ALL_FAULTS=1` does all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from benchmarks.faults import GROUPS, Fault, Group, strike
from navstar.lab.demolition import strangers
from navstar.lab.laboratory import Lab
from navstar.lab.record import DIRECTORY_VARIABLE

pytestmark = pytest.mark.kernel

#: What the kernel tells of, what it does not, what takes other rows along; and of
#: what comes from elsewhere that which no other test does with whole daemons.
A_FEW = {
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
    "event socket overflows, and a route goes with it",
    "peer replaced while navstar was down (new MAC)",
    "foreign device with our VNI and port, reported and then removed",
    "underlay MTU lowered",
    "VTEP addresses changed in the allocation",
    "overlay added",
    "overlay removed",
    "VNI and name of the VTEP changed on both agents",
    "VNI changed, on the second agent 1 s later",
    "VNI changed on both agents, a foreign device has it and is then removed",
    "UDP port changed on both agents, a process has it and then ends",
    "two agents claim one VTEP address",
    "two agents claim overlapping blocks",
    "malformed and hostile lines between good ones",
    "mixed underlay: an agent's VTEP moves to IPv6",
    "started with an empty table, peers come late",
    "agent endpoint: slow",
    "agent endpoint: overlays disabled (STATUS_FAILED)",
    "agent endpoint: an overlay is disabled for good (enabled = false)",
    "address not pinned: underlay address removed and back",
    "underlay address changed for good",
    "IPv6 only: VTEP deleted",
    "mixed underlay: second VTEP link deleted",
}

CASES = [
    (group, fault)
    for group in GROUPS
    for fault in group.faults
    if fault.name in A_FEW or os.environ.get("ALL_FAULTS")
]


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Labs]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(DIRECTORY_VARIABLE, str(tmp_path_factory.mktemp("labs")))
        every = _Labs()
        yield every
        every.close()


class _Labs:
    """One lab at a time: that of the group whose faults are being done."""

    def __init__(self) -> None:
        self._group: Group | None = None
        self._prefix = f"f{os.getpid()}"

    def of(self, group: Group) -> Lab:
        if group is not self._group:
            self.close()
            self._opened = group.opened(self._prefix)
            self._lab = self._opened.__enter__()
            self._group = group
        return self._lab

    def close(self) -> None:
        if self._group is not None:
            self._group = None
            self._opened.__exit__(None, None, None)
            assert strangers(self._prefix) == []


@pytest.mark.parametrize(
    ("group", "fault"),
    [pytest.param(*case, id=f"{case[0].name}: {case[1].name}") for case in CASES],
)
def test_what_goes_wrong_is_put_right_in_time(labs, group: Group, fault: Fault):
    repair = strike(labs.of(group), fault)

    assert repair.seconds <= fault.within
    if not fault.can_lose:
        assert repair.lost == 0
    if group.name != "crowd":
        # Most have those that bring a second link and lead an agent to it and back.
        assert repair.writes <= 30


def test_no_fault_is_listed_twice_and_all_of_these_are_listed():
    names = [fault.name for group in GROUPS for fault in group.faults]

    assert len(set(names)) == len(names)
    assert set(names) >= A_FEW
