"""What a COCO file lacks as a whole: annotations, a class, links, um per pixel, patients."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from irnet.cells import CYTOPLASM, LABEL_NAMES, NUCLEUS, Cells
from irnet.data.coco.rows import AnnotationRow, ImageRow
from irnet.data.image import header_mpp
from irnet.data.nucleus_size import doubt_mpp
from irnet.data.own import SAME
from irnet.errors import InputError
from irnet.wording import number_of

Found = tuple[str, str, str | None]  # code, message, image
Located = Sequence[tuple[ImageRow, Sequence[AnnotationRow]]]  # each image with its valid annotations


def find_lacks(located: Located, *, marked: bool, refused: bool) -> Iterator[Found]:
    """What the images and their annotations lack.

    `marked`: there are centres without outline. `refused`: rows were left out as errors.
    """
    counts = Counter(row.label for _, rows in located for row in rows)
    expected = {label for image, _ in located for label in image.annotated}
    if (expected or not located) and not (any(counts[label] for label in LABEL_NAMES) or marked or refused):
        yield "nothing-annotated", f"nothing is annotated in {number_of(len(located), 'image')}", None
        return

    every = [row for _, rows in located for row in rows]
    if every and all(row.proposed for row in every) and not any(image.unfinished for image, _ in located):
        yield "predictions", f"nothing but {number_of(len(every), 'prediction')} that nobody accepted", None
    if unread := sum(bool(rows) and not (image.annotated or image.says_annotated) for image, rows in located):
        yield "points", f"{number_of(unread, 'image')} with outlines and points", None
    for label, name in LABEL_NAMES.items():
        if label in expected and not counts[label]:
            yield "missing-class", f"no {name} in the whole file", None
    if begun := sum(image.unfinished and bool(image.annotated) for image, _ in located):
        yield "unfinished", f"nobody finished {begun} of {number_of(len(located), 'image')}", None
    yield from _links(located)
    yield from _scales([image for image, _ in located])
    for doubt in doubt_mpp(*(_nuclei(image, rows) for image, rows in located)):
        yield "odd-scale", doubt, None
    if nameless := sum(image.patient is None for image, _ in located):
        yield "no-patient", f"no patient is named by {nameless} of {number_of(len(located), 'image')}", None


def _links(located: Located) -> Iterator[Found]:
    """Nuclei and cells of which none belong together."""
    if any(row.cell_id is not None for _, rows in located for row in rows):
        return
    nuclei = 0
    for _, rows in located:
        labels = [row.label for row in rows]
        nuclei += labels.count(NUCLEUS) if CYTOPLASM in labels else 0
    if nuclei:
        yield "no-link", f"none of {number_of(nuclei, 'nucleus')} has a cell_id: there is no N:C ratio", None


def _scales(images: Sequence[ImageRow]) -> Iterator[Found]:
    """Images without um per pixel, and those whose files say others."""
    unknown, ignored = 0, defaultdict[float, int](int)
    for image in images:
        stated = _stated(image)
        unknown += image.mpp is None
        if image.mpp is None and stated is not None:
            ignored[stated] += 1
        elif image.mpp and stated and not math.isclose(image.mpp, stated, rel_tol=SAME):
            message = f"mpp is {image.mpp:g}, but the file says {stated:g} um per pixel"
            yield "other-scale", message, image.name

    if unknown:
        files = "".join(f"; {number_of(n, 'file')} say {mpp:g}" for mpp, n in sorted(ignored.items()))
        yield "no-scale", f"{unknown} of {number_of(len(images), 'image')} have no um per pixel{files}", None


def _stated(image: ImageRow) -> float | None:
    """Um per pixel by the header of the image's file."""
    try:
        return header_mpp(image.path)
    except InputError:  # a finding of its own
        return None


def _nuclei(image: ImageRow, rows: Sequence[AnnotationRow]) -> Cells:
    nuclei = [row for row in rows if row.label == NUCLEUS]
    crops, offsets = [row.crop for row in nuclei], [row.offset for row in nuclei]
    return Cells.build(crops, offsets, [NUCLEUS] * len(nuclei), image.shape, mpp=image.mpp)
