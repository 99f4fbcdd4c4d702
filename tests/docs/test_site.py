"""The documentation as a site: it builds without a warning, says which link is broken, needs no network."""

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

for module in ("sphinx", "myst_parser", "furo"):
    pytest.importorskip(module, reason=f"the site: {module} is not installed (the extra docs)")

ROOT = Path(__file__).parents[2]
FOLDERS = ("docs", "src", "recipes", "benchmarks", "examples")
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")


def build(source: Path) -> subprocess.CompletedProcess[str]:
    """Run what `make docs` runs, over the pages in `source`."""
    command = "-m sphinx -q -W --keep-going -c docs -d build/doctrees . build/site"
    return subprocess.run(
        [sys.executable, *command.split()], cwd=source, capture_output=True, text=True, timeout=300
    )


class Loaded(HTMLParser):
    """What a browser fetches by itself when it opens a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        fetched = [values.get("src"), values.get("srcset"), values.get("data"), values.get("poster")]
        if tag == "link":
            fetched.append(values.get("href"))
        self.addresses += [address for address in fetched if address]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages with their site, built once."""
    source = tmp_path_factory.mktemp("site")
    for name in FOLDERS:
        unread = shutil.ignore_patterns("*.safetensors", "__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=unread)
    for name in PAGES:
        shutil.copy(ROOT / name, source / name)

    ran = build(source)
    assert (ran.returncode, ran.stderr) == (0, "")
    return source


def test_every_page_is_built_and_the_front_page_leads_to_the_first(source: Path) -> None:
    site = source / "build" / "site"
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    built = [site / page.relative_to(ROOT).with_suffix(".html") for page in pages]
    assert [page for page in built if not page.exists()] == []
    assert "url=docs/index.html" in (site / "index.html").read_text(encoding="utf-8")


def test_the_site_fetches_nothing_from_the_network(source: Path) -> None:
    far = re.compile(r"^(?:https?:)?//")
    site = source / "build" / "site"
    for page in site.rglob("*.html"):
        loaded = Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        assert [address for address in loaded.addresses if far.match(address)] == [], page
        assert loaded.addresses or page == site / "index.html"

    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", text) == [], style


@pytest.mark.parametrize(
    "link", ["[gone](gone.md)", "[gone](how-to/napari.md#gone)", "[gone](#gone)", "![gone](images/gone.png)"]
)
def test_a_broken_link_is_an_error(source: Path, link: str) -> None:
    page = source / "docs" / "tutorial.md"
    whole = page.read_text(encoding="utf-8")
    page.write_text(f"{whole}\n{link}\n", encoding="utf-8")

    ran = build(source)
    page.write_text(whole, encoding="utf-8")
    assert ran.returncode != 0
    assert "docs/tutorial.md" in ran.stderr
    assert "gone" in ran.stderr
