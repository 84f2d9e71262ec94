"""The map: fields of any type under names, nested. The value of a key is one.

fact    none of its own: a field is there while there is a live fact below it
remove  drop every fact seen below; a concurrent update of a field survives
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from lashup.crdt import add_wins_set, counter, flag, multi_value_register, register
from lashup.crdt.add_wins_set import SetField
from lashup.crdt.branch import EMPTY, Branch
from lashup.crdt.counter import CounterField
from lashup.crdt.fact import Path
from lashup.crdt.field import Name, Type, pack_step, step_kind, step_name
from lashup.crdt.flag import DisableWinsField, EnableWinsField
from lashup.crdt.multi_value_register import MultiValueField
from lashup.crdt.register import RegisterField
from lashup.crdt.token import Token
from lashup.crdt.writer import Remove


@dataclass(frozen=True, slots=True)
class MapField:
    """A map's place in a key; the key's own value is the map at the empty path."""

    path: Path = ()

    def register(self, name: Name) -> RegisterField:
        """A last-writer-wins register in this map."""
        return RegisterField((*self.path, pack_step(name, Type.REGISTER)))

    def multi_value_register(self, name: Name) -> MultiValueField:
        """A register in this map that keeps all concurrent values."""
        step = pack_step(name, Type.MULTI_VALUE_REGISTER)
        return MultiValueField((*self.path, step))

    def add_wins_set(self, name: Name) -> SetField:
        """An add-wins set in this map."""
        return SetField((*self.path, pack_step(name, Type.SET)))

    def enable_wins_flag(self, name: Name) -> EnableWinsField:
        """A flag in this map, disabled at first."""
        return EnableWinsField((*self.path, pack_step(name, Type.ENABLE_WINS_FLAG)))

    def disable_wins_flag(self, name: Name) -> DisableWinsField:
        """A flag in this map, enabled at first."""
        return DisableWinsField((*self.path, pack_step(name, Type.DISABLE_WINS_FLAG)))

    def counter(self, name: Name) -> CounterField:
        """A counter in this map."""
        return CounterField((*self.path, pack_step(name, Type.COUNTER)))

    def map_field(self, name: Name) -> MapField:
        """A map in this map."""
        return MapField((*self.path, pack_step(name, Type.MAP)))

    def remove(self) -> Remove:
        """The operation that removes everything seen in this map."""
        return Remove(self.path)


class MapView:
    """The value of a map as it was at one moment. Never changes; free to keep.

    False when nothing is in it. Two views are equal when they read the same.
    """

    __slots__ = ("_branch",)

    def __init__(self, branch: Branch = EMPTY) -> None:
        self._branch = branch

    def __bool__(self) -> bool:
        return bool(self._branch)

    def __len__(self) -> int:
        """How many fields there are."""
        return len(self._branch)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MapView):
            return NotImplemented
        return self._branch is other._branch or self._typed() == other._typed()

    __hash__ = None  # type: ignore[assignment]  # equal views may hold unequal dots

    def __repr__(self) -> str:
        return f"MapView({self.plain()!r})"

    @property
    def token(self) -> Token:
        """What this reading has seen, for an update that expects nothing newer."""
        return Token(self._branch)

    def register(self, name: Name, default: object = None) -> object:
        """The value of a register, `default` when nothing is assigned."""
        found = self.stamped(name)
        return default if found is None else found[1]

    def stamped(self, name: Name) -> tuple[int, object] | None:
        """The hybrid timestamp and value of a register (see `hybrid_clock`)."""
        return register.stamped(self._branch.child(pack_step(name, Type.REGISTER)))

    def add_wins_set(self, name: Name) -> frozenset[Name]:
        """The elements of a set."""
        return add_wins_set.elements(self._branch.child(pack_step(name, Type.SET)))

    def multi_value_register(self, name: Name) -> tuple[object, ...]:
        """All values of a register, in the same order at all replicas."""
        step = pack_step(name, Type.MULTI_VALUE_REGISTER)
        return multi_value_register.values(self._branch.child(step))

    def enable_wins_flag(self, name: Name) -> bool:
        """Whether a flag is enabled; one that is not there is not."""
        step = pack_step(name, Type.ENABLE_WINS_FLAG)
        return flag.is_raised(self._branch.child(step))

    def disable_wins_flag(self, name: Name) -> bool:
        """Whether a flag is enabled; one that is not there is."""
        step = pack_step(name, Type.DISABLE_WINS_FLAG)
        return not flag.is_raised(self._branch.child(step))

    def counter(self, name: Name) -> int:
        """The sum of a counter, 0 when it is not there."""
        return counter.total(self._branch.child(pack_step(name, Type.COUNTER))) or 0

    def map(self, name: Name) -> MapView:
        """A map in this map, an empty one when it is not there."""
        branch = self._branch.child(pack_step(name, Type.MAP))
        return MapView(EMPTY if branch is None else branch)

    def registers(self) -> dict[Name, object]:
        """Every register with its value."""
        found = (
            (step_name(step), register.stamped(branch))
            for step, branch in self._fields(Type.REGISTER)
        )
        return {name: entry[1] for name, entry in found if entry is not None}

    def sets(self) -> dict[Name, frozenset[Name]]:
        """Every set with its elements."""
        return {
            step_name(step): add_wins_set.elements(branch)
            for step, branch in self._fields(Type.SET)
        }

    def multi_value_registers(self) -> dict[Name, tuple[object, ...]]:
        """Every register that keeps all values, with those."""
        found = (
            (step_name(step), multi_value_register.values(branch))
            for step, branch in self._fields(Type.MULTI_VALUE_REGISTER)
        )
        return {name: values for name, values in found if values}

    def enabled_flags(self) -> frozenset[Name]:
        """Every enable-wins flag that is enabled."""
        return self._raised(Type.ENABLE_WINS_FLAG)

    def disabled_flags(self) -> frozenset[Name]:
        """Every disable-wins flag that is disabled."""
        return self._raised(Type.DISABLE_WINS_FLAG)

    def counters(self) -> dict[Name, int]:
        """Every counter that was added to, with its sum."""
        found = (
            (step_name(step), counter.total(branch))
            for step, branch in self._fields(Type.COUNTER)
        )
        return {name: total for name, total in found if total is not None}

    def maps(self) -> dict[Name, MapView]:
        """Every map in this map."""
        return {
            step_name(step): MapView(branch) for step, branch in self._fields(Type.MAP)
        }

    def changed_maps(self, before: MapView) -> Iterator[Name]:
        """The maps that may read otherwise in this value than in another one.

        Every one that does, and now and then one that does not. Where one value comes
        from the other, as in `KeyChanged`, it costs as much as differs.
        """
        for step in self._branch.differing(before._branch):
            if step_kind(step) == Type.MAP:
                yield step_name(step)

    def plain(self) -> dict[Name, object]:
        """All fields as plain values, for printing: sets sorted into lists.

        A flag is there when it is not as it was at first. Where one name has fields
        of several types, the name gets the type behind it.
        """
        groups: list[tuple[str, dict[Name, object]]] = [
            ("register", self.registers()),
            ("set", {n: sorted(s, key=repr) for n, s in self.sets().items()}),
            ("map", {n: m.plain() for n, m in self.maps().items()}),
            ("values", {n: [*v] for n, v in self.multi_value_registers().items()}),
            ("enable-wins flag", dict.fromkeys(self.enabled_flags(), True)),
            ("disable-wins flag", dict.fromkeys(self.disabled_flags(), False)),
            ("counter", dict(self.counters())),
        ]
        taken = Counter(name for _, fields in groups for name in fields)
        return {
            (name if taken[name] == 1 else (name, kind)): value
            for kind, fields in groups
            for name, value in fields.items()
        }

    def _fields(self, kind: Type) -> Iterator[tuple[bytes, Branch]]:
        for step, branch in self._branch.children():
            if step_kind(step) == kind:
                yield step, branch

    def _raised(self, kind: Type) -> frozenset[Name]:
        return frozenset(
            step_name(step) for step, branch in self._fields(kind) if branch.leaves
        )

    def _typed(self) -> tuple[object, ...]:
        return (
            (self.registers(), self.sets(), self.maps(), self.counters()),
            (self.multi_value_registers(), self._flags()),
        )

    def _flags(self) -> tuple[frozenset[Name], frozenset[Name]]:
        return self.enabled_flags(), self.disabled_flags()
