"""The four methods of the comparison behind one door: `open_method`.

IRNet, Mask R-CNN and CSPNet are networks: what a weights file holds decides which of them it is. JOMLS is the
classical one: no weights, no scores, no torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from irnet.cells import Cells, Cuts
from irnet.conventions import check_mpp
from irnet.data.sample import Sample
from irnet.errors import InputError
from irnet.inference.blank import BLANK, is_blank
from irnet.inference.detections import ImageDetections
from irnet.inference.engine import EngineName, Precision
from irnet.inference.resizing import resize_cells, resize_image, zoomed_shape
from irnet.inference.scale import OWN, Scale
from irnet.models.pasting import Found
from irnet.morphometry.pairing import pair_nuclei
from irnet.progress import stage

CLASSICAL = "jomls"
TRAINED = {  # network without bundled weights -> settings that train it
    "maskrcnn": "--set model.drm.enabled=false --set model.irm.enabled=false",
    "cspnet": "--set model.cspnet.enabled=true --set predict.suppression=mask "
    "--set model.drm.enabled=false --set model.irm.enabled=false",
}
METHODS = ("irnet", *TRAINED, CLASSICAL)


class Method(Protocol):
    """Whatever finds cells and says what it is: NumPy in, `Cells` out."""

    @property
    def name(self) -> str:
        """Which of METHODS it is."""
        ...

    @property
    def scored(self) -> bool:
        """Whether its instances have scores; without them there is neither AP nor a cut."""
        ...

    @property
    def scores(self) -> Cuts:
        """The operating threshold of each class; none where there are no scores."""
        ...

    @property
    def source(self) -> Path | None:
        """Its weights file, if it has one."""
        ...

    def __call__(self, image: NDArray[np.uint8], mpp: float | None = None) -> Cells:
        """Return the cells of an (H, W, 3) image at the operating thresholds, nuclei linked."""
        ...

    @property
    def batch(self) -> int:
        """How many images it is worth to see at once."""
        ...

    def see(
        self, images: Sequence[tuple[NDArray[np.uint8], float | None]], scale: Scale | None = None
    ) -> Sequence[Found | None]:
        """Return what a network finds in (H, W, 3) images, each with its um per pixel, for `find`.

        None of an image that has to be seen alone.
        """
        ...

    def check(self, *, mpp: float | None = None, score: float | None = None) -> None:
        """Refuse values that mean nothing to it (`InputError`)."""
        ...

    def scale_of(self, images: Iterable[NDArray[np.uint8]]) -> Scale:
        """Return the one scale that (H, W, 3) images of unknown um per pixel give together."""
        ...

    def find(
        self,
        image: NDArray[np.uint8],
        mpp: float | None = None,
        *,
        scale: Scale | None = None,
        seen: Found | None = None,
    ) -> ImageDetections:
        """Return every candidate of an (H, W, 3) image. Raises `MemoryError` where even pieces do not fit.

        Where `mpp` is unknown the image is taken at `scale`; None is what this image alone gives. `seen` is
        what `see` returned of it.
        """
        ...

    def choose(self, cells: Cells, score: float | None = None) -> Cells:
        """Return the candidates from `score` on (None: the operating thresholds), nuclei linked."""
        ...

    def origin(self) -> dict[str, Any]:
        """Return what run.json says of it."""
        ...


def open_method(
    method: str | None = None,
    source: str | Path | None = None,
    device: str = "auto",
    *,
    views: int = 1,
    engine: EngineName = "torch",
    precision: Precision = "fp32",
    compiled: bool = False,
) -> Method:
    """Return a method, ready to segment.

    Args:
        method: one of METHODS; None is what `source` holds.
        source: weights file or run's folder of a network; None is the bundled IRNet.
        device: "auto", "cpu", "cuda" ... for networks; JOMLS computes on the CPU.
        views: 1 or 4, for networks; see `Predictor`.
        engine, precision, compiled: what computes a network, and how; see `engines.open_engine`.

    Raises:
        InputError: an unknown method, one whose weights are missing, weights of another one, or options
            that mean nothing to it.
    """
    if method is not None and method not in METHODS:
        raise InputError(f"unknown method {method!r}: choose from {', '.join(METHODS)}")

    if method == CLASSICAL:
        if engine not in ("auto", "torch") or precision != "fp32" or compiled:
            raise InputError(f"{CLASSICAL} is no network: leave --engine, --precision and --compile out")
        return _open_classical(source, device, views)
    if method in TRAINED and source is None:
        raise InputError(
            f"no weights of {method} are bundled: train some with 'irnet train DATA -o runs/{method} "
            f"{TRAINED[method]}', then name them with --model runs/{method}"
        )

    with stage("loading the network"):
        from irnet.inference.predict import Predictor

        predictor = Predictor.load(
            source, device=device, views=views, engine=engine, precision=precision, compiled=compiled
        )
    if method not in (None, predictor.name):
        raise InputError(f"{predictor.source}: holds {predictor.name}, not {method}: name other weights")
    return predictor


def _open_classical(source: str | Path | None, device: str, views: int) -> Method:
    if source is not None:
        raise InputError(f"{CLASSICAL} is not trained and has no weights: leave --model out")
    if device not in ("auto", "cpu"):
        raise InputError(f"{CLASSICAL} runs only on the CPU: leave --device out")
    if views != 1:
        raise InputError(f"{CLASSICAL} sees an image in one view: leave --views out")
    return ClassicalMethod()


class ClassicalMethod:
    """JOMLS as a `Method`. It looks at an image in one piece, however large that is.

    Windows would not be exact (docs/log.md): the grey level of the background and what a cell looks like are
    taken from the whole image, and a clump of cells, which is evolved as one, may be larger than any window.
    """

    name = CLASSICAL
    scored = False
    source = None
    batch = 1

    def __init__(self) -> None:
        from irnet.baselines.jomls import JOMLS  # InputError where its libraries are missing
        from irnet.baselines.jomls.segment import MPP

        self.jomls, self.mpp = JOMLS(), MPP

    @property
    def scores(self) -> Cuts:
        """None: it finds a cell or does not."""
        return {}

    def __call__(self, image: NDArray[np.uint8], mpp: float | None = None) -> Cells:
        return self.find(image, mpp).cells

    def check(self, *, mpp: float | None = None, score: float | None = None) -> None:
        """Refuse a score, which it does not give, and um per pixel out of range (`InputError`)."""
        if score is not None:
            raise InputError(f"{CLASSICAL} gives no scores to cut by: leave --score out")
        check_mpp(mpp)

    def scale_of(self, images: Iterable[NDArray[np.uint8]]) -> Scale:
        """Return the images' own: it estimates no scale."""
        return OWN

    def see(
        self, images: Sequence[tuple[NDArray[np.uint8], float | None]], scale: Scale | None = None
    ) -> Sequence[None]:
        """Return nothing: it is no network."""
        return [None] * len(images)

    def find(
        self,
        image: NDArray[np.uint8],
        mpp: float | None = None,
        *,
        scale: Scale | None = None,
        seen: Found | None = None,
    ) -> ImageDetections:
        """Return the cells of an (H, W, 3) image, all scores 1, each nucleus linked to its cell."""
        self.check(mpp=mpp)
        zoom = mpp / self.mpp if mpp is not None else 1.0 if scale is None else scale.zoom
        if is_blank(image, zoom):
            return ImageDetections(Cells.empty(image.shape[:2], mpp), zoom, (BLANK,))

        if mpp is not None:
            return ImageDetections(self.jomls(image, mpp), zoom, ())
        if scale is None or scale.zoom == 1:
            return ImageDetections(self.jomls(image, None), 1.0, OWN.notes if scale is None else ())

        shape = image.shape[:2]
        found = self.jomls(resize_image(image, zoomed_shape(shape, scale.zoom)), None)
        return ImageDetections(pair_nuclei(resize_cells(found, shape, None)), scale.zoom, ())

    def choose(self, cells: Cells, score: float | None = None) -> Cells:
        """Return `cells`: all are chosen and linked already."""
        self.check(score=score)
        return cells

    def origin(self) -> dict[str, Any]:
        """Return what run.json says of it."""
        return {
            "method": self.name,
            "scored": self.scored,
            "model": None,
            "model_sha256": None,
            "network_mpp": self.mpp,
            "device": "cpu",
        }


def find_all(method: Method, samples: Iterable[Sample], *, scale: Scale) -> list[Cells]:
    """Return every candidate of each image, down to the method's floor.

    Images of unknown um per pixel are taken at `scale`: training takes them as they are (`scale.OWN`).
    """
    return [method.find(sample.image, sample.content.cells.mpp, scale=scale).cells for sample in samples]
