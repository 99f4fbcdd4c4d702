"""Instances that stand twice: a file that was imported, or joined, once too often counts every cell again."""

import hashlib
import logging

import numpy as np

from irnet.cells import Cells

COPIES = "instances have the class and the pixels of one before them, and count once more"
_logger = logging.getLogger(__name__)


def warn_of_copies(place: object, cells: Cells) -> None:
    """Warn of the instances of an image that stand twice."""
    if copies := count_copies(cells):
        _logger.warning("%s: %s: %d", place, COPIES, copies)


def count_copies(cells: Cells) -> int:
    """How many instances have the class and the pixels of one before them."""
    rows = zip(cells.labels.tolist(), cells.offsets.tolist(), cells.masks, strict=True)
    seen = {(label, *offset, *mask.shape, _digest(mask)) for label, offset, mask in rows if mask.size}
    return sum(mask.size > 0 for mask in cells.masks) - len(seen)


def _digest(mask: np.ndarray) -> bytes:
    return hashlib.blake2b(np.packbits(mask).tobytes(), digest_size=16).digest()
