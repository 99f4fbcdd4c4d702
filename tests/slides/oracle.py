"""A detector that knows the answer: scenes whose cells it recognises by marks in the pixels.

Each cell has a square of its own colour in its middle. Around what it recognises the oracle gives the
candidates of that cell, right where cell and surroundings are in the window, and wrong where they are not.
"""

import os
import signal
import time
from pathlib import Path

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.slides.find_block import Detect
from irnet.slides.plan import Plan
from irnet.slides.seams import survivors
from irnet.slides.windows import PHASE

LARGEST, REACH = (
    100,
    28,
)  # px at the network's scale: sides of cells, and how far the oracle looks around them
GLASS = 236
MOST_OF_SCENE_12 = 250  # candidates: one window of 256 px with a halo of 128 has more
MARK = 5  # px at the network's scale
NMS = {CYTOPLASM: 0.5, NUCLEUS: 0.4}


class Scene:
    """Cells of a slide of `size` (H, W) at the network's scale, some of them as several candidates."""

    def __init__(self, seed: int, size: tuple[int, int], count: int) -> None:
        self.size, self.draw = size, np.random.default_rng(seed)
        self.centres = self._places(count)
        self.candidates = [self._candidates(number) for number in range(len(self.centres))]

    def _places(self, count: int) -> np.ndarray:
        """Middles whose marks are apart; cells overlap."""
        height, width = self.size
        margin, step = LARGEST // 2 + 2, 3 * MARK
        grid = [
            (x, y) for y in range(margin, height - margin, step) for x in range(margin, width - margin, step)
        ]
        chosen = self.draw.choice(len(grid), min(count, len(grid)), replace=False)
        return np.array(grid)[np.sort(chosen)]

    def _candidates(self, number: int) -> list[tuple[int, float, np.ndarray, tuple[int, int]]]:
        """Label, score, crop and its place relative to the mark, of each candidate of a cell."""
        label = CYTOPLASM if self.draw.random() < 0.6 else NUCLEUS
        half = (
            self.draw.integers(20, LARGEST // 2 - 4, 2)
            if label == CYTOPLASM
            else self.draw.integers(4, 12, 2)
        )
        found = []
        for _ in range(int(self.draw.integers(1, 4))):
            height, width = (half + self.draw.integers(-2, 3, 2)) * 2 + 1
            rows, columns = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
            dx, dy = self.draw.integers(-1, 2, 2) - np.array([width, height]) // 2
            found.append((label, float(self.draw.random()), rows**2 + columns**2 <= 1, (int(dx), int(dy))))
        return found

    def image(self, px: float) -> np.ndarray:
        """The slide, `px` of its pixels per pixel at the network's scale."""
        height, width = (int(np.ceil(side * px)) for side in self.size)
        image = np.full((height, width, 3), GLASS, dtype=np.uint8)
        for number, (x, y) in enumerate(self.centres):
            left, top = (int(np.floor((value - MARK // 2) * px)) for value in (x, y))
            right, bottom = (int(np.ceil((value + MARK // 2 + 1) * px)) for value in (x, y))
            image[top:bottom, left:right] = self.colour(number)
        return image

    @staticmethod
    def colour(number: int) -> tuple[int, int, int]:
        """The mark of a cell; none is as bright as glass."""
        return number // 128, number % 128, 64

    def whole(self) -> Cells:
        """All candidates, in the frame of the slide."""
        return self._cells([(number, x, y) for number, (x, y) in enumerate(self.centres.tolist())], self.size)

    def answer(self) -> set[tuple]:
        """What is left of them by one suppression of the whole slide."""
        cells = self.whole()
        return as_set(cells.select(survivors(cells, nms=NMS)))

    def detect(self, pixels: np.ndarray, mpp: float) -> Cells:
        """The candidates of a window (h, w, 3)."""
        shape = pixels.shape[:2]
        flat = minimum_filter(pixels, (3, 3, 1)) == maximum_filter(pixels, (3, 3, 1))
        marked = flat.all(axis=2) & (pixels[..., 2] == 64)
        codes = np.where(marked, pixels[..., 0].astype(int) * 128 + pixels[..., 1], -1)

        seen = []
        rows, columns = np.nonzero(codes >= 0)
        numbers, marks = np.unique(codes[rows, columns], return_inverse=True)
        means = [np.bincount(marks, places) / np.bincount(marks) for places in (columns, rows)]
        for number, x, y in zip(numbers.tolist(), *means, strict=True):
            mean = np.array([x, y])  # a mark that is resampled is off by half a pixel
            origin = PHASE * np.round((self.centres[number] - mean) / PHASE).astype(int)
            assert np.abs(self.centres[number] - origin - mean).max() <= 1
            seen.append((number, *(self.centres[number] - origin).tolist()))
        return self._cells(seen, shape, cut=True)

    def _cells(self, seen: list[tuple[int, int, int]], shape: tuple[int, int], cut: bool = False) -> Cells:
        masks, offsets, labels, scores = [], [], [], []
        for number, x, y in seen:
            for label, score, mask, (dx, dy) in self.candidates[number]:
                box = np.array([x + dx, y + dy, x + dx + mask.shape[1], y + dy + mask.shape[0]])
                low, high = box[:2] - REACH, box[2:] + REACH
                whole = (low >= 0).all() and (high <= shape[::-1]).all()
                if cut and not whole and not self._at_border(number, box - [x, y, x, y], low, high, shape):
                    mask, score = mask[::2, ::2].repeat(2, 0).repeat(2, 1), score * 0.9  # seen wrong
                inside = slice(max(0, -box[1]), shape[0] - box[1]), slice(max(0, -box[0]), shape[1] - box[0])
                part = mask[inside]
                if part.any():
                    masks.append(part)
                    offsets.append(np.maximum(box[:2], 0))
                    labels.append(label)
                    scores.append(score)
        return Cells.build(masks, np.array(offsets).reshape(-1, 2), labels, shape, scores=scores)

    def _at_border(
        self, number: int, box: np.ndarray, low: np.ndarray, high: np.ndarray, shape: tuple
    ) -> bool:
        """Whether what is missing around a cell lies outside of the slide."""
        x, y = self.centres[number]
        left, top, right, bottom = box + np.array([x - REACH, y - REACH, x + REACH, y + REACH])
        missing = ((low[0] < 0, left < 0), (low[1] < 0, top < 0))
        missing += ((high[0] > shape[1], right > self.size[1]), (high[1] > shape[0], bottom > self.size[0]))
        return all(outside for gone, outside in missing if gone)


def as_set(cells: Cells) -> set[tuple]:
    """Instances as what can be compared, whatever their order."""
    return {
        (*offset.tolist(), mask.shape, mask.tobytes(), int(label), float(np.float32(score)))
        for mask, offset, label, score in zip(
            cells.masks, cells.offsets, cells.labels, cells.scores, strict=True
        )
    }


def suppressing_masks(plan: Plan) -> Plan:
    """The plan, of a network that leaves all suppression to the slide."""
    predict = dict(plan.network["predict"]) | {"suppression": "mask"}
    predict["nms"] = {"cytoplasm": NMS[CYTOPLASM], "nucleus": NMS[NUCLEUS]}
    planned = Plan(plan.out, plan.names, dict(plan.network) | {"predict": predict})
    planned.write([plan.slide(name) for name in plan.names])
    return planned


def dump(out: Path) -> list[str]:
    """All that cells.db of the slides say, as text."""
    import sqlite3
    from contextlib import closing

    lines = []
    for file in sorted(out.glob("slides/*/cells.db")):
        with closing(sqlite3.connect(file)) as store:
            lines += list(store.iterdump())
    return lines


def scene_12() -> Scene:
    """The scene of tests in which several processes segment one slide."""
    return Scene(12, (800, 1000), 300)


def detect_slowly(_plan: Plan) -> Detect:
    """A detector of scene 12 that takes its time; other processes import it by name."""
    scene = scene_12()

    def detect(pixels: np.ndarray, mpp: float) -> Cells:
        time.sleep(0.2)
        return scene.detect(pixels, mpp)

    return detect


def detect_or_die(_plan: Plan) -> Detect:
    """The same at once, which ends its process at one window."""
    scene = scene_12()

    def detect(pixels: np.ndarray, mpp: float) -> Cells:
        found = scene.detect(pixels, mpp)
        if len(found) > MOST_OF_SCENE_12:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    return detect
