"""An image encoded once and asked at points and boxes: what the network holds there, known or not."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from irnet.cells import LABEL_NAMES, Cells
from irnet.data.own import contradiction
from irnet.data.picture import ImageLike, open_picture
from irnet.errors import InputError
from irnet.geometry.boxes import Boxes, clip
from irnet.inference.encoded_windows import EncodedWindows
from irnet.inference.hypotheses import draw_at, gather
from irnet.inference.scale import given_scale

if TYPE_CHECKING:
    from irnet.inference.predict import Predictor

SMALLEST = 1.0  # px: sides of boxes that are given
ROOM = 1.1  # times the sides of a box: people miss corners, and a mask ends at its box (docs/log.md)

Label = int | str

_logger = logging.getLogger(__name__)


class Candidates(NamedTuple):
    """What the network holds at a point, best first."""

    cells: Cells
    known: NDArray[np.bool_]  # (n,) which of them look like a cell that is there already


class EncodedImage:
    """An image that the network has looked at once: `Predictor.encode` makes one.

    Points and boxes are px of the image, and so is the frame of what is returned. An image of more than 2048
    px a side at the network's scale is encoded where it is asked, and the last three windows are kept.
    """

    def __init__(
        self, predictor: Predictor, image: NDArray[np.uint8], *, mpp: float | None, zoom: float
    ) -> None:
        self.image_shape: tuple[int, int] = (image.shape[0], image.shape[1])
        self.mpp, self.zoom = mpp, zoom
        self._windows = EncodedWindows(predictor, image, mpp=mpp, zoom=zoom)
        if self._windows.whole:
            self._windows.at(np.zeros(4))

    def candidates(
        self,
        point: Sequence[float],
        label: Label | None = None,
        *,
        known: Cells | None = None,
        most: int = 8,
    ) -> Candidates:
        """Return what the network holds at a point, best first, no two of them nearly the same.

        The score is the probability of the class, lower where the point lies near the outline, where the
        mask is uncertain, and where it repeats a cell that is there already.

        Args:
            point: x and y, px of the image.
            label: "cytoplasm" or "nucleus", or its number; None looks for both.
            known: the cells that are there already; None is what `predict` returns.
            most: how many at most.

        Returns:
            `Candidates`: `cells`, and of each whether it looks like a known one, `known`.

        Raises:
            InputError: the point lies outside of the image, there is no such label, or `known` are cells of
            another frame.

        Example:
            >>> import irnet
            >>> image, truth = irnet.generate(1, size=(200, 200), mpp=0.37, count=2)
            >>> encoded = irnet.load(device="cpu").encode(image, mpp=0.37)
            >>> x1, y1, x2, y2 = truth.cells.boxes[0]
            >>> found = encoded.candidates(((x1 + x2) / 2, (y1 + y2) / 2), "cytoplasm")
            >>> found.cells.image_shape, len(found.known) == len(found.cells)
            ((200, 200), True)
        """
        place = self._point(point)
        labels = [_number(label)] if label is not None else sorted(LABEL_NAMES)
        if known is not None and known.image_shape != self.image_shape:
            raise InputError(
                f"known cells of a frame of {known.image_shape}, but the image is {self.image_shape}"
            )

        part = self._windows.at(np.tile(place, 2))
        drawn = draw_at(part.encoding, self._windows.placed(place[None], part)[0], labels)
        cells = self._windows.paste(drawn.found, part)
        return Candidates(*gather(cells, drawn, place, part.cells if known is None else known, most))

    def mask_of(self, boxes: ArrayLike, labels: Label | Sequence[Label]) -> Cells:
        """Return the masks of boxes that somebody gives, in their order, scores 1.

        Args:
            boxes: (n, 4) or (4,) x1, y1, x2, y2, px of the image; what lies outside of it is cut off.
            labels: of each box, or one of all: "cytoplasm" or "nucleus", or its number.

        Raises:
            InputError: a box is less than a pixel wide or high inside the image; there is no such label, or
            not one for each box.

        Example:
            >>> import irnet
            >>> image, truth = irnet.generate(1, size=(200, 200), mpp=0.37, count=2)
            >>> encoded = irnet.load(device="cpu").encode(image, mpp=0.37)
            >>> len(encoded.mask_of(truth.cells.boxes[:2], "cytoplasm"))
            2
        """
        places = self._boxes(boxes)
        numbers = _numbers(labels, len(places))

        drawn, order, waiting = [Cells.empty(self.image_shape, self.mpp)], [], list(range(len(places)))
        while waiting:
            part = self._windows.at(places[waiting[0]])
            here = [index for index in waiting if self._windows.window_of(places[index]) == part.window]
            inside = self._windows.placed(self._with_room(places[here]), part)
            drawn.append(self._windows.paste(part.encoding.draw(inside, numbers[here]), part))
            order += here
            waiting = [index for index in waiting if index not in here]
        return Cells.concat(drawn).select(np.argsort(order))

    def _point(self, point: Sequence[float]) -> NDArray[np.float64]:
        try:
            place = np.asarray(point, dtype=np.float64)
        except (TypeError, ValueError):
            place = np.zeros(0)
        if place.shape != (2,):
            raise InputError(f"a point is x and y in px, not {point!r}")

        height, width = self.image_shape
        if not ((place >= 0) & (place < (width, height))).all():  # NaN is neither
            raise InputError(f"the point {_shown(place)} is outside of the image of {width} x {height} px")
        return place

    def _boxes(self, boxes: ArrayLike) -> Boxes:
        try:
            given = np.asarray(boxes, dtype=np.float64)
        except (TypeError, ValueError):
            given = np.zeros(1)
        given = np.atleast_2d(given) if given.size else np.zeros((0, 4))
        if given.ndim != 2 or given.shape[1] != 4:
            raise InputError("boxes are (n, 4): x1, y1, x2, y2 in px")

        height, width = self.image_shape
        inside = clip(given, height, width)
        for box, cut in zip(given, inside, strict=True):
            if not (cut[2:] - cut[:2] >= SMALLEST).all():
                raise InputError(
                    f"the box {_shown(box)} holds no pixel of the image of {width} x {height} px: "
                    "give x1, y1, x2, y2, the corners at the upper left and at the lower right"
                )
        return inside

    def _with_room(self, boxes: Boxes) -> Boxes:
        margin = np.tile((boxes[:, 2:] - boxes[:, :2]) * ((ROOM - 1) / 2), 2)
        return clip(boxes + margin * (-1, -1, 1, 1), *self.image_shape)


def encode(
    predictor: Predictor, image: ImageLike, mpp: float | None = None, *, scale: float | None = None
) -> EncodedImage:
    """See `Predictor.encode`."""
    predictor.check(mpp=mpp)
    fixed, picture = given_scale(scale, mpp), open_picture(image)
    known = picture.mpp if mpp is None else mpp
    if told := contradiction(mpp, picture.mpp):
        _logger.warning(told)
    if known is not None:
        return EncodedImage(predictor, picture.pixels, mpp=known, zoom=predictor.zoom_of(known))

    taken = fixed or predictor.scale_of([picture.pixels])
    for note in taken.notes:
        _logger.warning(note)
    return EncodedImage(predictor, picture.pixels, mpp=None, zoom=taken.zoom)


def _shown(values: NDArray[np.float64]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _number(label: Label) -> int:
    """Return the number of a label that is given by name or number. Raises `InputError`."""
    for number, name in LABEL_NAMES.items():
        if label in (number, name) and not isinstance(label, bool):
            return number
    raise InputError(f"no label {label!r}: choose from {', '.join(LABEL_NAMES.values())}")


def _numbers(labels: Label | Sequence[Label], count: int) -> NDArray[np.int64]:
    if isinstance(labels, str | int | np.integer):
        return np.full(count, _number(labels), dtype=np.int64)
    numbers = [_number(label) for label in labels]
    if len(numbers) != count:
        raise InputError(f"{count} boxes, but {len(numbers)} labels: give one for each box, or one for all")
    return np.array(numbers, dtype=np.int64)
