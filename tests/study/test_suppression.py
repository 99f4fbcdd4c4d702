"""The IoU of suppression comes from validation images, class by class."""

from types import SimpleNamespace

import numpy as np
import pytest
from study_scenes import SHAPE, entry, rectangles

from irnet.cells import Cells
from irnet.config import load_recipe
from irnet.data.sample import Entry
from irnet.models.postprocess import Selection
from irnet.study.suppression import tune_boxes, tune_masks


class Fixed:
    """Stands in for a predictor: always the same candidates, suppressed as its settings say."""

    device = model = None

    def __init__(self, cells: Cells, settings) -> None:
        self.cells, self.settings = cells, settings

    def find(self, image, mpp=None, *, scale=None):
        from irnet.inference.detections import ImageDetections
        from irnet.slides.seams import survivors

        nms = {1: self.settings.predict.nms.cytoplasm, 2: self.settings.predict.nms.nucleus}
        return ImageDetections(self.cells.select(survivors(self.cells, nms=nms)), 1.0, ())


@pytest.fixture
def predictor(monkeypatch):
    """Two true cells with IoU .5; each nucleus found twice, the second time with IoU .5."""
    pair = [(0, 0, 30, 10), (10, 0, 40, 10)]
    twice = [(0, 20, 30, 30), (10, 20, 40, 30)]
    cells = rectangles([*pair, *twice], [1, 1, 2, 2], [0.9, 0.8, 0.9, 0.8])
    settings = load_recipe("study-tiny", ["model.drm.enabled=false", "model.irm.enabled=false"])
    monkeypatch.setattr(
        "irnet.study.suppression.Predictor", lambda _, settings, device: Fixed(cells, settings)
    )
    return Fixed(cells, settings)


def test_each_class_has_the_cut_that_suits_it(predictor, monkeypatch):
    truth = rectangles([(0, 0, 30, 10), (10, 0, 40, 10), (0, 20, 30, 30)], [1, 1, 2])
    monkeypatch.setattr(Entry, "read", lambda self: _Sample(truth))
    tuned = tune_masks(predictor, (0.3, 0.7), [entry("a", truth)])
    assert tuned.settings.predict.nms.cytoplasm == 0.7  # at .3 the second cell would go
    assert tuned.settings.predict.nms.nucleus == 0.3  # at .7 the second find would stay
    assert predictor.settings.predict.nms.nucleus == 0.5


def test_boxes_are_tuned_in_the_network(predictor, monkeypatch):
    """The network suppresses: whatever IoU its branch is told, the predictor's finds follow."""
    some = Selection(floor=0.05, nms_iou=(0.5, 0.5), max_per_megapixel=100)
    branch = SimpleNamespace(selection=some)
    truth = rectangles([(0, 0, 30, 10), (10, 0, 40, 10), (0, 20, 30, 30)], [1, 1, 2])
    monkeypatch.setattr(Entry, "read", lambda self: _Sample(truth))
    nms = type(predictor.settings.predict.nms)
    find = predictor.find

    def suppress(image, mpp=None, *, scale=None):
        cytoplasm, nucleus = branch.selection.nms_iou
        told = nms(cytoplasm=cytoplasm, nucleus=nucleus)
        predictor.settings = predictor.settings.model_copy(
            update={"predict": predictor.settings.predict.model_copy(update={"nms": told})}
        )
        return find(image, mpp, scale=scale)

    predictor.find = suppress
    tuned = tune_boxes(predictor, branch, (0.3, 0.7), [entry("a", truth)])
    assert branch.selection.nms_iou == (0.7, 0.3)
    assert tuned.settings.predict.nms.model_dump() == {"cytoplasm": 0.7, "nucleus": 0.3}


class _Sample:
    def __init__(self, cells: Cells) -> None:
        self.image = np.zeros((*SHAPE, 3), dtype=np.uint8)
        self.content = entry("a", cells).content
