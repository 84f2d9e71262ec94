"""Who may have a data directory, from one process and from several."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lashup import StorageError, idle_directory
from lashup.runtime.directory_lock import lock_directory

HOLD = """
import sys
from pathlib import Path
from lashup.runtime.directory_lock import lock_directory

lock_directory(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_directory_that_no_node_has_is_idle_and_not_touched(tmp_path: Path) -> None:
    with idle_directory(tmp_path / "never"), idle_directory(tmp_path):
        pass
    os.close(lock_directory(tmp_path))
    before = (tmp_path / "lock").read_text()
    with idle_directory(tmp_path):
        pass

    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
    assert (tmp_path / "lock").read_text() == before


def test_a_directory_of_a_running_process_is_not_idle_and_the_process_is_named(
    tmp_path: Path,
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with (
            pytest.raises(StorageError, match=f"process {holder.pid}$"),
            idle_directory(tmp_path),
        ):
            pytest.fail("it is not idle")
        holder.communicate(timeout=20)

    with idle_directory(tmp_path):
        pass


def test_while_a_directory_is_kept_idle_no_node_gets_it(tmp_path: Path) -> None:
    os.close(lock_directory(tmp_path))

    with idle_directory(tmp_path), pytest.raises(StorageError, match="in use"):
        lock_directory(tmp_path)

    os.close(lock_directory(tmp_path))
