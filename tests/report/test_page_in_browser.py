"""The page in a real browser: it asks for nothing, sorts, enlarges, and takes markup for text."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_scenes import HOSTILE, draw_discs, write_found

from irnet.cells import Cells
from irnet.verbs.report import write_report

CHROMIUM = os.environ.get("IRNET_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
playwright = pytest.importorskip("playwright.sync_api", reason="the page: playwright is not installed")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="the page: no chromium (apt-get install chromium)"),
]
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


@pytest.fixture
def page(tmp_path: Path) -> Iterator:
    strip = Cells.empty((2400, 12))
    fields = {"a.png": draw_discs().select([0, 1]), HOSTILE: draw_discs(), "strip.png": strip}
    file = write_report(write_found(tmp_path / "found", fields)).file
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        met: list[str] = []
        page.on("console", lambda said: met.append(said.text))
        page.on("pageerror", lambda error: met.append(str(error)))
        page.on("dialog", lambda dialog: met.append(dialog.message))
        page.on("request", lambda asked: met.append(asked.url))
        page.goto(file.as_uri())
        yield page
        assert [what for what in met if not what.startswith(("file:", "data:image/jpeg"))] == []
        browser.close()


def test_it_sorts_enlarges_and_shows_names_as_text(page) -> None:
    cells = page.locator("table tbody tr td:nth-child(4)")
    playwright.expect(page.locator("table tbody td").nth(10 + 2)).to_contain_text(HOSTILE)
    heading = page.locator("th button", has_text="cells").first
    heading.click()
    assert cells.all_inner_texts() == ["0", "1", "2"]
    heading.click()
    assert cells.all_inner_texts() == ["2", "1", "0"]
    assert page.locator("th[aria-sort=descending]").count() == 1

    page.locator(".gallery .picture").first.click()
    dialog = page.locator("dialog[open]")
    playwright.expect(dialog).to_contain_text("a.png: 1 cell, 1 nucleus")
    assert dialog.locator("img").evaluate("image => image.naturalWidth") > 100
    page.keyboard.press("ArrowRight")
    playwright.expect(dialog).to_contain_text(HOSTILE)
    page.keyboard.press("Escape")
    assert dialog.count() == 0
    assert page.locator("main img[src=x]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_narrow_high_image_is_no_higher_than_a_page(page) -> None:
    heights = page.locator(".gallery .picture img").evaluate_all("all => all.map(one => one.clientHeight)")
    assert len(heights) == 3
    assert max(heights) <= 900
