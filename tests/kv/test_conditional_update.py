"""An update that expects what was read: made, or refused without a trace."""

from __future__ import annotations

import pytest
from hypothesis import given

from lashup.crdt import MapField
from lashup.crdt.writer import Operation
from lashup.errors import ConcurrentUpdate
from lashup.kv.write import Write
from tests.kv.vocabulary import WALL, Peer, state_of
from tests.strategies import histories
from tests.vocabulary import KEY

ROOT = MapField()


def _write_if(peer: Peer, operation: Operation, token: object) -> Write:
    return peer.store.write(KEY, [operation], wall=WALL, expect=token)  # type: ignore[arg-type]


@pytest.mark.parametrize("is_there_before", [True, False])
def test_a_write_on_what_was_read_last_is_made(is_there_before):
    peer = Peer(0)
    if is_there_before:
        peer.publish(ROOT.register("r").assign(1))

    peer.store.commit(_write_if(peer, ROOT.register("r").assign(2), peer.view().token))

    assert peer.view().register("r") == 2


@pytest.mark.parametrize(
    "between",
    [
        ROOT.register("r").assign(1),
        ROOT.register("other").assign(1),
        ROOT.map_field("m").map_field("n").add_wins_set("s").add("e"),
        ROOT.remove(),
    ],
)
def test_a_write_on_an_older_reading_is_refused_and_changes_nothing(between):
    peer = Peer(0)
    peer.publish(ROOT.register("r").assign(1))
    token = peer.view().token
    peer.publish(between)
    before = state_of(peer)

    with pytest.raises(ConcurrentUpdate, match="changed"):
        _write_if(peer, ROOT.register("r").assign(2), token)

    assert state_of(peer) == before


def test_a_write_on_its_way_to_the_disk_counts():
    peer = Peer(0)
    token = peer.view().token
    peer.write(ROOT.register("r").assign(1))

    with pytest.raises(ConcurrentUpdate):
        _write_if(peer, ROOT.register("r").assign(2), token)


def test_of_two_on_the_same_reading_one_is_made():
    peer = Peer(0)
    token = peer.view().token
    _write_if(peer, ROOT.register("r").assign(1), token)

    with pytest.raises(ConcurrentUpdate):
        _write_if(peer, ROOT.register("r").assign(2), token)


def test_another_key_does_not_matter():
    peer = Peer(0)
    token = peer.view().token
    peer.publish(ROOT.register("r").assign(1), key=("another",))

    peer.store.commit(_write_if(peer, ROOT.register("r").assign(2), token))

    assert peer.view().register("r") == 2


def test_what_was_changed_and_changed_back_is_another_reading():
    peer = Peer(0)
    peer.publish(ROOT.register("r").assign(1))
    token = peer.view().token
    peer.publish(ROOT.register("r").assign(2))
    peer.publish(ROOT.register("r").assign(1))

    with pytest.raises(ConcurrentUpdate):
        _write_if(peer, ROOT.register("r").assign(3), token)


@given(histories())
def test_tokens_are_equal_just_when_the_same_facts_were_seen(history):
    one, *others = history.sites
    for other in others:
        same = {d for d, f in one.facts if f.key == b"\x91\xa1k"} == {
            d for d, f in other.facts if f.key == b"\x91\xa1k"
        }
        assert (one.view().token == other.view().token) == same
