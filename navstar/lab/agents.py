"""The navstar of each agent: its files, its process, and questions to it.

It is the real daemon, `python -m navstar run --config FILE`, started inside the
agent's network namespace. It outlives the process that started it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from navstar import control
from navstar.errors import NotRunning
from navstar.lab import namespaces
from navstar.lab.errors import AgentFailed
from navstar.lab.processes import Process
from navstar.lab.record import Record
from navstar.lab.topology import LASHUP_PORT, Agent

#: Agents 1 and 2 are the seeds of all others, by IPv4 and IPv6.
_SEEDS = (1, 2)
#: Seconds between looks of the daemon at its allocation file.
_POLL_PERIOD = 0.05
#: Seconds between two questions while waiting for an agent.
_ASK_PERIOD = 0.05
_LOG_LINES = 8


def directory(record: Record, agent: Agent) -> Path:
    """Where the files of an agent are."""
    return record.path / agent.name


def socket_path(record: Record, agent: Agent) -> Path:
    """The control socket of its navstar."""
    return directory(record, agent) / "navstar.sock"


def make_key(record: Record) -> None:
    """Draw the key of this lab: 32 random bytes, readable by the owner only."""
    path = record.path / "key"
    path.touch(mode=0o600)
    path.write_text(os.urandom(32).hex() + "\n")


def configure(record: Record, agent: Agent) -> None:
    """Write an agent's configuration, and an allocation without any overlay."""
    home = directory(record, agent)
    home.mkdir(mode=0o700, exist_ok=True)
    seeds = [record.topology.agent(each) for each in _SEEDS if each != agent.number]
    (home / "config.toml").write_text(f"""\
[node]
name = "{agent.name}"
data_dir = "{home}/data"

[lashup]
bind = {_addresses([agent])}
seeds = {_addresses(seeds)}
cluster = "lab-{record.topology.prefix}"
key_files = ["{record.path}/key"]

[source]
kind = "file"
path = "{home}/allocation.toml"
poll_period = {_POLL_PERIOD}

[overlay]
agent_ip = "{agent.underlay.ip}"

# All agents of a lab are new, so none of them can know a table from before.
[reconcile]
grace = 1.0

[control]
socket = "{home}/navstar.sock"
""")
    withhold(record, agent)


def withhold(record: Record, agent: Agent) -> None:
    """Give the agent no overlay: it may join the cluster and has nothing to say."""
    _write_allocation(record, agent, "# No overlay yet.\noverlay = []\n")


def allocate(record: Record, agent: Agent) -> None:
    """Give the agent its block and VTEP. A running navstar publishes them."""
    overlay = agent.overlay
    vtep = overlay.vtep
    text = f"""\
[[overlay]]
name = "{overlay.name}"
subnet = "{overlay.subnet}"
block = "{overlay.block}"
subnet6 = "{overlay.subnet6}"
block6 = "{overlay.block6}"

[overlay.vtep]
name = "{vtep.name}"
vni = {vtep.vni}
port = {vtep.port}
mac = "{vtep.mac}"
address = "{vtep.address}"
address6 = "{vtep.address6}"
mtu = {vtep.mtu}
"""
    _write_allocation(record, agent, text)


def start(record: Record, agent: Agent) -> Process:
    """Start the agent's navstar in its namespace and note it.

    Raises:
        LabError: It ended at once.
    """
    home = directory(record, agent)
    return namespaces.inside(agent.namespace, lambda: _spawn(record, agent, home))


def ask(
    record: Record, agent: Agent, command: str, **arguments: object
) -> control.Reply:
    """One command to the agent's navstar, as `navstar status` and so on send it.

    Raises:
        ControlError: Nobody listens, or it refuses.
    """
    return control.request(socket_path(record, agent), command, **arguments)


def wait_status(
    record: Record,
    agent: Agent,
    holds: Callable[[control.Reply], bool],
    *,
    what: str,
    within: float,
) -> control.Reply:
    """Ask for the status until something holds of it, and return that status.

    Args:
        record: The lab.
        agent: Whom to ask.
        holds: What is waited for.
        what: The same in words, for the error.
        within: Seconds.

    Raises:
        AgentFailed: The process ended, or it did not hold in time.
    """
    until = time.monotonic() + within
    status: control.Reply = {}
    while True:
        try:
            status = ask(record, agent, "status")
            if holds(status):
                return status
        except NotRunning:
            process = record.processes.get(agent.name)
            if process is None or not process.is_alive:
                problem = f"navstar of {agent.name} has ended"
                raise AgentFailed(problem, log_tail(record, agent)) from None
        if time.monotonic() > until:
            raise AgentFailed(
                f"{agent.name}: {what} did not come true in {within:.0f} s; "
                f"its last status: {status}",
                log_tail(record, agent),
            )
        time.sleep(_ASK_PERIOD)


def log_tail(record: Record, agent: Agent) -> str:
    """The last lines that the agent's navstar wrote, for an error."""
    path = directory(record, agent) / "navstar.log"
    try:
        lines = path.read_text(errors="replace").splitlines()[-_LOG_LINES:]
    except FileNotFoundError:
        return f"{path} was never written"
    return "\n".join([f"the end of {path}:", *(f"  {line}" for line in lines)])


def _spawn(record: Record, agent: Agent, home: Path) -> Process:
    """Start the daemon from the calling thread, in its namespace.

    A session of its own: Ctrl-C at the terminal is for the lab, which ends it.
    """
    log = os.open(
        home / "navstar.log",
        os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC,
        0o600,
    )
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pid = os.posix_spawn(
            sys.executable,
            navstar_command("run", "--config", str(home / "config.toml")),
            environment(),
            file_actions=[
                (os.POSIX_SPAWN_DUP2, null, 0),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE],
        )
    finally:
        os.close(log)
        os.close(null)
    return record.started(agent.name, pid)


def navstar_command(*arguments: str) -> list[str]:
    """The command line of this very navstar, installed or not."""
    return [sys.executable, "-m", "navstar", *arguments]


def environment() -> dict[str, str]:
    """Our environment, in which `-m navstar` finds the package that runs now."""
    packages = str(Path(__file__).resolve().parents[2])
    inherited = os.environ.get("PYTHONPATH")
    path = f"{packages}{os.pathsep}{inherited}" if inherited else packages
    return {**os.environ, "PYTHONPATH": path}


def _addresses(agents: list[Agent]) -> str:
    """A TOML array of the lashup addresses of agents, both families."""
    written = [
        text
        for each in agents
        for text in (
            f'"{each.underlay.ip}:{LASHUP_PORT}"',
            f'"[{each.underlay6.ip}]:{LASHUP_PORT}"',
        )
    ]
    return f"[{', '.join(written)}]"


def _write_allocation(record: Record, agent: Agent, text: str) -> None:
    """Replace the file whole: navstar looks at it at any moment."""
    path = directory(record, agent) / "allocation.toml"
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)
