"""What a packet that came in comes to: what is believed of it, and what is answered.

A packet is taken apart in this order: the walk's questions and answers, which are
checked here because only the walk can read them; gossip; the sender's introduction
and header; the message proper. So an ack is sent with whatever the ping has taught.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lashup.machine import Address, NodeId
from lashup.membership.admission import NAMED, Admission
from lashup.membership.beliefs import Beliefs, Reaction
from lashup.membership.leaving import Leaving
from lashup.membership.link_faults import LinkFaults
from lashup.membership.member import Belief, Liveness
from lashup.membership.messages import (
    Ack,
    Answer,
    Ask,
    Gossip,
    Header,
    Letter,
    Links,
    Nack,
    Obituary,
    Packet,
    Ping,
    PingRequest,
    Redirect,
    Want,
)
from lashup.membership.messages import Beliefs as Told
from lashup.membership.probe import Prober
from lashup.membership.reconciliation import Reconciliation
from lashup.membership.record import NodeRecord
from lashup.membership.relay import Relays
from lashup.membership.turns import Turns

#: Beliefs on one packet, more than which show that its sender has a lot to tell.
_PLENTY = 8

#: Encoded beliefs that are recognised and passed over when they come again.
_SEEN_LIMIT = 4096
#: Questions to newcomers that wait for an answer, at most.
_ASKED_LIMIT = 64


class Reception:
    """Hands what comes in to the part that it is for.

    Args:
        beliefs: Told what packets say.
        prober: Told of acks and nacks.
        turns: Told of pings, and of the tables that others hold.
        relays: Told of acks and requests.
        leaving: Told of acks.
        reconciliation: Told of table hashes, answers and beliefs.
        link_faults: Told of broken links.
        admission: Says whom to send on to others.
        next_seq: Draws sequence numbers that no other message of this node has.
    """

    def __init__(
        self,
        beliefs: Beliefs,
        *,
        prober: Prober,
        turns: Turns,
        relays: Relays,
        leaving: Leaving,
        reconciliation: Reconciliation,
        link_faults: LinkFaults,
        admission: Admission,
        next_seq: Callable[[], int],
    ) -> None:
        #: Encoded gossip that was heard before.
        self.seen: dict[bytes, None] = {}
        self._beliefs = beliefs
        self._prober = prober
        self._turns = turns
        self._relays = relays
        self._leaving = leaving
        self._reconciliation = reconciliation
        self._link_faults = link_faults
        self._admission = admission
        self._next_seq = next_seq
        #: Who was asked whether it is at an address, by sequence number.
        self._asked: dict[int, tuple[NodeId, Address]] = {}

    def walk_untrusted(
        self, packet: Packet, sender: Address, *, now: float
    ) -> list[Letter]:
        """Deal with a walk's question or answer. To be called first.

        Raises:
            MalformedDatagram: Neither. Nothing has changed.
        """
        match packet.message:
            case Ask(body):
                asker = packet.header.sender
                elsewhere = self._admission.elsewhere(asker, now=now)
                if elsewhere:
                    told = self._reconciliation.tell(elsewhere, sender)
                    return [*told, (sender, Redirect(elsewhere))]
                answer = self._beliefs.members.summary.answer_untrusted(body)
                return [(sender, Answer(answer))]
            case Answer() as answered:
                return self._reconciliation.answered_untrusted(
                    answered, peer=packet.header.sender, now=now
                )
            case _:
                return []

    def hear(self, packet: Packet, sender: Address, *, now: float) -> list[Letter]:
        """Believe what the packet carries, and what its header shows."""
        letters: list[Letter] = []
        was_down = self._is(packet.header.sender, Liveness.DOWN)
        for encoded, belief in packet.gossip:
            self.seen[encoded] = None
            letters += self._believe(belief, sender, now=now)
        if len(self.seen) > _SEEN_LIMIT:
            self.seen.clear()
        if packet.record is not None:
            introduced = Belief(packet.record, Liveness.ALIVE)
            letters += self._believe(introduced, sender, now=now)
            letters += self._introduced(packet.record, sender, now=now)
        if was_down and self._is(packet.header.sender, Liveness.ALIVE):
            letters += self._welcome_back(packet.header.sender, now=now)
        return letters + self._meet(packet, sender, now=now)

    def respond(self, packet: Packet, sender: Address, *, now: float) -> list[Letter]:
        """Do what the message proper asks for."""
        me, header = self._beliefs.me, packet.header
        match packet.message:
            case Ping(seq, target) if target is None or target == me.id:
                self._turns.pinged_by(header.sender, now=now)
                if packet.record is not None and self._beliefs.is_leaving:
                    ack = Ack(seq, me.id, None)
                    return [*self._send_on(header.sender, sender), (sender, ack)]
                record = None if packet.record is None else me.encoded
                return [(sender, Ack(seq, me.id, record))]
            case Ack(seq, target):
                return self._acked(seq, target, header, sender, now=now)
            case PingRequest() as request:
                return self._relays.begin(request, sender, now=now)
            case Nack(seq, _, silence):
                self._prober.nacked(seq, sender=header.sender, silence=silence, now=now)
            case Want(nodes):
                return self._reconciliation.tell(nodes, sender)
            case Links() as links:
                return self._link_faults.hear(links, now=now)
            case Told(beliefs):
                return self._told(beliefs, header.sender, sender, now=now)
            case Redirect(nodes):
                peer = header.sender
                return self._reconciliation.redirected(nodes, peer=peer, now=now)
            case Obituary(node, epoch) if node == me.id:
                if self._beliefs.hear_obituary(epoch, now=now) is Reaction.REFUTED:
                    return [(sender, Gossip())]
            case _:
                pass  # Gossip, a walk's question, or what is meant for another node.
        return []

    def _introduced(
        self, record: NodeRecord, sender: Address, *, now: float
    ) -> list[Letter]:
        """A member introduced itself: has it replaced another of its name there?

        By a newer epoch it has. Otherwise these may be recorded words of an earlier
        life, and the other may live: whoever answers a new question is there.
        """
        others = self._beliefs.namesakes_at(record.id, sender)
        if all(other.epoch < record.epoch for other in others):
            self._beliefs.met(record.id, sender, now=now)
            return []
        seq = self._next_seq()
        self._asked[seq] = record.id, sender
        if len(self._asked) > _ASKED_LIMIT:
            del self._asked[next(iter(self._asked))]
        return [(sender, Ping(seq, record.id))]

    def _send_on(self, asker: NodeId, sender: Address) -> list[Letter]:
        """We have left: a newcomer is told so, and of some members in our place."""
        me, live = self._beliefs.me.id, self._beliefs.members.live
        others = [node for node in live[: NAMED + 1] if node != asker][:NAMED]
        return self._reconciliation.tell((me, *others), sender)

    def _is(self, node: NodeId, liveness: Liveness) -> bool:
        member = self._beliefs.members.get(node)
        return member is not None and member.liveness is liveness

    def _welcome_back(self, node: NodeId, *, now: float) -> list[Letter]:
        """A member that was down speaks to us: perhaps a whole side is back with it."""
        self._reconciliation.came_back(node)
        return self._prober.examine(node, now=now)

    def _believe(self, belief: Belief, sender: Address, *, now: float) -> list[Letter]:
        match self._beliefs.believe(belief, now=now):
            case Reaction.REFUTED:
                return [(sender, Gossip())]
            case Reaction.REFUSED:
                node = belief.record.id
                epoch = self._beliefs.members.reaped[node].epoch
                return [(belief.record.addresses[0], Obituary(node, epoch))]
            case Reaction.NEWS | Reaction.NOTHING:
                return []

    def _meet(self, packet: Packet, sender: Address, *, now: float) -> list[Letter]:
        """Compare what the sender's header says of it with what we believe."""
        header = packet.header
        self._turns.common_hash = header.table_hash
        member = self._beliefs.members.get(header.sender)
        if member is None:
            reaped = self._beliefs.members.reaped.get(header.sender)
            if reaped is not None and header.epoch <= reaped.epoch:
                return [(sender, Obituary(header.sender, reaped.epoch))]
            return [(sender, Want((header.sender,)))]
        if (member.epoch, member.incarnation) < (header.epoch, header.incarnation):
            if packet.riding > _PLENTY:
                return []  # It has more to say, and that among it.
            return [(sender, Want((header.sender,)))]
        if member.epoch > header.epoch:
            # It does not know how far its own epoch had come.
            return self._reconciliation.tell((header.sender,), sender)
        if member.liveness is Liveness.SUSPECT:
            self._beliefs.suspicions.restart(header.sender, now=now)
        return []

    def _acked(
        self, seq: int, target: NodeId, header: Header, sender: Address, *, now: float
    ) -> list[Letter]:
        self._prober.acked(seq, target, sender=header.sender, now=now)
        self._leaving.acked(seq, header.sender)
        if self._asked.get(seq) == (header.sender, sender):
            del self._asked[seq]
            self._beliefs.met(header.sender, sender, now=now)
        letters = self._relays.acked(seq, target)
        if self._beliefs.members.live_peer(header.sender) is not None:
            letters += self._reconciliation.compare(
                header.table_hash, peer=header.sender, address=sender, now=now
            )
        return letters

    def _told(
        self, beliefs: Iterable[Belief], teller: NodeId, sender: Address, *, now: float
    ) -> list[Letter]:
        letters: list[Letter] = []
        for told in beliefs:
            node = told.record.id
            belief = self._reconciliation.softened(told, teller=teller)
            if belief is not None:
                news_before = self._beliefs.news
                letters += self._believe(belief, sender, now=now)
                if self._beliefs.news != news_before and node != self._beliefs.me.id:
                    letters += self._pass_on(belief, now=now)
            letters += self._reconciliation.told(node, now=now)
        return letters

    def _pass_on(self, belief: Belief, *, now: float) -> list[Letter]:
        """News that came by a walk: who is to hear of it?"""
        if self._reconciliation.brings_old_news(belief.record.id):
            self._beliefs.updates.discard(belief.record.id)
        if belief.liveness is Liveness.SUSPECT:
            # The suspect itself, at once: it has been given up somewhere.
            suspect = self._beliefs.members.get(belief.record.id)
            if suspect is not None:
                told = (self._beliefs.members.address_of(suspect), Gossip())
                # Whoever missed the gossip need not wait for the whole ladder.
                return [told, *self._prober.examine(suspect.id, now=now)]
        return []
