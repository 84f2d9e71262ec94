import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.errors import LimitExceeded, MalformedDatagram, UsageError
from lashup.machine import NodeId
from lashup.membership import NodeRecord, record_untrusted
from lashup.membership.config import LEAST_PAYLOAD
from lashup.membership.messages import RIDER_LIMIT, Header, Ping, encode_packet
from lashup.wire.readers import pack, unpack_untrusted
from tests.membership.strategies import records
from tests.membership.vocabulary import record


@given(records)
def test_a_record_survives_its_journey(original):
    received = record_untrusted(original.encoded)

    assert received == original
    assert received.encoded == original.encoded
    assert (received.tags, received.addresses) == (original.tags, original.addresses)


def test_a_record_is_forwarded_with_what_a_newer_version_appended():
    fields = unpack_untrusted(record(1).encoded)
    assert isinstance(fields, list)
    signed = pack([*fields, b"signature"])

    assert record_untrusted(signed).encoded == signed


def test_a_changed_record_is_encoded_anew():
    old = record(1)

    new = replace(old, incarnation=old.incarnation + 1)

    assert new != old
    assert record_untrusted(new.encoded).incarnation == old.incarnation + 1


def test_the_order_in_which_tags_were_given_does_not_matter():
    one = record(1, tags={"a": "1", "b": "2"})
    other = record(1, tags={"b": "2", "a": "1"})

    assert one == other


def test_tags_cannot_be_changed_in_place():
    with pytest.raises(TypeError):
        record(1).tags["a"] = "b"  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"tags": {"t": "x" * 512}}, LimitExceeded),
        ({"name": "é" * 65}, LimitExceeded),
        ({"addresses": (("10.0.0.1", 1),) * 5}, LimitExceeded),
        ({"addresses": ()}, UsageError),
        ({"id": NodeId(b"short")}, UsageError),
    ],
)
def test_a_record_beyond_the_limits_is_refused(change, error):
    with pytest.raises(error):
        replace(record(1), **change)


def test_the_greatest_record_leaves_room_in_the_smallest_payload():
    greatest = NodeRecord(
        id=NodeId(b"\xff" * 16),
        name="n" * 128,
        epoch=2**62,
        incarnation=2**62,
        addresses=(("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", 65535),) * 4,
        tags={"t": "x" * 506},
    )

    header = Header(greatest.id, 2**62, 2**62, 2**64 - 1, b"r" * RIDER_LIMIT)
    packet = encode_packet(header, [], Ping(2**63, greatest.id, greatest.encoded))

    assert len(greatest.encoded) <= 900
    assert len(packet) <= LEAST_PAYLOAD


@given(st.binary(max_size=300))
def test_any_bytes_are_a_record_or_malformed(data):
    with contextlib.suppress(MalformedDatagram):
        record_untrusted(data)


@given(records, st.data())
def test_a_record_that_was_damaged_is_a_record_or_malformed(original, data):
    damaged = bytearray(original.encoded)
    at = data.draw(st.integers(0, len(damaged) - 1))
    damaged[at] = data.draw(st.integers(0, 255))

    with contextlib.suppress(MalformedDatagram):
        record_untrusted(bytes(damaged))


@pytest.mark.parametrize(
    "fields",
    [
        [b"x" * 16, "n", 1, 0, [["10.0.0.1", 1]], {}],
        [b"x" * 15, "n", 1, 0, [["10.0.0.1", 1]], {}, [1, 1]],
        [b"x" * 16, "n", -1, 0, [["10.0.0.1", 1]], {}, [1, 1]],
        [b"x" * 16, "n", 2**63, 0, [["10.0.0.1", 1]], {}, [1, 1]],
        [b"x" * 16, "n", 1, 0, [], {}, [1, 1]],
        [b"x" * 16, "n", 1, 0, [["a.example", 1]], {}, [1, 1]],
        [b"x" * 16, "n", 1, 0, [["10.0.0.1", 0]], {}, [1, 1]],
        [b"x" * 16, "n", 1, 0, [["10.0.0.1", 1]], {"a": 1}, [1, 1]],
        [b"x" * 16, "n", 1, 0, [["10.0.0.1", 1]], {"a": "x" * 512}, [1, 1]],
        [b"x" * 16, "n" * 200, 1, 0, [["10.0.0.1", 1]], {}, [1, 1]],
        [b"x" * 16, "n", 1, 0, [["10.0.0.1", 1]], [], [1, 1]],
        [b"x" * 16, "n", 1, 0, [["10.0.0.1", 1]], {}, [1, 1], b"x" * 1000],
    ],
)
def test_a_record_that_is_wrong_in_one_field_is_malformed(fields):
    with pytest.raises(MalformedDatagram):
        record_untrusted(pack(fields))
