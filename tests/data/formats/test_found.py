"""What was found, with the images that it was found in."""

import json
from pathlib import Path

import numpy as np
import tifffile

from irnet.cells import CYTOPLASM, Cells, Truth
from irnet.data.formats.coco import write_coco
from irnet.data.formats.found import read_found
from irnet.data.sample import Entry


def test_the_page_that_was_looked_at_is_read_again(tmp_path: Path) -> None:
    pages = np.stack([np.full((20, 30, 3), grey, dtype=np.uint8) for grey in (40, 200)])
    image = tmp_path / "stack.tif"
    tifffile.imwrite(image, pages, photometric="rgb")
    cells = Cells.build([np.ones((5, 5), dtype=bool)], [(3, 4)], [CYTOPLASM], (20, 30))
    out = tmp_path / "found"
    write_coco(out / "predictions.json", [Entry(name="stack.tif", path=image, truth=Truth(cells=cells))])
    run = {"images": [{"name": "stack.tif", "path": str(image)}], "page": 1}
    (out / "run.json").write_text(json.dumps(run))
    for found in (out, out / "predictions.json"):
        (entry,) = read_found(found)
        assert (entry.read().image == 200).all()
