"""A user's value as bytes, or an error that says what a value may be."""

from __future__ import annotations

from lashup.errors import UsageError
from lashup.wire.readers import pack


def pack_users(kind: str, fields: list[object]) -> bytes:
    """The payload of a fact that holds a user's value.

    Args:
        kind: Of field, for the message.
        fields: Of the payload.

    Raises:
        UsageError: The value cannot be packed.
    """
    try:
        return pack(fields)
    except UsageError as error:
        raise UsageError(
            f"{kind}: a value that cannot be stored: {error.__cause__}; give None, "
            "booleans, numbers (integers of 64 bits), text, bytes, or lists and dicts "
            "of these"
        ) from error
