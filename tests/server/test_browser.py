"""The page in a real browser: Debian's Chromium without a window, driven through a whole review."""

import asyncio
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from irnet.data.components import split_components
from irnet.server.app import create_app
from irnet.server.store import Review

CHROMIUM = os.environ.get("IRNET_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
playwright = pytest.importorskip(
    "playwright.sync_api", reason="the viewer's page: playwright is not installed"
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="the viewer's page: no chromium (apt-get install chromium)"),
]

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
HOSTILE = "<img src=x onerror=alert(1)>.png"
TO_SCREEN = """([x, y]) => {
  const { frame } = window.irnet.stage.layer, { left, top } = document.getElementById("stage").getBoundingClientRect();
  return [left + frame.x + x * frame.scale, top + frame.y + y * frame.scale];
}"""  # noqa: E501


HEADINGS = """() => [...document.querySelectorAll("#table .head .cell")].map((cell) => {
  const range = document.createRange();
  range.selectNodeContents(cell);
  const { left, right } = range.getBoundingClientRect();
  return [left, right];
})"""
HOVERED = """() => {
  const { instances, hovered } = window.irnet.state, each = instances.get(hovered);
  const cell = instances.get(each.cell) ?? each;
  return cell.box;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield browser
        browser.close()


class Reader:
    """Someone at the page, who notes every complaint of the browser."""

    def __init__(self, browser, url: str) -> None:
        self.page = browser.new_page(viewport={"width": 1280, "height": 720})
        self.complaints: list[str] = []
        self.page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type == "error" else None
        )
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.goto(url)
        self.sees(".image.chosen")
        self.page.wait_for_timeout(300)

    def sees(self, selector: str, text: str | None = None) -> None:
        place = self.page.locator(selector).first
        place.wait_for(timeout=10_000)
        if text is not None:
            playwright.expect(place).to_contain_text(text, timeout=10_000)

    def count(self, rows: int) -> None:
        playwright.expect(self.page.locator("#table .body .row")).to_have_count(rows, timeout=10_000)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a pixel of the image is on the screen."""
        left, top = self.page.evaluate(TO_SCREEN, [x, y])
        return left, top

    def click(self, x: float, y: float) -> None:
        self.page.mouse.click(*self.at(x, y))
        self.page.wait_for_timeout(400)  # or the next click makes it a double click

    def draw(self, *points: tuple[float, float]) -> None:
        mouse = self.page.mouse
        mouse.move(*self.at(*points[0]))
        mouse.down()
        for point in points[1:]:
            mouse.move(*self.at(*point), steps=4)
        mouse.up()


@pytest.fixture
def reader(review: Review, browser, serving: Callable) -> Iterator[Reader]:
    with serving(create_app(review)) as url:
        reader = Reader(browser, url)
        yield reader
        reader.page.close()
    assert reader.complaints == []


def chosen(reader: Reader) -> str:
    return reader.page.locator("#detail h2").inner_text().split("\n")[0].strip()


def test_a_whole_review_by_keyboard(reader: Reader, review: Review, found: Path) -> None:
    reader.count(4)  # the nucleus below the threshold is hidden
    reader.press("ArrowDown", "a")  # accepts #0, goes to #1
    reader.sees("#detail h2", "nucleus a.png#1")
    reader.press("d")  # deletes it, goes to #2
    reader.count(3)
    reader.sees("#detail h2", "cytoplasm a.png#2")
    reader.press("z")  # and takes it back
    reader.count(4)
    reader.press("y")
    reader.count(3)
    reader.press("Shift+A")  # the image is finished, the next one opens
    reader.sees(".image.chosen", "b.png")
    reader.sees("#progress", "1 of 2 finished")
    reader.count(4)
    reader.press("s")
    reader.page.locator("#finished-only").check()
    reader.page.locator("#export-write").click()
    reader.sees("#message", "corrected.json")
    corrected = json.loads((found / "corrected.json").read_text())
    assert [row["file_name"] for row in corrected["images"]] == ["a.png"]
    assert [row["id"] for row in corrected["annotations"]] == [1, 3, 5]
    assert [row["number"] for row in corrected["annotations"]] == [0, 2, 4]
    assert all(row["accepted"] for row in corrected["annotations"])
    assert list(Review(found).fields[0].parsed()) == [1, 3, 4, 5]


