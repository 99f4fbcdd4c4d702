"""What reading a COCO file changed or left out: counted, and said once for each kind."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from irnet.cells import EVERY_CLASS, LABEL_NAMES, Content
from irnet.data.categories import plain
from irnet.data.coco.document import Document, Id, Row
from irnet.data.coco.rows import ODD, AnnotationRow, ImageRow, is_found
from irnet.data.copies import COPIES, count_copies
from irnet.data.corner import IN_A_CORNER, is_in_a_corner

Crowd = Literal["ignore", "instances"]
MAKE_CELLS = "if they are cells, 'irnet data convert --from coco --crowd instances' makes cells of them"
_MESSAGES = {  # by field of AnnotationRow
    "clipped": "polygons that left their image were cut to it",
    "stray": "pieces of polygons with fewer than three vertices were left out",
    **ODD,
}
_CROWDS = f"crowds (iscrowd = 1), which are ignored in training and scores; {MAKE_CELLS}"
_TAKEN_CROWDS = "annotations with iscrowd = 1 that are read as instances like those with 0"
_POINTED = (
    "outlines in images with marked points and without annotated_categories, which count as not annotated; "
    "say there which classes were outlined"
)
_NO_CATEGORY = (
    "images without annotated_categories in a file that has no category {name!r}, which counts as not "
    "annotated there; if it was, and there is none, add the category"
)
_UNTOUCHED = "images without an outline that nobody finished, which count as not annotated"
_UNFINISHED = (
    "images that nobody finished: what was accepted, corrected or drawn there is learned, and nothing is "
    "scored; Shift A in irnet view finishes one"
)
_PROPOSED = "predictions that nobody looked at, in images that nobody finished: left out"
_NUMBERS = "annotations whose number is none, or another's of their image: they got the next free one"
_ONE_NAME = "categories of the name of another, read as one with it"

_logger = logging.getLogger(__name__)


class Remarks:
    """Counts over the images of a file, by message."""

    def __init__(self, document: Document, crowd: Crowd) -> None:
        self.path, self.crowd = document.path, crowd
        self.counts = Counter[str]()

        names = document.categories.values()
        self.counts[_ONE_NAME] = len(names) - len(set(map(plain, names)))
        marked = [row for row in document.annotations if row.get("iscrowd") == 1]
        self.counts[_TAKEN_CROWDS] = sum(crowd == "instances" or is_found(row) for row in marked)

    def add(
        self,
        image: ImageRow,
        rows: Sequence[Row],
        annotations: Sequence[AnnotationRow],
        *,
        numbers: Mapping[Id, int],
        content: Content,
    ) -> None:
        """Count an image: its rows in the file, what was parsed of them, and what was made of that."""
        counts = self.counts
        counts[_POINTED] += len(annotations) * bool(content.points and not image.says_annotated)
        if not image.says_annotated:
            for label in LABEL_NAMES.keys() - image.annotated:
                counts[_NO_CATEGORY.format(name=LABEL_NAMES[label])] += bool(content.annotated)
        if image.unfinished:
            counts[_UNFINISHED if content.annotated else _UNTOUCHED] += 1
            counts[_PROPOSED] += sum(annotation.proposed for annotation in annotations)
        counts[_NUMBERS] += sum(row.get("number") not in (None, numbers[row["id"]]) for row in rows)

        for name, message in _MESSAGES.items():
            counts[message] += sum(getattr(annotation, name) for annotation in annotations)
        if self.crowd == "ignore":
            counts[_CROWDS] += sum(a.crowd and a.label != EVERY_CLASS for a in annotations)

        counts[COPIES] += count_copies(content.cells)
        outlined = all(a.outlined and not a.shares for a in annotations)
        counts[IN_A_CORNER] += outlined and is_in_a_corner(content.cells)

    def say(self) -> None:
        """Warn of each kind that there was."""
        for message, count in self.counts.items():
            if count:
                _logger.warning("%s: %s: %d", self.path, message, count)
