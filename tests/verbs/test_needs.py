"""What lacks annotations or images is told before any work begins."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from irnet.config import Settings
from irnet.data.coco.coco import read_coco, write_coco
from irnet.errors import InputError
from irnet.inference.predict import Predictor
from irnet.training.sources import open_source
from irnet.verbs.calibrate import calibrate
from irnet.verbs.evaluate import evaluate

Use = Callable[[Path, Path, Settings], object]
USES: dict[str, Use] = {
    "train": lambda data, out, settings: open_source(settings, data),
    "evaluate": lambda data, out, settings: evaluate("bundled", data, out),
    "calibrate": lambda data, out, settings: calibrate("bundled", [data], out / "new.safetensors"),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_missing_images_are_named(use: Use, circles: Path, tiny: Settings, tmp_path: Path) -> None:
    write_coco(tmp_path / "annotations.json", read_coco(circles))
    (tmp_path / "images").mkdir()
    for number in range(5):
        (tmp_path / "images" / f"{number}.png").write_bytes(
            (circles / "images" / f"{number}.png").read_bytes()
        )
    with pytest.raises(InputError, match=r"1 of [46] images missing, such as .*5\.png"):
        use(tmp_path, tmp_path / "out", tiny)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_nothing_annotated_is_an_error(
    use: Use, tiny: Settings, circles: Path, tmp_path: Path, count: int
) -> None:
    rows = json.loads((circles / "annotations.json").read_text())
    data = rows | {"images": rows["images"][:count], "annotations": []}
    (tmp_path / "annotations.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match=f"no annotated cell and no nucleus in {count} image"):
        use(tmp_path, tmp_path / "out", tiny)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_predictions_in_the_place_of_annotations_are_told(
    use: Use, tiny: Settings, blobs_installed: Predictor, circles: Path, tmp_path: Path, caplog
) -> None:
    rows = json.loads((circles / "annotations.json").read_text())
    rows["annotations"] = [row | {"score": 0.8} for row in rows["annotations"]]
    (tmp_path / "images").symlink_to(circles / "images")
    data = tmp_path / "odd name.json"
    data.write_text(json.dumps(rows))
    use(data, tmp_path, tiny)
    assert f"{data}: holds what a method found, which is taken for the truth" in caplog.text

    caplog.clear()
    rows["annotations"][0]["accepted"] = True
    data.write_text(json.dumps(rows))
    (tmp_path / "new.safetensors").unlink(missing_ok=True)
    (tmp_path / "new.md").unlink(missing_ok=True)
    use(data, tmp_path, tiny)
    assert "holds what a method found" not in caplog.text


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_outlines_beside_points_are_told(
    use: Use, tiny: Settings, blobs_installed: Predictor, circles: Path, tmp_path: Path, caplog
) -> None:
    rows = json.loads((circles / "annotations.json").read_text())
    points = [
        {"id": 900 + i, "image_id": row["id"], "category_id": 2, "keypoints": [5, 5, 2], "num_keypoints": 1}
        for i, row in enumerate(rows["images"])
    ]
    (tmp_path / "images").symlink_to(circles / "images")
    data = tmp_path / "annotations.json"
    data.write_text(json.dumps(rows | {"annotations": [*rows["annotations"], *points]}))
    with pytest.raises(InputError, match="an image with points counts as not annotated: name the classes"):
        use(data, tmp_path, tiny)

    data.write_text(json.dumps(rows | {"annotations": [*rows["annotations"], points[0]]}))
    use(data, tmp_path, tiny)
    assert "say there which classes were outlined: 6" in caplog.text
