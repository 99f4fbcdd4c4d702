"""The page of slides in a real browser: from afar, a jump to a row, outlines, orders, ids, another slide."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from found_slides import found_slides
from test_browser import browser, playwright, pytestmark

from irnet.cells import NUCLEUS
from irnet.server import slide_scene
from irnet.server.slide_app import SlideReview, create_slide_app
from irnet.slides.reading import open_store

__all__ = ["browser", "pytestmark"]

HOSTILE = "<img src=x onerror=alert(1)>"
IN_SIGHT = "() => window.irnet.state.rows.map((each) => [each.id, each.rings !== null])"
SCALE = "() => window.irnet.stage.layer.frame.scale"
PAINTED = """() => {
  const [, above] = window.irnet.stage.layer.canvases;
  return above.getContext("2d").getImageData(0, 0, above.width, above.height).data.some((value) => value);
}"""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return found_slides(tmp_path_factory.mktemp("slides"), HOSTILE, "other", count=70).out


@pytest.fixture
def page(browser, out: Path, serving: Callable, monkeypatch: pytest.MonkeyPatch) -> Iterator:
    monkeypatch.setattr(slide_scene, "BOXED", 60)
    monkeypatch.setattr(slide_scene, "OUTLINED", 40)
    review, complaints = SlideReview(out), []
    with serving(create_slide_app(review)) as url:
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.goto(url)
        page.locator("#table .row").first.wait_for(timeout=20_000)
        yield page
        page.close()
    review.close()
    assert [said for said in complaints if "status of 422" not in said] == []  # that of an id that is none


def text(page, selector: str) -> str:
    return page.locator(selector).first.inner_text()


def says(page, selector: str, what: str) -> None:
    playwright.expect(page.locator(selector).first).to_contain_text(what, timeout=20_000)


def test_from_afar_to_one_cell(page, out: Path) -> None:
    says(page, "#sight", "cells per square")
    page.wait_for_function(PAINTED, timeout=20_000)
    assert page.evaluate(IN_SIGHT) == []
    playwright.expect(page.locator("#left")).to_contain_text(HOSTILE)
    far = page.evaluate(SCALE)

    row = page.locator("#table .row").nth(2)
    number = row.get_attribute("data-id")
    row.click()
    says(page, "#detail h2", f"cytoplasm {HOSTILE}#{number}")
    says(page, "#sight", "outlines")
    page.wait_for_function(f"() => ({SCALE})() > {3 * far}", timeout=20_000)
    says(page, "#detail", "circularity")
    page.wait_for_function(f"() => ({IN_SIGHT})().length > 1", timeout=20_000)
    assert [int(number), True] in page.evaluate(IN_SIGHT)

    page.keyboard.press("0")
    says(page, "#sight", "cells per square")


def test_it_sorts_and_goes_to_ids_and_slides(page, out: Path) -> None:
    with open_store(out / "slides" / "other") as store:
        ranked = store.ranked("od_mean", label=NUCLEUS, limit=2, highest=False)
        linked = next(one for one in store.ranked("score", label=NUCLEUS) if one.parent is not None)
    page.keyboard.press("]")
    playwright.expect(page.locator(".image.chosen")).to_contain_text("other", timeout=20_000)
    page.locator("#list-2").click()
    page.select_option("#sort", "od_mean")
    page.locator("#order").click()
    rows = page.locator("#table .row")
    playwright.expect(rows.first).to_have_attribute("data-id", str(ranked[0].id), timeout=20_000)
    assert "OD ↑" in text(page, "#table .head")

    for one in ranked:
        page.keyboard.press("ArrowDown")
        says(page, "#detail h2", f"nucleus other#{one.id}")

    page.locator("#find").fill(f"other#{linked.id}")
    page.keyboard.press("Enter")
    says(page, "#detail h2", f"nucleus other#{linked.id}")
    says(page, "#detail", f"#{linked.parent}")
    page.locator("#find").fill(f"{HOSTILE}#0")
    page.keyboard.press("Enter")
    says(page, "#detail h2", f"{HOSTILE}#0")
    for typed, said in (("none#3", "no slide none"), ("#99999", "no cell or nucleus #99999"), ("x", "no id")):
        page.locator("#find").fill(typed)
        page.keyboard.press("Enter")
        says(page, "#message.bad", said)


def test_values_of_a_column_have_one_form(page, out: Path) -> None:
    """A score of 1 stands as 1.000, beside 0.950; a number of nuclei has no digits."""
    page.evaluate(
        "() => { const { state } = window.irnet; state.listed = state.listed.map((each, place) =>"
        " ({ ...each, score: [1, 0.95, 0.5][place % 3] })); state.tell('list'); }"
    )
    scores = page.locator("#table .row .cell.score")
    playwright.expect(scores.first).to_have_text("1.000", timeout=20_000)
    assert {*scores.all_inner_texts()} == {"1.000", "0.950", "0.500"}
    page.select_option("#sort", "nuclei")
    page.wait_for_function("() => document.querySelector('#table .cell.nuclei')", timeout=20_000)
    assert all(text.isdigit() for text in page.locator("#table .row .cell.nuclei").all_inner_texts())
