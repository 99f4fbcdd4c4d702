"""Keypoints in COCO files: centres of instances that were marked and not outlined.

An image with points and without `annotated_categories` counts as not annotated: a mark is no outline, and
what has none may be there as well. So does one that was never touched in a review.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from irnet.cells import EVERY_CLASS, Point
from irnet.data.categories import DROPPED
from irnet.data.coco.document import Document, Row, naming
from irnet.data.coco.rows import ImageRow, parse_category, parse_number
from irnet.errors import InputError
from irnet.geometry.masks import Shape

_MARKED = (1, 2)  # COCO: marked but hidden, marked; 0 is not marked, its x and y mean nothing


def is_point(row: Row) -> bool:
    """Whether an annotation is the centre of an instance, and no outline."""
    return bool(row.get("keypoints")) and not row.get("segmentation")


def parse_points(
    document: Document, image: ImageRow, rows: Sequence[Row], mapping: Mapping[str, str] | None
) -> tuple[Point, ...]:
    """The centres among the annotations of an image. Raises InputError that names the annotation."""
    points = []
    for row in filter(is_point, rows):
        with naming(f"{document.path}: image {image.name!r}, annotation {row['id']!r}"):
            if (label := parse_category(row, document.categories, mapping)) != DROPPED:
                points.append(parse_point(row, label, image.shape))
    return tuple(points)


def parse_point(row: Row, label: int, shape: Shape) -> Point:
    """A row that `is_point`, in a frame of `shape`. Raises InputError."""
    if label == EVERY_CLASS:
        raise InputError("a point is not a region to ignore: outline the region")
    numbers = row["keypoints"]
    if not isinstance(numbers, list) or len(numbers) != 3:
        raise InputError("keypoints must be [x, y, 2], the one centre of an instance")
    x, y, visibility = (parse_number(value, "keypoints") for value in numbers)
    if visibility not in _MARKED:
        raise InputError(f"keypoints end in {visibility:g}: not marked. Remove it, or write 1 or 2 if it is")
    if not (0 <= x <= shape[1] and 0 <= y <= shape[0]):
        raise InputError(
            f"its centre ({x:g}, {y:g}) lies outside of the image of {list(shape)} (height, width)"
        )
    return Point(label=label, place=(x, y), kind=str(row.get("kind") or ""))


def annotated_with(image: ImageRow, points: Sequence[Point], rows: Sequence[object]) -> ImageRow:
    """The image, as not annotated where nothing says which classes were and it has points, or is untouched.

    Untouched: no annotation among its `rows`, and nobody finished its review.
    """
    untouched = image.unfinished and not rows
    return (
        replace(image, annotated=frozenset()) if (points or untouched) and not image.says_annotated else image
    )


def point_rows(points: Sequence[Point], image_id: int, first: int) -> list[Row]:
    """Rows of `annotations`, numbered from `first`."""
    return [
        {
            "id": first + number,
            "image_id": image_id,
            "category_id": point.label,
            "keypoints": [*point.place, 2],
            "num_keypoints": 1,
            "bbox": [*point.place, 0, 0],
            "area": 0,
            "iscrowd": 0,
            **({"kind": point.kind} if point.kind else {}),
        }
        for number, point in enumerate(points)
    ]
