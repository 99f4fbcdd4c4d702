"""A data set of circles, settings small enough to train on it, and a stand-in that finds dark blobs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from torch import nn

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content
from irnet.config import Settings, load_recipe
from irnet.data.coco.coco import write_coco
from irnet.data.files import write_atomic
from irnet.data.pixels import to_png
from irnet.data.sample import Entry
from irnet.inference.predict import Predictor
from irnet.models.postprocess import Instances

SIZE, MPP = 160, 0.37


def draw_circles(seed: int, cells: int = 3) -> tuple[np.ndarray, Content]:
    """Discs that may overlap, each with a nucleus, on a bright ground."""
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
    return image.round().astype(np.uint8), Content(cells=truth)


def write_circles(folder: Path, info: dict[str, Any] | None = None) -> Path:
    """A data set of 6 images of 3 patients; `info` is what its file says of itself."""
    entries = []
    for number in range(6):
        image, truth = draw_circles(number)
        path = folder / "images" / f"{number}.png"
        write_atomic(path, to_png(image))
        entries.append(Entry(name=path.name, path=path, content=truth, patient=f"p{number // 2}"))
    write_coco(folder / "annotations.json", entries, info=info)
    return folder


@pytest.fixture(scope="session")
def circles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 6 images of 3 patients."""
    return write_circles(tmp_path_factory.mktemp("circles"))


@pytest.fixture
def tiny() -> Settings:
    """The smallest IRNet, 64-px crops."""
    return load_recipe("tiny", ["data.crop=64", "train.batch=1"])


class DarkBlobs(nn.Module):
    """Stands in for IRNet: finds connected dark regions, the larger ones as cells, the darkest as nuclei."""

    def __init__(self, memory_px: int = 10**9) -> None:
        super().__init__()
        self.memory_px = memory_px
        self.seen: list[tuple[int, int]] = []

    def forward(self, images: list[torch.Tensor]) -> list[Instances]:
        return [self._find(image) for image in images]

    def _find(self, image: torch.Tensor) -> Instances:
        height, width = image.shape[1:]
        if height * width > self.memory_px:
            raise torch.OutOfMemoryError("out of memory")
        self.seen.append((height, width))
        grey = image.float().mean(dim=0).numpy()
        boxes, labels, scores, masks = [], [], [], []
        for label, level in ((CYTOPLASM, 210), (NUCLEUS, 120)):
            regions, _ = ndimage.label(grey < level)
            for number, (rows, columns) in enumerate(ndimage.find_objects(regions), start=1):
                region = Image.fromarray((regions[rows, columns] == number).astype(np.float32))
                boxes.append([columns.start, rows.start, columns.stop, rows.stop])
                masks.append(np.asarray(region.resize((28, 28), Image.Resampling.BOX)))
                labels.append(label)
                scores.append(0.9 if label == CYTOPLASM else 0.6)
        return Instances(
            boxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            labels=torch.tensor(labels, dtype=torch.int64),
            scores=torch.tensor(scores),
            masks=torch.tensor(np.array(masks, dtype=np.float32)).reshape(-1, 28, 28),
        )


@pytest.fixture
def blobs(tiny: Settings) -> Predictor:
    """A predictor that finds dark blobs, at the scale of `tiny`: 0.37 um per pixel."""
    return Predictor(DarkBlobs(), settings=tiny)  # type: ignore[arg-type]


@pytest.fixture
def blobs_installed(blobs: Predictor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Predictor:
    """The same, found by anyone who loads weights."""
    blobs.source = tmp_path / "weights.safetensors"
    blobs.source.write_bytes(b"weights")
    monkeypatch.setattr(Predictor, "load", lambda *_, **__: blobs)
    return blobs
