"""Every error that lashup raises on purpose.

Two families tell the caller what to do. A `PeerFault` came in from the network:
count it and carry on. A `UsageError` is the caller's own: let it propagate, or
mend the argument it names. `StorageError` is this host's disk. Anything else
that escapes is a bug in lashup. Each class says whether state has changed.
"""


class LashupError(Exception):
    """Base class. Raised only through a subclass."""


class PeerFault(LashupError):
    """Another host, or something on the way, is at fault. Nothing has changed."""


class MalformedDatagram(PeerFault):
    """Bytes from the network do not parse or do not authenticate. Nothing changed.

    The one exception that a function whose name ends in `_untrusted` raises.
    """


class UsageError(LashupError):
    """The caller broke the contract of a call. Nothing has changed."""


class ConfigError(UsageError):
    """A configuration value is not usable. Nothing was started.

    Args:
        field: The path of the field, as the user writes it, e.g. `seeds[1]`.
        problem: What is wrong, with the value, and the way out.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class LimitExceeded(UsageError):
    """A write is larger than a documented limit. Nothing has changed."""


class Overloaded(UsageError):
    """Too many writes wait for the disk already. Nothing has changed; try later."""


class ConcurrentUpdate(UsageError):
    """Something else has been written since the read. Nothing has changed.

    Read again, decide again, try again.
    """


class NodeClosed(UsageError):
    """The node has left or stopped, or stops while the call waits.

    A write that was waiting may be on disk: it is then announced at the next start.
    """


class Unconfirmed(LashupError):
    """A write is made, but not all members that were waited for have said they have it.

    It holds here, is on disk, and still spreads: they may have it without our knowing.

    Args:
        having: Ids of the members that have it, this node's among them.
        missing: Ids of the members alive that have not said so.
        problem: The same for people.
    """

    def __init__(
        self, having: tuple[bytes, ...], missing: tuple[bytes, ...], *, problem: str
    ) -> None:
        super().__init__(problem)
        self.having = having
        self.missing = missing


class KeysDiffer(LashupError):
    """A change of keys could lock a member out. Nothing has changed.

    Args:
        stuck: Ids of the members that lack what they would need.
        silent: Ids of the members that did not say.
        problem: The same for people, with the way out.
    """

    def __init__(
        self, stuck: tuple[bytes, ...], silent: tuple[bytes, ...], *, problem: str
    ) -> None:
        super().__init__(problem)
        self.stuck = stuck
        self.silent = silent


class StorageError(LashupError):
    """The disk refuses, or holds something that is not ours.

    Nothing of the failed transaction is on disk. The message names the file and
    the way out; lashup never starts afresh over a damaged file by itself.
    """


class StorageFull(StorageError):
    """There is no space left. The same transaction can be tried again later.

    A running node does that by itself, as long as it has room for what waits.
    """
