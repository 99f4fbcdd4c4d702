"""The user's door to a trained network: an image in, `Cells` out, NumPy on both sides."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any, Self, overload

import numpy as np
import torch
from numpy.typing import NDArray

from irnet.cells import LABEL_NAMES, Cells, Cuts, check_mpp, reaching
from irnet.config import Settings
from irnet.data.files import sha256
from irnet.data.picture import ImageLike, open_picture
from irnet.errors import InputError
from irnet.inference.bare_ground import leave_bare_out
from irnet.inference.blank import BLANK, drop_specks, is_blank
from irnet.inference.detections import ImageDetections
from irnet.inference.devices import autocast, choose_device, memory_errors
from irnet.inference.networks import Network, check_views, detect
from irnet.inference.scale import (
    OWN,
    Scale,
    choose_scale,
    digest,
    doubt_mpp,
    evenly_spaced,
    given_scale,
    resize_cells,
    resize_image,
    resized_shape,
    scaled_shape,
)
from irnet.inference.weights import find_weights, load_weights
from irnet.inference.windows import WINDOWS, segment_in_windows
from irnet.models.boxes import area_growth
from irnet.models.build import by_label
from irnet.models.postprocess import to_cells
from irnet.morphometry.pairing import pair_nuclei
from irnet.slides.seams import survivors

ONE_PIECE = 2048  # px a side at the network's scale; larger images go window by window
SAME_SCALE = 0.03  # images within 3 % of the network's scale are not resampled

_logger = logging.getLogger(__name__)


class Predictor:
    """Finds cells in images of any size. A `Method`.

    Args:
        model: a network; it is moved to `device` and put into eval mode.
        settings: its recipe. `predict.score` are the operating thresholds, `data.mpp` is the network's scale.
        device: where it computes.
        views: 1, or 4: images are seen mirrored and transposed too, in four times the time; scores and masks
            are means, at the operating point of `predict.views`.
    """

    def __init__(
        self, model: Network, *, settings: Settings, device: torch.device | None = None, views: int = 1
    ) -> None:
        check_views(views, settings.method)
        self.device = device or torch.device("cpu")
        self.model = model.to(self.device).eval()
        self.recipe, self.views = settings, views
        self.settings = settings.model_copy(update={"predict": settings.predict.at(views)})
        self.source: Path | None = None

    @classmethod
    def load(cls, path: str | Path | None = None, device: str = "auto", views: int = 1) -> Self:
        """Return a predictor with the weights of a file or of a run's folder, None for the bundled ones.

        Raises `InputError` when the file is missing, damaged or foreign, or the device is missing.
        """
        chosen = choose_device(device)
        model, settings, _ = load_weights(path)
        predictor = cls(model, settings=settings, device=chosen, views=views)
        predictor.source = find_weights(path)
        return predictor

    def seeing(self, views: int) -> Self:
        """Return a predictor of the same network that sees so many views."""
        other = type(self)(self.model, settings=self.recipe, device=self.device, views=views)
        other.source = self.source
        return other

    scored = True

    @property
    def name(self) -> str:
        """Which method the network is: irnet, maskrcnn or cspnet."""
        return self.settings.method

    @property
    def scores(self) -> Cuts:
        """The operating threshold of each class, chosen on validation images."""
        return by_label(self.settings.predict.score)

    def __call__(self, image: NDArray[np.uint8], mpp: float | None = None) -> Cells:
        return self.predict(image, mpp)

    @overload
    def predict(
        self,
        image: ImageLike,
        mpp: float | None = ...,
        score: float | None = ...,
        *,
        scale: float | None = ...,
        views: int | None = ...,
    ) -> Cells: ...

    @overload
    def predict(
        self,
        image: list[ImageLike],
        mpp: float | None = ...,
        score: float | None = ...,
        *,
        scale: float | None = ...,
        views: int | None = ...,
    ) -> list[Cells]: ...

    def predict(
        self,
        image: ImageLike | list[ImageLike],
        mpp: float | None = None,
        score: float | None = None,
        *,
        scale: float | None = None,
        views: int | None = None,
    ) -> Cells | list[Cells]:
        """Return the cells of an image, each nucleus linked to its cell, or of each image of a list.

        Args:
            image: (H, W), (H, W, 3) or (H, W, 4) array of 8 or 16 bits, a PIL image, or a path; or a list.
            mpp: um per pixel. The image is resampled to the scale that the network was trained at; None
                takes what the file says, and where it says nothing the scale is estimated from nuclei, one
                for all images of a list (`scale_of`), and logged; lengths then stay in px.
            score: least score of what is returned, for both classes; None is the operating threshold of each.
            scale: px of the network's scale per image px where um per pixel is unknown, instead of an
                estimate; 1 takes an image at its own resolution.
            views: 1 or 4, see `Predictor`; None is as it was loaded.

        Raises:
            InputError: no image of a known kind, `mpp`, `score`, `scale` or `views` out of range, or
            `scale` beside `mpp`.
        """
        if views not in (None, self.views):
            return self.seeing(views).predict(image, mpp, score, scale=scale)
        self.check(mpp=mpp, score=score)
        fixed = given_scale(scale, mpp)

        opened = [open_picture(one) for one in (image if isinstance(image, list) else [image])]
        unknown = [one.pixels for one in opened if mpp is None and one.mpp is None]
        taken = fixed or self.scale_of(evenly_spaced(unknown))
        for note in taken.notes if unknown else ():
            _logger.warning(note)

        found = [self.find(one.pixels, one.mpp if mpp is None else mpp, scale=taken) for one in opened]
        cells = [self.choose(one.cells, score) for one in found]

        for note in chain.from_iterable(map(doubt_mpp, cells)):
            _logger.warning(note)
        return cells if isinstance(image, list) else cells[0]

    def choose(self, cells: Cells, score: float | None = None) -> Cells:
        """Return the candidates from `score` on (None: each class's threshold), nuclei linked to cells."""
        cuts = self.scores if score is None else dict.fromkeys(LABEL_NAMES, score)
        return pair_nuclei(cells.select(reaching(cells, cuts)))

    def origin(self) -> dict[str, Any]:
        """Return what run.json says of the network."""
        return {
            "method": self.name,
            "scored": self.scored,
            "model": str(self.source) if self.source else None,
            "model_sha256": sha256(self.source) if self.source else None,
            "network_mpp": self.settings.data.mpp or None,
            "device": str(self.device),
            "views": self.views,
            **self.settings.predict.model_dump(include={"drm_power", "mask_threshold"}),
        }

    def check(self, *, mpp: float | None = None, score: float | None = None) -> None:
        """Refuse values that mean nothing (`InputError`)."""
        floor = self.settings.predict.floor
        if score is not None and not floor <= score <= 1:
            raise InputError(f"score {score} is out of range: give {floor} (all candidates) to 1")
        check_mpp(mpp)

    def scale_of(self, images: Iterable[NDArray[np.uint8]]) -> Scale:
        """Return the one scale that (H, W, 3) images of unknown um per pixel give together.

        Of a large image the middle is looked at. An image that fails gives nothing here.
        """
        nucleus_px = self.settings.predict.nucleus_px
        if not (nucleus_px and self.settings.data.mpp) or self._resizes:
            return OWN
        return choose_scale(images, self._find_at, self.choose, nucleus_px)

    def find(
        self, image: NDArray[np.uint8], mpp: float | None = None, *, scale: Scale | None = None
    ) -> ImageDetections:
        """Return every candidate of an (H, W, 3) image down to `predict.floor`.

        Where um per pixel is unknown the image is taken at `scale`; None is what this image alone gives, and
        then the notes say so.
        """
        self.check(mpp=mpp)
        target = self.settings.data.mpp
        if mpp is not None:
            zoom = mpp / target if target else 1.0
            return self._find_at(1.0 if abs(zoom - 1) <= SAME_SCALE else zoom, image, mpp)

        taken = self.scale_of([image]) if scale is None else scale
        seen = taken.seen.get(digest(image)) if taken.zoom == 1 and taken.seen else None
        found = seen or self._find_at(taken.zoom, image)
        notes = taken.notes if scale is None else ()
        return found._replace(zoom_estimated=taken.estimated, notes=(*notes, *found.notes))

    def _find_at(self, zoom: float, image: NDArray[np.uint8], mpp: float | None = None) -> ImageDetections:
        if is_blank(image, zoom):
            return ImageDetections(Cells.empty(image.shape[:2], mpp), zoom, (BLANK,))

        found = self._find_all_at(zoom, image, mpp)
        um_per_px, excess = self.settings.data.mpp * zoom, self.settings.predict.bare_ground
        large = found._replace(cells=drop_specks(found.cells, um_per_px))
        return leave_bare_out(large, image, self.scores, um_per_px=um_per_px, excess=excess)

    def _find_all_at(self, zoom: float, image: NDArray[np.uint8], mpp: float | None) -> ImageDetections:
        height, width = image.shape[:2]
        size = scaled_shape((height, width), zoom)
        scaled = image if zoom == 1 else resize_image(image, size)
        if self._resizes or max(size) <= ONE_PIECE:
            try:
                cells, full = self._segment(scaled, (height, width), mpp)
                return ImageDetections(self.suppress(cells), zoom, (self._cap_note,) if full else ())
            except MemoryError:
                if self._resizes or max(size) <= WINDOWS[-1][0]:
                    raise

        cells, notes = segment_in_windows(self._segment, scaled, nms=self._nms, cap_note=self._cap_note)
        return ImageDetections(resize_cells(cells, (height, width), mpp), zoom, notes)

    @property
    def _resizes(self) -> bool:
        """Whether the network resizes what it gets to one size: windows would get a scale each."""
        return self.settings.model.min_size > 0

    @torch.inference_mode()
    def _segment(
        self, image: NDArray[np.uint8], shape: tuple[int, int] | None = None, mpp: float | None = None
    ) -> tuple[Cells, bool]:
        """Return the cells of an image in one piece, and whether the limit of candidates was reached.

        The cells lie in a frame of `shape` (None: that of the image).
        """
        height, width = shape or image.shape[:2]
        with memory_errors():
            tensor = torch.tensor(image, device=self.device).permute(2, 0, 1)  # (3, H, W)
            precision = self.settings.train.precision if self.device.type == "cuda" else "fp32"
            with autocast(self.device, precision):
                instances = detect(self.model, tensor, self.settings.predict, views=self.views)

            stretch = torch.tensor([width / image.shape[1], height / image.shape[0]] * 2, device=self.device)
            placed = instances._replace(boxes=instances.boxes.float() * stretch)
            full = len(placed.boxes) >= self._most(image.shape[:2])  # before empty masks are dropped
            ends = by_label(self.settings.predict.mask_threshold)
            return to_cells(placed, (height, width), mpp, thresholds=ends), full

    def suppress(self, cells: Cells) -> Cells:
        """Return the candidates of an image that stay where masks decide; boxes were compared before."""
        if self.settings.predict.suppression != "mask":
            return cells
        return cells.select(survivors(cells, nms=self._nms))

    @property
    def _nms(self) -> dict[int, float]:
        """Return the mask IoU of each class above which the lower score goes."""
        predict = self.settings.predict
        if predict.suppression == "soft":  # the scores have fallen instead
            return dict.fromkeys(LABEL_NAMES, 1.0)
        return by_label(predict.nms)

    def _most(self, shape: tuple[int, int]) -> int:
        """Return how many candidates the network gives at most of an image of `shape`."""
        size = resized_shape(shape, self.settings.model)
        return round(self.settings.predict.max_per_megapixel * area_growth([size]))

    @property
    def _cap_note(self) -> str:
        limit = f"the limit of {self.settings.predict.max_per_megapixel} candidates a megapixel"
        return f"{limit} was reached: raise predict.max_per_megapixel, cells are missing"
