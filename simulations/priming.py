"""A cluster whose members know each other already, without the minutes of a join.

Every node joins by the protocol itself: it pings a seed, walks the seed's member
table, and asks for what it lacks. Only, the seed is not on the network but here,
answers at once, and puts into one datagram what would not fit a real one. So a node
comes out as if it had joined, knowing everybody, with nothing left to gossip but
itself; that its table's hash is that of all members is checked at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lashup.channels import Channel
from lashup.effects import Effect
from lashup.machine import Address, NodeId, Persist, Transmit
from lashup.membership import NodeRecord
from lashup.membership.member import Belief, Liveness
from lashup.membership.messages import (
    Ack,
    Answer,
    Ask,
    Beliefs,
    Header,
    Message,
    Ping,
    Want,
    encode_packet,
    packet_untrusted,
)
from lashup.reconcile import Summary, keyed_hash
from lashup.wire.envelope import Seal
from lashup.wire.frames import frames_untrusted, pack_frames
from lashup.wire.readers import NODE_ID_SIZE
from simulations.host import Host

#: Where the seed is, as the nodes see it; an address of nobody.
_SEED: Address = ("192.0.2.1", 7946)
#: Bytes of records that are listed in one datagram, at most.
_ROOM = 50_000


def prime(hosts: Sequence[Host], *, seal: Seal, hash_key: bytes, now: float) -> None:
    """Let booted hosts know each other.

    Args:
        hosts: All of them; their nodes know nobody yet.
        seal: Of the same cluster, with a boot id of its own.
        hash_key: Of the nodes' member tables.
        now: The time.
    """
    if len(hosts) < 2:
        return
    records = [host.running.membership.me for host in hosts]
    beliefs = {record.id: Belief(record, Liveness.ALIVE) for record in records}
    summary = Summary(key_size=NODE_ID_SIZE, hash_key=hash_key)
    for record in records:
        summary.put(record.id, keyed_hash(hash_key, record.encoded))
    for host in hosts:
        # The seed speaks for a member: the first one that is not the host.
        spokesman = records[records[0].id == host.running.id]
        seed = _Seed(spokesman, beliefs, summary, seal=seal)
        seed.welcome(host, now=now)
        if host.running.membership.table_hash != summary.root:
            raise AssertionError(f"{host.name} was primed, and lacks members")


class _Seed:
    """The other end of one node's join."""

    def __init__(
        self,
        record: NodeRecord,
        beliefs: dict[NodeId, Belief],
        summary: Summary,
        *,
        seal: Seal,
    ) -> None:
        self._record = record
        self._beliefs = beliefs
        self._summary = summary
        self._seal = seal
        self._header = Header(
            record.id, record.epoch, record.incarnation, summary.root, b""
        )

    def welcome(self, host: Host, *, now: float) -> None:
        """Talk to a node until it has no more questions."""
        node = host.running
        effects: list[Effect] = list(node.join([_SEED], now=now))
        while effects:
            host.disk.commit([e for e in effects if isinstance(e, Persist)])
            asked = [
                e.data for e in effects if isinstance(e, Transmit) and e.to == _SEED
            ]
            effects = []
            for datagram in asked:
                for answer in self._answers(datagram):
                    effects += node.receive(answer, _SEED, now=now)
        # Forget this seed; at the true ones there are members already.
        host.carry_out(node.join(host.config.seeds, now=now))

    def _answers(self, datagram: bytes) -> Iterable[bytes]:
        for channel, payload in frames_untrusted(
            self._seal.open_untrusted(datagram).plaintext
        ):
            if channel != Channel.MEMBERSHIP:
                continue
            packet = packet_untrusted(payload, known=())
            message = None if packet is None else self._answer(packet.message)
            if message is not None:
                frame = Channel.MEMBERSHIP, encode_packet(self._header, (), message)
                yield self._seal.seal(pack_frames([frame]))

    def _answer(self, message: Message) -> Message | None:
        match message:
            case Ping(seq):
                return Ack(seq, self._record.id, self._record.encoded)
            case Ask(body):
                return Answer(self._summary.answer_untrusted(body, room=_ROOM))
            case Want(nodes):
                return Beliefs(tuple(self._beliefs[node] for node in nodes))
            case _:
                return None
