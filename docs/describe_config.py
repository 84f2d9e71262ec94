"""The fields of navstar's files, from its pydantic models and the comments beside."""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

#: What the names of types in the models mean to somebody who writes a file.
_WORDS = {
    "str": "text",
    "int": "integer",
    "float": "number",
    "bool": "true or false",
    "FilePath": "path",
    "AgentIp": "IP address",
    "HostPort": '"IP:port"',
    "PeerPort": '"IP:port"',
    "Port": "1 to 65535",
    "Duration": "seconds",
    "Mac": "MAC address",
    "Vni": "1 to 16777215",
    "Network4": "IPv4 network",
    "Network6": "IPv6 network",
    "Interface4": "IPv4 address/prefix",
    "Interface6": "IPv6 address/prefix",
}


def config() -> str:
    """The tables of the daemon's configuration."""
    from navstar import config as module

    sections: dict[str, type[BaseModel]] = {
        "[node]": module.NodeSection,
        "[lashup]": module.LashupSection,
        '[source] with kind = "file"': module.FileSource,
        '[source] with kind = "agent-http"': module.AgentHttpSource,
        "[source.tls]": module.TlsSection,
        "[overlay]": module.OverlaySection,
        "[reconcile]": module.ReconcileSection,
        "[control]": module.ControlSection,
        "[log]": module.LogSection,
    }
    forgotten = {title[1:].split("]")[0] for title in sections} ^ {
        *module.Config.model_fields,
        "source.tls",
    }
    if forgotten:
        raise ValueError(f"sections and their tables differ: {forgotten}")
    beside = _comments_of_the_example()
    return "\n\n".join(
        _table(model, f"`{title}`", summary(model), beside.get(title.strip("[]")))
        for title, model in sections.items()
    )


def config_example() -> str:
    """What `navstar config show-defaults` prints."""
    from navstar.config_check import EXAMPLE

    return f"```toml\n{EXAMPLE.strip()}\n```"


def _comments_of_the_example() -> dict[str, dict[str, str]]:
    """What stands beside each field in that file, by section."""
    from navstar.config_check import EXAMPLE

    found: dict[str, dict[str, str]] = {}
    section: dict[str, str] = {}
    for line in EXAMPLE.splitlines():
        bare = line.removeprefix("# ")
        if heading := re.match(r"\[(.+?)\]", bare):
            section = found.setdefault(heading[1], {})
        elif field := re.match(r"(\w+) = .+?  +# (.+)", bare):
            section.setdefault(field[1], field[2])
    return found


def allocation() -> str:
    """The tables of the allocation file."""
    from navstar import allocation as values
    from navstar.sources import document as module

    return "\n\n".join(
        _table(model, title, summary(value), attributes(value))
        for title, model, value in (
            ("Top level", module.AllocationDocument, values.Allocation),
            ("`[[overlay]]`", module.OverlayTable, values.Overlay),
            ("`[overlay.vtep]`", module.VtepTable, values.Vtep),
        )
    )


def summary(documented: object) -> str:
    """What a docstring says before its first section."""
    text = inspect.getdoc(documented) or ""
    return re.split(r"\n\n?(?:Args|Attributes|Raises|Returns|Source):", text)[0].strip()


def attributes(documented: object) -> dict[str, str]:
    """What a docstring's `Attributes:` says of each."""
    text = inspect.getdoc(documented) or ""
    _, _, section = text.partition("\nAttributes:\n")
    section = re.split(r"\n\n?\S", section)[0]
    found = re.findall(r"^    (\w+): (.*(?:\n      .*)*)", section, re.MULTILINE)
    return {name: " ".join(said.split()) for name, said in found}


def _table(
    model: type[BaseModel],
    title: str,
    introduction: str,
    comments: Mapping[str, str] | None = None,
) -> str:
    lines = [
        f"## {title}",
        "",
        introduction,
        "",
        "| field | value | default | |",
        "|---|---|---|---|",
    ]
    for name, (value, comment) in _declared(model).items():
        field = model.model_fields[name]
        default = "**required**" if field.is_required() else _toml(field.default)
        comment = comment or (comments or {}).get(name, "")
        lines.append(f"| `{name}` | {value} | {default} | {comment} |")
    return "\n".join(lines)


def _declared(model: type[BaseModel]) -> dict[str, tuple[str, str]]:
    """Each field of a model: what it takes, and the `#:` comment above it."""
    source = textwrap.dedent(inspect.getsource(model))
    lines = source.splitlines()
    found = {}
    for statement in ast.walk(ast.parse(source)):
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                pass
            case _:
                continue
        if name not in model.model_fields:
            continue
        above = statement.lineno - 2
        comment: list[str] = []
        while lines[above].lstrip().startswith("#:"):
            comment.insert(0, lines[above].lstrip()[2:].strip())
            above -= 1
        found[name] = (_words(annotation), " ".join(comment))
    return found


def _words(node: ast.expr) -> str:
    """An annotation, in words."""
    match node:
        case ast.Name(id=name):
            is_table = name.endswith(("Table", "Section"))
            return "table, below" if is_table else _WORDS.get(name, name)
        case ast.Constant(value=None):
            return ""
        case ast.BinOp(left=left, right=right):
            return " or ".join(filter(None, (_words(left), _words(right))))
        case ast.Subscript(value=ast.Name(id="Literal"), slice=choices):
            values = choices.elts if isinstance(choices, ast.Tuple) else [choices]
            return " or ".join(f"`{ast.unparse(v)}`".replace("'", '"') for v in values)
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[one, _])):
            return f"list of {_plural(one)}"
        case ast.Subscript(value=ast.Name(id="list"), slice=one):
            return f"list of {_plural(one)}"
        case ast.Subscript(
            value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[base, *rest])
        ):
            return _limited(_words(base), rest)
        case _:
            raise ValueError(f"no words for {ast.unparse(node)}")


def _plural(node: ast.expr) -> str:
    words = _words(node)
    return {"path": "paths", "table, below": "tables, below"}.get(words, words)


def _limited(words: str, annotations: list[ast.expr]) -> str:
    limits: dict[str, object] = {}
    for annotation in annotations:
        match annotation:
            case ast.Call(func=ast.Name(id="Field"), keywords=keywords):
                limits |= {k.arg or "": ast.unparse(k.value) for k in keywords}
            case ast.Name(id="Several"):
                words = f"{words}, or one"
            case _:
                pass  # What checks a value does not change how it is written.
    match limits:
        case {"ge": low, "le": high}:
            return f"{low} to {high}"
        case {"gt": low, "le": high}:
            return f"above {low}, up to {high}"
        case {"max_length": longest}:
            return f"{words}, up to {longest} characters"
        case {"min_length": least}:
            return f"{words}; at least {least}"
        case _:
            return words


def _toml(value: object) -> str:
    """A default as a TOML file would have it."""
    match value:
        case None:
            return ""
        case _ if value is PydanticUndefined:
            return ""
        case Path():
            return f'`"{value}"`'
        case tuple() | list():
            return "`[]`" if not value else f"`{list(value)}`"
        case BaseModel():
            return "all defaults"
        case _:
            return f"`{json.dumps(value)}`"
