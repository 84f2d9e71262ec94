"""What blocks of addresses have in common. Pure.

`ipaddress` answers the same questions, and keeps the last address of each network it
was asked about: with a thousand agents that is a megabyte.
"""

from __future__ import annotations

from navstar.allocation import Network


def span(block: Network) -> tuple[int, int]:
    """The first and the last address of a block, as numbers."""
    first = int(block.network_address)
    return first, first | (1 << block.max_prefixlen - block.prefixlen) - 1


def within(block: Network, outer: Network) -> bool:
    """Whether all of a block is in another one, of the same family."""
    return (
        block.version == outer.version
        and block.prefixlen >= outer.prefixlen
        and block.network_address in outer
    )


def overlap(one: Network, other: Network) -> bool:
    """Whether two blocks have an address in common: then one is within the other."""
    return within(one, other) or within(other, one)
