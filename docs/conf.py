"""Sphinx configuration. Build with `make docs`."""

import tomllib
from pathlib import Path

_project = tomllib.loads(
    (Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")
)["project"]

project = "lashup and navstar"
author = "the lashup authors"
release = _project["version"]

extensions = ["myst_parser"]
myst_enable_extensions = ["deflist", "colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"lashup {release}"
html_static_path: list[str] = []
