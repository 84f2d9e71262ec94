"""navstar on one agent, from its start to its end.

Stopping leaves the kernel and the table as they are: the others see a crash, and
keep what leads to this agent's containers.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import trio

from lashup import NodeClosed, NodeConfig, open_node
from navstar.agent import Agent
from navstar.commands import Commands
from navstar.config import Config, load_keys
from navstar.control_server import refuse_if_served, serve_control
from navstar.errors import Unusable
from navstar.heap import give_back, share_one_heap
from navstar.notices import address_text
from navstar.preflight import host_problems, host_warnings
from navstar.reload import caution, compare, merged, timing
from navstar.schedule import Cause
from navstar.supervision import Supervisor, supervisor

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from lashup import Address


async def run_daemon(
    config: Config, *, reread: Callable[[], Config], log: FilteringBoundLogger
) -> None:
    """Run one agent until a signal or the operator ends it.

    Args:
        config: As read.
        reread: Reads it again, on SIGHUP.
        log: Of the daemon.

    Raises:
        Unusable: This host, a key file, or a file of the source, cannot be used.
        ControlError: The control socket is taken.
        ConfigError: An address cannot be bound.
        StorageError: The data directory cannot be used; another process has it.
    """
    problems = tuple(host_problems(config))
    if problems:
        raise Unusable("configuration", problems)
    for warning in host_warnings(config):
        log.warning("configuration", what=str(warning))
    refuse_if_served(config.control.socket)
    share_one_heap()
    rng = random.Random()
    watcher = supervisor()
    with _single_errors():
        # Who was started before its seeds were known finds them in the file later.
        seeds = partial(_seeds_of, reread)
        async with open_node(
            node_config(config), seed_source=seeds, freeze_table=True
        ) as node:
            agent = Agent(config, node, log=log, rng=rng)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_stop_on_signal, agent.stop)
                nursery.start_soon(watcher.feed_watchdog)
                nursery.start_soon(give_back)
                nursery.start_soon(agent.run)
                socket, commands = config.control.socket, Commands(agent)
                await nursery.start(serve_control, socket, commands)
                log.info("running", id=agent.me, address=address_text(node.address))
                await nursery.start(_reload_on_hangup, agent, reread, watcher)
                watcher.ready(f"agent {node.name}")
                await agent.stop.wait()
                watcher.stopping()
                log.info("stopping")
                nursery.cancel_scope.cancel()


def node_config(config: Config) -> NodeConfig:
    """What lashup is told.

    Raises:
        Unusable: A key file cannot be used.
        ConfigError: lashup does not take a value.
    """
    lashup = config.lashup
    return NodeConfig(
        name=config.node.name,
        bind=lashup.bind,
        advertise=lashup.advertise or None,
        seeds=lashup.seeds,
        cluster=lashup.cluster,
        keys=load_keys(config),
        data_dir=config.node.data_dir,
    )


def _seeds_of(reread: Callable[[], Config]) -> tuple[Address, ...]:
    return reread().lashup.seeds


async def _stop_on_signal(stop: trio.Event) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            stop.set()


async def _reload_on_hangup(
    agent: Agent,
    reread: Callable[[], Config],
    watcher: Supervisor,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Take over what is safe of a configuration that has changed; say what is not."""
    with trio.open_signal_receiver(signal.SIGHUP) as signals:
        task_status.started()
        async for _ in signals:
            watcher.reloading()
            try:
                new = await trio.to_thread.run_sync(reread)
            except Unusable as error:
                agent.log.error("reload refused, all stays as it was", why=str(error))
            else:
                await _take_over(agent, new)
            watcher.ready(f"agent {agent.node.name}")


async def _take_over(agent: Agent, new: Config) -> None:
    found = compare(agent.config, new)
    agent.config = merged(agent.config, new)
    section = agent.config.reconcile
    agent.reconciler.follow(caution(section), timing(section))
    agent.log.info("reloaded", taken=found.taken)
    if found.needs_restart:
        agent.log.warning("changed, but needs a restart", fields=found.needs_restart)
    with suppress(NodeClosed):  # it is leaving, and needs no seeds any more
        await agent.node.join(agent.config.lashup.seeds)
    agent.mooring.look()
    agent.publisher.look()
    agent.reconciler.trigger(Cause.OPERATOR)


@contextmanager
def _single_errors() -> Iterator[None]:
    """One error in a nursery is that error, not a group of one."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if error is group:
            raise
        raise error from None