def test_what_needs_a_look_comes_first(reader: Reader) -> None:
    reader.sees("#doubts", "1")  # the cell of .6; the nucleus of .3 is hidden
    reader.sees(".image.chosen .mark", "1")
    reader.press("t")
    reader.sees("#detail h2", "cytoplasm a.png#2")
    reader.sees("#message", "near the threshold of 0.50")
    reader.press("a")
    reader.sees("#doubts", "0")
    reader.press("t")  # the next image
    reader.sees(".image.chosen", "b.png")
    reader.sees("#detail h2", "cytoplasm b.png#2")
    reader.press("d", "t")
    reader.sees("#detail h2", "nucleus b.png#3")  # which has lost its cell, and is shown for that
    reader.press("a", "t")
    reader.sees("#message", "Nothing else needs a look")


def test_keys_faster_than_the_server_wait_for_their_turn(reader: Reader, review: Review) -> None:
    reader.press("ArrowDown", "a", "d", "a", "z", "ArrowUp", "l")
    playwright.expect(reader.page.locator("#detail h2")).to_contain_text("edited", timeout=10_000)
    rows = {key: row for key, row in review.fields[0].rows.items() if row}
    assert [key for key, row in rows.items() if "accepted" in row] == [1, 3]  # 3 got another class
    assert len(rows) == 4  # the deletion stands, the second acceptance was taken back


def test_clicks_go_through_the_stack_and_the_table_follows(reader: Reader) -> None:
    reader.click(65, 60)  # in both cells
    first = chosen(reader)
    reader.click(65, 60)
    second = chosen(reader)
    assert {first, second} == {"cytoplasm a.png#0", "cytoplasm a.png#2"}
    reader.sees("#table .row.chosen", second.split("png")[1])
    reader.click(65, 60)
    assert chosen(reader) == first
    reader.click(10, 110)
    reader.sees("#detail", "Nothing chosen")


def test_drawing_reshaping_and_pairing(reader: Reader, review: Review) -> None:
    field = review.fields[0]
    reader.press("c")
    reader.draw((125, 8), (155, 8), (155, 38), (125, 38), (125, 10))
    reader.sees("#detail h2", "cytoplasm a.png#5")
    assert field.parsed()[5].cell_id == 11
    area = field.rows[11]["area"]  # type: ignore[index]
    assert area == pytest.approx(900, rel=0.06)
    reader.press("x")
    reader.draw((120, 5), (160, 5), (160, 15), (120, 15), (120, 6))
    reader.sees("#detail h2", "edited")
    playwright.expect(reader.page.locator("#undo")).to_be_enabled()
    reader.page.wait_for_timeout(300)
    assert field.rows[11]["area"] < 0.85 * area  # type: ignore[index]
    reader.press("r")
    mouse = reader.page.mouse
    mouse.move(*reader.at(155, 38))
    mouse.down()
    mouse.move(*reader.at(158, 70), steps=4)
    mouse.up()
    reader.press("Enter")
    playwright.expect(reader.page.locator("#message")).to_have_text("", timeout=10_000)
    assert field.parsed()[11].offset[1] + field.parsed()[11].crop.shape[0] > 60
    reader.click(50, 60)
    assert chosen(reader) == "nucleus a.png#1"
    reader.press("p")
    reader.click(100, 70)
    reader.sees("#detail", "#2")
    assert field.parsed()[2].cell_id == 3
    reader.press("l")
    reader.sees("#detail h2", "cytoplasm a.png#1")


def area(review: Review, key: int) -> int:
    row = review.fields[0].rows[key]
    assert row is not None
    return row["area"]


def until(reader: Reader, done: Callable[[], bool]) -> None:
    for _ in range(100):
        if done():
            return
        reader.page.wait_for_timeout(100)
    raise AssertionError("it did not come to that")


def test_the_brush_adds_and_takes_off_and_is_undone(reader: Reader, review: Review) -> None:
    field = review.fields[0]
    reader.press("b")
    reader.sees("#message", "Choose a cell")
    reader.press("ArrowDown", "b")
    before = area(review, 1)
    reader.draw((75, 45), (95, 25), (90, 20))  # from inside the cell outwards
    until(reader, lambda: area(review, 1) > before)
    painted, radius = area(review, 1), reader.page.evaluate("12 / window.irnet.stage.layer.frame.scale")
    assert painted - before < np.pi * radius**2 + 2 * radius * 36
    other = field.rows[3]
    assert other == review.document.annotations[2]  # a neighbour under the brush stays whole

    reader.press("v")
    reader.draw((82, 38), (95, 20))
    until(reader, lambda: area(review, 1) < painted)
    reader.press("z", "z")
    until(reader, lambda: area(review, 1) == before)
    assert field.rows[1] == review.document.annotations[0]
    assert len(field.undoable) == 0

    reader.press(*5 * ".")
    reader.sees("#message", "Brush: 37 px")
    reader.press(*5 * ",", "b")
    reader.page.keyboard.down("Alt")
    reader.draw((50, 31), (51, 31))  # a dab on the edge
    reader.page.keyboard.up("Alt")
    until(reader, lambda: area(review, 1) < before)
    reader.draw((140, 100), (150, 100))  # far away
    reader.sees("#message.bad", "does not touch the mask")
    assert len(split_components(field.parsed()[1].crop)[0]) == 1
    reader.press("Escape")
    reader.complaints.clear()  # the browser notes the refusal


