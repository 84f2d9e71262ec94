"""Waiting for a core is told apart from everything else that takes long."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from lashup.runtime.run_delay import run_delay

pytestmark = pytest.mark.skipif(
    not os.path.exists("/proc/thread-self/schedstat"),
    reason="this kernel does not count",
)


def delay_of(action) -> float:
    """What an action has waited for a core, in a thread of its own, on one core."""
    found = []

    def measured() -> None:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        before = run_delay()
        action()
        found.append(run_delay() - before)

    thread = threading.Thread(target=measured)
    thread.start()
    thread.join()
    return found[0]


def work(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_a_core_that_must_be_shared_is_waited_for():
    core = min(os.sched_getaffinity(0))
    burn = (
        f"import os; os.sched_setaffinity(0, {{{core}}})\nprint(flush=True)\nwhile 1: 0"
    )
    other = subprocess.Popen([sys.executable, "-c", burn], stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        other.stdout.readline()

        assert delay_of(lambda: work(0.3)) > 0.05
    finally:
        other.kill()
        other.communicate()


def test_a_forked_process_counts_for_itself():
    read, write = os.pipe()
    run_delay()
    if (child := os.fork()) == 0:
        core = min(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {core})
        before = run_delay()
        other = os.fork()
        work(0.2)  # both on one core
        if other:
            os.write(write, repr(run_delay() - before).encode())
            os.waitpid(other, 0)
        os._exit(0)
    os.waitpid(child, 0)
    found = float(os.read(read, 64))
    os.close(read)
    os.close(write)

    assert found > 0.05


def test_to_sleep_is_not_to_wait_for_a_core():
    assert delay_of(lambda: time.sleep(0.5)) < 0.4
