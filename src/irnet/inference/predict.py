"""The user's door to a trained network: an image in, `Cells` out, NumPy on both sides."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from operator import length_hint
from pathlib import Path
from typing import Any, Self, cast, overload

import numpy as np
from numpy.typing import NDArray

from irnet.cells import LABEL_NAMES, Cells, reaching
from irnet.conventions import check_mpp
from irnet.data.files import sha256
from irnet.data.nucleus_size import doubt_mpp
from irnet.data.own import contradiction
from irnet.data.picture import (
    ImageLike,
    is_picture,
    name_of,
    open_before_failure,
    openable_pixels,
    stated_mpp,
)
from irnet.errors import InputError
from irnet.inference.detections import ImageDetections
from irnet.inference.engine import EngineName, Precision
from irnet.inference.engines import open_engine
from irnet.inference.prompts import EncodedImage, encode
from irnet.inference.scale import LOOKED_AT, OWN, Scale, choose_scale, evenly_spaced, given_scale
from irnet.inference.segmenter import Segmenter
from irnet.inference.weights import find_weights
from irnet.models.pasting import Found
from irnet.morphometry.pairing import pair_nuclei
from irnet.wording import Progress

_logger = logging.getLogger(__name__)


class Predictor(Segmenter):
    """Finds cells in images of any size: `irnet.load` makes one. A `Method`."""

    @classmethod
    def load(
        cls,
        path: str | Path | None = None,
        device: str = "auto",
        views: int = 1,
        *,
        engine: EngineName = "torch",
        precision: Precision = "fp32",
        compiled: bool = False,
    ) -> Self:
        """Return a predictor with the weights of a file or of a run's folder, None for the bundled ones.

        Raises what `open_engine` raises.
        """
        source = find_weights(path)
        opened, settings = open_engine(
            source, device=device, engine=engine, precision=precision, compiled=compiled
        )
        predictor = cls(opened, settings=settings, views=views)
        predictor.source = source
        return predictor

    def seeing(self, views: int) -> Self:
        """Return a predictor of the same network that sees so many views."""
        other = type(self)(self.engine, settings=self.recipe, views=views)
        other.source = self.source
        return other

    @overload
    def predict(
        self,
        image: ImageLike,
        mpp: float | None = ...,
        score: float | None = ...,
        *,
        scale: float | None = ...,
        views: int | None = ...,
        progress: Progress | None = ...,
    ) -> Cells: ...

    @overload
    def predict(
        self,
        image: Iterator[ImageLike],
        mpp: float | None = ...,
        score: float | None = ...,
        *,
        scale: float | None = ...,
        views: int | None = ...,
        progress: Progress | None = ...,
    ) -> Iterator[Cells]: ...

    @overload
    def predict(
        self,
        image: Sequence[ImageLike],
        mpp: float | None = ...,
        score: float | None = ...,
        *,
        scale: float | None = ...,
        views: int | None = ...,
        progress: Progress | None = ...,
    ) -> list[Cells]: ...

    def predict(
        self,
        image: ImageLike | Sequence[ImageLike] | Iterator[ImageLike],
        mpp: float | None = None,
        score: float | None = None,
        *,
        scale: float | None = None,
        views: int | None = None,
        progress: Progress | None = None,
    ) -> Cells | list[Cells] | Iterator[Cells]:
        """Return the cells of an image, or of each of several, each nucleus linked to its cell.

        Images are opened and seen one after the other; on a GPU up to eight at a time, those of one size at
        once, so that scores may differ in the last digits from those of an image by itself.

        Args:
            image: (H, W), (H, W, 3) or (H, W, 4) array of 8 or 16 bits, a PIL image, or a path; or a list or
                a generator of such.
            mpp: um per pixel. The image is resampled to the scale that the network was trained at; None
                takes what the file says, and where it says nothing the scale is estimated from nuclei, one
                for all images of a call (`scale_of`), and logged; lengths then stay in px. Of a generator
                the first 32 images give it, which are held meanwhile; if all of them state theirs, the first
                that does not.
            score: least score of what is returned, for both classes; None is the operating threshold of each.
            scale: px of the network's scale per image px where um per pixel is unknown, instead of an
                estimate; 1 takes an image at its own resolution.
            views: 1 or 4, see `Segmenter`; None is as it was loaded.
            progress: called before each image with its name, its number from 1 and how many there are, 0
                where a generator does not tell.

        Returns:
            `Cells` in a frame of the image's (H, W); of a list a list; of a generator an iterator, which
            finds the cells of an image when it is asked for them.

        Raises:
            InputError: no image of a known kind, `mpp`, `score`, `scale` or `views` out of range, or
            `scale` beside `mpp`. Files of a list that cannot be opened are named before the first is seen.

        Example:
            >>> import irnet
            >>> predictor = irnet.load(device="cpu")
            >>> image, _ = irnet.generate(1, size=(200, 200), mpp=0.37, count=2)
            >>> predictor.predict(image, mpp=0.37).image_shape
            (200, 200)
            >>> [len(cells) > 0 for cells in predictor.predict([image, image[:, ::-1]], mpp=0.37)]
            [True, True]
        """
        if views not in (None, self.views):
            return self.seeing(views).predict(image, mpp, score, scale=scale, progress=progress)
        self.check(mpp=mpp, score=score)
        fixed = given_scale(scale, mpp)

        if is_picture(image):
            return next(self._each([image], mpp, score, fixed=fixed, progress=progress))
        each = self._each(cast(Iterable[ImageLike], image), mpp, score, fixed=fixed, progress=progress)
        return each if isinstance(image, Iterator) else list(each)

    __call__ = predict

    def encode(
        self, image: ImageLike, mpp: float | None = None, *, scale: float | None = None
    ) -> EncodedImage:
        """Return an image encoded once, in the time of one `predict`, to be asked at points and boxes.

        Arguments and errors are those of `predict`. CSPNet takes no prompts (`InputError`).
        """
        return encode(self, image, mpp, scale=scale)

    def _each(
        self,
        images: Iterable[ImageLike],
        mpp: float | None,
        score: float | None,
        *,
        fixed: Scale | None,
        progress: Progress | None,
    ) -> Iterator[Cells]:
        """Find the cells of one image after the other, at one scale where it is unknown."""
        total = length_hint(images)
        if isinstance(images, Iterator):
            known = list(islice(images, 0 if mpp or fixed else LOOKED_AT))
            images = chain(known, images)
        else:
            known = images = list(images)
        unknown = [one for one in known if stated_mpp(one) is None and mpp is None]

        taken = fixed
        if unknown and not fixed:
            taken = self.scale_of(openable_pixels(evenly_spaced(unknown)))

        number, told, images = 0, False, iter(images)
        while group := list(islice(images, self.batch)):
            opened, failure = open_before_failure(group)
            scales = [picture.mpp if mpp is None else mpp for picture in opened]
            if None in scales and taken is None:  # the first ones of a generator all stated theirs
                taken = self.scale_of(one.pixels for one, own in zip(opened, scales, strict=True) if not own)
            if None in scales and taken and not told:
                told = True
                for note in taken.notes:
                    _logger.warning(note)
            seen = self.see([(one.pixels, own) for one, own in zip(opened, scales, strict=True)], taken)

            for one, picture, own, network in zip(group, opened, scales, seen, strict=False):
                number += 1
                name = name_of(one, number)
                if progress:
                    progress(name, number, total)

                found = self.find(picture.pixels, own, scale=taken, seen=network)
                cells = self.choose(found.cells, score)
                other = contradiction(mpp, picture.mpp)
                for note in (*picture.notes, other, *found.notes, *doubt_mpp(cells)):
                    if note:
                        _logger.warning("%s: %s", name, note)
                yield cells
            if failure:
                raise failure

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
            "engine": self.engine.name,
            "precision": self.engine.precision,
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
        if not nucleus_px or self.resizes:
            return OWN
        return choose_scale(images, self.find_at, self.choose, nucleus_px)

    def find(
        self,
        image: NDArray[np.uint8],
        mpp: float | None = None,
        *,
        scale: Scale | None = None,
        seen: Found | None = None,
    ) -> ImageDetections:
        """Return every candidate of an (H, W, 3) image down to `predict.floor`.

        Where um per pixel is unknown the image is taken at `scale`; None is what this image alone gives, and
        then the notes say so. `seen` is what the network finds in it, where that is known already.
        """
        self.check(mpp=mpp)
        if mpp is not None:
            return self.find_at(self.zoom_of(mpp), image, mpp, seen)

        taken = self.scale_of([image]) if scale is None else scale
        found = taken.saw(image) or self.find_at(taken.zoom, image, seen=seen)
        notes = taken.notes if scale is None else ()
        return found._replace(zoom_estimated=taken.estimated, notes=(*notes, *found.notes))
