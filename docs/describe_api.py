"""The public names of lashup, from their signatures and docstrings."""

from __future__ import annotations

import dataclasses
import inspect
import textwrap
from collections.abc import Iterator


def python_api() -> str:
    """Every public name but the errors."""
    return "\n\n".join(
        _entry(name, thing)
        for name, thing in _public()
        if not (isinstance(thing, type) and issubclass(thing, Exception))
    )


def errors() -> str:
    """The errors, as a table: what happened, and whose fault it is."""
    from lashup import errors as module

    lines = ["| error | is a | |", "|---|---|---|"]
    for name, thing in vars(module).items():
        if isinstance(thing, type) and thing.__module__ == module.__name__:
            meaning = " ".join(_text(thing).split("Args:")[0].split())
            lines.append(f"| `{name}` | `{thing.__mro__[1].__name__}` | {meaning} |")
    return "\n".join(lines)


def _public() -> Iterator[tuple[str, object]]:
    import lashup

    for name in lashup.__all__:
        yield name, getattr(lashup, name)


def _entry(name: str, thing: object) -> str:
    if not callable(thing):
        return f"### `{name}`\n\n{_text(type(thing)) if _text(thing) else ''}".strip()
    parts = [
        f"### `{name}`",
        f"```python\n{_signature(name, thing)}\n```",
        _said(thing),
    ]
    if isinstance(thing, type):
        for member, value in sorted(vars(thing).items()):
            text = _member(member, value)
            if text:
                parts.append(text)
    return "\n\n".join(part for part in parts if part)


def _member(name: str, value: object) -> str:
    if name.startswith("_"):
        return ""
    if isinstance(value, property):
        return f"`.{name}`\n: {_indented(value)}" if _text(value) else ""
    if isinstance(value, classmethod | staticmethod):
        value = value.__func__
    if inspect.isfunction(value) and _text(value):
        kind = "async " if inspect.iscoroutinefunction(value) else ""
        return f"`{kind}.{_signature(name, value)}`\n: {_indented(value)}"
    return ""


def _signature(name: str, thing: object) -> str:
    if not callable(thing):
        return name
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return name
    parameters = [
        p.replace(annotation=_readable(p.annotation))
        for p in signature.parameters.values()
        if p.name != "self"
    ]
    answer = signature.replace(
        parameters=parameters, return_annotation=_readable(signature.return_annotation)
    )
    text = str(answer).replace("'", "")
    if len(name + text) <= 84:
        return name + text
    inner = ",\n    ".join(str(p).replace("'", "") for p in parameters)
    return f"{name}(\n    {inner},\n)"


def _readable(annotation: object) -> object:
    return annotation if annotation is inspect.Parameter.empty else f"{annotation}"


def _said(thing: object) -> str:
    """A docstring, its sections as they stand in a code block's stead."""
    if dataclasses.is_dataclass(thing) and _text(thing).startswith("("):
        return ""
    return _markdown(_text(thing))


def _indented(thing: object) -> str:
    return textwrap.indent(_markdown(_text(thing)), "  ").strip()


def _markdown(text: str) -> str:
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


def _text(thing: object) -> str:
    return inspect.getdoc(thing) or ""
