"""Echo requests and replies, as bytes."""

from __future__ import annotations

import socket
import struct

from hypothesis import given
from hypothesis import strategies as st

from navstar.lab.echo import checksum, reply_number, request

tokens = st.binary(min_size=8, max_size=8)
numbers = st.integers(0, 2**64 - 1)
families = st.sampled_from([socket.AF_INET, socket.AF_INET6])

_HEADER = bytes([0x45]) + bytes(19)


def _reply(packet: bytes, family: int) -> bytes:
    """What the other host makes of a request, as a raw socket gives it to us."""
    if family == socket.AF_INET:
        return _HEADER + b"\x00" + packet[1:]
    return b"\x81" + packet[1:]


def test_the_checksum_is_that_of_the_rfc_1071_example():
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == ~0xDDF2 & 0xFFFF


@given(numbers, tokens)
def test_a_v4_request_with_its_checksum_sums_up_to_zero(number, token):
    assert checksum(request(number, token=token, family=socket.AF_INET)) == 0


@given(numbers, tokens, families)
def test_a_reply_brings_back_the_number_of_its_request(number, token, family):
    packet = request(number, token=token, family=family)

    assert reply_number(_reply(packet, family), token=token, family=family) == number


@given(numbers, tokens, tokens, families)
def test_a_reply_to_somebody_else_is_not_ours(number, token, other, family):
    packet = _reply(request(number, token=other, family=family), family)

    assert (reply_number(packet, token=token, family=family) is None) == (
        token != other
    )


@given(st.binary(max_size=80), tokens, families)
def test_whatever_bytes_come_they_are_a_reply_or_nothing(packet, token, family):
    number = reply_number(packet, token=token, family=family)

    assert number is None or struct.pack("!Q", number) in packet
