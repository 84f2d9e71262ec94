"""What the README shows is run, as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [
    "README.md",
    "CHANGELOG.md",
    *sorted(
        str(page.relative_to(ROOT))
        for page in ROOT.glob("docs/**/*.md")
        if "_build" not in page.parts
    ),
]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str) -> list[tuple[str, str]]:
    """Language and content of every code block."""
    return [(found[1], found[2]) for found in _BLOCK.finditer(text)]


def block(language: str, title: str) -> str:
    """The one code block in a language that starts with a comment."""
    (found,) = (
        text
        for kind, text in blocks(README)
        if kind == language and text.startswith(f"# {title}\n")
    )
    return found


def printed() -> str:
    """What the README says that the examples print."""
    _, _, rest = README.partition("Both print\n")
    return blocks(rest)[0][1]


@pytest.mark.parametrize("event_loop", ["asyncio", "trio"])
def test_the_library_example_runs_as_written(event_loop, tmp_path):
    example = tmp_path / "example.py"
    example.write_text(block("python", event_loop), encoding="utf-8")

    run = subprocess.run(
        [sys.executable, "-W", "error", example],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": str(ROOT)},
    )

    assert (run.stderr, run.stdout) == ("", printed())


def test_the_two_examples_differ_only_in_the_event_loop():
    on_asyncio = block("python", "asyncio").replace("main())", "main)")

    assert on_asyncio.replace("asyncio", "trio") == block("python", "trio")


def test_the_agent_configuration_is_complete_and_accepted():
    from navstar.config import parse_config

    config = parse_config(tomllib.loads(block("toml", "config")))

    assert config.source.kind == "file"
    assert str(config.source.path) in README


def test_the_allocation_is_accepted():
    from navstar.sources.document import read_allocation

    document = tomllib.loads(block("toml", "allocation"))

    assert read_allocation(document, origin="README.md").overlays


def test_every_target_that_is_named_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))

    named = set(re.findall(r"(?:^    |`)make ([a-z-]+)", README, re.MULTILINE))

    assert named
    assert named <= targets


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_to_a_file(page):
    path = ROOT / page
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))

    broken = [
        link
        for link in links
        if "://" not in link and not (path.parent / link).exists()
    ]

    assert broken == []
