"""Another manager of routes, which takes ours for its own garbage."""

from __future__ import annotations

_SCRIPT = """
import time
from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError
with IPRoute() as kernel:
    device = kernel.link_lookup(ifname="vtep1024")[0]
    print("undoing", flush=True)
    while True:
        try:
            kernel.route("del", dst="BLOCK", oif=device)
        except NetlinkError:
            time.sleep(0.002)
"""


def undoing(block: str) -> str:
    """Python that deletes a route as soon as it sees it, until it is killed.

    It says so in a line first, and does all of it from one netlink socket.

    Args:
        block: Where the route goes to, as an IPv4 network.
    """
    return _SCRIPT.replace("BLOCK", block)
