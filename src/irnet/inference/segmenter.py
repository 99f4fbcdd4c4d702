"""A trained network and its recipe: the candidates of an image, in one piece or window by window."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from irnet.cells import LABEL_NAMES, Cells, Cuts
from irnet.config import Settings
from irnet.errors import InputError
from irnet.inference.bare_ground import leave_bare_out
from irnet.inference.blank import BLANK, drop_specks, is_blank
from irnet.inference.detections import ImageDetections
from irnet.inference.engine import Engine, check_views
from irnet.inference.resizing import network_shape, resize_cells, resize_image, zoomed_shape
from irnet.inference.scale import Scale
from irnet.inference.windows import WINDOWS, segment_in_windows
from irnet.models.constants import area_growth, by_label
from irnet.models.pasting import Found, to_cells
from irnet.slides.seams import survivors, survivors_at_seams

if TYPE_CHECKING:
    import torch

    from irnet.inference.networks import Network

SAME_SCALE = 0.03  # images within 3 % of the network's scale are not resampled
ONE_PIECE = 2048  # px a side at the network's scale; larger images go window by window


class Segmenter:
    """Finds candidates in an image that is taken at so many times its size.

    Args:
        model: a network, or an engine that computes one.
        settings: its recipe. `predict.score` are the operating thresholds, `data.mpp` is the network's scale.
        device: where a network computes, None is the CPU; an engine knows.
        views: 1, or 4: images are seen mirrored and transposed too, in four times the time; scores and masks
            are means, at the operating point of `predict.views`.
    """

    def __init__(
        self,
        model: Network | Engine,
        *,
        settings: Settings,
        device: torch.device | None = None,
        views: int = 1,
    ) -> None:
        check_views(views, settings.method)
        if isinstance(model, Engine):
            self.engine = model
        else:
            from irnet.inference.torch_engine import TorchEngine

            self.engine = TorchEngine(model, device, precision=settings.train.precision)
        self.recipe, self.views = settings, views
        self.settings = settings.model_copy(update={"predict": settings.predict.at(views)})
        self.source: Path | None = None

    scored = True

    @property
    def model(self) -> Any:
        """The network itself, in torch. Raises `InputError` where another engine computes."""
        if self.engine.model is None:
            raise InputError(
                f'{self.engine.name} computes, there is no network in torch: load with engine="torch"'
            )
        return self.engine.model

    @property
    def device(self) -> Any:
        """Where the network computes."""
        return self.engine.device

    @property
    def name(self) -> str:
        """Which method the network is: irnet, maskrcnn or cspnet."""
        return self.settings.method

    @property
    def scores(self) -> Cuts:
        """The operating threshold of each class, chosen on validation images."""
        return by_label(self.settings.predict.score)

    def zoom_of(self, mpp: float) -> float:
        """At how many times its size an image of so many um per pixel is taken."""
        target = self.settings.data.mpp
        zoom = mpp / target if target else 1.0
        return 1.0 if abs(zoom - 1) <= SAME_SCALE else zoom

    def find_at(
        self,
        zoom: float,
        image: NDArray[np.uint8],
        mpp: float | None = None,
        seen: Found | None = None,
    ) -> ImageDetections:
        """Return every candidate of an (H, W, 3) image taken at `zoom` times its size.

        `seen` is what the network finds in it, where it was seen before (`see`).
        """
        if is_blank(image, zoom):
            return ImageDetections(Cells.empty(image.shape[:2], mpp), zoom, (BLANK,))

        found = self._find_all_at(zoom, image, mpp, seen)
        um_per_px, excess = self.settings.data.mpp * zoom, self.settings.predict.bare_ground
        large = found._replace(cells=drop_specks(found.cells, um_per_px))
        return leave_bare_out(large, image, self.scores, um_per_px=um_per_px, excess=excess)

    def find_in_window(self, image: NDArray[np.uint8], mpp: float) -> ImageDetections:
        """Return every candidate of a window (H, W, 3) of a slide, at the network's scale and in one piece.

        Raises `MemoryError` where it does not fit, and `InputError` where the limit of candidates is reached:
        what is found may not depend on the machine, and nothing may be missing.
        """
        if is_blank(image):
            return ImageDetections(Cells.empty(image.shape[:2], mpp), 1.0, (BLANK,))

        cells, full = self._segment(image, None, mpp)
        if full:
            raise InputError(self._cap_note)
        found = ImageDetections(drop_specks(self.suppress(cells), self.settings.data.mpp), 1.0, ())
        excess = self.settings.predict.bare_ground
        return leave_bare_out(found, image, self.scores, um_per_px=self.settings.data.mpp, excess=excess)

    @property
    def batch(self) -> int:
        """How many images it is worth to see at once."""
        return self.engine.batch

    def see(
        self, images: Sequence[tuple[NDArray[np.uint8], float | None]], scale: Scale | None = None
    ) -> list[Found | None]:
        """Return what the network finds in (H, W, 3) images, those of one size at once.

        None of an image that is seen alone: blank, large, of a size or a zoom of its own, or where memory
        does not hold several. With each stands its um per pixel, None where they are unknown: it is taken at
        `scale`.
        """
        seen: list[Found | None] = [None] * len(images)
        if len(images) < 2:
            return seen

        alike: dict[tuple[int, int], list[int]] = {}
        for place, (image, mpp) in enumerate(images):
            zoom = None if mpp is None else self.zoom_of(mpp)
            if mpp is None and scale and scale.saw(image) is None:
                zoom = scale.zoom
            size = zoomed_shape(image.shape[:2], zoom or 1.0)
            if zoom and max(size) <= ONE_PIECE and not (self.resizes or is_blank(image, zoom)):
                alike.setdefault(size, []).append(place)

        for size, places in alike.items():
            if len(places) < 2:
                continue
            pictures = [images[place][0] for place in places]
            scaled = [one if one.shape[:2] == size else resize_image(one, size) for one in pictures]
            try:
                found = self.engine.find_all(scaled, self.settings.predict, views=self.views)
            except MemoryError:
                continue
            for place, one in zip(places, found, strict=True):
                seen[place] = one
        return seen

    def _find_all_at(
        self, zoom: float, image: NDArray[np.uint8], mpp: float | None, seen: Found | None
    ) -> ImageDetections:
        height, width = image.shape[:2]
        size = zoomed_shape((height, width), zoom)
        scaled = image if zoom == 1 else resize_image(image, size)
        if seen is not None or self.resizes or max(size) <= ONE_PIECE:
            try:
                cells, full = self._segment(scaled, (height, width), mpp, seen)
                return ImageDetections(self.suppress(cells), zoom, (self._cap_note,) if full else ())
            except MemoryError:
                if self.resizes or max(size) <= WINDOWS[-1][0]:
                    raise

        cells, notes = segment_in_windows(
            self._segment, scaled, suppress=self._suppress_parts, cap_note=self._cap_note
        )
        return ImageDetections(resize_cells(cells, (height, width), mpp), zoom, notes)

    @property
    def resizes(self) -> bool:
        """Whether the network resizes what it gets to one size: windows would get a scale each."""
        return self.settings.model.min_size > 0

    def _segment(
        self,
        image: NDArray[np.uint8],
        shape: tuple[int, int] | None = None,
        mpp: float | None = None,
        seen: Found | None = None,
    ) -> tuple[Cells, bool]:
        """Return the cells of an image in one piece, and whether the limit of candidates was reached.

        The cells lie in a frame of `shape` (None: that of the image).
        """
        height, width = shape or image.shape[:2]
        found = self.engine.find(image, self.settings.predict, views=self.views) if seen is None else seen

        stretch = np.array([width / image.shape[1], height / image.shape[0]] * 2, dtype=np.float32)
        placed = found._replace(boxes=found.boxes * stretch)
        full = len(placed.boxes) >= self._most(image.shape[:2])  # before empty masks are dropped
        ends = by_label(self.settings.predict.mask_threshold)
        return to_cells(placed, (height, width), mpp, thresholds=ends), full

    def suppress(self, cells: Cells) -> Cells:
        """Return the candidates of an image that stay where masks decide; boxes were compared before."""
        if self.settings.predict.suppression != "mask":
            return cells
        return cells.select(survivors(cells, nms=self._nms))

    def _suppress_parts(self, cells: Cells, windows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return which candidates (n,) of `windows` (n,) stay in the image they share, best first."""
        if self.settings.predict.suppression == "box":
            return survivors_at_seams(cells, windows, nms=self._nms)
        return survivors(cells, nms=self._nms)

    @property
    def _nms(self) -> dict[int, float]:
        """Return the IoU of each class above which the lower score goes."""
        predict = self.settings.predict
        if predict.suppression == "soft":  # the scores have fallen instead
            return dict.fromkeys(LABEL_NAMES, 1.0)
        return by_label(predict.nms)

    def _most(self, shape: tuple[int, int]) -> int:
        """Return how many candidates the network gives at most of an image of `shape`."""
        size = network_shape(shape, self.settings.model)
        return round(self.settings.predict.max_per_megapixel * area_growth([size]))

    @property
    def _cap_note(self) -> str:
        limit = f"the limit of {self.settings.predict.max_per_megapixel} candidates a megapixel"
        return f"{limit} was reached: raise predict.max_per_megapixel, cells are missing"
