"""The parts of an image that a network has looked at: one, or of a large image windows where it was asked."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from irnet.cells import Cells
from irnet.geometry.boxes import Boxes
from irnet.inference.resizing import resize_cells, resize_image, zoomed_shape
from irnet.inference.segmenter import ONE_PIECE
from irnet.inference.windows import WINDOWS
from irnet.models.constants import by_label
from irnet.models.pasting import Found, paste
from irnet.slides.windows import Window, plan_windows

if TYPE_CHECKING:
    from irnet.inference.encoding import Encoding
    from irnet.inference.predict import Predictor

KEPT = 3  # windows of a large image

Places = NDArray[np.float64]


class Part(NamedTuple):
    """A window of the image at the network's scale, encoded."""

    window: Window
    encoding: Encoding
    cells: Cells  # what is predicted in it, in the frame of the image


class EncodedWindows:
    """An (H, W, 3) image at `zoom` times its size, encoded where it is asked.

    Points and boxes are px of the image. Raises `MemoryError` where even small windows do not fit.
    """

    def __init__(
        self, predictor: Predictor, image: NDArray[np.uint8], *, mpp: float | None, zoom: float
    ) -> None:
        self.predictor, self.mpp = predictor, mpp
        self.shape = height, width = image.shape[:2]
        self.scaled = image if zoom == 1 else resize_image(image, zoomed_shape((height, width), zoom))
        self.stretch: Places = np.array(self.scaled.shape[1::-1]) / (width, height)  # of x, of y
        self.halo = 0
        self.windows = self._plan()
        self.parts: OrderedDict[tuple[int, int, int, int], Part] = OrderedDict()

    @property
    def whole(self) -> bool:
        """Whether the image is encoded in one piece."""
        return len(self.windows) == 1

    def at(self, box: Boxes) -> Part:
        """Return the part whose core holds the middle of a box (4,), and which holds the box if any can."""
        while True:
            window = self.window_of(box)
            try:
                return self._encoded(window)
            except MemoryError:
                if not self._plan_smaller():
                    raise

    def window_of(self, box: Boxes) -> Window:
        """Return the window, at the network's scale, of a box (4,), as long as memory does not run out."""
        box = box * np.tile(self.stretch, 2)
        middle = np.tile((box[:2] + box[2:]) / 2, 2)[None]
        height, width = self.scaled.shape[:2]
        inside = np.clip(middle, 0, np.tile([width, height], 2) - 0.5)
        window = next(each for each in self.windows if each.owns(inside)[0])
        return window.widen(2 * self.halo) if window.truncates(box[None])[0] else window

    def placed(self, boxes: Places, part: Part) -> NDArray[np.float32]:
        """Return points or boxes (n, 2 or 4) in px of a part, as its encoding takes them."""
        times = boxes.shape[1] // 2
        inside = boxes * np.tile(self.stretch, times) - np.tile(part.window.origin, times)
        return inside.astype(np.float32)

    def paste(self, found: Found, part: Part) -> Cells:
        """Return the masks of a part in the frame of the image, each with a pixel at least."""
        ends = by_label(self.predictor.settings.predict.mask_threshold)
        origin, stretch = np.tile(part.window.origin, 2), np.tile(self.stretch, 2)

        crops, offsets = [], []
        for box, label, mask in zip(found.boxes, found.labels.tolist(), found.masks, strict=True):
            place = (box.astype(np.float64) + origin) / stretch
            crop, offset = paste(mask.astype(np.float64), place, self.shape, ends[label])
            if not crop.any():  # the network sees nothing there: what it holds most likely
                crop, offset = paste(mask / max(mask.max(), 1e-6), place, self.shape)
            crops.append(crop if crop.any() else np.ones_like(crop))
            offsets.append(offset)
        return Cells.build(crops, offsets, found.labels, self.shape, scores=found.scores, mpp=self.mpp)

    def _plan(self) -> list[Window]:
        height, width = self.scaled.shape[:2]
        if self.predictor.resizes or max(height, width) <= ONE_PIECE:
            everything = (0, 0, width, height)
            return [Window(everything, everything, (height, width))]
        return self._plan_by(*WINDOWS[0])

    def _plan_by(self, core: int, halo: int) -> list[Window]:
        height, width = self.scaled.shape[:2]
        self.halo = halo
        return list(plan_windows((height, width), core=core, halo=halo))

    def _plan_smaller(self) -> bool:
        """Go on with smaller windows, where there are any."""
        side = max(self.windows[0].core[2:])
        smaller = [sizes for sizes in WINDOWS if sizes[0] < side]
        if self.predictor.resizes or not smaller:
            return False
        self.parts.clear()
        self.windows = self._plan_by(*smaller[0])
        return True

    def _encoded(self, window: Window) -> Part:
        part = self.parts.pop(window.frame, None) or self._encode(window)
        self.parts[window.frame] = part  # the last one used
        while len(self.parts) > KEPT:
            self.parts.popitem(last=False)
        return part

    def _encode(self, window: Window) -> Part:
        predictor, pixels = self.predictor, window.cut_out(self.scaled)
        if len(self.parts) == KEPT:
            self.parts.popitem(last=False)  # before the next takes its memory
        encoding = predictor.engine.encode(pixels, predictor.settings.predict, views=predictor.views)

        there = predictor.find_at(1.0, pixels, seen=encoding.found).cells
        shown = predictor.choose(there.shift(*window.origin, window.image_shape))
        return Part(window, encoding, resize_cells(shown, self.shape, self.mpp))
