"""Prompts: what an image that was encoded once answers at points and boxes, in its own frame."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.config import Settings
from irnet.errors import InputError
from irnet.inference import encoded_windows, hypotheses
from irnet.inference.encoding import Encoding
from irnet.inference.engine import Engine
from irnet.inference.predict import Predictor
from irnet.models.build import build_model
from irnet.models.pasting import Found

SIDE = 40  # px of a square cell


class Squares(Engine):
    """Stands in for a network: dark squares on white, each held as three boxes, two of them off.

    It keeps those that are darker than 100, and its masks fill their boxes.
    """

    name, device, precision = "squares", "cpu", "fp32"

    def __init__(self, memory_px: int = 10**9) -> None:
        self.looked: list[tuple[int, int]] = []
        self.memory_px = memory_px

    def find(self, image, predict, *, views):
        return self.encode(image, predict, views=views).found

    def encode(self, image, predict, *, views):
        if image.shape[0] * image.shape[1] > self.memory_px:
            raise MemoryError
        self.looked.append(image.shape[:2])
        return Held(image)


class Held(Encoding):
    def __init__(self, image: np.ndarray) -> None:
        regions, _ = ndimage.label(image[:, :, 0] < 200)
        places = [(c.start, r.start, c.stop, r.stop) for r, c in ndimage.find_objects(regions)]
        dark = [image[(y1 + y2) // 2, (x1 + x2) // 2, 0] < 100 for x1, y1, x2, y2 in places]

        exact = np.array(places, np.float32).reshape(-1, 4)
        both = np.concatenate([exact, exact + np.float32([2, 3, 2, 3]), exact - 12])
        self.boxes = np.stack([both, both], axis=1)
        self.scores = np.repeat([[0.9, 0.1], [0.8, 0.1], [0.3, 0.1]], len(exact), axis=0).astype(np.float32)
        kept = exact[np.array(dark, bool)]
        self.found = self.draw(kept, np.full(len(kept), CYTOPLASM))

    def read(self, boxes):
        raise NotImplementedError

    def draw(self, boxes, labels):
        masks = np.ones((len(boxes), 28, 28), np.float32)
        return Found(boxes, labels, np.ones(len(boxes), np.float32), masks)


def squares(
    *corners: tuple[int, int, int], shape: tuple[int, int] = (200, 240), side: int = SIDE
) -> np.ndarray:
    """A white image with squares at x, y of a grey level."""
    image = np.full((*shape, 3), 240, np.uint8)
    for x, y, level in corners:
        image[y : y + side, x : x + side] = level
    return image


IMAGE = squares((30, 40, 60), (120, 100, 150))  # the second is held and not kept


@pytest.fixture
def predictor(tiny: Settings) -> Predictor:
    return Predictor(Squares(), settings=tiny)


def box_of(cells: Cells, index: int = 0) -> list[float]:
    return cells.boxes[index].tolist()


def test_a_click_gives_what_was_held_and_marks_what_was_kept(predictor: Predictor):
    encoded = predictor.encode(IMAGE, mpp=0.37)

    rejected = encoded.candidates((140, 120), "cytoplasm")
    assert box_of(rejected.cells) == [120, 100, 160, 140]
    assert not rejected.known.any()

    there = encoded.candidates((50, 60), "cytoplasm")
    assert [box_of(one) for one in there.cells] == [[32, 43, 72, 83], [18, 28, 58, 68]]
    assert there.known.tolist() == [True, False]


def test_candidates_that_look_alike_count_once_and_come_best_first(predictor: Predictor):
    found = predictor.encode(IMAGE, mpp=0.37).candidates((140, 120), "cytoplasm")
    assert [box_of(one) for one in found.cells] == [[120, 100, 160, 140], [108, 88, 148, 128]]
    assert found.cells.scores[0] > found.cells.scores[1] > 0
    assert len(predictor.encode(IMAGE, mpp=0.37).candidates((140, 120), "cytoplasm", most=1).cells) == 1


def test_both_classes_are_looked_for_unless_one_is_named(predictor: Predictor):
    encoded = predictor.encode(IMAGE, mpp=0.37)
    assert set(encoded.candidates((140, 120)).cells.labels) == {CYTOPLASM, NUCLEUS}
    assert set(encoded.candidates((140, 120), "nucleus").cells.labels) == {NUCLEUS}
    assert set(encoded.candidates((140, 120), NUCLEUS).cells.labels) == {NUCLEUS}


def test_nothing_is_held_at_a_point_beside_all(predictor: Predictor):
    found = predictor.encode(IMAGE, mpp=0.37).candidates((230, 10))
    assert len(found.cells) == len(found.known) == 0
    assert found.cells.image_shape == IMAGE.shape[:2]


def test_known_cells_replace_the_prediction(predictor: Predictor):
    encoded = predictor.encode(IMAGE, mpp=0.37)
    mine = encoded.mask_of([120, 100, 160, 140], "cytoplasm")
    assert encoded.candidates((140, 120), "cytoplasm", known=mine).known.any()
    assert not encoded.candidates((50, 60), "cytoplasm", known=mine).known.any()

    nucleus = encoded.mask_of([120, 100, 160, 140], "nucleus")
    assert not encoded.candidates((140, 120), "cytoplasm", known=nucleus).known.any()


def test_boxes_give_masks_in_their_order(predictor: Predictor):
    given = [[100, 20, 130, 90], [10, 10, 50, 40], [60.4, 60.4, 90, 90]]
    cells = predictor.encode(IMAGE, mpp=0.37).mask_of(given, ["nucleus", "cytoplasm", NUCLEUS])
    assert cells.labels.tolist() == [NUCLEUS, CYTOPLASM, NUCLEUS]
    assert np.abs(cells.boxes - given).max() < 5
    assert len(predictor.encode(IMAGE, mpp=0.37).mask_of([], "nucleus")) == 0


def test_a_mask_may_reach_a_little_beyond_a_box_drawn_by_hand(predictor: Predictor):
    cells = predictor.encode(IMAGE, mpp=0.37).mask_of([[50, 50, 110, 90]], "cytoplasm")
    assert cells.boxes.tolist() == [[47, 48, 113, 92]]


def test_a_box_that_reaches_outside_is_cut(predictor: Predictor):
    cells = predictor.encode(IMAGE, mpp=0.37).mask_of([-20, 150, 40, 300], "cytoplasm")
    assert cells.boxes[0, 0] == 0
    assert cells.boxes[0, 3] == 200


@pytest.mark.parametrize("level", [0.0, 1e-3, 0.1])
def test_a_box_has_a_mask_even_where_the_network_sees_nothing(
    predictor: Predictor, level: float, monkeypatch: pytest.MonkeyPatch
):
    faint = np.full((1, 28, 28), level / 2, np.float32)
    faint[:, 7:14, 7:14] = level
    monkeypatch.setattr(
        Held, "draw", lambda _, boxes, labels: Found(boxes, labels, np.ones(1, np.float32), faint)
    )
    encoded = predictor.encode(squares(), mpp=0.37)
    assert encoded.mask_of([50, 50, 106, 106], "cytoplasm").areas[0] > 0
    assert encoded.mask_of([50, 50, 51, 51], "cytoplasm").areas[0] > 0


@pytest.mark.parametrize("mpp", [0.37, 0.185, 0.74])
def test_the_scale_is_that_of_predict_and_answers_lie_in_the_image(predictor: Predictor, mpp: float):
    factor = 0.37 / mpp
    size = round(SIDE * factor)
    shape = (round(200 * factor), round(240 * factor))
    image = squares((round(120 * factor), round(100 * factor), 150), shape=shape, side=size)
    encoded = predictor.encode(image, mpp=mpp)

    assert predictor.engine.looked == [(200, 240)]
    assert encoded.zoom == pytest.approx(mpp / 0.37)
    found = encoded.candidates((140 * factor, 120 * factor), "cytoplasm").cells
    expected = np.array([120, 100, 160, 140]) * factor
    assert np.abs(found.boxes[0] - expected).max() <= 2 * factor
    assert found.mpp == mpp


def test_an_unknown_scale_is_said_and_one_that_is_given_is_taken(
    predictor: Predictor, caplog: pytest.LogCaptureFixture
):
    assert predictor.encode(IMAGE).zoom == 1
    assert "um per pixel unknown" in caplog.text
    assert predictor.encode(IMAGE, scale=0.5).zoom == 0.5
    with pytest.raises(InputError, match="leave --scale out"):
        predictor.encode(IMAGE, mpp=0.37, scale=0.5)


@pytest.mark.parametrize("point", [(-1, 5), (240, 5), (5, 200), (float("nan"), 5)])
def test_points_outside_are_refused(predictor: Predictor, point: tuple[float, float]):
    with pytest.raises(InputError, match="outside of the image of 240 x 200 px"):
        predictor.encode(IMAGE, mpp=0.37).candidates(point)


@pytest.mark.parametrize("point", [(1, 2, 3), 5, "ab", ("a", "b"), [(1, 2)]])
def test_what_is_no_point_is_refused(predictor: Predictor, point):
    with pytest.raises(InputError, match="a point is x and y"):
        predictor.encode(IMAGE, mpp=0.37).candidates(point)


@pytest.mark.parametrize(
    "box", [[5, 5, 5, 50], [50, 50, 5, 90], [-40, 0, -10, 9], [3, 3, 3.5, 9], [0, 0, float("nan"), 9]]
)
def test_boxes_without_area_are_refused(predictor: Predictor, box: list[float]):
    with pytest.raises(InputError, match="holds no pixel of the image of 240 x 200 px"):
        predictor.encode(IMAGE, mpp=0.37).mask_of([[1, 1, 9, 9], box], "nucleus")


@pytest.mark.parametrize("boxes", [[1, 2, 3], [[1, 2, 3, 4, 5]], "box", [[1, 2, 3, 4], [5]], 7])
def test_what_are_no_boxes_is_refused(predictor: Predictor, boxes):
    with pytest.raises(InputError, match="boxes are"):
        predictor.encode(IMAGE, mpp=0.37).mask_of(boxes, "nucleus")


@pytest.mark.parametrize("label", ["cell", 3, 0, True, 1.5])
def test_unknown_labels_are_refused(predictor: Predictor, label):
    encoded = predictor.encode(IMAGE, mpp=0.37)
    with pytest.raises(InputError, match="choose from cytoplasm, nucleus"):
        encoded.candidates((5, 5), label)
    with pytest.raises(InputError, match="choose from cytoplasm, nucleus"):
        encoded.mask_of([1, 1, 9, 9], [label])


def test_there_is_a_label_for_each_box(predictor: Predictor):
    with pytest.raises(InputError, match="2 boxes, but 1 labels"):
        predictor.encode(IMAGE, mpp=0.37).mask_of([[1, 1, 9, 9], [2, 2, 9, 9]], ["nucleus"])


def test_known_cells_are_of_the_image(predictor: Predictor):
    with pytest.raises(InputError, match="known cells of a frame"):
        predictor.encode(IMAGE, mpp=0.37).candidates((5, 5), known=Cells.empty((9, 9)))


LARGE = squares((100, 100, 60), (1900, 400, 150), (4200, 600, 150), shape=(900, 4400))


def test_a_large_image_is_encoded_where_it_is_asked(predictor: Predictor):
    encoded = predictor.encode(LARGE, mpp=0.37)
    assert not predictor.engine.looked

    found = encoded.candidates((1920, 420), "cytoplasm")
    assert box_of(found.cells) == [1900, 400, 1940, 440]
    assert found.cells.image_shape == (900, 4400)
    assert len(predictor.engine.looked) == 1
    encoded.candidates((1915, 415))
    assert len(predictor.engine.looked) == 1

    given = [[4200, 600, 4240, 640], [100, 100, 140, 140], [4100, 500, 4150, 550]]
    assert np.abs(encoded.mask_of(given, "cytoplasm").boxes - given).max() < 5
    assert len(predictor.engine.looked) == 3


def test_few_windows_are_kept(predictor: Predictor, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(encoded_windows, "KEPT", 1)
    encoded = predictor.encode(LARGE, mpp=0.37)
    for point in ((120, 120), (4220, 620), (120, 120)):
        assert len(encoded.candidates(point, "cytoplasm").cells)
    assert len(predictor.engine.looked) == 3


def test_smaller_windows_when_memory_runs_out(tiny: Settings):
    small = Predictor(Squares(memory_px=1000 * 1300), settings=tiny)
    encoded = small.encode(LARGE, mpp=0.37)
    given = [[4200, 600, 4240, 640], [100, 100, 140, 140]]
    assert np.abs(encoded.mask_of(given, "cytoplasm").boxes - given).max() < 5

    with pytest.raises(MemoryError):
        Predictor(Squares(memory_px=10), settings=tiny).encode(IMAGE, mpp=0.37)


def test_no_more_masks_are_drawn_at_a_point_than_are_of_use(predictor: Predictor, monkeypatch):
    encoded = predictor.encode(squares(*[(30 + i, 40, 150) for i in range(60)]), mpp=0.37)
    drawn: list[int] = []
    draw = Held.draw

    def count(self, boxes, labels):
        drawn.append(len(boxes))
        return draw(self, boxes, labels)

    monkeypatch.setattr(Held, "draw", count)
    encoded.candidates((60, 60))
    assert 0 < drawn[0] <= hypotheses.DRAWN


def test_a_network_that_takes_no_prompts_says_so(blobs: Predictor):
    with pytest.raises(InputError, match="takes no prompts"):
        blobs.encode(IMAGE, mpp=0.37)


@pytest.mark.parametrize("views", [1, 4])
def test_torch_finds_what_predict_finds_and_draws_a_box_as_its_own(tiny: Settings, views: int):
    torch.manual_seed(0)
    model = build_model(tiny.model, tiny.loss, tiny.predict, pretrained=False)
    predictor = Predictor(model, settings=tiny, views=views)
    image = np.random.default_rng(0).integers(0, 255, (96, 130, 3), dtype=np.uint8)

    found = predictor.engine.find(image, predictor.settings.predict, views=views)
    encoding = predictor.engine.encode(image, predictor.settings.predict, views=views)
    for mine, theirs in zip(encoding.found, found, strict=True):
        assert np.allclose(mine, theirs, atol=1e-5)

    some = encoding.boxes[:5, 1]
    again = encoding.draw(some, np.full(5, NUCLEUS))
    assert again.masks.shape == (5, 28, 28)
    boxes, scores = encoding.read(some)
    assert boxes.shape == (5, 2, 4)
    assert ((scores >= 0) & (scores <= 1)).all()
