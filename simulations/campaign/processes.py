"""Runs on the cores of this machine, a process for each run.

A process of its own makes the memory that a run took a number, and lets one that is
killed (for want of memory, say) take nobody with it. It costs some milliseconds: it
is forked from a server that has loaded everything.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from lashup.errors import UsageError
from simulations.campaign.task import Broken, Result, Task, play


def run_on_processes(tasks: Iterable[Task], *, jobs: int | None) -> Iterator[Result]:
    """Run them all; results come as they are ready.

    Whoever stops asking for results ends the runs that are on their way.

    Args:
        tasks: Which.
        jobs: So many at a time; None for all cores.

    Raises:
        UsageError: It is below 1.
    """
    if jobs is None:
        jobs = len(os.sched_getaffinity(0))
    if jobs < 1:
        raise UsageError(f"--jobs: {jobs} is below 1")
    return _run(tasks, jobs)


def _run(tasks: Iterable[Task], jobs: int) -> Iterator[Result]:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["simulations.campaign.task"])
    waiting = deque(tasks)
    running: dict[Connection, tuple[BaseProcess, Task]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                task = waiting.popleft()
                ours, theirs = context.Pipe(duplex=False)
                worker = context.Process(target=_work, args=(task, theirs))
                worker.start()
                theirs.close()
                running[ours] = worker, task
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)  # noqa: S101  # nothing else is in it
                yield _take(ready, *running.pop(ready))
    finally:
        for process, _ in running.values():
            process.terminate()
        for process, _ in running.values():
            process.join()


def _take(ready: Connection, process: BaseProcess, task: Task) -> Result:
    with ready:
        try:
            result: Result = ready.recv()
        except (EOFError, OSError):
            process.join()
            return Broken(task, _end_of(process.exitcode))
    process.join()
    return result


def _end_of(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        return f"its process was ended by {name} (out of memory?)"
    return f"its process ended with exit code {exitcode}"


def _work(task: Task, results: Connection) -> None:
    # Ctrl-C goes to all processes of the terminal; only the first is to act on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with results:
        results.send(play(task))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
