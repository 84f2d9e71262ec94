"""A value of a wrong kind is named when a configuration is made."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from lashup import ConfigError, Limits, MembershipConfig, NodeConfig
from lashup.multicast import MulticastConfig


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "a\ud800"),
        ("name", "a\nERROR all is lost"),
        ("cluster", "a\x1b[2J"),
        ("bind", None),
        ("bind", 7946),
        ("seeds", None),
        ("seeds", "127.0.0.1:7946"),
        ("keys", None),
        ("keys", b"k" * 32),
        ("keys", "k" * 32),
        ("data_dir", 5),
        ("data_dir", ""),
        ("data_dir", "a\0b"),
        ("advertise", 5),
        ("membership", None),
        ("membership", "LAN"),
        ("multicast", None),
        ("limits", {"key": 5}),
        ("max_clock_skew", "60"),
        ("max_clock_skew", math.nan),
        ("max_clock_skew", -1),
        ("retire_after", "90"),
        ("retire_after", 90.5),
        ("max_datagram", "1400"),
        ("max_datagram", 1400.5),
    ],
)
def test_a_node_is_told_which_field_is_of_a_wrong_kind(field: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        NodeConfig(**{"name": "a", field: value})

    assert caught.value.field == field


@pytest.mark.parametrize("kind", [MembershipConfig, Limits, MulticastConfig])
@pytest.mark.parametrize("value", ["5", None, math.nan, True])
def test_numbers_are_numbers(kind: Any, value: Any) -> None:
    (first, *_) = kind.__dataclass_fields__

    with pytest.raises(ConfigError) as caught:
        kind(**{first: value})

    assert caught.value.field == first


def test_half_a_witness_is_none() -> None:
    with pytest.raises(ConfigError, match=r"witnesses: 1\.5 must be an integer"):
        MembershipConfig(witnesses=1.5)  # type: ignore[arg-type]


def test_an_integer_does_for_a_duration() -> None:
    assert MembershipConfig(probe_period=2).probe_period == 2


@pytest.mark.parametrize("least", [-1, 0])
def test_a_limit_of_nothing_is_refused(least: int) -> None:
    with pytest.raises(ConfigError, match="waiting"):
        Limits(waiting=least)


def test_iterables_of_addresses_are_taken() -> None:
    given: Any = {("127.0.0.1", 7946)}

    assert NodeConfig(name="a", seeds=given, data_dir=Path("/x")).seeds == given
