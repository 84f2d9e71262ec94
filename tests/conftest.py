"""What holds for every test: which can run here, and how Hypothesis behaves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Cores are shared: how long one example takes says nothing about its correctness.
settings.register_profile("lashup", deadline=None)
settings.load_profile("lashup")

_CAP_NET_ADMIN = 12
_CAP_SYS_ADMIN = 21


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Three for two cores: tests on real kernels wait for most of their time."""
    return max(1, len(os.sched_getaffinity(0)) * 3 // 2)


def _why_no_kernel() -> str | None:
    """Why tests cannot make network namespaces here, or None if they can."""
    if os.geteuid() != 0:
        return "touches the kernel: run as root to include it"
    status = Path("/proc/self/status").read_text()
    effective = int(status.partition("CapEff:")[2].split()[0], 16)
    for bit, name in ((_CAP_NET_ADMIN, "NET_ADMIN"), (_CAP_SYS_ADMIN, "SYS_ADMIN")):
        if not effective >> bit & 1:
            return f"touches the kernel: root lacks CAP_{name} here"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip kernel tests, with the reason, where they cannot run."""
    reason = _why_no_kernel()
    if reason is None:
        return
    for item in items:
        if item.get_closest_marker("kernel"):
            item.add_marker(pytest.mark.skip(reason=reason))
