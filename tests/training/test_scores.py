"""Thresholds and scores of a network in training."""

from pathlib import Path

import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.data.coco.coco import read_coco
from irnet.inference.methods import find_all
from irnet.inference.predict import Predictor
from irnet.inference.scale import OWN
from irnet.training.scores import score_validation


def test_validation_chooses_thresholds_and_one_merit(blobs: Predictor, circles: Path):
    samples = [entry.read() for entry in read_coco(circles)]
    found = find_all(blobs, samples, scale=OWN)
    result = score_validation([s.content for s in samples], found, floor=blobs.settings.predict.floor)
    assert result.scores == {CYTOPLASM: 0.45, NUCLEUS: 0.3}  # halfway from the lowest score down to none
    parts = [
        result.numbers[f"{name}/{part}"] for name in ("cytoplasm", "nucleus") for part in ("AJI", "F1", "AP")
    ]
    assert result.merit == pytest.approx(sum(parts) / 6)
    assert result.numbers["nucleus/F1"] > 0.9


def test_validation_of_a_network_that_finds_nothing(circles: Path):
    truths = [entry.content for entry in read_coco(circles)]
    nothing = [Cells.empty(truth.cells.image_shape) for truth in truths]
    result = score_validation(truths, nothing, floor=0.05)
    assert (result.merit, result.scores) == (0, {CYTOPLASM: 0.5, NUCLEUS: 0.5})
