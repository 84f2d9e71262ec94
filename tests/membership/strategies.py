"""Records, beliefs and messages, for laws."""

from __future__ import annotations

from hypothesis import strategies as st

from lashup.machine import NodeId
from lashup.membership import Liveness, NodeRecord
from lashup.membership.member import Belief
from lashup.membership.messages import (
    Ack,
    Answer,
    Ask,
    Beliefs,
    Gossip,
    Header,
    Links,
    Nack,
    Obituary,
    Ping,
    PingRequest,
    Redirect,
    Want,
)

node_ids = st.binary(min_size=16, max_size=16).map(NodeId)

addresses = st.tuples(
    st.one_of(
        st.integers(1, 254).map(lambda n: f"10.0.0.{n}"),
        st.integers(1, 254).map(lambda n: f"fd00::{n:x}"),
    ),
    st.integers(1, 65535),
)

naturals = st.integers(0, 2**62)

records = st.builds(
    NodeRecord,
    id=node_ids,
    name=st.text(max_size=20),
    epoch=naturals,
    incarnation=naturals,
    addresses=st.lists(addresses, min_size=1, max_size=4).map(tuple),
    tags=st.dictionaries(st.text(max_size=5), st.text(max_size=9), max_size=4),
)

#: Records of one node whose ranks collide often.
rival_records = st.builds(
    NodeRecord,
    id=st.just(NodeId(bytes(16))),
    name=st.sampled_from(["a", "b"]),
    epoch=st.integers(1, 3),
    incarnation=st.integers(0, 2),
    addresses=st.just((("10.0.0.1", 1),)),
)


def beliefs_about(source: st.SearchStrategy[NodeRecord]) -> st.SearchStrategy[Belief]:
    return st.builds(
        lambda record, liveness, accuser: Belief(
            record, liveness, accuser if liveness is Liveness.SUSPECT else None
        ),
        source,
        st.sampled_from(Liveness),
        node_ids,
    )


headers = st.builds(
    Header,
    sender=node_ids,
    epoch=naturals,
    incarnation=naturals,
    table_hash=st.integers(0, 2**64 - 1),
    rider=st.binary(max_size=128),
)

seqs = st.integers(0, 2**63)

messages = st.one_of(
    st.builds(Ping, seqs, st.none() | node_ids),
    st.builds(Ack, seqs, node_ids),
    st.builds(
        PingRequest,
        seqs,
        node_ids,
        addresses,
        st.integers(1, 5000).map(lambda n: n / 1000),
    ),
    st.builds(Nack, seqs, node_ids),
    st.just(Gossip()),
    st.builds(Ask, st.binary(max_size=9)),
    st.builds(Answer, st.binary(max_size=99)),
    st.lists(node_ids, min_size=1, max_size=9).map(lambda ids: Want(tuple(ids))),
    st.lists(beliefs_about(records), min_size=1, max_size=3).map(
        lambda beliefs: Beliefs(tuple(beliefs))
    ),
    st.builds(Obituary, node_ids, naturals),
    st.builds(
        Links, node_ids, naturals, naturals, st.lists(node_ids, max_size=5).map(tuple)
    ),
    st.lists(node_ids, min_size=1, max_size=16).map(lambda n: Redirect(tuple(n))),
)
