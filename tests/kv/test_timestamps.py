"""Clocks that are wrong: told, counted, and never followed."""

from __future__ import annotations

import pytest

from lashup.crdt import MapField
from lashup.crdt.field import pack_key
from lashup.kv.delta_codec import encode_delta
from tests.kv.vocabulary import (
    WALL,
    Peer,
)
from tests.vocabulary import KEY, Site

ROOT = MapField()
PACKED = pack_key(KEY)


def test_a_clock_ahead_is_told_and_not_followed_and_its_fact_is_kept():
    peer, ahead = Peer(0, max_skew=60.0), Site(5)
    delta = ahead.write(ROOT.register("r").assign("future"), wall=WALL + 100.0)

    peer.take(
        peer.replica.hear_announced_untrusted(encode_delta(delta), now=0.0, wall=WALL)
    )
    write = peer.write(ROOT.register("q").assign(1))
    peer.sync_disk()

    assert [round(seconds) for seconds in peer.skews] == [40]
    assert peer.view().register("r") == "future"
    stamped = peer.view().stamped("q")
    assert stamped is not None
    assert stamped[0] >> 16 == int(WALL * 1000)
    assert write.delta.facts


def test_a_clock_ahead_is_told_once_a_minute_and_counted_each_time():
    peer, ahead = Peer(0, max_skew=60.0), Site(5)
    for at in (0.0, 1.0, 59.0, 61.0, -500.0):
        delta = ahead.write(ROOT.register("r").assign(at), wall=WALL + 5_000.0)
        heard = encode_delta(delta)
        peer.take(peer.replica.hear_announced_untrusted(heard, now=0.0, wall=WALL + at))

    assert len(peer.skews) == 3
    assert peer.replica.statistics()["clock_skews"] == 5
    assert peer.replica.statistics()["clock_skew"] == pytest.approx(5_440.0, abs=1)


def test_what_a_wrong_clock_left_on_disk_is_counted_at_the_next_start():
    peer = Peer(0, max_skew=60.0)
    peer.write(ROOT.register("r").assign(1), wall=WALL + 1_000.0)
    peer.sync_disk()

    peer.start(wall=WALL)

    assert peer.replica.statistics()["clock_skews"] == 1
    assert peer.replica.statistics()["clock_skew"] == pytest.approx(940.0, abs=1)


def test_a_clock_ahead_is_not_followed_after_a_restart_either():
    peer, ahead = Peer(0, max_skew=60.0), Site(5)
    ahead.clock.last = (1 << 64) - 2
    delta = ahead.write(ROOT.register("r").assign("end of time"))
    peer.take(
        peer.replica.hear_announced_untrusted(encode_delta(delta), now=0.0, wall=WALL)
    )
    peer.sync_disk()

    peer.start()
    peer.publish(ROOT.register("q").assign(1))
    peer.publish(ROOT.register("r").assign("now"))

    assert peer.view().plain() == {"q": 1, "r": "now"}


def test_a_restarted_clock_is_not_behind_what_it_wrote_before():
    peer = Peer(0)
    peer.write(ROOT.register("r").assign(1), wall=WALL + 30)
    peer.sync_disk()
    first = peer.view().stamped("r")
    peer.start()
    peer.publish(ROOT.register("q").assign(1))

    second = peer.view().stamped("q")
    assert first is not None
    assert second is not None
    assert second[0] > first[0]
