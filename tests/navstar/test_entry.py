"""The command where its libraries were not installed."""

import json
import subprocess
import sys

import pytest

#: Runs the command with some modules made impossible to import.
WITHOUT = """
import sys

for name in sys.argv.pop(1).split(","):
    sys.modules[name] = None
from navstar.entry import main

main()
"""


@pytest.mark.parametrize(
    ("missing", "command"),
    [("typer", "status"), ("pydantic", "config check")],
)
def test_without_the_extra_one_line_says_what_to_install(missing, command) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT, missing, *command.split(), "--json"],
        capture_output=True,
        text=True,
    )

    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "pip install '.[navstar]'" in ended.stderr
    assert missing in json.loads(ended.stdout)["error"]


def test_another_module_that_is_missing_is_our_own_mistake() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT, "navstar.cli_options", "status"],
        capture_output=True,
        text=True,
    )

    assert "ModuleNotFoundError" in ended.stderr
