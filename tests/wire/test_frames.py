"""Laws of several messages in one plaintext."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.errors import LimitExceeded, MalformedDatagram
from lashup.wire.frames import FRAME_OVERHEAD, frames_untrusted, pack_frames

frames = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=300)), max_size=8)


@given(frames)
def test_frames_come_out_as_they_went_in(sent):
    assert frames_untrusted(pack_frames(sent)) == sent


@given(frames)
def test_the_overhead_per_frame_is_as_documented(sent):
    payload = sum(len(payload) for _, payload in sent)

    assert len(pack_frames(sent)) == payload + FRAME_OVERHEAD * len(sent)


@given(st.binary(max_size=300))
def test_any_bytes_are_frames_or_malformed(plaintext):
    try:
        read = frames_untrusted(plaintext)
    except MalformedDatagram:
        return

    assert pack_frames(read) == plaintext


@given(frames.filter(bool), st.data())
def test_a_cut_inside_a_frame_is_malformed(sent, data):
    plaintext = pack_frames(sent)
    ends = {len(pack_frames(sent[:count])) for count in range(len(sent) + 1)}
    cut = data.draw(
        st.integers(0, len(plaintext) - 1).filter(lambda at: at not in ends)
    )

    with pytest.raises(MalformedDatagram):
        frames_untrusted(plaintext[:cut])


def test_the_largest_frame_has_65_535_bytes():
    largest = [(7, bytes(65_535))]

    assert frames_untrusted(pack_frames(largest)) == largest
    with pytest.raises(LimitExceeded):
        pack_frames([(7, bytes(65_536))])


@pytest.mark.parametrize("channel", [-1, 256])
def test_a_channel_is_one_byte(channel):
    with pytest.raises(LimitExceeded):
        pack_frames([(channel, b"")])
