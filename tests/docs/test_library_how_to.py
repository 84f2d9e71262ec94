"""The snippets of the how-to on the library are run on a real node."""

from __future__ import annotations

import ast
import re
import textwrap
from pathlib import Path

import lashup

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/use-the-library.md").read_text(encoding="utf-8")


def snippet(heading: str) -> str:
    """The code block below a heading."""
    below = PAGE.partition(f"\n## {heading}\n")[2]
    found = re.search(r"```python\n(.*?)```", below, re.DOTALL)
    assert found is not None
    return found[1]


def function_of(code: str, *parameters: str):
    """The code as the body of an async function that returns its variables."""
    source = f"async def run({', '.join(parameters)}):\n"
    source += textwrap.indent(code + "\nreturn locals()", "    ")
    names: dict[str, object] = {**vars(lashup), "Path": Path}
    exec(compile(source, "use-the-library.md", "exec"), names)  # noqa: S102
    return names["run"]


async def test_what_the_page_writes_is_what_it_says_it_reads():
    config = lashup.NodeConfig(name="one", bind=("127.0.0.1", 0))
    said = re.findall(r"^(view\S+) +# (.+)$", snippet("Read"), re.MULTILINE)

    async with lashup.open_node(config) as node:
        await function_of(snippet("Write"), "node")(node)
        names = await function_of(snippet("Read"), "node")(node)

    plain = [(code, value) for code, value in said if "plain" not in code]
    assert len(plain) == 3
    for code, value in plain:
        expected = value.removeprefix("frozenset(").removesuffix(")")
        assert eval(code, {"view": names["view"]}) == ast.literal_eval(expected)  # noqa: S307


async def test_changes_come_as_the_page_says(capsys):
    config = lashup.NodeConfig(name="one", bind=("127.0.0.1", 0))
    follow = snippet("Hear of changes") + "        break\n"

    async with lashup.open_node(config) as node:
        await function_of(snippet("Write"), "node")(node)
        await function_of(follow, "node")(node)

    key, _, _ = capsys.readouterr().out.partition(" {")
    assert key == "('services', 'shop')"


async def test_members_are_listed_as_the_page_says(capsys):
    config = lashup.NodeConfig(name="one", bind=("127.0.0.1", 0))
    listing, _, _ = snippet("Who is there").partition("async with")

    async with lashup.open_node(config) as node:
        await function_of(listing, "node")(node)

    assert capsys.readouterr().out.startswith("one ")


async def test_the_configuration_between_hosts_is_accepted():
    configuration, _, _ = snippet("Between hosts").partition("async with")

    names = await function_of(configuration, "key")(bytes(32))

    assert names["config"].cluster == "shop"
