"""The keyring on disk: what orders have made of it outlives the process."""

from __future__ import annotations

from collections.abc import Sequence

from lashup.errors import MalformedDatagram, UsageError
from lashup.wire.keyring import KEY_SIZE, Keyring, key_id_of
from lashup.wire.readers import (
    bytes_untrusted,
    fields_untrusted,
    pack,
    unpack_untrusted,
)


def keyring_row(keyring: Keyring, *, configured: Sequence[bytes]) -> bytes:
    """The keyring as it stands on disk.

    Args:
        keyring: Which.
        configured: The keys of the configuration that this start was given.
    """
    keys = [keyring.get(key_id) for key_id in keyring]
    return pack([[key_id_of(key) for key in configured], keys])


def ring_untrusted(
    configured: Sequence[bytes], *, label: str, row: bytes | None
) -> Keyring:
    """The keyring of a start.

    What orders have made of it is on disk, and counts as long as the configuration
    has the keys that it had then. Where somebody has changed these, they come first,
    and the first of them seals; those on disk still open.

    Args:
        configured: Keys of the configuration; none for loopback.
        label: The cluster's name.
        row: What `keyring_row` made; None if no order ever came.

    Raises:
        MalformedDatagram: It did not make that row.
    """
    if not configured:
        return Keyring.loopback(label)
    if row is None:
        return Keyring(configured)
    ids, keys = fields_untrusted(unpack_untrusted(row), 2)[:2]
    kept = [bytes_untrusted(key, KEY_SIZE) for key in fields_untrusted(keys, 1)]
    try:
        if ids == [key_id_of(key) for key in configured]:
            return Keyring(kept)
        ring = Keyring(configured)
        for key in kept:
            ring.install(key)
    except UsageError as error:
        raise MalformedDatagram(f"the keyring on disk: {error}") from error
    return ring
