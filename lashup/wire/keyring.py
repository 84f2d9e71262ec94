"""The cluster's keys: one seals, all open.

A key is 32 random bytes that every member has. Datagrams name theirs by its key
id, so a receiver never tries one key after the other. To replace a key without
an interruption, let every member `install` the new one, then let every member
`use` it, then `remove` the old one: at each step everybody opens what anybody
seals.

Without a key there is `Keyring.loopback`: the same code with a key that anybody
can compute. It tells clusters with different labels apart and detects damage. It
keeps nobody out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from lashup.errors import ConfigError, UsageError

KEY_SIZE = 32
KEY_ID_SIZE = 4


def key_id_of(key: bytes) -> bytes:
    """The public name of a key: 4 bytes of a hash, which do not tell the key.

    Raises:
        ConfigError: Not 32 bytes.
    """
    _check_size(key, "key")
    return hashlib.sha256(b"lashup key id\0" + key).digest()[:KEY_ID_SIZE]


class Keyring:
    """The keys of one node, in memory. Every method leaves it unchanged on error.

    Args:
        keys: 32 bytes each. The first seals, all open.

    Raises:
        ConfigError: No key at all, one of another length, or one twice.

    Attributes:
        generation: Rises with each change, so that a holder of derived keys knows
            when to derive anew.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise ConfigError("keys", "there is none; give one of 32 random bytes")
        self._keys: dict[bytes, bytes] = {}
        self.generation = 0
        self._is_public = False
        for index, key in enumerate(keys):
            field = f"keys[{index}]"
            _check_size(key, field)
            key_id = key_id_of(key)
            if key_id in self._keys:
                raise ConfigError(field, f"the same key id {key_id.hex()} twice")
            self._keys[key_id] = key
        self._sealing = key_id_of(keys[0])

    @classmethod
    def loopback(cls, label: str) -> Keyring:
        """The ring of a cluster without a secret, for loopback addresses only.

        Anybody who knows the cluster's label, or guesses it, can compute the key.
        """
        known = hashlib.sha256(b"lashup without a key\0" + label.encode()).digest()
        ring = cls([known])
        ring._is_public = True
        return ring

    @property
    def is_public(self) -> bool:
        """Whether anybody can compute the key: sealed datagrams prove nothing."""
        return self._is_public

    @property
    def sealing_id(self) -> bytes:
        """The id of the key that seals."""
        return self._sealing

    @property
    def sealing_key(self) -> bytes:
        """The key that seals. The ring always has one."""
        return self._keys[self._sealing]

    def __iter__(self) -> Iterator[bytes]:
        """The ids of all keys, the one that seals first."""
        yield self._sealing
        yield from (key_id for key_id in self._keys if key_id != self._sealing)

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key_id: object) -> bool:
        return key_id in self._keys

    def __repr__(self) -> str:  # never the keys: this ends up in logs
        sort = "public" if self._is_public else "secret"
        return f"<Keyring {sort} {' '.join(key_id.hex() for key_id in self)}>"

    def get(self, key_id: bytes) -> bytes | None:
        """The key of that id, or None if the ring does not have it."""
        return self._keys.get(key_id)

    def install(self, key: bytes) -> bytes:
        """Open with this key, too, from now on. Once more is no error.

        Returns:
            The key's id.

        Raises:
            UsageError: Not 32 bytes, another key of the ring has the same id, or the
                ring is a public one, which a secret beside it would not make secret.
        """
        if self._is_public:
            raise UsageError("this node runs without a key; restart it with one")
        _check_size(key, "key")
        key_id = key_id_of(key)
        if self._keys.get(key_id, key) != key:
            raise UsageError(f"another key has the id {key_id.hex()}; make a new one")
        if key_id not in self._keys:
            self._keys[key_id] = key
            self.generation += 1
        return key_id

    def use(self, key_id: bytes) -> None:
        """Seal with this key from now on.

        Raises:
            UsageError: The ring does not have it; install it first.
        """
        self._require(key_id)
        if key_id != self._sealing:
            self._sealing = key_id
            self.generation += 1

    def remove(self, key_id: bytes) -> None:
        """Open nothing more that this key has sealed.

        Raises:
            UsageError: The ring does not have it, or it seals; use another first.
        """
        self._require(key_id)
        if key_id == self._sealing:
            raise UsageError(f"key {key_id.hex()} seals; use another one first")
        del self._keys[key_id]
        self.generation += 1

    def _require(self, key_id: bytes) -> None:
        if key_id not in self._keys:
            raise UsageError(f"no key has the id {key_id.hex()}; install it first")


def _check_size(key: bytes, field: str) -> None:
    if type(key) is not bytes or len(key) != KEY_SIZE:
        got = f"{len(key)} bytes" if type(key) is bytes else type(key).__name__
        raise ConfigError(field, f"a key is {KEY_SIZE} bytes, got {got}")
