"""What a region of ImageJ covers, as ImageJ fills it: outlines of polygons, ovals, splines, composites.

A composite is filled by the even-odd rule, as its path is in ImageJ (`ShapeRoi`): where two of its parts
overlap it is empty.
"""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from irnet.errors import InputError
from irnet.geometry import polygons
from irnet.geometry.polygons import Ring

if TYPE_CHECKING:
    from roifile import ImagejRoi

SPLINE_POINTS = 100  # at least, as ImageJ evaluates it
_STEPS = np.linspace(0, 1, 17)[1:, None]  # of a curve in a path
_MOVE, _LINE, _QUADRATIC, _CUBIC, _CLOSE = range(5)  # of java.awt.geom.PathIterator
_NUMBERS = {_MOVE: 2, _LINE: 2, _QUADRATIC: 4, _CUBIC: 6, _CLOSE: 0}
_FITTED_AT, _FACTOR_AT = 18, 52  # bytes of the ends of the long axis, and of the float beside them


def name_without_area(region: ImagejRoi) -> str | None:
    """What the region is if it covers nothing: a line, a point, a text; None if it does."""
    from roifile import ROI_SUBTYPE, ROI_TYPE

    if region.subtype in (ROI_SUBTYPE.TEXT, ROI_SUBTYPE.ARROW, ROI_SUBTYPE.IMAGE):
        return region.subtype.name.lower()
    areas = (ROI_TYPE.POLYGON, ROI_TYPE.RECT, ROI_TYPE.OVAL, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED)
    return None if region.composite or region.roitype in areas else region.roitype.name.lower()


def outlines_of(region: ImagejRoi, content: bytes) -> list[Ring]:
    """The rings of a region, rings inside others being holes. `content` is its file. Raises InputError."""
    from roifile import ROI_OPTIONS, ROI_SUBTYPE, ROI_TYPE

    if region.composite:
        return _path(np.asarray(region.multi_coordinates, dtype=np.float64))
    if region.subtype in (ROI_SUBTYPE.ELLIPSE, ROI_SUBTYPE.ROTATED_RECT):
        ends = np.array(struct.unpack_from(f"{region.byteorder}4f", content, _FITTED_AT)).reshape(2, 2)
        (factor,) = struct.unpack_from(f"{region.byteorder}f", content, _FACTOR_AT)
        return [_fitted(ends, factor, ellipse=region.subtype == ROI_SUBTYPE.ELLIPSE)]
    if region.roitype not in (ROI_TYPE.RECT, ROI_TYPE.OVAL):
        ring = np.asarray(region.coordinates(), dtype=np.float64)
        return [_spline(ring) if region.options & ROI_OPTIONS.SPLINE_FIT else ring]

    box = (float(region.left), float(region.top), float(region.right), float(region.bottom))
    if region.subpixelrect:
        box = (region.xd, region.yd, region.xd + region.widthd, region.yd + region.heightd)
    if region.roitype == ROI_TYPE.OVAL:
        return [polygons.ellipse(box)]
    return [_rectangle(box, region.rounded_rect_arc_size)]


def _rectangle(box: tuple[float, float, float, float], arc: float) -> Ring:
    """A rectangle, its corners quarters of an ellipse with the diameter `arc`, at most its sides."""
    x1, y1, x2, y2 = box
    corners = np.array([(x2, y2), (x1, y2), (x1, y1), (x2, y1)])
    if arc <= 0:
        return corners
    sides = np.minimum(arc, (x2 - x1, y2 - y1)) / 2
    circle = polygons.ellipse((-1, -1, 1, 1)).reshape(-1, 2) * sides
    quadrants = np.sign(corners - (np.array([x1 + x2, y1 + y2]) / 2))
    quarters = [
        corner - quadrant * sides + circle[(circle * quadrant >= -1e-9).all(axis=1)]
        for corner, quadrant in zip(corners, quadrants, strict=True)
    ]
    return _hull_order(np.concatenate(quarters))


def _hull_order(points: Ring) -> Ring:
    """The vertices of a convex outline in the order of their angle."""
    x, y = (points - points.mean(axis=0)).T
    return points[np.argsort(np.arctan2(y, x), kind="stable")]


def _fitted(ends: Ring, factor: float, *, ellipse: bool) -> Ring:
    """An ellipse by its long axis and the ratio of its axes, or a rotated rectangle by its axis and width."""
    axis, centre = (ends[1] - ends[0]) / 2, ends.mean(axis=0)
    normal = np.array([-axis[1], axis[0]])
    if ellipse:
        cosine, sine = polygons.ellipse((-1, -1, 1, 1)).T[:, :, None]
        return centre + cosine * axis + sine * normal * factor
    across = normal / (np.hypot(*normal) or 1) * factor / 2
    return np.array([ends[0] + across, ends[1] + across, ends[1] - across, ends[0] - across])


def _spline(nodes: Ring) -> Ring:
    """The closed cubic spline through nodes, its parameter the root of their distances, as ImageJ fits it."""
    from scipy.interpolate import CubicSpline  # as slow to import as all else here, and seldom needed

    closed = np.concatenate([nodes, nodes[:1]])
    steps = np.maximum(np.sqrt(np.hypot(*np.diff(closed, axis=0).T)), 1e-3)  # nodes may coincide
    places = np.concatenate([[0], np.cumsum(steps)])
    if len(nodes) < polygons.MIN_VERTICES:
        return nodes
    count = max(SPLINE_POINTS, int((steps**2).sum() / 2))
    return CubicSpline(places, closed, bc_type="periodic")(np.linspace(0, places[-1], count)[:-1])


def _path(numbers: np.ndarray) -> list[Ring]:
    """The rings of a path of moves, lines and curves. Raises InputError for what is no path."""
    rings: list[list[np.ndarray]] = []
    place = 0
    while place < len(numbers):
        step = int(numbers[place])
        points = numbers[place + 1 : place + 1 + _NUMBERS.get(step, 0)].reshape(-1, 2)
        if step not in _NUMBERS or 2 * len(points) != _NUMBERS[step] or (not rings and step != _MOVE):
            raise InputError("its path is damaged: save it again")
        place += 1 + _NUMBERS[step]
        if step == _MOVE:
            rings.append([points])
        elif len(points):
            rings[-1].append(_curve(np.concatenate([rings[-1][-1][-1:], points])))
    return [ring for parts in rings if len(ring := np.concatenate(parts)) >= polygons.MIN_VERTICES]


def _curve(points: np.ndarray) -> np.ndarray:
    """Points of a Bezier curve after its first, by de Casteljau; of a line its end."""
    if len(points) == 2:
        return points[1:]
    levels = [np.broadcast_to(point, (len(_STEPS), 2)) for point in points]
    while len(levels) > 1:
        levels = [(1 - _STEPS) * a + _STEPS * b for a, b in pairwise(levels)]
    return levels[0]
