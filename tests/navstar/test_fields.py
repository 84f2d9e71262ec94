"""What an operator reads about a field that is wrong."""

import pytest

from navstar.config import load_config
from navstar.errors import Unusable

GOOD = """
[node]
name = "a1"
[lashup]
bind = ["127.0.0.1:7947"]
[source]
kind = "agent-http"
"""


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ('"agent-http"', '"agent-http"\npath = "x"', "source.path: is not a field of"),
        ('"agent-http"', '"agent-http"\nprot = 1', "(is 'port' meant?)"),
        (":7947", ":70010", "from 0 to 65535, not '127.0.0.1:70010'"),
        ('[node]\nname = "a1"', 'node = "a1"', "node: should be a table of fields"),
    ],
)
def test_the_message_is_about_what_was_written(tmp_path, before, after, says) -> None:
    path = tmp_path / "navstar.toml"
    path.write_text(GOOD.replace(before, after))

    with pytest.raises(Unusable) as caught:
        load_config(path)

    assert says in str(caught.value)
    assert "instance of" not in str(caught.value)
