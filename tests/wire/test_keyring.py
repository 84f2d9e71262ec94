"""What a keyring promises while keys come and go."""

import pytest

from lashup.errors import ConfigError, UsageError
from lashup.wire.keyring import Keyring, key_id_of

OLD, NEW, OTHER = bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 32


def test_the_first_key_seals_and_all_open():
    ring = Keyring([OLD, NEW])

    assert ring.sealing_key == OLD
    assert list(ring) == [key_id_of(OLD), key_id_of(NEW)]
    assert ring.get(key_id_of(NEW)) == NEW


def test_a_key_is_replaced_by_install_use_remove():
    ring = Keyring([OLD])

    ring.use(ring.install(NEW))
    ring.remove(key_id_of(OLD))

    assert list(ring) == [key_id_of(NEW)]
    assert ring.sealing_key == NEW


def test_each_change_raises_the_generation_and_what_changes_nothing_does_not():
    ring = Keyring([OLD])

    ring.install(OLD)
    ring.use(key_id_of(OLD))
    assert ring.generation == 0

    ring.install(NEW)
    ring.use(key_id_of(NEW))
    ring.remove(key_id_of(OLD))
    assert ring.generation == 3


@pytest.mark.parametrize(
    ("keys", "field"),
    [
        ([], "keys"),
        ([OLD, b"short"], "keys[1]"),
        (["x" * 32], "keys[0]"),
        ([OLD, OLD], "keys[1]"),
    ],
)
def test_unusable_keys_are_refused_with_the_field_that_is_wrong(keys, field):
    with pytest.raises(ConfigError) as caught:
        Keyring(keys)

    assert caught.value.field == field


def test_the_key_that_seals_cannot_be_removed():
    ring = Keyring([OLD, NEW])

    with pytest.raises(UsageError, match="use another"):
        ring.remove(key_id_of(OLD))

    assert len(ring) == 2


@pytest.mark.parametrize("call", [Keyring.use, Keyring.remove])
def test_a_key_that_is_not_there_is_named(call):
    with pytest.raises(UsageError, match=key_id_of(NEW).hex()):
        call(Keyring([OLD]), key_id_of(NEW))


def test_two_keys_with_one_id_are_refused(monkeypatch):
    monkeypatch.setattr("lashup.wire.keyring.key_id_of", lambda key: b"same")
    ring = Keyring([OLD])

    with pytest.raises(UsageError, match="another key"):
        ring.install(NEW)
    assert ring.sealing_key == OLD


def test_a_ring_without_a_secret_says_so_and_takes_none():
    ring = Keyring.loopback("lab")

    assert ring.is_public
    assert not Keyring([OLD]).is_public
    with pytest.raises(UsageError, match="restart"):
        ring.install(OTHER)


def test_rings_without_a_secret_differ_by_label():
    assert Keyring.loopback("a").sealing_key != Keyring.loopback("b").sealing_key
    assert Keyring.loopback("a").sealing_key == Keyring.loopback("a").sealing_key


def test_a_ring_never_prints_its_keys():
    secret = bytes(range(32))

    shown = repr(Keyring([secret]))

    assert secret.hex()[:8] not in shown
    assert key_id_of(secret).hex() in shown
