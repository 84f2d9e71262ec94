"""Flags: of two that act at once, the one the flag is named for wins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.crdt import MapField
from tests.strategies import histories
from tests.vocabulary import Site

ROOT = MapField()
ENABLE_WINS = ROOT.enable_wins_flag("f")
DISABLE_WINS = ROOT.disable_wins_flag("f")


def _exchange(one: Site, two: Site) -> None:
    state = one.facts.as_delta()
    one.hear(two.facts.as_delta())
    two.hear(state)


def _read(site: Site, flag: object) -> bool:
    view = site.view()
    if flag is ENABLE_WINS:
        return view.enable_wins_flag("f")
    return view.disable_wins_flag("f")


@pytest.mark.parametrize("flag", [ENABLE_WINS, DISABLE_WINS])
@given(steps=st.lists(st.booleans(), min_size=1))
def test_alone_it_is_what_it_was_set_to_last(flag, steps):
    site = Site(0)
    for is_enabled in steps:
        site.write(flag.enable() if is_enabled else flag.disable())

        assert _read(site, flag) == is_enabled


def test_what_was_never_written_is_as_if_the_loser_had_spoken():
    assert not _read(Site(0), ENABLE_WINS)
    assert _read(Site(0), DISABLE_WINS)


@pytest.mark.parametrize(
    ("flag", "winner"), [(ENABLE_WINS, True), (DISABLE_WINS, False)]
)
@pytest.mark.parametrize("before", [True, False])
def test_of_two_at_once_the_one_it_is_named_for_wins(flag, winner, before):
    one, two = Site(0), Site(1)
    two.hear(one.write(flag.enable() if before else flag.disable()))
    one.write(flag.enable())
    two.write(flag.disable())

    _exchange(one, two)

    assert _read(one, flag) == _read(two, flag) == winner


@pytest.mark.parametrize("flag", [ENABLE_WINS, DISABLE_WINS])
@pytest.mark.parametrize("is_enabled", [True, False])
def test_who_has_seen_the_other_decides(flag, is_enabled):
    one, two = Site(0), Site(1)
    two.hear(one.write(flag.disable() if is_enabled else flag.enable()))

    one.hear(two.write(flag.enable() if is_enabled else flag.disable()))

    assert _read(one, flag) == _read(two, flag) == is_enabled


def test_flags_are_shown_when_they_are_not_as_at_first():
    site = Site(0)
    site.write(
        ROOT.enable_wins_flag("on").enable(), ROOT.disable_wins_flag("off").disable()
    )
    assert site.view().plain() == {"on": True, "off": False}

    site.write(
        ROOT.enable_wins_flag("on").disable(), ROOT.disable_wins_flag("off").enable()
    )
    assert site.view().plain() == {}


@given(histories())
def test_the_winner_wins_after_any_history(history):
    one, two = history.sites[:2]
    raised = one.write(ROOT.enable_wins_flag("new").enable())
    lowered = two.write(ROOT.enable_wins_flag("new").disable(), ROOT.remove())
    one.hear(lowered)
    two.hear(raised)

    assert one.view().enable_wins_flag("new")
    assert two.view().enable_wins_flag("new")
