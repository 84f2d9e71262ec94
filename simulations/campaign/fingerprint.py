"""Which code a run came from: the same fingerprint, the same runs."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

_ROOT = Path(__file__).parents[2]

#: Where the code is on which a run depends. How runs are started, summed up and
#: drawn is not there: a new plot must not make old results worthless.
_SOURCES = (
    "lashup/*.py",
    "lashup/crdt/*.py",
    "lashup/kv/*.py",
    "lashup/membership/*.py",
    "lashup/multicast/*.py",
    "lashup/wire/*.py",
    "navstar/*.py",
    "simulations/*.py",
    "simulations/scenarios/*.py",
)


@cache
def fingerprint() -> str:
    """Sixteen hexadecimal digits of a hash over the files, read once a process."""
    digest = sha256()
    for pattern in _SOURCES:
        for path in sorted(_ROOT.glob(pattern)):
            digest.update(f"{path.relative_to(_ROOT)}\n".encode())
            digest.update(sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