def assert_buttons_fit(reader: Reader, width: int, expected: str) -> None:
    """The buttons show these keys, one beside the other in a page of `width` px."""
    page = reader.page
    page.set_viewport_size({"width": width, "height": 720})
    keys = [key for key in page.locator("header button kbd").all() if key.is_visible()]
    assert "".join(key.inner_text() for key in keys) == expected
    boxes = [button.bounding_box() for button in page.locator("header button:visible").all()]
    assert boxes[-1]["x"] + boxes[-1]["width"] <= width
    assert all(left["x"] + left["width"] <= right["x"] for left, right in pairwise(boxes))


def test_buttons_show_their_keys_and_headings_stand_apart(reader: Reader) -> None:
    for width in (1280, 1440, 1920):
        assert_buttons_fit(reader, width, "EscCNRBVEXPADZYS")
        ends = reader.page.evaluate(HEADINGS)
        assert all(right[0] - left[1] > 4 for left, right in pairwise(ends)), ends


def test_the_tip_covers_neither_the_cell_nor_its_nucleus(reader: Reader) -> None:
    for at in ((30, 60), (50, 60), (100, 60), (140, 20)):
        reader.page.mouse.move(*reader.at(*at))
        reader.sees("#tip", "score")
        tip = reader.page.locator("#tip").bounding_box()
        hovered = reader.page.evaluate(HOVERED)
        (left, top), (right, bottom) = (reader.at(*hovered[:2]), reader.at(*hovered[2:]))
        apart = tip["x"] >= right or tip["x"] + tip["width"] <= left
        assert apart or tip["y"] >= bottom or tip["y"] + tip["height"] <= top


def test_what_is_not_there_yet_is_said(review: Review, browser, serving: Callable) -> None:
    go = threading.Event()
    app = create_app(review)

    @app.middleware("http")
    async def hold(request, call_next):  # until what the page shows meanwhile was looked at
        while not go.is_set() and request.url.path.endswith("/work"):
            await asyncio.sleep(0.02)
        return await call_next(request)

    with serving(app) as url:
        reader = Reader(browser, url)
        reader.count(4)  # the rows are there at once
        reader.sees("#loading", "outlines 0 of 5")
        reader.sees("#loading", "measured 0 of 5")
        reader.sees("#table .body .area_um2", "…")
        go.set()
        playwright.expect(reader.page.locator("#loading")).to_be_hidden(timeout=10_000)
        assert "…" not in reader.page.locator("#table .body").inner_text()
        reader.page.close()
    assert reader.complaints == []


def test_an_image_is_not_finished_while_something_open_is_hidden(reader: Reader, review: Review) -> None:
    search = reader.page.locator("#filter")
    search.fill("cytoplasm")
    search.press("Escape")
    reader.count(2)
    reader.press("Shift+A")
    reader.sees("#message", "2 are hidden by the search or by class: show them, then finish.")
    assert not review.fields[0].finished

    search.fill("")
    search.press("Escape")
    reader.press("Shift+A")
    reader.sees(".image.chosen", "b.png")
    assert review.fields[0].finished


def test_classes_scores_filter_and_help(reader: Reader) -> None:
    reader.press("2")
    reader.count(2)
    reader.press("2", "1")
    reader.count(2)
    reader.press("1")
    reader.page.locator('input[type="range"]').nth(1).fill("0.2")
    reader.count(5)
    reader.page.locator("#filter").fill("area<300 nucleus")
    reader.count(3)
    reader.page.locator("#filter").fill("")
    reader.page.locator("#filter").press("Enter")
    reader.page.locator(".head .score").click()
    reader.sees("#table .body .row", "0.300")
    reader.press("?")
    reader.sees("#help-dialog[open] kbd")
    reader.press("Escape")
    playwright.expect(reader.page.locator("#help-dialog")).to_be_hidden()


