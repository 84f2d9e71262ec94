"""Blocks of addresses, by the answers of `ipaddress`."""

from ipaddress import IPv4Network, IPv6Network

from hypothesis import given
from hypothesis import strategies as st

from navstar.blocks import overlap, span, within


def blocks(network: type[IPv4Network] | type[IPv6Network], bits: int):
    """Few different beginnings, so that many have something in common."""

    def block(start: int, length: int):
        return network((start << bits - 4, length), strict=False)

    return st.builds(block, st.integers(0, 15), st.integers(0, bits))


FOUR, SIX = blocks(IPv4Network, 32), blocks(IPv6Network, 128)
PAIRS = st.one_of(st.tuples(FOUR, FOUR), st.tuples(SIX, SIX))


@given(PAIRS)
def test_they_are_what_the_library_says(pair):
    one, other = pair

    assert within(one, other) == one.subnet_of(other)
    assert overlap(one, other) == one.overlaps(other)
    assert span(one) == (int(one.network_address), int(one.broadcast_address))


@given(FOUR, SIX)
def test_families_have_nothing_in_common(four, six):
    assert not overlap(four, six)
    assert not within(four, six)
    assert not within(six, four)
