"""Runs on a Dask cluster, for sweeps that outgrow one machine.

The workers need a clone of this repository, the same code as here: that is checked
first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module

from lashup.errors import UsageError
from simulations.campaign.fingerprint import fingerprint
from simulations.campaign.task import Broken, Result, Task, play

#: Seconds to reach the scheduler.
_PATIENCE = 5


def run_on_dask(tasks: Iterable[Task], *, address: str) -> Iterator[Result]:
    """Run them all on a cluster; results come as they are ready.

    Args:
        tasks: Which.
        address: Of the scheduler, e.g. tcp://10.0.0.1:8786.

    Raises:
        UsageError: `distributed` is not installed, there is no scheduler, it has no
            workers, or they hold other code.
    """
    try:
        distributed = import_module("distributed")
    except ImportError as error:
        way_out = "needs the extra `dask`: pip install --editable '.[dask]'"
        raise UsageError(f"--scheduler {way_out}") from error
    try:
        client = distributed.Client(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise UsageError(f"--scheduler: nobody answers at {address}") from error
    with client:
        _check_workers(client.run(fingerprint))
        futures = {client.submit(play, task, pure=False): task for task in tasks}
        for future in distributed.as_completed(list(futures), loop=client.loop):
            task = futures.pop(future)
            failure = future.exception()
            yield future.result() if failure is None else Broken(task, repr(failure))
            future.release()


def _check_workers(fingerprints: dict[str, str]) -> None:
    if not fingerprints:
        raise UsageError("--scheduler: it has no workers")
    others = sorted(w for w, found in fingerprints.items() if found != fingerprint())
    if others:
        raise UsageError(f"--scheduler: other code than here on {', '.join(others)}")
