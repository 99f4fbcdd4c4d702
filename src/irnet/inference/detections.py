"""What a method finds in an image, before and after the cut by score."""

from __future__ import annotations

from typing import NamedTuple

from irnet.cells import Cells


class ImageDetections(NamedTuple):
    """All candidates of an image and what the user should know about how they were found."""

    cells: Cells  # down to the method's floor, not yet cut by score
    zoom: float  # px of the method's scale per image px
    notes: tuple[str, ...]
    zoom_estimated: bool = False  # from nuclei (`scale.estimate_scale`); um per pixel stay unknown