def test_an_id_is_found_wherever_it_is(reader: Reader) -> None:
    search = reader.page.locator("#filter")
    search.fill("#4")  # below the threshold: the table does not show it otherwise
    reader.sees("#detail h2", "a.png#4")
    reader.count(1)
    search.fill("b.png#2")
    reader.sees(".image.chosen", "b.png")
    reader.sees("#detail h2", "cytoplasm b.png#2")
    search.fill("b.png#99")
    reader.sees("#message.bad", "b.png has no cell or nucleus #99")
    search.fill("A#3")  # a part of the name is enough
    reader.sees(".image.chosen", "a.png")
    reader.sees("#detail h2", "a.png#3")
    for text, told in (
        ("#99", "b.png has no cell or nucleus #99"),
        ("png#3", "2 images are called so: a.png, b.png."),
        ("c.png#3", "No image here is called c.png."),
        ("a.png#", "The number is missing"),
    ):
        search.fill("b.png#2")
        reader.sees("#detail h2", "cytoplasm b.png#2")
        search.fill(text)
        reader.sees("#message.bad", told)
    search.fill("#2 cytoplasm")
    reader.count(1)
    search.fill("")
    reader.count(4)
    playwright.expect(reader.page.locator("#message")).to_have_text("")


def test_a_filter_tests_what_is_shown_and_says_what_it_cannot_mean(reader: Reader) -> None:
    search = reader.page.locator("#filter")
    reader.sees(".head .nc_ratio", "N:C")
    known = reader.page.evaluate(
        "[...window.irnet.state.instances.values()].map((i) => [i.score, i.measures])"
    )
    shown = [measures for score, measures in known if score >= 0.5]
    areas = sorted(measures["area_um2"] for measures in shown)
    assert all(measures["area_um2"] < measures["area_px"] for measures in shown)
    for name in ("area", "um2", "µm²", "AREA_um2"):
        search.fill(f"{name}>={areas[-2]}")
        reader.count(2)
    search.fill(f"area_px>{areas[-1]} area_px>0")
    reader.count(sum(measures["area_px"] > areas[-1] for measures in shown))
    for name in ("N:C", "nc"):
        search.fill(f"{name}>0.01")
        reader.count(sum((measures.get("nc_ratio") or 0) > 0.01 for measures in shown))
    for wrong in ("foo>>3", "foo>3", "area>x", "bogus"):
        search.fill(f"{wrong} nucleus")
        reader.sees("#message.bad", f"Nothing here is called {wrong}")
        reader.count(sum("nuclei" not in measures for measures in shown))


def test_hovering_tells_measures(reader: Reader) -> None:
    reader.page.mouse.move(*reader.at(30, 60))
    reader.sees("#tip", "cytoplasm #0")
    reader.sees("#tip", "area µm²")


def test_a_picture_that_is_gone_is_told_and_the_outlines_stay(
    found: Path, browser, serving: Callable
) -> None:
    (found.parent / "smears" / "a.png").unlink()
    with serving(create_app(Review(found))) as url:
        reader = Reader(browser, url)
        reader.sees("#message.bad", "no such file")
        reader.count(4)
        reader.page.close()


def test_an_edit_behind_the_pages_back_is_noticed(reader: Reader, review: Review) -> None:
    from irnet.server.field import Change

    reader.press("ArrowDown")
    review.edit(0, "delete", Change(rows={5: None}, finished=False))
    reader.press("d")
    reader.sees("#message", "another window")
    reader.count(3)
    reader.press("d")
    reader.count(2)
    reader.complaints.clear()  # the browser notes the refusal


def test_markup_in_names_stays_text(found: Path, browser, serving: Callable) -> None:
    predictions = found / "predictions.json"
    text = predictions.read_text().replace('"a.png"', json.dumps(HOSTILE))
    predictions.write_text(text.replace('"score": 0.9', '"kind": "<script>alert(2)</script>", "score": 0.9'))
    run = found / "run.json"
    run.write_text(run.read_text().replace('"name": "a.png"', f'"name": {json.dumps(HOSTILE)}'))
    with serving(create_app(Review(found))) as url:
        reader = Reader(browser, url)
        reader.sees(".image.chosen", HOSTILE)
        reader.press("ArrowDown")
        assert reader.page.locator("#images img, #detail script").count() == 0
        reader.page.close()
    assert reader.complaints == []
