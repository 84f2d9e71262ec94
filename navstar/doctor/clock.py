"""Whether the host's clock is kept right: claims are compared by their age."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator

from navstar.doctor.finding import Finding, Level
from navstar.doctor.host import Host, Needs

#: STA_UNSYNC in `struct timex`, adjtimex(2).
UNSYNCHRONISED = 0x40


#: The beginning of `struct timex`: modes, offset, freq, maxerror, esterror, status.
_TIMEX = struct.Struct("@I4li")
_TIMEX_ROOM = 512


def check_clock(host: Host, needs: Needs) -> Iterator[Finding]:
    """Something keeps the clock right."""
    # All zero: nothing is set, the kernel only tells.
    state = ctypes.create_string_buffer(_TIMEX_ROOM)
    if ctypes.CDLL(None).adjtimex(state) < 0:
        return
    yield from judge_clock(_TIMEX.unpack_from(state)[-1])


def judge_clock(status: int) -> Iterator[Finding]:
    """What the kernel's own view of its clock tells."""
    if status & UNSYNCHRONISED:
        yield Finding(
            "clock",
            Level.WARNING,
            "the kernel does not know its clock to be right: nothing keeps it",
            "an agent whose clock is behind wins conflicts that it should lose, and "
            "one more than a minute ahead is not followed by the others",
            "run a time service: timedatectl set-ntp true, or chronyd",
        )
