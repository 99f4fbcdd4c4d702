"""The user's door to a trained network: an image in, `Cells` out, NumPy on both sides."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import PIL.Image
import torch
from numpy.typing import NDArray

from irnet.cells import LABEL_NAMES, Cells, Cuts, check_mpp, reaching
from irnet.config import ModelSettings, Settings
from irnet.data import pixels
from irnet.data.files import sha256
from irnet.data.image import Image, read_image
from irnet.engine.devices import autocast, choose_device, memory_errors
from irnet.engine.finding import Finding
from irnet.engine.networks import Network
from irnet.engine.scale import Scale, centre, estimate_scale, resize_cells, resize_image
from irnet.engine.weights import find_weights, load_weights
from irnet.errors import InputError
from irnet.models.postprocess import to_cells
from irnet.models.sampling import area_growth
from irnet.morphometry.pairing import pair_nuclei
from irnet.slides.seams import Tally, segment_windows, survivors

Picture = NDArray[np.uint8] | PIL.Image.Image | str | Path

ONE_PIECE = 2048  # px a side at the network's scale; larger images go window by window
WINDOWS = ((1024, 512), (512, 384), (256, 384))  # core and halo (px), the next when memory runs out
SAME_SCALE = 0.03  # images within 3 % of the network's scale are not resampled


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

    def predict(
        self,
        image: Picture,
        mpp: float | None = None,
        score: float | None = None,
        *,
        keep_scale: bool = False,
    ) -> Cells:
        """Return the cells of an image, each nucleus linked to its cell.

        Args:
            image: (H, W), (H, W, 3) or (H, W, 4) array of 8 or 16 bits, a PIL image, or a path.
            mpp: um per pixel. The image is resampled to the scale that the network was trained at; None
                takes what the file says, and where it says nothing the scale is estimated from nuclei
                (`estimate_scale`); lengths then stay in px.
            score: least score of what is returned, for both classes; None is the operating threshold of each.
            keep_scale: images of unknown um per pixel go in at their own resolution instead.

        Raises:
            InputError: no image of a known kind, or `mpp` or `score` out of range.
        """
        self.check(mpp=mpp, score=score)
        opened = open_picture(image)
        found = self.find(opened.pixels, opened.mpp if mpp is None else mpp, keep_scale=keep_scale)
        return self.choose(found.cells, score)

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

    def find(
        self, image: NDArray[np.uint8], mpp: float | None = None, *, keep_scale: bool = False
    ) -> Finding:
        """Return every candidate of an (H, W, 3) image down to `predict.floor`."""
        self.check(mpp=mpp)
        target, nucleus_px = self.settings.data.mpp, self.settings.predict.nucleus_px
        if mpp is not None or not target:
            zoom = mpp / target if mpp and target else 1.0
            return self._find_at(1.0 if abs(zoom - 1) <= SAME_SCALE else zoom, image, mpp)
        if keep_scale or not nucleus_px or self._resizes:
            return _tell(self._find_at(1.0, image), Scale())
        return self._find_by_nuclei(image, nucleus_px)

    def _find_by_nuclei(self, image: NDArray[np.uint8], nucleus_px: float) -> Finding:
        """Return what is found at the image's own resolution, or once more at the scale that it tells.

        Of a large image the middle tells the scale of the whole.
        """
        middle = centre(image, ONE_PIECE)
        first = self._find_at(1.0, middle)
        scale = estimate_scale(self.choose(first.cells), nucleus_px)
        done = scale.zoom == 1 and middle.shape == image.shape
        return _tell(first if done else self._find_at(scale.zoom, image), scale)

    def _find_at(self, zoom: float, image: NDArray[np.uint8], mpp: float | None = None) -> Finding:
        height, width = image.shape[:2]
        size = (max(1, round(height * zoom)), max(1, round(width * zoom)))
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


def resized_shape(shape: tuple[int, int], model: ModelSettings) -> tuple[int, int]:
    """Return the (H, W) at which the network sees an image of `shape` (see `ImageBatch`)."""
    if not model.min_size:
        return shape
    scale = min(model.min_size / min(shape), model.max_size / max(shape))
    return int(shape[0] * scale), int(shape[1] * scale)


def open_picture(image: Picture) -> Image:
    """Return the pixels of an array, a PIL image or a file, and what a file says of its scale."""
    if isinstance(image, str | Path):
        return read_image(image)
    if isinstance(image, PIL.Image.Image):
        rgb, notes = pixels.to_rgb(image)
        return Image(pixels=rgb, notes=tuple(notes))
    array: NDArray[Any] = np.asarray(image)
    if array.dtype == np.uint16:
        array, _ = pixels.scale_16bit(array)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if (
        array.dtype != np.uint8
        or 0 in array.shape
        or not (array.ndim == 2 or array.shape[2:] in ((3,), (4,)))
    ):
        raise InputError(
            f"an array of shape {array.shape} and type {array.dtype} is no image: "
            "give (H, W), (H, W, 3) or (H, W, 4) of uint8 or uint16"
        )
    rgb, notes = pixels.to_rgb(PIL.Image.fromarray(array))
    return Image(pixels=rgb, notes=tuple(notes))


def _tell(found: Finding, scale: Scale) -> Finding:
    """Return what was found with how the scale was come by."""
    return found._replace(zoom_estimated=scale.estimated, notes=(*scale.notes, *found.notes))
