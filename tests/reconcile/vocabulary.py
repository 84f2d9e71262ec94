"""Two tables, their summaries, and a line between them that is no good."""

from __future__ import annotations

import random
from hashlib import blake2b

from hypothesis import strategies as st

from lashup.reconcile import Summary, Walk
from lashup.reconcile.walk import WINDOW

KEY_SIZE = 8
HASH_KEY = b"cluster"


def key_of(number: int) -> bytes:
    return blake2b(number.to_bytes(8, "big"), digest_size=KEY_SIZE).digest()


def summary_of(records: dict[bytes, int]) -> Summary:
    summary = Summary(key_size=KEY_SIZE, hash_key=HASH_KEY)
    for key, value in records.items():
        summary.put(key, value)
    return summary


def differing(ours: dict[bytes, int], theirs: dict[bytes, int]) -> set[bytes]:
    return {k for k in ours.keys() | theirs.keys() if ours.get(k) != theirs.get(k)}


class Line:
    """Carries questions and answers; loses, repeats and reorders them."""

    def __init__(self, rng: random.Random, *, loss: float = 0, repeat: float = 0):
        self.bytes = 0
        self.questions = 0
        self.rounds = 0
        self.now = 0.0
        self._rng, self._loss, self._repeat = rng, loss, repeat

    def walk(self, walk: Walk, peer: Summary) -> list[bytes]:
        """Let a walk go on to its end; the keys it finds."""
        found: list[bytes] = []
        late: list[bytes] = []
        while not walk.done and not walk.failed:
            assert self.rounds < 4_000
            asks = walk.asks(now=self.now)
            assert len(asks) <= WINDOW
            self.questions += len(asks)
            answers = [peer.answer_untrusted(ask) for ask in self._carry(asks)]
            self.bytes += sum(map(len, asks)) + sum(map(len, answers))
            answers = late + self._carry(answers)
            self._rng.shuffle(answers)
            late, answers = answers[:1], answers[1:] or answers
            for answer in answers:
                found += walk.receive_untrusted(answer, now=self.now)
            self.rounds += bool(asks)
            if not walk.done and not walk.failed:
                self.now = max(self.now + 0.001, walk.next_wakeup())
        return found

    def _carry(self, messages: list[bytes]) -> list[bytes]:
        copies = [m for m in messages if self._rng.random() < self._repeat]
        return [m for m in messages + copies if self._rng.random() >= self._loss]


tables = st.tuples(
    st.one_of(st.integers(0, 80), st.integers(0, 3_000)),
    st.integers(0, 60),
    st.integers(0, 1 << 32),
)


def two_tables(size: int, changes: int, seed: int):
    rng = random.Random(seed)
    ours = {key_of(n): rng.getrandbits(64) for n in range(size)}
    theirs = dict(ours)
    for n in range(changes):
        table = rng.choice([ours, theirs])
        match rng.randrange(3):
            case 0 if table:
                table[rng.choice(list(table))] = rng.getrandbits(64)
            case 1 if table:
                del table[rng.choice(list(table))]
            case _:
                table[key_of(size + n)] = rng.getrandbits(64)
    return ours, theirs
