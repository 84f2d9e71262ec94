"""What a start makes of the keyring that an earlier one has left."""

from __future__ import annotations

import msgpack
import pytest

from lashup.errors import MalformedDatagram
from lashup.wire.kept_keyring import keyring_row, ring_untrusted
from lashup.wire.keyring import Keyring, key_id_of

OLD, NEW = bytes(range(32)), bytes(range(1, 33))
OLD_ID, NEW_ID = key_id_of(OLD), key_id_of(NEW)


def test_a_start_goes_on_with_the_ring_that_orders_have_made():
    ring = Keyring([OLD])
    ring.install(NEW)
    ring.use(NEW_ID)
    row = keyring_row(ring, configured=[OLD])

    again = ring_untrusted([OLD], label="x", row=row)

    assert list(again) == [NEW_ID, OLD_ID]


def test_a_removed_key_does_not_come_back_from_a_configuration_that_nobody_touched():
    ring = Keyring([NEW])

    again = ring_untrusted([OLD], label="x", row=keyring_row(ring, configured=[OLD]))

    assert list(again) == [NEW_ID]


def test_keys_that_somebody_has_configured_since_come_first():
    third = bytes(32)
    row = keyring_row(Keyring([NEW, OLD]), configured=[OLD])

    again = ring_untrusted([third], label="x", row=row)

    assert list(again) == [key_id_of(third), NEW_ID, OLD_ID]


def test_without_orders_or_keys_the_configuration_counts():
    assert list(ring_untrusted([OLD], label="x", row=None)) == [OLD_ID]
    assert ring_untrusted([], label="x", row=None).is_public


@pytest.mark.parametrize(
    "row", [b"", msgpack.packb([[], []]), msgpack.packb([[OLD_ID], [OLD, OLD]]),
            msgpack.packb([[OLD_ID], [b"short"]])],
)  # fmt: skip
def test_a_damaged_row_is_told_as_such(row):
    with pytest.raises(MalformedDatagram):
        ring_untrusted([OLD], label="x", row=row)
