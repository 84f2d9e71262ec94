"""The command line: list, run, sweep, report.

Exit codes: 0 all right; 1 a run violated an invariant, or did not end; 2 the
command was not understood; 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from lashup.errors import UsageError
from simulations.cli.grammar import parser

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    asked, rest = parser(given).parse_known_args(given)
    try:
        if rest:
            raise UsageError(f"{rest[0]}: there is no such option here")
        code: int = asked.act(asked)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        print(f"see: {asked.program} --help", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()
        return OK
    return code
