"""Sphinx configuration. Build with `make docs`."""

import re
import tomllib
from pathlib import Path

from sphinx.application import Sphinx

_root = Path(__file__).parent.parent
_project = tomllib.loads((_root / "pyproject.toml").read_text(encoding="utf-8"))

project = "lashup and navstar"
author = "the lashup authors"
release = _project["project"]["version"]

extensions = ["myst_parser"]
myst_enable_extensions = ["deflist", "colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"lashup {release}"

#: Pages of the site that are files of the repository's root.
_ROOT_PAGES = {"overview": "README.md", "changelog": "CHANGELOG.md"}


def _bring_in(app: Sphinx, docname: str, source: list[str]) -> None:
    """Show root files as pages, and let links to and from them lead there."""
    text = source[0]
    if docname in _ROOT_PAGES:
        text = (_root / _ROOT_PAGES[docname]).read_text(encoding="utf-8")
        text = text.replace("](docs/", "](").replace("](LICENSE)", "](../LICENSE)")
        text = re.sub(r"\]\((CHANGELOG|README)\.md", r"](../\1.md", text)
    up = "../" * (docname.count("/") + 1)
    for page, file in _ROOT_PAGES.items():
        text = text.replace(f"]({up}{file}", f"]({up[3:]}{page}.md")
    source[0] = text


def setup(app: Sphinx) -> None:
    """Register the hook."""
    app.connect("source-read", _bring_in)
