"""What it costs to seal and to open a datagram, beside the bare cipher."""

from __future__ import annotations

import os
import time

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.row import Case, Effort, Row, microseconds
from lashup.wire.envelope import Seal
from lashup.wire.keyring import Keyring

#: Bytes of plaintext: what fits beside the envelope into a datagram of 1,280.
_PLAINTEXT = bytes(1_200)
_GOAL = 4.0


def measure(effort: Effort) -> list[Case]:
    """Seal and open datagrams, and encrypt as many with the cipher alone."""
    calls = 2_000 if effort is Effort.QUICK else 20_000
    ring = Keyring([os.urandom(32)])
    ours = Seal(ring, label="benchmark", boot_id=os.urandom(16))
    theirs = Seal(ring, label="benchmark", boot_id=os.urandom(16))
    bare = AESGCM(os.urandom(32))
    nonce, header = bytes(12), bytes(32)
    limit = microseconds(lambda: bare.encrypt(nonce, _PLAINTEXT, header), calls=calls)
    sealing = microseconds(lambda: ours.seal(_PLAINTEXT), calls=calls)
    opening = _opening(ours, theirs, calls)
    return [
        Case("the cipher alone", limit, ok=True),
        Case("seal", sealing, sealing <= _GOAL * limit),
        Case("open", opening, opening <= _GOAL * limit),
    ]


def _opening(ours: Seal, theirs: Seal, calls: int) -> float:
    """Each datagram opens once only, so they are made before and timed in one go."""
    best = float("inf")
    for _ in range(5):
        datagrams = [theirs.seal(_PLAINTEXT) for _ in range(calls)]
        began = time.perf_counter()
        for datagram in datagrams:
            ours.open_untrusted(datagram)
        best = min(best, (time.perf_counter() - began) / calls * 1e6)
    return best


ROW = Row(
    name="seal",
    what="a datagram of 1,200 bytes sealed, and opened",
    unit="µs",
    goal=f"each ≤ {_GOAL:g} times the cipher alone in the same run",
    peer="AES-256-GCM of the cryptography package, called by itself",
    measure=measure,
)
