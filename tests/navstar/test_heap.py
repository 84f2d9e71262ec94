"""Memory that Python gave back goes back to the kernel, on a real C library."""

import subprocess
import sys

_SCRIPT = """
import trio, trio.testing
from navstar.heap import FIRST_TRIM, give_back, share_one_heap

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

share_one_heap()
# Blocks that the C library hands out, with some in use between those that are not.
held = [bytearray(2_000) for _ in range(20_000)]
held = held[::20]
before = resident()

async def main():
    with trio.move_on_after(FIRST_TRIM + 1):
        await give_back()

trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
print(before - resident())
"""


def test_what_is_free_between_what_is_not_is_given_back():
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10_000_000
