"""Where the `navstar` command begins, also where only lashup was installed.

Imports nothing but the standard library until it is known that the rest is there.
"""

from __future__ import annotations

import json
import sys

#: What the extra `navstar` brings, as it is imported.
_BROUGHT_BY_EXTRA = frozenset({"pydantic", "pyroute2", "rich", "structlog", "typer"})
_INSTALL = "pip install '.[navstar]'"
#: Exit code for a command that cannot be understood here.
_NOT_UNDERSTOOD = 2


def main() -> None:
    """Run the command line, or say what to install."""
    try:
        from navstar.cli import main as command_line

        command_line()
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _BROUGHT_BY_EXTRA:
            raise
        text = f"{missing} is not installed; in lashup's source, {_INSTALL} brings it"
        if "--json" in sys.argv:
            print(json.dumps({"error": text}))  # noqa: T201
        print(f"navstar: {text}", file=sys.stderr)  # noqa: T201
        sys.exit(_NOT_UNDERSTOOD)
