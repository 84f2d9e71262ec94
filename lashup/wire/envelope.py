"""The sealed datagram: who may speak in this cluster, proved per datagram.

    offset 0     2         3        4        8         24        32           end
           magic | version | cipher | key id | boot id | counter | ciphertext, tag

All integers are big-endian. The whole header and the cluster's label are
authenticated with the ciphertext.

*Keys and nonces.* Each sender draws a boot id (16 random bytes) whenever it
starts, and derives a key of its own from the cluster's:
HKDF-SHA256(cluster key, salt = boot id, info = cipher and label). The nonce is the
counter, which rises with each datagram. So no (key, nonce) pair comes twice, with
nothing to remember on disk and no limit to the number of datagrams. Random nonces
under the cluster's key would reach the safe 2^32 of AES-GCM within days.

*Replays.* Per boot id a window of the last counters drops what came before, or so
long ago that the window cannot tell. It spares work; it is no promise. After an
eviction, or our own restart, one recorded datagram counts once more. The machines
above are safe under that: every message is idempotent.

*What strangers can make us do.* Nothing is remembered before the tag has proved
right; a boot id we do not know costs one key derivation and one decryption, about
10 us, and leaves no trace but a count. Nothing here ever answers.

Source: RFC 5869 (HKDF); NIST SP 800-38D (GCM), 8.2.1 deterministic nonces;
RFC 8439 (ChaCha20-Poly1305); RFC 6479 for the idea of the window.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lashup.errors import LimitExceeded, MalformedDatagram, UsageError
from lashup.wire.keyring import Keyring

MAGIC = b"\xa7L"
VERSION = 1
BOOT_ID_SIZE = 16
HEADER_SIZE = 32
TAG_SIZE = 16

#: Bytes that the envelope adds to its plaintext.
OVERHEAD = HEADER_SIZE + TAG_SIZE

#: The largest UDP payload over IPv4: 65,535 less the IP header's 20 and UDP's 8.
LARGEST_DATAGRAM = 65_507

#: Counters that a receiver tells apart, per sender. What arrives more than so many
#: datagrams out of order is dropped: at 200,000 datagrams/s, 5 ms of reordering.
WINDOW = 1024

_WINDOW_MASK = (1 << WINDOW) - 1
_PREFIX = MAGIC + bytes((VERSION,))
_NONCE_PADDING = bytes(4)
_LARGEST_COUNTER = (1 << 64) - 1

_Aead: TypeAlias = AESGCM | ChaCha20Poly1305


class Cipher(Enum):
    """How a sender seals. Receivers open both: it is in the header."""

    AES_256_GCM = 1
    #: Where the processor has no AES instructions.
    CHACHA20_POLY1305 = 2


_CIPHERS = {bytes((cipher.value,)): cipher for cipher in Cipher}


@dataclass(frozen=True, slots=True)
class Opened:
    """A datagram that a holder of the key sealed, and that is seen for the first time.

    Attributes:
        plaintext: What it said.
        boot_id: Which start of which sender said it.
    """

    plaintext: bytes
    boot_id: bytes


class _Sender:
    """One boot id under one key: its derived key, and which counters have come.

    Bit i of `seen` stands for the counter `highest - i`.
    """

    __slots__ = ("aead", "highest", "seen")

    def __init__(self, aead: _Aead) -> None:
        self.aead = aead
        self.highest = 0
        self.seen = 0


class Seal:
    """Seals what this start of this node sends, and opens what others sent.

    Args:
        keyring: May change at any time; the next datagram follows it.
        label: The cluster's name. Datagrams of another cluster do not open, even if
            it has the same keys.
        boot_id: 16 bytes, drawn from the system's random source at this start and
            never used by another `Seal`: a second one with the same boot id would
            repeat nonces, which breaks the seal for good.
        cipher: For what this node seals.
        senders: How many boot ids to remember; the one longest unheard goes first.

    Raises:
        UsageError: A boot id that is not 16 bytes.
    """

    def __init__(
        self,
        keyring: Keyring,
        *,
        label: str,
        boot_id: bytes,
        cipher: Cipher = Cipher.AES_256_GCM,
        senders: int = 16_384,
    ) -> None:
        if len(boot_id) != BOOT_ID_SIZE:
            raise UsageError(f"a boot id is {BOOT_ID_SIZE} bytes, got {len(boot_id)}")
        self._keyring = keyring
        self._label = label.encode()
        self._boot_id = boot_id
        self._cipher = cipher
        self._limit = senders
        self._senders: OrderedDict[bytes, _Sender] = OrderedDict()
        self._counter = 0
        self._counts = dict.fromkeys(
            ("sealed", "opened", "malformed", "unknown_key", "forged", "replayed",
             "out_of_window", "reflected", "evicted"), 0
        )  # fmt: skip
        self._follow_keyring()

    @property
    def boot_id(self) -> bytes:
        """Which start of this node this is."""
        return self._boot_id

    @property
    def overhead(self) -> int:
        """Bytes that a datagram is longer than its plaintext."""
        return OVERHEAD

    def statistics(self) -> dict[str, int]:
        """Counts since the start, and how many senders are remembered now.

        `malformed` is no envelope of ours, `unknown_key` names a key the ring lacks,
        `forged` does not authenticate (damaged, or another label), `replayed` came
        before, `out_of_window` may have, `reflected` is our own come back (a node
        among its own seeds does that), `evicted` counts senders forgotten for room.
        """
        return {**self._counts, "senders": len(self._senders)}

    def seal_with_each(self, plaintext: bytes) -> list[bytes]:
        """A datagram for each key of the ring, the one that seals first.

        Raises:
            LimitExceeded: As `seal`.
        """
        datagrams = [self.seal(plaintext)]
        for key_id in self._keyring:
            key = self._keyring.get(key_id)
            if key is None or key_id == self._keyring.sealing_id:
                continue
            # The counter goes on: no nonce comes twice, whatever key it is for.
            self._counter += 1
            self._counts["sealed"] += 1
            header = self._header_of(key_id) + self._counter.to_bytes(8, "big")
            aead = self._derive(self._cipher, key, self._boot_id)
            datagrams.append(
                header
                + aead.encrypt(
                    _NONCE_PADDING + header[-8:], plaintext, header + self._label
                )
            )
        return datagrams

    def seal(self, plaintext: bytes) -> bytes:
        """One datagram, unlike any other, that only holders of the key can read.

        Raises:
            LimitExceeded: Longer than any UDP datagram with the overhead.
        """
        if len(plaintext) > LARGEST_DATAGRAM - OVERHEAD:
            raise LimitExceeded(f"{len(plaintext)} bytes do not fit into a datagram")
        if self._generation != self._keyring.generation:
            self._follow_keyring()
        self._counter += 1
        counter = self._counter.to_bytes(8, "big")
        header = self._header + counter
        self._counts["sealed"] += 1
        return header + self._aead.encrypt(
            _NONCE_PADDING + counter, plaintext, header + self._label
        )

    def open_untrusted(self, datagram: bytes) -> Opened:
        """What a member of this cluster sealed, if nobody has changed it since.

        Raises:
            MalformedDatagram: Anything else, a replay included. Nothing has changed
                but the counts.
        """
        if self._generation != self._keyring.generation:
            self._follow_keyring()
        if len(datagram) < OVERHEAD or datagram[:3] != _PREFIX:
            raise self._refusal("malformed", f"{len(datagram)} bytes, no envelope")
        boot_id = datagram[8:24]
        if boot_id == self._boot_id:
            raise self._refusal("reflected", "our own datagram came back")
        identity = datagram[3:24]  # cipher, key id, boot id
        sender = self._senders.get(identity)
        known = sender is not None
        if sender is None:
            sender = _Sender(self._derive_untrusted(identity))
        counter = int.from_bytes(datagram[24:32], "big")
        behind = sender.highest - counter
        if behind >= WINDOW or not counter:
            raise self._refusal("out_of_window", f"{behind} datagrams too late")
        if behind >= 0 and sender.seen >> behind & 1:
            raise self._refusal("replayed", "a datagram came again")
        try:
            plaintext = sender.aead.decrypt(
                _NONCE_PADDING + datagram[24:32],
                datagram[HEADER_SIZE:],
                datagram[:HEADER_SIZE] + self._label,
            )
        except InvalidTag:
            raise self._refusal("forged", "the tag is wrong") from None
        # Only from here on is it known to come from a member. State changes below.
        _mark(sender, behind)
        if known:
            self._senders.move_to_end(identity)
        else:
            self._enter(identity, sender)
        self._counts["opened"] += 1
        return Opened(plaintext, boot_id)

    def _enter(self, identity: bytes, sender: _Sender) -> None:
        self._senders[identity] = sender
        if len(self._senders) > self._limit:
            self._senders.popitem(last=False)
            self._counts["evicted"] += 1

    def _derive_untrusted(self, identity: bytes) -> _Aead:
        """The key of a sender that is not remembered. Remembers nothing."""
        cipher = _CIPHERS.get(identity[:1])
        if cipher is None:
            raise self._refusal("malformed", f"cipher {identity[0]}")
        key = self._keyring.get(identity[1:5])
        if key is None:
            raise self._refusal(
                "unknown_key", f"no key has the id {identity[1:5].hex()}"
            )
        return self._derive(cipher, key, identity[5:])

    def _derive(self, cipher: Cipher, key: bytes, boot_id: bytes) -> _Aead:
        # The cipher is part of the info: no key ever serves two algorithms.
        info = b"lashup datagram\0" + bytes((cipher.value,)) + self._label
        derived = HKDF(algorithm=SHA256(), length=32, salt=boot_id, info=info).derive(
            key
        )
        match cipher:
            case Cipher.AES_256_GCM:
                return AESGCM(derived)
            case Cipher.CHACHA20_POLY1305:
                return ChaCha20Poly1305(derived)

    def _follow_keyring(self) -> None:
        """Derive the sealing key anew; forget senders whose key is gone."""
        self._generation = self._keyring.generation
        key_id = self._keyring.sealing_id
        self._aead = self._derive(
            self._cipher, self._keyring.sealing_key, self._boot_id
        )
        self._header = self._header_of(key_id)
        for identity in [i for i in self._senders if i[1:5] not in self._keyring]:
            del self._senders[identity]

    def _header_of(self, key_id: bytes) -> bytes:
        """A datagram's first bytes, up to the counter."""
        return _PREFIX + bytes((self._cipher.value,)) + key_id + self._boot_id

    def _refusal(self, count: str, why: str) -> MalformedDatagram:
        self._counts[count] += 1
        return MalformedDatagram(why)


def _mark(sender: _Sender, behind: int) -> None:
    """Note that the counter `highest - behind` has come."""
    if behind >= 0:
        sender.seen |= 1 << behind
        return
    ahead = -behind
    # A forged leap is impossible here, but a real one may be wide: never shift by it.
    kept = sender.seen << ahead if ahead < WINDOW else 0
    sender.seen = (kept | 1) & _WINDOW_MASK
    sender.highest += ahead
