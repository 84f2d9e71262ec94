"""Laws of the sealed datagram."""

import hashlib
import hmac
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from hypothesis import given
from hypothesis import strategies as st

from lashup.errors import LimitExceeded, MalformedDatagram, UsageError
from lashup.wire.envelope import (
    HEADER_SIZE,
    LARGEST_DATAGRAM,
    OVERHEAD,
    WINDOW,
    Cipher,
    Seal,
)
from lashup.wire.keyring import Keyring, key_id_of

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
ALICE, BOB, CAROL = (letter * 16 for letter in (b"a", b"b", b"c"))

AEADS: Any = {
    Cipher.AES_256_GCM: AESGCM,
    Cipher.CHACHA20_POLY1305: ChaCha20Poly1305,
}

ciphers = pytest.mark.parametrize("cipher", list(Cipher))


def seal(boot_id=ALICE, *, keys=(KEY,), label="prod", **more):
    return Seal(Keyring(keys), label=label, boot_id=boot_id, **more)


def state(seal):
    """Everything that a refused datagram must leave alone."""
    return (
        [(i, s.highest, s.seen) for i, s in seal._senders.items()],
        seal._counter,
    )


def assert_refused(seal, datagram, count):
    before, counted = state(seal), seal.statistics()[count]
    with pytest.raises(MalformedDatagram):
        seal.open_untrusted(datagram)
    assert state(seal) == before
    assert seal.statistics()[count] == counted + 1


@ciphers
@given(plaintext=st.binary(max_size=2000))
def test_what_was_sealed_opens(cipher, plaintext):
    datagram = seal(cipher=cipher).seal(plaintext)

    opened = seal(BOB).open_untrusted(datagram)

    assert (opened.plaintext, opened.boot_id) == (plaintext, ALICE)
    assert len(datagram) == len(plaintext) + OVERHEAD


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_and_change_nothing(datagram):
    receiver = seal(BOB)
    receiver.open_untrusted(seal().seal(b"before"))
    before = state(receiver)

    with pytest.raises(MalformedDatagram):
        receiver.open_untrusted(datagram)

    assert state(receiver) == before


@given(st.binary(max_size=200), st.integers(0, HEADER_SIZE))
def test_any_bytes_behind_a_true_header_are_refused_and_change_nothing(rest, kept):
    receiver = seal(BOB)
    sender = seal()
    receiver.open_untrusted(sender.seal(b"before"))
    before = state(receiver)

    with pytest.raises(MalformedDatagram):
        receiver.open_untrusted(sender.seal(b"x")[:kept] + rest)

    assert state(receiver) == before


