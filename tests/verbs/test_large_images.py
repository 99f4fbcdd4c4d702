"""What a large image needs is told before the work."""

from pathlib import Path

import pytest

from irnet.inference.predict import Predictor
from irnet.verbs.predict_files import predict_files
from irnet.verbs.predict_options import PredictOptions


def test_an_overlay_too_large_for_the_memory_is_told_before_anything_is_found(
    blobs_installed: Predictor, circles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    images = circles / "images"
    monkeypatch.setattr("irnet.data.memory.available", lambda: 10**8)
    monkeypatch.setattr("irnet.verbs.predict_files._DRAWN", 10**6)
    report = predict_files([images], tmp_path / "out")
    assert report.exit_code == 2
    assert "to draw" in report.errors[0]["error"]
    assert "--save coco,csv" in report.errors[0]["error"]
    assert predict_files([images], tmp_path / "out", PredictOptions(save=("coco", "csv"))).images
