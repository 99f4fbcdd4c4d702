"""A small annotated data set of circles, and settings small enough to train on it in a test."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Truth
from irnet.config import Settings, load_recipe
from irnet.data.formats.coco import write_coco
from irnet.data.sample import Entry

SIZE, MPP = 160, 0.37


def draw_circles(seed: int, cells: int = 3) -> tuple[np.ndarray, Truth]:
    """Overlapping discs, each with a nucleus, that darken a bright ground."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE]
    image = np.full((SIZE, SIZE, 3), 235.0)
    masks, labels, parents = [], [], []
    for _ in range(cells):
        cx, cy = rng.uniform(30, SIZE - 30, 2)
        distance = np.hypot(x - cx, y - cy)
        cell, nucleus = distance < rng.uniform(20, 30), distance < 7
        image[cell] *= 0.8
        image[nucleus] *= 0.5
        parents += [-1, len(masks)]
        masks += [cell, nucleus]
        labels += [CYTOPLASM, NUCLEUS]
    truth = Cells.from_dense(np.array(masks), labels, parents=parents, mpp=MPP)
    return image.round().astype(np.uint8), Truth(cells=truth)


@pytest.fixture(scope="session")
def circles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 6 images of 3 patients."""
    folder = tmp_path_factory.mktemp("circles")
    (folder / "images").mkdir()
    entries = []
    for number in range(6):
        image, truth = draw_circles(number)
        path = folder / "images" / f"{number}.png"
        Image.fromarray(image).save(path)
        entries.append(Entry(name=path.name, path=path, truth=truth, patient=f"p{number // 2}"))
    write_coco(folder / "annotations.json", entries)
    return folder


@pytest.fixture
def tiny() -> Settings:
    """The smallest IRNet, 64-px crops."""
    return load_recipe("tiny", ["data.crop=64", "train.batch=1"])
