"""Labs of tests: names with our pid in them, records in the test's own directory."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from navstar.lab import namespaces
from navstar.lab.demolition import strangers
from navstar.lab.record import DIRECTORY_VARIABLE

_count = itertools.count()


@pytest.fixture(autouse=True)
def labs_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the labs of this test are recorded."""
    directory = tmp_path / "labs"
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(directory))
    return directory


@pytest.fixture
def prefix() -> Iterator[str]:
    """A prefix that no other test and no other process uses."""
    name = f"t{os.getpid()}x{next(_count)}"
    yield name
    left = strangers(name)
    for each in left:
        namespaces.remove(each)
    assert left == []


@pytest.fixture
def namespace() -> Iterator[str]:
    """A network namespace of the test's own, with nothing in it."""
    name = f"t{os.getpid()}n{next(_count)}"
    namespaces.create(name)
    yield name
    namespaces.remove(name)
