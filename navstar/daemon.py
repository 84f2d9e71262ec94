"""navstar on one agent, from its start to its end.

Stopping leaves the kernel and the table as they are: the others see a crash, and
keep what leads to this agent's containers.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

from lashup import NodeConfig, open_node
from navstar.agent import Agent
from navstar.commands import Commands
from navstar.config import Config, load_keys
from navstar.control_server import refuse_if_served, serve_control
from navstar.status import address_text

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


async def run_daemon(config: Config, *, log: FilteringBoundLogger) -> None:
    """Run one agent until a signal or the operator ends it.

    Raises:
        Unusable: A key file, or a file of the source, cannot be used.
        ControlError: The control socket is taken.
        ConfigError: An address cannot be bound.
        StorageError: The data directory cannot be used; another process has it.
    """
    refuse_if_served(config.control.socket)
    rng = random.Random()
    with _single_errors():
        async with open_node(node_config(config)) as node:
            agent = Agent(config, node, log=log, rng=rng)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_stop_on_signal, agent.stop)
                nursery.start_soon(agent.run)
                socket, commands = config.control.socket, Commands(agent)
                await nursery.start(serve_control, socket, commands)
                log.info("running", id=agent.me, address=address_text(node.address))
                await agent.stop.wait()
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


async def _stop_on_signal(stop: trio.Event) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            stop.set()


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
