"""The user's door to a trained network: an image in, `Cells` out, NumPy on both sides."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self, overload

import numpy as np
import torch
from numpy.typing import NDArray

from irnet.cells import LABEL_NAMES, Cells, Cuts, check_mpp, reaching
from irnet.config import Settings
from irnet.data.files import sha256
from irnet.engine.devices import autocast, choose_device, memory_errors
from irnet.engine.finding import Finding
from irnet.engine.networks import Network
from irnet.engine.picture import Picture, open_picture
from irnet.engine.scale import (
    FIRST_LOOK,
    OWN,
    Scale,
    centre,
    digest,
    estimate_scale,
    fixed_scale,
    resize_cells,
    resize_image,
    resized_shape,
    scaled_shape,
    spread,
)
from irnet.engine.weights import find_weights, load_weights
from irnet.errors import InputError
from irnet.models.postprocess import to_cells
from irnet.models.sampling import area_growth
from irnet.morphometry.pairing import pair_nuclei
from irnet.slides.seams import Tally, segment_windows, survivors

ONE_PIECE = 2048  # px a side at the network's scale; larger images go window by window
WINDOWS = ((1024, 512), (512, 384), (256, 384))  # core and halo (px), the next when memory runs out
SAME_SCALE = 0.03  # images within 3 % of the network's scale are not resampled

_logger = logging.getLogger(__name__)


class Predictor:
    """Finds cells in images of any size. A `Segmenter` and a `Method`.

    Args:
        model: a network; it is moved to `device` and put into eval mode.
        settings: its recipe. `predict.score` are the operating thresholds, `data.mpp` is the network's scale.
        device: where it computes.
    """

    def __init__(self, model: Network, *, settings: Settings, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cpu")
        self.model = model.to(self.device).eval()
        self.settings = settings
        self.source: Path | None = None

    @classmethod
    def load(cls, path: str | Path | None = None, device: str = "auto") -> Self:
        """Return a predictor with the weights of a file or of a run's folder, None for the bundled ones.

        Raises `InputError` when the file is missing, damaged or foreign, or the device is missing.
        """
        chosen = choose_device(device)
        model, settings, _ = load_weights(path)
        predictor = cls(model, settings=settings, device=chosen)
        predictor.source = find_weights(path)
        return predictor

    scored = True

    @property
    def name(self) -> str:
        """Which method the network is: irnet, maskrcnn or cspnet."""
        return self.settings.method

    @property
    def scores(self) -> Cuts:
        """The operating threshold of each class, chosen on validation images."""
        chosen = self.settings.predict.score.model_dump()
        return {label: chosen[name] for label, name in LABEL_NAMES.items()}

    def __call__(self, image: NDArray[np.uint8], mpp: float | None = None) -> Cells:
        return self.predict(image, mpp)

    @overload
    def predict(
        self,
        image: Picture,
        mpp: float | None = None,
        score: float | None = None,
        *,
        scale: float | None = None,
    ) -> Cells: ...

    @overload
    def predict(
        self,
        image: list[Picture],
        mpp: float | None = None,
        score: float | None = None,
        *,
        scale: float | None = None,
    ) -> list[Cells]: ...

    def predict(
        self,
        image: Picture | list[Picture],
        mpp: float | None = None,
        score: float | None = None,
        *,
        scale: float | None = None,
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

        Raises:
            InputError: no image of a known kind, or `mpp`, `score` or `scale` out of range.
        """
        self.check(mpp=mpp, score=score)
        opened = [open_picture(one) for one in (image if isinstance(image, list) else [image])]
        unknown = [one.pixels for one in opened if mpp is None and one.mpp is None]
        taken = self.scale_of(spread(unknown)) if scale is None else fixed_scale(scale)
        for note in taken.notes if unknown else ():
            _logger.warning(note)
        cells = [
            self.choose(self.find(one.pixels, one.mpp if mpp is None else mpp, scale=taken).cells, score)
            for one in opened
        ]
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
        }

    def check(self, *, mpp: float | None = None, score: float | None = None) -> None:
        """Refuse values that mean nothing (`InputError`)."""
        floor = self.settings.predict.floor
        if score is not None and not floor <= score <= 1:
            raise InputError(f"score {score} is out of range: give {floor} (all candidates) to 1")
        check_mpp(mpp)

    def scale_of(self, images: Iterable[NDArray[np.uint8]]) -> Scale:
        """Return the one scale that (H, W, 3) images of unknown um per pixel tell together.

        Of a large image the middle is looked at. An image that fails tells nothing here.
        """
        nucleus_px = self.settings.predict.nucleus_px
        if not (nucleus_px and self.settings.data.mpp) or self._resizes:
            return OWN
        fields, seen = [], {}
        for image in images:
            middle = centre(image, FIRST_LOOK)
            try:
                first = self._find_at(1.0, middle)
                fields.append(self.choose(first.cells))
            except Exception:  # reported when its turn comes
                continue
            if middle.shape == image.shape:
                seen[digest(image)] = first
        return estimate_scale(fields, nucleus_px)._replace(seen=seen)

    def find(
        self, image: NDArray[np.uint8], mpp: float | None = None, *, scale: Scale | None = None
    ) -> Finding:
        """Return every candidate of an (H, W, 3) image down to `predict.floor`.

        Where um per pixel is unknown the image is taken at `scale`; None is what this image alone tells, and
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

    def _find_at(self, zoom: float, image: NDArray[np.uint8], mpp: float | None = None) -> Finding:
        height, width = image.shape[:2]
        size = scaled_shape((height, width), zoom)
        scaled = image if zoom == 1 else resize_image(image, size)
        if self._resizes or max(size) <= ONE_PIECE:
            try:
                cells, full = self._segment(scaled, (height, width), mpp)
                return Finding(self.suppress(cells), zoom, (self._cap_note,) if full else ())
            except MemoryError:
                if self._resizes or max(size) <= WINDOWS[-1][0]:
                    raise
        cells, notes = self._segment_windows(scaled)
        return Finding(resize_cells(cells, (height, width), mpp), zoom, notes)

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
            with autocast(self.device, self._precision()):
                instances = self.model([tensor])[0]
            stretch = torch.tensor([width / image.shape[1], height / image.shape[0]] * 2, device=self.device)
            placed = instances._replace(boxes=instances.boxes.float() * stretch)
            full = len(placed.boxes) >= self._most(image.shape[:2])  # before empty masks are dropped
            return to_cells(placed, (height, width), mpp), full

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
        return dict(zip(LABEL_NAMES, predict.nms.model_dump().values(), strict=True))

    def _precision(self) -> Literal["fp32", "bf16"]:
        return self.settings.train.precision if self.device.type == "cuda" else "fp32"

    def _segment_windows(self, image: NDArray[np.uint8]) -> tuple[Cells, tuple[str, ...]]:
        """Return the cells of an image at the network's scale, in smaller windows when memory runs out.

        Boxes are suppressed inside a window first, for masks of all of them would not fit; then masks, in the
        whole image.
        """
        for core, halo in WINDOWS:
            try:
                return self._segment_by(core, halo, image)
            except MemoryError:
                if (core, halo) == WINDOWS[-1]:
                    raise
        raise AssertionError("unreachable: the last windows return or raise")

    def _segment_by(self, core: int, halo: int, image: NDArray[np.uint8]) -> tuple[Cells, tuple[str, ...]]:
        """Return the cells that windows of one size find, and what the user should know of them."""
        tally, capped = Tally(), 0

        def segment(window: NDArray[np.uint8]) -> Cells:
            nonlocal capped
            cells, full = self._segment(window)
            capped += full
            return cells

        cells = segment_windows(segment, image, core=core, halo=halo, nms=self._nms, tally=tally)
        notes = (f"{tally.windows} windows of {core + 2 * halo} px", *tally.notes())
        return cells, (*notes, f"{capped} windows: {self._cap_note}") if capped else notes

    def _most(self, shape: tuple[int, int]) -> int:
        """Return how many candidates the network gives at most of an image of `shape`."""
        size = resized_shape(shape, self.settings.model)
        return round(self.settings.predict.max_per_megapixel * area_growth([size]))

    @property
    def _cap_note(self) -> str:
        limit = f"the limit of {self.settings.predict.max_per_megapixel} candidates a megapixel"
        return f"{limit} was reached: raise predict.max_per_megapixel, cells are missing"
