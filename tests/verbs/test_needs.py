"""What lacks annotations or images is told before any work begins."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from irnet.config import Settings
from irnet.data.coco.coco import read_coco, write_coco
from irnet.errors import InputError
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
