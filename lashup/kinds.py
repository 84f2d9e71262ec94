"""What kind of value a field of a configuration takes.

A value of another kind is told when the configuration is made, with the name of its
field, and is not stumbled over somewhere inside a running node.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lashup.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def check_kinds(config: DataclassInstance) -> None:
    """Make sure that fields of a dataclass have values of their defaults' kinds.

    An integer does where the default is a float. Fields without a plain default are
    not looked at.

    Raises:
        ConfigError: Names the first that has not.
    """
    for each in dataclasses.fields(config):
        default = each.default
        if default is None or default is dataclasses.MISSING:
            continue
        value = getattr(config, each.name)
        if isinstance(default, float):
            check_number(each.name, value)
        elif isinstance(default, int):
            check_integer(each.name, value)
        else:
            check_is(each.name, value, type(default))


def check_integer(field: str, value: object) -> None:
    """Raises ConfigError for anything but an integer, of which True is none."""
    if type(value) is not int:
        raise ConfigError(field, f"{value!r} must be an integer")


def check_number(field: str, value: object) -> None:
    """Raises ConfigError for anything but an integer or a float that is a number."""
    if type(value) not in (int, float) or math.isnan(value):  # type: ignore[arg-type]
        raise ConfigError(field, f"{value!r} must be a number")


def check_is(field: str, value: object, kind: type) -> None:
    """Raises ConfigError for a value of another class."""
    if not isinstance(value, kind):
        raise ConfigError(field, f"{value!r} must be of {kind.__name__}")


def check_list(field: str, value: object, example: str) -> None:
    """Raises ConfigError for what is no list of several: text and bytes are not.

    Args:
        field: Its name.
        value: What was given.
        example: How it is written, for the message.
    """
    if isinstance(value, (str, bytes, bytearray)) or not isinstance(value, Iterable):
        raise ConfigError(field, f"{value!r} must be a list, as in {example}")
