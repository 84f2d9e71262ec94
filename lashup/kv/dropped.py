"""Facts that were dropped as outdated: kept on disk, beside the table.

Who was off for too long drops what the others do not know (`absence`). They may have
removed it; they may as well never have heard of it, or a clock was wrong by months. So
it is put aside, and an operator can have it back (`python -m lashup dump --dropped`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lashup.crdt.causal_context import CausalContext
from lashup.crdt.dot import Dot
from lashup.crdt.fact import Fact
from lashup.crdt.facts import Delta
from lashup.kv.delta_codec import (
    decode_dot_untrusted,
    decode_fact_untrusted,
    encode_dot,
    encode_fact,
)
from lashup.kv.rows import META_TABLE, Rows

_DROPPED_ROW = b"dropped"


def put_aside(facts: Iterable[tuple[Dot, Fact]]) -> Rows:
    """What keeps some facts on disk that the table no longer has."""
    return Rows(
        tuple(
            (META_TABLE, _DROPPED_ROW + encode_dot(dot), encode_fact(fact))
            for dot, fact in facts
        )
    )


def dropped_untrusted(rows: Mapping[bytes, bytes]) -> Delta:
    """What a disk has put aside; joined, it is there again.

    Args:
        rows: Of `META_TABLE`; others' rows are passed over.

    Raises:
        MalformedDatagram: They are not what this version writes.
    """
    facts = {
        decode_dot_untrusted(name[len(_DROPPED_ROW) :]): decode_fact_untrusted(row)
        for name, row in rows.items()
        if name.startswith(_DROPPED_ROW)
    }
    return Delta(facts, CausalContext(facts))
