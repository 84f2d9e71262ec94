"""Keeps the parts of the documentation that the code knows better true.

A page has blocks between two comments; what stands in them is written here:

    <!-- generated: config -->
    ...
    <!-- end generated -->

    python docs/generate.py            writes the blocks anew
    python docs/generate.py --check    says which are not current, and fails
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Callable
from pathlib import Path

import describe_api
import describe_benchmarks
import describe_cli
import describe_config
import describe_lines
import describe_repairs

DOCS = Path(__file__).parent
PAGES = (DOCS.parent / "README.md", *sorted(DOCS.rglob("*.md")))

_BLOCK = re.compile(
    r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- end generated -->)", re.DOTALL
)

BLOCKS: dict[str, Callable[[], str]] = {
    "config": describe_config.config,
    "config-example": describe_config.config_example,
    "allocation": describe_config.allocation,
    "command-line": describe_cli.command_line,
    "running-a-node": describe_api.running_a_node,
    "writing-and-reading": describe_api.writing_and_reading,
    "members-and-events": describe_api.members_and_events,
    "errors": describe_api.errors,
    "kv-layout": describe_lines.kv_layout,
    "wire-sizes": describe_lines.wire_sizes,
    "wire-channels": describe_lines.wire_channels,
    "lab-json": describe_lines.lab_json,
    "last-figures": describe_benchmarks.last_figures,
    "repairs": describe_repairs.repairs,
}


def renewed(page: str) -> str:
    """A page with every block as the code has it now.

    Raises:
        KeyError: A block has a name that nothing here makes.
    """
    return _BLOCK.sub(
        lambda found: f"{found[1]}\n{BLOCKS[found['name']]().strip()}\n\n{found[3]}",
        page,
    )


def main(arguments: list[str]) -> int:
    """Write or check all pages; the exit code."""
    checking = arguments == ["--check"]
    if arguments and not checking:
        sys.stderr.write(f"{__doc__}")
        return 2
    undescribed = describe_api.undescribed()
    if undescribed:
        sys.stderr.write(f"docs/describe_api.py leaves out: {sorted(undescribed)}\n")
        return 1
    stale = 0
    for path in PAGES:
        if "_build" in path.parts:
            continue
        page = path.read_text(encoding="utf-8")
        current = renewed(page)
        if page == current:
            continue
        stale += 1
        name = path.relative_to(DOCS.parent)
        if checking:
            sys.stderr.write(f"{name} is not current\n")
            changes = difflib.unified_diff(page.split("\n"), current.split("\n"), n=0)
            sys.stderr.writelines(f"    {line}\n" for line in list(changes)[2:12])
        else:
            path.write_text(current, encoding="utf-8")
            sys.stderr.write(f"{name} written anew\n")
    if stale and checking:
        sys.stderr.write("run: .venv/bin/python docs/generate.py\n")
    return 1 if stale and checking else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
