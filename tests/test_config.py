"""What a node is told: mistakes name the field, before anything is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lashup
from lashup import NodeConfig

KEY = bytes(range(32))


def test_without_a_key_only_loopback_is_bound() -> None:
    with pytest.raises(lashup.ConfigError, match="keys") as caught:
        NodeConfig(name="a", bind=("10.0.0.1", 7946))

    assert caught.value.field == "keys"


@pytest.mark.parametrize(
    "host",
    ["fe80::1%lo", "ff02::1", "::", "224.0.0.1", "255.255.255.255", "::ffff:10.0.0.1"],
)
def test_an_address_that_others_would_not_take_is_not_advertised(host: str) -> None:
    with pytest.raises(lashup.ConfigError, match=r"advertise\[0\]"):
        NodeConfig(name="a", keys=[KEY], advertise=[(host, 7946)])
    if host != "::":  # which asks for `advertise` itself
        with pytest.raises(lashup.ConfigError, match=r"bind\[0\]"):
            NodeConfig(name="a", keys=[KEY], bind=(host, 7946))


def test_true_is_no_port() -> None:
    with pytest.raises(lashup.ConfigError, match=r"advertise\[0\]"):
        NodeConfig(name="a", keys=[KEY], advertise=[("10.0.0.1", True)])


@pytest.mark.parametrize(
    ("bind", "field"),
    [((), "bind"), ([("127.0.0.1", 1), ("::1", 1), ("127.0.0.1", 2)], "bind[2]")],
)
def test_listening_nowhere_and_twice_in_a_family_is_refused(
    bind: Any, field: str
) -> None:
    with pytest.raises(lashup.ConfigError) as caught:
        NodeConfig(name="a", bind=bind)

    assert caught.value.field == field


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 5),
        ("tags", {"a": 1}),
        ("tags", None),
        ("bind", "127.0.0.1:0"),
        ("cluster", ""),
    ],
)
def test_a_value_of_a_wrong_type_is_named(field: str, value: Any) -> None:
    with pytest.raises(lashup.ConfigError) as caught:
        NodeConfig(**{"name": "a", field: value})

    assert caught.value.field == field


def test_the_same_key_twice_is_refused() -> None:
    with pytest.raises(lashup.ConfigError, match=r"keys\[1\]"):
        NodeConfig(name="a", keys=[KEY, KEY])


def test_a_data_directory_may_be_given_as_text(tmp_path: Path) -> None:
    given: Any = str(tmp_path)

    assert NodeConfig(name="a", data_dir=given).data_dir == tmp_path
