"""What the worker of the viewer does: images encoded, the last few kept, and prompts answered."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from irnet.cells import Cells
from irnet.data.image import read_image
from irnet.errors import InputError
from irnet.inference.engine import EngineName
from irnet.inference.predict import Predictor

if TYPE_CHECKING:
    from irnet.inference.prompts import EncodedImage
    from irnet.server.assistant import Question

KEPT = 3  # images that are encoded
SHOWN = 6  # candidates of a click


class Prompting:
    """A network that is loaded when it is first asked."""

    def __init__(self, weights: Path | str | None, *, device: str, engine: EngineName) -> None:
        self.weights, self.device = weights, device
        self.engine: EngineName = engine
        self._predictor: Predictor | None = None
        self._images: OrderedDict[tuple, EncodedImage] = OrderedDict()

    def answer(self, question: Question) -> Cells:
        """Return what the network holds at a point and is not there already, or the mask of a box.

        Neither point nor box: the image is encoded, for what is asked next. Raises InputError.
        """
        image = self._encoded(question)
        if question.box is not None:
            return image.mask_of(question.box, question.label)
        if question.point is None:
            return Cells.empty(image.image_shape)

        found = image.candidates(question.point, question.label, known=question.known)
        return found.cells.select(~found.known)[:SHOWN]

    def _encoded(self, question: Question) -> EncodedImage:
        key = (question.path, question.page, question.mpp, question.scale)
        image = self._images.pop(key, None) or self._encode(question)
        self._images[key] = image  # the last one used
        while len(self._images) > KEPT:
            self._images.popitem(last=False)
        return image

    def _encode(self, question: Question) -> EncodedImage:
        if self._predictor is None:
            self._predictor = Predictor.load(self.weights, device=self.device, engine=self.engine)
        pixels = read_image(question.path, question.page).pixels
        if pixels.shape[:2] != question.shape:
            raise InputError(
                f"{question.path}: the image has {pixels.shape[1]} x {pixels.shape[0]} px, what is shown "
                f"{question.shape[1]} x {question.shape[0]}: find the image that was segmented"
            )
        scale = None if question.mpp is not None else question.scale
        return self._predictor.encode(pixels, question.mpp, scale=scale)
