"""What was found, with the images that it was found in."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from irnet.cells import CYTOPLASM, Cells, Content
from irnet.data.coco.coco import read_coco, write_coco
from irnet.data.coco.found import read_found
from irnet.data.file_names import UNFINISHED
from irnet.data.files import sha256, write_atomic
from irnet.data.formats.predictions import read_predictions
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.server.store import Review
from irnet.verbs.predicted import read_predicted


def test_the_page_that_was_looked_at_is_read_again(tmp_path: Path) -> None:
    pages = np.stack([np.full((20, 30, 3), grey, dtype=np.uint8) for grey in (40, 200)])
    image = tmp_path / "stack.tif"
    tifffile.imwrite(image, pages, photometric="rgb")
    cells = Cells.build([np.ones((5, 5), dtype=bool)], [(3, 4)], [CYTOPLASM], (20, 30))
    out = tmp_path / "found"
    write_coco(out / "predictions.json", [Entry(name="stack.tif", path=image, content=Content(cells=cells))])
    run = {"images": [{"name": "stack.tif", "path": str(image)}], "page": 1}
    (out / "run.json").write_text(json.dumps(run))
    for found in (out, out / "predictions.json"):
        (entry,) = read_found(found)
        assert (entry.read().image == 200).all()


@pytest.fixture
def found(tmp_path: Path) -> Path:
    """A folder of a run on one image, as predict leaves it."""
    image = tmp_path / "a.png"
    Image.fromarray(np.full((20, 30, 3), 200, dtype=np.uint8)).save(image)
    cells = Cells.build([np.ones((5, 5), dtype=bool)], [(3, 4)], [CYTOPLASM], (20, 30))
    out = tmp_path / "found"
    write_coco(out / "predictions.json", [Entry(name="a.png", path=image, content=Content(cells=cells))])
    row = {"name": "a.png", "path": str(image), "sha256": sha256(image)}
    hashes = {"predictions.json": sha256(out / "predictions.json")}
    (out / "run.json").write_text(json.dumps({"images": [row], "hashes": hashes}))
    return out


READERS: dict[str, Callable[[Path], object]] = {
    "report, measure, export": read_found,
    "train, check": lambda out: read_coco(out / "predictions.json"),
    "evaluate": lambda out: read_predicted(out / "predictions.json", []),
    "view": lambda out: Review(out),
    "import-predictions": lambda out: read_predictions(
        out / "predictions.json", out / "data", kind="coco", missing="empty"
    ),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_predictions_and_record_of_two_runs_are_refused(found: Path, read: Callable[[Path], object]) -> None:
    data = found / "data" / "annotations.json"
    write_atomic(data, (found / "predictions.json").read_bytes())
    read(found)
    with open(found / "predictions.json", "a") as file:
        file.write(" ")
    with pytest.raises(
        InputError, match=r"predictions\.json: not the file that .*run\.json is of.*give it ano"
    ):
        read(found)
    record = json.loads((found / "run.json").read_text())
    del record["hashes"]  # as earlier versions left it
    (found / "run.json").write_text(json.dumps(record))
    read(found)


def test_a_run_that_was_stopped_is_named(found: Path) -> None:
    (found / UNFINISHED).mkdir()
    assert len(read_found(found)) == 1  # the earlier run is whole
    (found / "run.json").unlink()
    with pytest.raises(InputError, match="predict was stopped there: repeat its command"):
        read_found(found)


def test_only_the_image_that_was_segmented_is_read_and_given_away(found: Path, tmp_path: Path) -> None:
    (entry,) = read_found(found)
    content = (tmp_path / "a.png").read_bytes()
    assert entry.copy() == content
    Image.fromarray(np.full((20, 30, 3), 9, dtype=np.uint8)).save(tmp_path / "a.png")
    for use in (entry.read, entry.copy):
        with pytest.raises(InputError, match="not the image that was segmented, its SHA-256"):
            use()
    (tmp_path / "a.png").write_text("a secret")
    with pytest.raises(InputError, match="no PNG"):
        replace(entry, sha256=sha256(tmp_path / "a.png")).copy()


def test_a_file_without_a_recorded_hash_is_not_given_away(found: Path, tmp_path: Path) -> None:
    record = json.loads((found / "run.json").read_text())
    del record["images"][0]["sha256"]
    (found / "run.json").write_text(json.dumps(record))
    (entry,) = read_found(found)
    assert entry.read().image.shape == (20, 30, 3)
    with pytest.raises(InputError, match=r"not copied, for run\.json has no SHA-256"):
        entry.copy()