@ciphers
def test_every_single_flipped_bit_is_refused_and_changes_nothing(cipher):
    datagram = seal(cipher=cipher).seal(b"a statement about the world")
    receiver = seal(BOB)
    acquainted = seal(CAROL)
    acquainted.open_untrusted(seal(cipher=cipher).seal(b"earlier"))
    acquainted._senders[datagram[3:24]].highest = 1  # the counter is 1 in both
    before = state(receiver), state(acquainted)

    for bit in range(len(datagram) * 8):
        flipped = bytearray(datagram)
        flipped[bit // 8] ^= 1 << bit % 8
        for seals in (receiver, acquainted):
            with pytest.raises(MalformedDatagram):
                seals.open_untrusted(bytes(flipped))

    assert (state(receiver), state(acquainted)) == before
    assert receiver.open_untrusted(datagram).plaintext


def test_every_truncation_is_refused():
    datagram = seal().seal(b"twelve bytes")
    receiver = seal(BOB)

    for length in range(len(datagram)):
        with pytest.raises(MalformedDatagram):
            receiver.open_untrusted(datagram[:length])

    assert receiver.statistics()["senders"] == 0


def test_what_was_appended_is_refused():
    assert_refused(seal(BOB), seal().seal(b"x") + b"\0", "forged")


def test_a_foreign_key_is_refused_by_its_id():
    assert_refused(seal(BOB), seal(keys=(OTHER_KEY,)).seal(b"x"), "unknown_key")


def test_another_cluster_with_the_same_key_is_refused():
    assert_refused(seal(BOB), seal(label="staging").seal(b"x"), "forged")


def test_a_label_that_continues_another_is_another():
    assert_refused(seal(BOB, label="prod2"), seal(label="prod").seal(b"x"), "forged")


@pytest.mark.parametrize("size", [0, 1, OVERHEAD - 1, OVERHEAD, 9000, 1 << 20])
def test_absurd_sizes_are_refused(size):
    assert_refused(seal(BOB), bytes(size), "malformed")


def test_a_plaintext_that_no_datagram_can_carry_is_the_callers_error():
    largest = LARGEST_DATAGRAM - OVERHEAD

    assert len(seal().seal(bytes(largest))) == LARGEST_DATAGRAM
    with pytest.raises(LimitExceeded):
        seal().seal(bytes(largest + 1))


@pytest.mark.parametrize("boot_id", [b"", b"x" * 15, b"x" * 17])
def test_a_boot_id_has_16_bytes(boot_id):
    with pytest.raises(UsageError):
        seal(boot_id)


def test_an_unknown_cipher_is_refused():
    datagram = bytearray(seal().seal(b"x"))
    datagram[3] = 9

    assert_refused(seal(BOB), bytes(datagram), "malformed")


def test_our_own_datagram_is_refused_when_it_comes_back():
    alice = seal()

    assert_refused(alice, alice.seal(b"x"), "reflected")


# --- replays ---------------------------------------------------------------------


def test_a_replay_is_refused():
    receiver = seal(BOB)
    datagram = seal().seal(b"x")
    receiver.open_untrusted(datagram)

    assert_refused(receiver, datagram, "replayed")


@given(st.permutations(range(12)), st.lists(st.integers(0, 11), max_size=30))
def test_in_any_order_each_datagram_counts_exactly_once(order, again):
    sender, receiver = seal(), seal(BOB)
    datagrams = [sender.seal(bytes([n])) for n in range(12)]

    opened = []
    for number in [*order[:6], *again, *order[6:], *order]:
        try:
            opened.append(receiver.open_untrusted(datagrams[number]).plaintext[0])
        except MalformedDatagram:
            continue

    assert sorted(opened) == list(range(12))


@given(st.lists(st.integers(1, 3 * WINDOW), min_size=1, max_size=60))
def test_the_window_accepts_what_is_new_and_near_and_nothing_else(counters):
    sender, receiver = seal(), seal(BOB)
    seen, highest = set(), 0
    for counter in counters:
        sender._counter = counter - 1
        fresh = counter not in seen and highest - counter < WINDOW
        try:
            receiver.open_untrusted(sender.seal(b"x"))
            accepted = True
        except MalformedDatagram:
            accepted = False

        assert accepted == fresh
        if accepted:
            seen.add(counter)
            highest = max(highest, counter)


def test_what_is_older_than_the_window_is_refused_although_it_is_new():
    sender, receiver = seal(), seal(BOB)
    late = sender.seal(b"late")
    just_in_time = sender.seal(b"just in time")
    for _ in range(WINDOW - 1):
        newest = sender.seal(b"x")
    receiver.open_untrusted(newest)

    assert_refused(receiver, late, "out_of_window")
    assert receiver.open_untrusted(just_in_time).plaintext == b"just in time"


def test_a_leap_over_the_whole_counter_range_costs_nothing():
    sender, receiver = seal(), seal(BOB)
    receiver.open_untrusted(sender.seal(b"x"))
    sender._counter = (1 << 64) - 2
    receiver.open_untrusted(sender.seal(b"x"))

    (sender_seen,) = receiver._senders.values()
    assert sender_seen.seen == 1


# --- bounded tables --------------------------------------------------------------


def test_forgeries_leave_no_trace_in_the_table_of_senders():
    receiver = seal(BOB)
    true = seal().seal(b"x")
    for number in range(2000):
        boot_id = number.to_bytes(16, "big")
        with pytest.raises(MalformedDatagram):
            receiver.open_untrusted(true[:8] + boot_id + true[24:])

    assert receiver.statistics()["senders"] == 0
    assert receiver.statistics()["forged"] == 2000


def test_the_sender_longest_unheard_is_forgotten_first():
    receiver = seal(b"r" * 16, senders=2)
    alice, bob, carol = seal(ALICE), seal(BOB), seal(CAROL)
    for sender in (alice, bob, alice, carol):
        receiver.open_untrusted(sender.seal(b"x"))

    assert [identity[5:] for identity in receiver._senders] == [ALICE, CAROL]
    assert receiver.statistics()["evicted"] == 1
    receiver.open_untrusted(bob.seal(b"heard again"))


# --- nonces and keys -------------------------------------------------------------


def test_no_nonce_and_no_key_comes_twice():
    sender = seal()
    datagrams = [sender.seal(b"same words") for _ in range(100)]

    assert len({datagram[24:32] for datagram in datagrams}) == 100
    assert len({datagram[HEADER_SIZE:] for datagram in datagrams}) == 100


def test_two_starts_of_a_node_seal_the_same_words_differently():
    first, second = seal(ALICE).seal(b"same words"), seal(BOB).seal(b"same words")

    assert first[24:32] == second[24:32]  # the same counter, hence another key
    assert first[HEADER_SIZE:] != second[HEADER_SIZE:]


@ciphers
def test_the_layout_and_the_key_derivation_are_those_of_the_documentation(cipher):
    datagram = seal(label="prod", cipher=cipher).seal(b"words")
    number = bytes((cipher.value,))
    extracted = hmac.digest(ALICE, KEY, hashlib.sha256)
    info = b"lashup datagram\0" + number + b"prod"
    derived = hmac.digest(extracted, info + b"\x01", hashlib.sha256)
    aead: Any = AEADS[cipher](derived)

    header, body = datagram[:32], datagram[32:]
    assert header == b"\xa7L\x01" + number + key_id_of(KEY) + ALICE + bytes(7) + b"\x01"
    nonce = bytes(4) + header[24:32]
    assert aead.decrypt(nonce, body, header + b"prod") == b"words"


def test_datagrams_flow_at_each_step_of_a_rotation():
    rings = [Keyring([KEY]) for _ in range(2)]
    one, two = (
        Seal(ring, label="prod", boot_id=boot_id)
        for ring, boot_id in zip(rings, (ALICE, BOB), strict=True)
    )

    def both_hear_each_other():
        two.open_untrusted(one.seal(b"ping"))
        one.open_untrusted(two.seal(b"pong"))

    new = key_id_of(OTHER_KEY)
    steps = [
        lambda ring: ring.install(OTHER_KEY),
        lambda ring: ring.use(new),
        lambda ring: ring.remove(key_id_of(KEY)),
    ]
    both_hear_each_other()
    for step in steps:
        for ring in rings:
            step(ring)
            both_hear_each_other()
    assert one.seal(b"x")[4:8] == new


def test_what_a_removed_key_sealed_opens_no_more_not_even_from_an_acquaintance():
    ring = Keyring([KEY])
    receiver = Seal(ring, label="prod", boot_id=BOB)
    sender = seal()
    receiver.open_untrusted(sender.seal(b"before"))

    ring.use(ring.install(OTHER_KEY))
    receiver.open_untrusted(sender.seal(b"between"))
    ring.remove(key_id_of(KEY))

    with pytest.raises(MalformedDatagram):
        receiver.open_untrusted(sender.seal(b"after"))
    assert receiver.statistics()["senders"] == 0


def test_without_a_secret_the_same_path_works_and_labels_still_separate():
    one, two, other = (
        Seal(Keyring.loopback(label), label=label, boot_id=boot_id)
        for label, boot_id in (("lab", ALICE), ("lab", BOB), ("prod", CAROL))
    )

    assert two.open_untrusted(one.seal(b"hello")).plaintext == b"hello"
    assert_refused(other, one.seal(b"hello"), "unknown_key")
