"""A person at the page whom the network helps: clicks, the next candidate, boxes."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from drawn import ring
from test_browser import Reader, assert_buttons_fit, browser, chosen, playwright, pytestmark

from irnet.errors import InputError
from irnet.server.app import create_app
from irnet.server.assistant import Assistant, Network, Question
from irnet.server.store import Review

__all__ = ["browser", "pytestmark"]


class Drawing(Assistant):
    """Holds two discs at every point, and the ellipse of every box; nothing at the left edge."""

    def __init__(self) -> None:
        super().__init__(Network())
        self.asked: list[Question] = []

    def ask(self, question: Question) -> list[dict]:
        self.asked.append(question)
        if question.box:
            x1, y1, x2, y2 = question.box
            return [{"rings": [ring((x1 + x2) / 2, (y1 + y2) / 2, (x2 - x1) / 2)], "score": 1.0}]
        if not question.point or question.point[0] < 20:
            return []
        if question.point[0] > 150:
            time.sleep(0.5)
            raise InputError("the network stopped while it looked at the image")
        return [{"rings": [ring(*question.point, radius)], "score": 0.5} for radius in (15, 10)]


@pytest.fixture
def drawing() -> Drawing:
    return Drawing()


@pytest.fixture
def helped(review: Review, browser, serving: Callable, drawing: Drawing) -> Iterator[Reader]:
    with serving(create_app(review, assistant=drawing)) as url:
        reader = Reader(browser, url)
        yield reader
        reader.page.close()


def test_a_click_draws_a_cell_and_the_same_key_shows_the_next(
    helped: Reader, review: Review, drawing: Drawing
) -> None:
    field = review.fields[0]
    helped.press("w")
    helped.sees("#message", "Click a missing cell")
    assert (drawing.asked[0].point, drawing.asked[0].box) == (None, None)  # it gets ready
    helped.click(120, 90)
    helped.sees("#message", "1 of 2")
    helped.sees("#detail", "assisted")
    assert field.rows[11]["area"] == pytest.approx(3.14 * 15**2, rel=0.05)  # type: ignore[index]

    helped.press("w")
    helped.sees("#message", "2 of 2")
    assert field.rows[11] is None
    assert field.rows[12]["area"] == pytest.approx(3.14 * 10**2, rel=0.05)  # type: ignore[index]
    helped.press("w")
    helped.sees("#message", "1 of 2")
    assert len([row for row in field.rows.values() if row]) == 6

    helped.press("q")
    helped.sees("#message", "Click a missing nucleus")
    helped.click(122, 90)
    helped.sees("#message", "1 of 2")
    assert field.parsed()[14].cell_id == 13  # paired at once
    helped.press("z", "z")
    helped.count(4)
    assert helped.complaints == []


def test_a_box_gets_its_mask_which_is_reshaped_as_any_other(helped: Reader, review: Review) -> None:
    helped.press("w")
    helped.sees("#message", "Click a missing cell")
    helped.draw((100, 70), (120, 90), (140, 110))
    helped.sees("#detail h2", "cytoplasm a.png#5")
    row = review.fields[0].rows[11]
    assert row is not None
    assert row["bbox"] == pytest.approx([100, 70, 40, 40], abs=2)
    assert row["origin"] == "assisted"

    helped.press("e")
    helped.draw((130, 85), (155, 85), (155, 95), (130, 95), (130, 86))
    for _ in range(100):  # the edit is on its way
        if review.fields[0].revision > 1:
            break
        helped.page.wait_for_timeout(100)
    assert review.fields[0].rows[11]["bbox"][2] > 50  # type: ignore[index]


def test_nothing_held_and_a_network_that_stops_are_said(helped: Reader, review: Review) -> None:
    helped.press("w")
    helped.sees("#message", "Click a missing cell")
    helped.click(10, 90)
    helped.sees("#message", "holds nothing more here")
    helped.click(155, 90)
    helped.sees("#message", "the network stopped")
    helped.click(120, 90)
    helped.sees("#detail h2", "cytoplasm a.png#5")
    assert len(review.journal.lines) == 1


def test_its_buttons_fit_too(helped: Reader) -> None:
    assert_buttons_fit(helped, 1280, "EscCNWQRBVEXPADZYS")


def test_without_a_network_nothing_offers_it(review: Review, browser, serving: Callable, found: Path) -> None:
    with serving(create_app(review)) as url:
        reader = Reader(browser, url)
        playwright.expect(reader.page.locator("button[data-tool=ask-cell]")).to_be_hidden()
        reader.press("w")
        reader.page.wait_for_timeout(200)
        assert reader.complaints == []
        reader.count(4)
        reader.press("ArrowDown")
        assert chosen(reader) == "cytoplasm a.png#0"
        reader.page.close()
