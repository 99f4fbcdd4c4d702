"""Training items: windows of annotated or generated images, each a pure function of (seed, index)."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from irnet.cells import CYTOPLASM, NUCLEUS, Content
from irnet.config import AugmentSettings, Settings
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.geometry.boxes import as_boxes
from irnet.training.recolouring import recolour
from irnet.training.warp import draw_warp, warp_boxes, warp_image, warp_masks

Item = tuple[Tensor, dict[str, Tensor]]
Make = Callable[[int], tuple[NDArray[np.uint8], Content]]
ENDLESS = 2**62  # items
BUDGET = 2**28  # bytes of pixels kept: 89 fields of 1000 x 1000


@dataclass(frozen=True)
class InstanceRules:
    """What of the instances that a window shows becomes a target."""

    mask_size: int = 112  # side of their masks
    min_share: float = 0.05  # smallest part of an instance that the window must show for it to be kept
    min_pixels: float = 16  # smallest area of it there, px


class CropDataset(Dataset[Item]):
    """Windows of `size` px of images, augmented.

    Item i depends on (seed, i) alone, so a loader that starts at item i resumes a run. Entries are shuffled
    again every len(entries) items; a function is given i itself.

    An item is the window, (3, size, size) uint8 RGB, and its truth:
        boxes (n, 4) float32 xyxy px, labels (n,) int64,
        masks (n, mask_size, mask_size) uint8: each instance's mask sampled over its box, 0 to 255,
        annotated (2,) bool: whether cytoplasm and nucleus were annotated in this image,
        ignore (k, 4) float32: boxes of regions that give no loss.

    Args:
        source: annotated images, or a function of an item's number: an image (H, W, 3) and its truth.
        size: side of the window, px.
        length: number of items; None: one for each entry.
        seed: of every draw.
        augmentation: what may happen to an image; None: nothing, only the window is drawn.
        mpp: um per pixel to which images that know theirs are brought; None: they stay as they are.
        rules: which instances are kept, and how fine their masks are.
        budget: bytes of decoded images kept in memory (in each worker), the last one regardless of its size.
    """

    def __init__(
        self,
        source: Sequence[Entry] | Make,
        *,
        size: int,
        length: int | None = None,
        seed: int = 0,
        augmentation: AugmentSettings | None = None,
        mpp: float | None = None,
        rules: InstanceRules = InstanceRules(),
        budget: int = BUDGET,
    ) -> None:
        if callable(source) and length is None:
            raise InputError("a generator of images has no end: say the length")
        if not callable(source) and not len(source):
            raise InputError("no image to train on: the list of annotated images is empty")
        self.source = source
        self.length = len(source) if length is None and not callable(source) else int(length or 0)
        self.size, self.seed, self.mpp = size, seed, mpp

        self.augmentation = augmentation or AugmentSettings.none()
        self.rules, self.budget = rules, budget

        self._images: OrderedDict[int, tuple[NDArray[np.uint8], Content]] = OrderedDict()

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Item:
        if not 0 <= index < self.length:
            raise IndexError(f"item {index} of {self.length}")

        rng = np.random.default_rng((self.seed, index))
        image, truth = self._draw(index)
        return self._window(image, truth, rng)

    def _draw(self, index: int) -> tuple[NDArray[np.uint8], Content]:
        if callable(self.source):
            return self.source(index)
        round_, place = divmod(index, len(self.source))
        order = np.random.default_rng((self.seed, round_, 1)).permutation(len(self.source))
        return self._read(int(order[place]))

    def _read(self, place: int) -> tuple[NDArray[np.uint8], Content]:
        if place not in self._images:
            assert not callable(self.source)
            sample = self.source[place].read()
            self._images[place] = sample.image, sample.content
        self._images.move_to_end(place)
        while len(self._images) > 1 and self._bytes() > self.budget:
            self._images.popitem(last=False)
        return self._images[place]

    def _bytes(self) -> int:
        return sum(image.nbytes for image, _ in self._images.values())

    def _window(self, image: NDArray[np.uint8], truth: Content, rng: Generator) -> Item:
        cells = truth.cells
        zoom = cells.mpp / self.mpp if self.mpp and cells.mpp else 1.0

        warp = draw_warp(
            rng, image.shape, cells.boxes, size=self.size, zoom=zoom, augmentation=self.augmentation
        )
        pixels = recolour(warp_image(image, warp), rng, self.augmentation)
        rules = self.rules
        boxes, masks, kept = warp_masks(
            cells, warp, resolution=rules.mask_size, min_share=rules.min_share, min_pixels=rules.min_pixels
        )

        ignored = np.zeros((0, 4)) if truth.ignore is None else warp_boxes(truth.ignore.boxes, warp)
        return torch.from_numpy(pixels.transpose(2, 0, 1).copy()), {
            "boxes": torch.from_numpy(boxes).float(),
            "labels": torch.from_numpy(cells.labels[kept]),
            "masks": torch.from_numpy(masks),
            "annotated": torch.tensor([label in truth.annotated for label in (CYTOPLASM, NUCLEUS)]),
            "ignore": torch.from_numpy(ignored).float(),
        }


def crops_of(source: Sequence[Entry] | Make, settings: Settings) -> CropDataset:
    """Return the endless training items of a recipe."""
    data = settings.data
    return CropDataset(
        source,
        size=data.crop,
        length=ENDLESS,
        seed=settings.train.seed,
        augmentation=data.augment,
        mpp=data.mpp or None,
        rules=InstanceRules(mask_size=data.mask_size, min_share=data.min_visible),
    )


class FieldCrops(CropDataset):
    """Windows of fields without outlines, each seen twice: as it is, and recoloured.

    A window is mirrored and turned by right angles, and keeps the scale. An item is the recoloured window,
    (3, size, size) uint8 RGB, and what goes with it:
        weak (3, size, size) uint8: the window as it is,
        points (p, 2) float32: x, y of marked nuclei in it, px,
        distractors (q, 4) float32: boxes of what is no target cell.

    Of `augmentation` only the colours and `focus` count: the share of windows that are placed on a point.
    """

    def _window(self, image: NDArray[np.uint8], truth: Content, rng: Generator) -> Item:
        places = np.array([point.place for point in truth.points if point.label == NUCLEUS]).reshape(-1, 2)
        zoom = truth.cells.mpp / self.mpp if self.mpp and truth.cells.mpp else 1.0
        kept = {"mirror": True, "quarter_turns": True, "tilt": 0.0, "scale": (1.0, 1.0)}
        upright = self.augmentation.model_copy(update=kept)

        warp = draw_warp(
            rng, image.shape, np.tile(places, 2), size=self.size, zoom=zoom, augmentation=upright
        )
        weak = warp_image(image, warp)
        strong = recolour(weak, rng, self.augmentation)

        moved = warp(places)
        inside = ((moved >= 0) & (moved < self.size)).all(axis=1)
        boxes = warp_boxes(as_boxes([distractor.box for distractor in truth.distractors]), warp)

        return torch.from_numpy(strong.transpose(2, 0, 1).copy()), {
            "weak": torch.from_numpy(weak.transpose(2, 0, 1).copy()),
            "points": torch.from_numpy(moved[inside]).float(),
            "distractors": torch.from_numpy(boxes).float(),
        }
