"""Datagrams that this host itself would not send.

A failure of ours, and no evidence about the peer: counted, and told, but not for each
datagram of thousands.
"""

from __future__ import annotations

from dataclasses import dataclass

from lashup.machine import Address
from lashup.runtime.udp import SendResult

#: Seconds until a refusal to the same address is told again.
_TOLD_AGAIN = 60.0
#: Addresses that are remembered for that; the oldest is forgotten.
_MOST = 1_024


@dataclass(frozen=True, slots=True)
class SendRefused:
    """This host would not send to an address; told once a minute while it is so.

    Attributes:
        address: Where to.
        reason: "refused" (a firewall of this host, full buffers, an interface that is
            down), "no route", or "too large" (for an interface of this host).
    """

    address: Address
    reason: str


class RefusedSends:
    """Counts them, and says when one is to be told."""

    def __init__(self) -> None:
        self.count = 0
        self._told_at: dict[Address, float] = {}

    def note(
        self, address: Address, result: SendResult, *, now: float
    ) -> SendRefused | None:
        """A datagram to this address was not sent: what to tell, if anything."""
        self.count += 1
        told_at = self._told_at.get(address)
        if told_at is not None and now < told_at + _TOLD_AGAIN:
            return None
        self._told_at.pop(address, None)  # so that the order is by time
        self._told_at[address] = now
        if len(self._told_at) > _MOST:
            del self._told_at[next(iter(self._told_at))]
        return SendRefused(address, result.value)
