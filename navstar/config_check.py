"""What `navstar config` says without running anything."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from lashup import ConfigError
from navstar.config import Config, FileSource, load_config
from navstar.daemon import node_config
from navstar.errors import Problem, Unusable
from navstar.preflight import host_problems, host_warnings, lacks_address
from navstar.sources.file import read_file
from navstar.sources.opening import open_source

#: Every field. Those that are commented out have no default, or another one is usual.
EXAMPLE = """
[node]
name = "a1"                       # unique in the cluster
data_dir = "/var/lib/navstar"     # identity and table; one per daemon

[lashup]
bind = ["10.0.0.1:7947"]          # IPv4 and "[fd00::1]:7947" side by side are fine
# advertise = ["192.0.2.1:7947"]  # where others reach us, if not there
seeds = ["10.0.0.2:7947"]         # some other agents; none: this one starts a cluster
cluster = "navstar"               # datagrams of another cluster are not opened
key_files = ["/etc/navstar/key"]  # openssl rand -hex 32; the first seals, all open

[source]
kind = "file"
path = "/etc/navstar/allocation.toml"
poll_period = 1.0                 # seconds between looks at the file

# [source]
# kind = "agent-http"             # the DC/OS agent module's endpoint
# role = "agent"                  # or "master"; gives the port, 5051 or 5050
# host = "127.0.0.1"
# port = 5051
# url = "https://10.0.0.1:5051"   # in place of host, port and tls
# token_file = "/etc/navstar/token"  # or token, or $SERVICE_AUTH_TOKEN
# poll_period = 30.0              # seconds; errors are retried sooner
# timeout = 30.0                  # seconds, for the whole exchange
# connect_timeout = 5.0           # seconds
# [source.tls]                    # its presence turns https on
# ca = "/etc/navstar/ca.pem"
# cert = "/etc/navstar/cert.pem"
# key = "/etc/navstar/key.pem"

[overlay]
# agent_ip = "10.0.0.1"           # default: the source's, else the one towards a seed
rule_priority = 32000
table = 42
enable_ipv6 = true

[reconcile]
audit_period = 10.0               # seconds between looks without reason
coalesce = 0.02                   # seconds from a change of the table to the pass
kernel_coalesce = 0.05            # seconds to the pass while events of the kernel come
max_withdrawal = 0.3              # share of the agents, above 10, gone in brake_delay
brake_delay = 30.0                # seconds until more than that is looked at again
brake = "delay"                   # then go on; "ask" waits for 'navstar confirm'
grace = 30.0                      # seconds before a node without peers deletes
lease = 0.0                       # seconds that a dead agent keeps its lines; 0: ever

[control]
socket = "/run/navstar/navstar.sock"

[log]
level = "info"                    # debug, info, warning, error
format = "console"                # or "json"
"""


def find_warnings(path: Path) -> Iterator[Problem]:
    """What works, and should be otherwise. Nothing for a file that has problems."""
    try:
        config = load_config(path)
    except Unusable:
        return
    for warning in host_warnings(config):
        yield Problem(f"{path}: {warning.field}", warning.problem)


def find_problems(path: Path) -> Iterator[Problem]:
    """Everything that can be found wrong without starting the daemon."""
    try:
        config = load_config(path)
    except Unusable as error:
        yield from _named(error)
        return
    # Each for itself: what one finds wrong says nothing of the other.
    prepared: tuple[Callable[[Config], object], ...] = (
        node_config,
        partial(open_source, rng=random.Random(0)),
    )
    for prepare in prepared:
        try:
            prepare(config)
        except Unusable as error:
            yield from _named(Unusable(str(path), error.problems))
        except ConfigError as error:
            yield Problem(f"{path}: lashup.{error.field}", error.problem)
    for problem in host_problems(config):
        yield Problem(f"{path}: {problem.field}", problem.problem)
    if isinstance(config.source, FileSource):
        yield from _allocation_problems(path, config, config.source.path)


def _allocation_problems(
    path: Path, config: Config, allocation_path: Path
) -> Iterator[Problem]:
    try:
        allocation = read_file(allocation_path)
    except Unusable as error:
        yield from _named(error)
        return
    if lacks_address(config) and allocation.agent_ip is None:
        yield Problem(
            f"{path}: overlay.agent_ip",
            "is missing: lashup is bound to loopback, so nothing else tells where this "
            "agent's VXLAN packets leave from, and 'navstar run' would wait for it",
        )


def _named(error: Unusable) -> Iterator[Problem]:
    for problem in error.problems:
        yield Problem(f"{error.origin}: {problem.field}".rstrip(": "), problem.problem)
