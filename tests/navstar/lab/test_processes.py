"""Ending processes that we started, and never any other."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from navstar.lab.processes import Process, end, identify, kill

_WAITS = "import sys, time; print(flush=True); time.sleep(60)"
_STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {_WAITS}"


@pytest.fixture
def children() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for each in started:
        each.kill()
        each.wait()
        assert each.stdout is not None
        each.stdout.close()


def _start(children: list[subprocess.Popen[bytes]], code: str) -> Process:
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    children.append(child)
    assert child.stdout is not None
    child.stdout.readline()
    process = identify(child.pid)
    assert process is not None
    return process


def test_a_process_is_alive_until_it_is_ended(children):
    process = _start(children, _WAITS)

    assert process.is_alive
    assert end([process]) == (process,)
    assert not process.is_alive


def test_a_process_that_ignores_the_request_is_killed(children, monkeypatch):
    monkeypatch.setattr("navstar.lab.processes.TERM_PATIENCE", 0.05)
    process = _start(children, _STUBBORN)

    assert end([process]) == (process,)


def test_another_process_with_the_pid_of_ours_is_left_alone(children):
    process = _start(children, _WAITS)
    former = dataclasses.replace(process, started=process.started - 1)

    assert not former.is_alive
    assert end([former]) == ()
    assert process.is_alive
    with pytest.raises(ProcessLookupError):
        kill(former)


def test_a_process_of_an_earlier_boot_is_not_alive(children):
    process = _start(children, _WAITS)

    assert not dataclasses.replace(process, boot="another").is_alive


def test_a_killed_process_is_gone_when_kill_returns(children):
    process = _start(children, _WAITS)

    kill(process)

    assert not process.is_alive
    assert identify(process.pid) is None


def test_a_process_can_tell_who_it_is():
    process = identify(os.getpid())

    assert process is not None
    assert process.is_alive
