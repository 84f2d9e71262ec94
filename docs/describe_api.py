"""The public names of lashup, from their signatures and docstrings."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import textwrap

from describe_config import attributes, summary

#: Names whose own page section is hand-written, in reference/python-api.md.
_BY_HAND = frozenset(
    {"ANY", "Address", "Key", "Name", "NodeId", "LAN", "WAN", "LOCAL", "Wait"}
)


def running_a_node() -> str:
    """Opening a node, what it is told, and what it can do."""
    import lashup
    from lashup.runtime.cluster_keys import ClusterKeys
    from lashup.runtime.table import Table

    return _sections(
        _function("open_node", lashup.open_node),
        _settings(lashup.NodeConfig),
        _object("RunningNode", lashup.RunningNode),
        _object("node.kv", Table, without=("made_visible", "notify", "close")),
        _object("node.keys", ClusterKeys),
        _object("KeyReport", lashup.KeyReport),
        _object("MemberKeys", lashup.MemberKeys),
        _function("key_id_of", lashup.key_id_of),
        _settings(lashup.MembershipConfig),
        _settings(lashup.Limits),
        _function("idle_directory", lashup.idle_directory),
    )


def writing_and_reading() -> str:
    """Operations, and the views that reads return."""
    import lashup
    from lashup.crdt.add_wins_set import SetField
    from lashup.crdt.counter import CounterField
    from lashup.crdt.flag import DisableWinsField, EnableWinsField
    from lashup.crdt.multi_value_register import MultiValueField
    from lashup.crdt.register import RegisterField

    return _sections(
        _function("register", lashup.register),
        _methods(RegisterField),
        _function("multi_value_register", lashup.multi_value_register),
        _methods(MultiValueField),
        _function("add_wins_set", lashup.add_wins_set),
        _methods(SetField),
        _function("enable_wins_flag", lashup.enable_wins_flag),
        _methods(EnableWinsField),
        _function("disable_wins_flag", lashup.disable_wins_flag),
        _methods(DisableWinsField),
        _function("counter", lashup.counter),
        _methods(CounterField),
        _function("map_field", lashup.map_field),
        "A map's place has the same functions for the fields in it, and `remove()`.",
        _function("remove_key", lashup.remove_key),
        _object("MapView", lashup.MapView),
        _object("Token", lashup.Token, without=("is_of",)),
        _value(lashup.KeyChanged),
    )


def members_and_events() -> str:
    """Members, and what `node.events()` and `node.listen()` tell."""
    import lashup

    members = (
        *(lashup.Member, lashup.Liveness, lashup.Reachability, lashup.Reach),
        *(lashup.LinkFault, lashup.Branch),
    )
    events = (
        *(lashup.Joined, lashup.Changed, lashup.Suspected, lashup.Failed),
        *(lashup.Returned, lashup.Left, lashup.Reaped, lashup.Conflict),
        *(lashup.LinkBroken, lashup.LinkMended),
        *(lashup.PathNarrow, lashup.PathWide, lashup.SendRefused),
        *(lashup.ClockSkewed, lashup.StoreLarge, lashup.Outdated, lashup.DiskFull),
        *(lashup.Missed, lashup.Delivered),
    )
    rows = ["| event | fields | |", "|---|---|---|"]
    for event in events:
        names = ", ".join(f"`{field.name}`" for field in dataclasses.fields(event))
        rows.append(f"| `{event.__name__}` | {names} | {_one_line(summary(event))} |")
    return _sections(
        *(_value(kind) for kind in members), "### Events\n\n" + "\n".join(rows)
    )


def errors() -> str:
    """The errors, as a table: what happened, and whose fault it is."""
    from lashup import errors as module

    lines = ["| error | is a | |", "|---|---|---|"]
    for name, thing in vars(module).items():
        if isinstance(thing, type) and thing.__module__ == module.__name__:
            said = _one_line(_text(thing).split("Args:")[0])
            lines.append(f"| `{name}` | `{thing.__mro__[1].__name__}` | {said} |")
    return "\n".join(lines)


def undescribed() -> set[str]:
    """Public names that are in none of the sections: there should be none."""
    import lashup

    pages = (running_a_node(), writing_and_reading(), members_and_events(), errors())
    text = "\n".join(pages)
    return {
        name for name in lashup.__all__ if name not in _BY_HAND and name not in text
    }


def _sections(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


def _function(name: str, thing: object) -> str:
    return (
        f"### `{name}`\n\n```python\n{_signature(name, thing)}\n```\n\n{_said(thing)}"
    )


def _object(name: str, kind: type, *, without: tuple[str, ...] = ()) -> str:
    """A class that users are given and do not make."""
    said = _said_of(summary(kind))
    return f"### `{name}`\n\n{said}\n\n{_methods(kind, without=without)}"


def _methods(kind: type, *, without: tuple[str, ...] = ()) -> str:
    members = (_member(n, v) for n, v in vars(kind).items() if n not in without)
    return "\n\n".join(filter(None, members))


def _value(kind: type) -> str:
    """A frozen dataclass, or an enum: its fields or members."""
    parts = [f"### `{kind.__name__}`", _said_of(summary(kind))]
    said = attributes(kind)
    if issubclass(kind, enum.Enum):
        parts.append(", ".join(f"`{member.name}`" for member in kind))
    else:
        parts += [f"`.{name}`\n: {text}" for name, text in said.items()]
    return "\n\n".join(filter(None, [*parts, _methods(kind)]))


def _fields(kind: type) -> tuple[dataclasses.Field[object], ...]:
    if not dataclasses.is_dataclass(kind):
        raise TypeError(f"{kind} is no dataclass")
    return dataclasses.fields(kind)


def _settings(kind: type) -> str:
    """A dataclass that users fill in, as a table."""
    said = attributes(kind)
    rows = ["| field | default | |", "|---|---|---|"]
    rows += [
        f"| `{field.name}` | {_default(field)} | {said[field.name]} |"
        for field in _fields(kind)
    ]
    name = kind.__name__
    return f"### `{name}`\n\n{_said_of(summary(kind))}\n\n" + "\n".join(rows)


def _default(field: dataclasses.Field[object]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        made = field.default_factory()
        return "defaults" if dataclasses.is_dataclass(made) else f"`{dict(made)}`"  # type: ignore[call-overload]
    match field.default:
        case dataclasses.MISSING:
            return "**required**"
        case value if dataclasses.is_dataclass(value):
            return "`LAN`"
        case float() as number:
            return f"`{number:g}`" if number < 1e5 else f"`{number:,.0f}`"
        case value:
            return f"`{value!r}`"


def _member(name: str, value: object) -> str:
    if name.startswith("_"):
        return ""
    if isinstance(value, property):
        return f"`.{name}`\n: {_indented(value)}" if _text(value) else ""
    if inspect.isfunction(value) and _text(value):
        kind = "await " if inspect.iscoroutinefunction(value) else ""
        if inspect.isasyncgenfunction(inspect.unwrap(value)):
            kind = "async with "
        return f"`{kind}.{_signature(name, value)}`\n: {_indented(value)}"
    return ""


def _signature(name: str, thing: object) -> str:
    if not callable(thing):
        return name
    signature = inspect.signature(thing)
    shown = [
        p.replace(annotation=_annotation(p.annotation))
        for p in signature.parameters.values()
        if p.name != "self"
    ]
    returns = _annotation(signature.return_annotation)
    # An async context manager is declared as the generator behind it.
    returns = returns.replace("AsyncIterator", "AsyncContextManager")
    text = str(signature.replace(parameters=shown, return_annotation=returns))
    return name + text.replace("'", "").replace("(Ellipsis,)", "(...,)")


def _annotation(annotation: object) -> str:
    if isinstance(annotation, type):
        return annotation.__name__
    return str(annotation)


def _said(thing: object) -> str:
    return _said_of(_text(thing))


def _indented(thing: object) -> str:
    return textwrap.indent(_said_of(_text(thing)), "  ").strip()


def _said_of(text: str) -> str:
    """A Google docstring as Markdown: sections become lists."""
    lines: list[str] = []
    for line in text.splitlines():
        bare = line.strip()
        if bare in {"Args:", "Attributes:", "Raises:", "Returns:", "Yields:"}:
            lines += [f"*{bare[:-1]}*", ""]
        elif line.startswith("    ") and not line.startswith("     ") and ": " in line:
            name, _, rest = bare.partition(": ")
            lines.append(f"- `{name}`: {rest}")
        elif line.startswith("        "):
            lines.append(f"  {bare}")
        else:
            lines.append(bare)
    return "\n".join(lines)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _text(thing: object) -> str:
    return inspect.getdoc(thing) or ""
