"""Keeps the daemon small: what the C library does with memory that Python gave back.

glibc gives each thread a heap of its own, and keeps what is freed at the top of a heap
the longer the larger the blocks were. A daemon that waits most of the time has no use
for either. With another C library all of this does nothing.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress

import trio

#: Seconds between two trims: each takes a millisecond or two.
TRIM_PERIOD = 60.0
#: Seconds from the start to the first one, when the first passes are over.
FIRST_TRIM = 15.0

#: malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
#: Bytes. glibc's own at the start; said by us, it does not let them grow.
_THRESHOLD = 128 << 10


def share_one_heap() -> None:
    """Let all threads have one heap. To be called before there are any."""
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, 1)
        libc.mallopt(_M_MMAP_THRESHOLD, _THRESHOLD)
        libc.mallopt(_M_TRIM_THRESHOLD, _THRESHOLD)


async def give_back() -> None:
    """Return to the kernel what is free in the heap, again and again."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return
    await trio.sleep(FIRST_TRIM)
    while True:
        trim(0)
        await trio.sleep(TRIM_PERIOD)
