"""The documentation as a site: `make docs`. Sphinx reads the pages as they stand on the code host.

The root of the sources is that of the repository, so that a link from README.md to docs/ or from docs/ to a
recipe is the same file in both. The navigation stands here, as the code host would show it in index.md.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
NAVIGATION = {  # heading -> pages, in this order; a pattern stands for what no line names
    "Start": ["Install and try it </README>", "/docs/tutorial"],
    "How to": [
        "/docs/how-to/bring-your-own-annotations",
        "/docs/how-to/read-a-report",
        "/docs/how-to/review-and-correct",
        "/docs/how-to/annotate-with-the-network",
        "/docs/how-to/figures-for-a-paper",
        "/docs/how-to/train-on-your-own",
        "/docs/how-to/*",
    ],
    "Reference": ["/docs/reference/cli", "/docs/reference/*", "/docs/model-card", "/src/irnet/weights/*"],
    "Background": [
        "/docs/paper",
        "/docs/architecture",
        "/docs/results",
        "/docs/results-in-full",
        "/docs/log",
        "/benchmarks/real_fields/README",
    ],
    "Decisions": ["/docs/decisions/README", "/docs/decisions/*"],
    "Project": ["/CONTRIBUTING", "/docs/releasing", "/CHANGELOG"],
}

project = "irnet"
version = release = re.findall('__version__ = "(.*)"', (ROOT / "src/irnet/__init__.py").read_text())[0]
copyright = "The irnet developers"
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = [  # every other file that a page links to is copied
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "benchmarks/real_fields/README.md",
    "docs/**.md",
    "src/irnet/weights/*.md",
]
myst_heading_anchors = 4  # the anchors of the code host

html_theme = "furo"
html_title = f"irnet {version}"
html_extra_path = ["site"]
html_copy_source = False
html_show_search_summary = False  # a page that is read as a file cannot fetch others


def add_navigation(_app: Sphinx, page: str, source: list[str]) -> None:
    """Append the table of contents to the first page, hidden: the sidebar shows it."""
    if page != root_doc:
        return
    for heading, pages in NAVIGATION.items():
        options = f":hidden:\n:glob:\n:caption: {heading}"
        source[0] += "\n".join(["", "```{toctree}", options, "", *pages, "```", ""])


def setup(app: Sphinx) -> None:
    app.connect("source-read", add_navigation)
