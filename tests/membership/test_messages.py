import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.errors import MalformedDatagram
from lashup.membership import Liveness
from lashup.membership.member import Belief
from lashup.membership.messages import (
    Ack,
    Encoding,
    Gossip,
    Header,
    Ping,
    encode_packet,
    packet_untrusted,
)
from lashup.wire.readers import pack, unpack_untrusted
from tests.membership.strategies import beliefs_about, headers, messages, records
from tests.membership.vocabulary import node_id, record

HEADER = Header(node_id(1), 1, 0, 7, b"")


@given(headers, st.lists(beliefs_about(records), max_size=3), messages)
def test_a_packet_survives_its_journey(header, gossip, message):
    encoded = [belief.encode() for belief in gossip]

    packet = packet_untrusted(encode_packet(header, encoded, message), known=())

    assert packet is not None
    assert packet.header == header
    assert packet.message == message
    assert packet.gossip == tuple(zip(encoded, gossip, strict=True))


@given(headers, st.lists(beliefs_about(records), max_size=20), messages)
def test_a_payload_is_one_list_whose_length_without_gossip_is_known_before(
    header, gossip, message
):
    encoded = [belief.encode() for belief in gossip]
    encoding = Encoding(header, message)

    payload = encoding.carrying(encoded)

    assert payload == pack(unpack_untrusted(payload))
    assert len(encoding) == len(encoding.carrying(()))
    assert len(payload) == len(encoding) - 1 + len(pack(encoded))


def test_a_packet_may_bring_the_record_of_its_sender():
    payload = encode_packet(HEADER, (), Ping(1, None, record(1).encoded))

    packet = packet_untrusted(payload, known=())

    assert packet is not None
    assert packet.record == record(1)


def test_nobody_introduces_another_node():
    payload = encode_packet(HEADER, (), Ack(1, node_id(2), record(2).encoded))

    with pytest.raises(MalformedDatagram):
        packet_untrusted(payload, known=())


def test_gossip_that_was_dealt_with_is_passed_over():
    old = Belief(record(2), Liveness.ALIVE)
    new = Belief(record(3), Liveness.ALIVE)
    payload = encode_packet(HEADER, [old.encode(), new.encode()], Gossip())

    packet = packet_untrusted(payload, known={old.encode()})

    assert packet is not None
    assert packet.gossip == ((new.encode(), new),)


@given(headers, messages)
def test_fields_that_a_newer_version_appended_are_ignored(header, message):
    fields = unpack_untrusted(encode_packet(header, (), message))
    assert isinstance(fields, list)

    packet = packet_untrusted(pack([*fields, "new", {"more": 1}]), known=())

    assert packet is not None
    assert packet.message == message


def test_a_kind_of_a_newer_version_is_none():
    fields = unpack_untrusted(encode_packet(HEADER, (), Gossip()))
    assert isinstance(fields, list)

    assert packet_untrusted(pack([99, *fields[1:], "what"]), known=()) is None


@given(st.binary(max_size=300))
def test_any_bytes_are_a_packet_or_malformed(data):
    with contextlib.suppress(MalformedDatagram):
        packet_untrusted(data, known=())


@given(headers, st.lists(beliefs_about(records), max_size=2), messages, st.data())
def test_a_damaged_packet_is_a_packet_or_malformed(header, gossip, message, data):
    payload = encode_packet(header, [belief.encode() for belief in gossip], message)
    at = data.draw(st.integers(0, len(payload) - 1))
    flipped = payload[at] ^ data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(at + 1, len(payload)))

    with contextlib.suppress(MalformedDatagram):
        packet_untrusted(
            payload[:at] + bytes([flipped]) + payload[at + 1 : cut], known=()
        )
