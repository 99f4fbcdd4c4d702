"""The gallery of mistakes: which are chosen, what is drawn of them, and what it says without pictures."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from page_scenes import HOSTILE, draw_discs
from PIL import Image
from study_scenes import rectangles

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content, Distractor
from irnet.data.files import write_atomic
from irnet.data.pixels import to_png
from irnet.data.sample import Entry
from irnet.metrics.causes import count_mistakes
from irnet.report.cases import FOUND, TRUE
from irnet.report.close_up import SIDE
from irnet.report.gallery import count_table, gallery_page
from irnet.report.mistakes import ChosenMistake, ComparedImage, choose_worst


@pytest.fixture
def missed(tmp_path: Path) -> ComparedImage:
    """Five discs in a grey image with a hostile name, of which only the last nucleus was found."""
    cells = draw_discs()
    path = tmp_path / "0.png"
    write_atomic(path, to_png(np.full((*cells.image_shape, 3), 128, np.uint8)))
    truth = Content(cells=cells)
    return ComparedImage.of(Entry(name=HOSTILE, path=path, content=truth), truth, cells.select([4]))


def compare(cells: Cells, found: Cells, **known) -> ComparedImage:
    truth = Content(cells=cells, **known)
    return ComparedImage.of(Entry(name="a.png", path=Path("nowhere.png"), content=truth), truth, found)


def page_of(*images: ComparedImage, scored: bool = True) -> str:
    counts = count_mistakes(image.mistakes for image in images)
    return gallery_page(images, counts, data="my-set", method=None, scored=scored)


def bright(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((np.abs(picture.astype(int) - colour).max(axis=2) < 70).sum())


def pictures_of(html: str) -> list[np.ndarray]:
    texts = re.findall(r"data:image/jpeg;base64,([^\"]*)", html)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))) for text in texts]


def test_every_mistake_has_three_pictures_beside_its_words(missed: ComparedImage):
    html = page_of(missed)
    shown = pictures_of(html)
    assert len(shown) == 3 * 4
    image, truth, found = next(three for three in zip(*[iter(shown)] * 3, strict=True))
    assert max(image.shape) == SIDE
    assert image.std() < 2
    assert bright(truth, TRUE) > bright(found, TRUE) > 0  # dashed where nothing was found
    assert bright(found, FOUND) == 0
    assert "<strong>missed cytoplasm, IoU 0.00, 28" in html
    assert "4 of 4" in html
    assert "&lt;img src=x onerror=alert(1)&gt;.png, x 50, y 60" in html


def test_a_false_find_is_drawn_where_it_lies_and_has_its_score(missed: ComparedImage):
    cells = missed.truths
    turned = ComparedImage.of(missed.entry, Content(cells=cells.select([])), cells.select([0]))
    html = page_of(turned)
    _, truth, found = pictures_of(html)
    assert bright(found, FOUND) > bright(truth, FOUND) > 0
    assert "false cytoplasm, IoU 0.00, score 0.90, 28" in html
    assert "score" not in page_of(turned, scored=False)[html.index("<h2>Background") :]


def test_without_pictures_it_says_why_and_tells_all_the_same(missed: ComparedImage):
    missed.entry.path.unlink()
    html = page_of(missed)
    assert "0.png: no such file" in html
    assert "<img src" not in html
    assert html.count("<strong>missed") == 4


def test_nothing_wrong_is_said():
    cells = draw_discs()
    html = page_of(compare(cells, cells))
    assert "Nothing differs from the truth" in html
    assert "<table" not in html


def test_a_distractor_and_the_number_of_pieces_are_named():
    cells = draw_discs()
    on = Distractor(kind="mucus", box=(40.0, 50.0, 60.0, 70.0))
    html = page_of(compare(cells.select([2]), cells.select([0, 2]), distractors=(on,)))
    assert "false cytoplasm, on mucus, IoU" in html
    halves = cells.select([0, 0]).masks
    top, bottom = halves[0].copy(), halves[1].copy()
    top[28:] = bottom[:31] = False  # of 59 rows
    offsets = cells.offsets[[0, 0]]
    pieces = Cells.build([top, bottom], offsets, [CYTOPLASM] * 2, cells.image_shape)
    html = page_of(compare(cells.select([0]), pieces))
    assert html.count("<strong>") == 3 + 1  # three numbers; the three mistakes are shown as one
    assert "in 2 pieces" in html


def test_causes_take_turns_and_the_worst_come_first():
    # Large and small cells that were missed, sure and unsure finds of nothing.
    true = rectangles([(20 * k + 2, 2, 20 * k + 2 + side, 12) for k, side in enumerate((4, 10, 6, 8))])
    found = rectangles([(20 * k + 2, 25, 20 * k + 12, 35) for k in range(2)], scores=[0.2, 0.9])
    chosen = [case.mistake for case in choose_worst([compare(true, found)], 5)]
    assert [(mistake.cause, *mistake.truths, *mistake.preds) for mistake in chosen] == [
        ("overlooked", 1),
        ("background", 1),
        ("overlooked", 3),
        ("background", 0),
        ("overlooked", 2),
    ]


def test_classes_and_kinds_of_a_cause_take_turns():
    boxes = [(0, 2, 12, 10), (0, 12, 20, 20), (0, 30, 5, 34)]
    true = rectangles(boxes, (CYTOPLASM, CYTOPLASM, NUCLEUS))
    images = [compare(true, true.select([])), compare(true.select([]), true.select([2]))]
    order = [(case.image, case.mistake.kind, case.mistake.truths) for case in choose_worst(images)]
    assert order == [(0, "missed", (1,)), (0, "missed", (2,)), (1, "false", ()), (0, "missed", (0,))]


def test_merged_cells_are_shown_once_and_counted_each():
    row = rectangles([(5, 5, 15, 15), (15, 5, 25, 15), (25, 5, 35, 15)])
    images = [compare(row, rectangles([(5, 5, 35, 15)]))] * 2
    assert len(images[0].mistakes) == 4
    chosen = choose_worst(images)
    assert [case.image for case in chosen] == [0, 1]
    assert isinstance(chosen[0], ChosenMistake)
    table = count_table(count_mistakes(image.mistakes for image in images))
    assert table.columns == ["cause", "cytoplasm, missed", "cytoplasm, false", "cytoplasm, poor", "all"]
    assert table.rows == [["merged", 6, 2, None, 8]]
