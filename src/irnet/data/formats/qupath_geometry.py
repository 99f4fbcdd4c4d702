"""Outlines as QuPath has them: valid Polygons and MultiPolygons on its grid, made by shapely."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from irnet.data.coco.document import Row
from irnet.errors import InputError
from irnet.geometry.polygons import Ring
from irnet.wording import install_extra

PRECISION = 0.01  # px: what QuPath rounds to


class NucleiGeometry(NamedTuple):
    """The one geometry of the nuclei of a cell."""

    geometry: Row
    parts: list[int]  # how many polygons in it each nucleus has, in order; [] where some were joined
    scores: list[float]  # of each nucleus; of joined ones, of each polygon: the best of those in it


def check() -> None:
    """Raise InputError where what is needed to write is missing."""
    try:
        import shapely  # noqa: F401
    except ImportError as error:
        raise InputError(f"QuPath's geometry needs shapely: {install_extra('export')}") from error


def geometry_of(rings: list[Ring]) -> Row:
    """The Polygon or MultiPolygon of a mask, given by its outlines."""
    check()
    return _mapping(_parts(rings))


def nuclei_of(masks: Sequence[list[Ring]], scores: Sequence[float]) -> NucleiGeometry:
    """The geometry of all nuclei of a cell, given by their outlines. What overlaps or touches becomes one."""
    check()
    import shapely

    each = [_parts(rings) for rings in masks]
    parts = [part for own in each for part in own]
    if len(parts) == 1 or len(each) == 1 or shapely.MultiPolygon(parts).is_valid:
        return NucleiGeometry(_mapping(parts), [len(own) for own in each], list(scores))
    merged = shapely.set_precision(shapely.union_all(parts), PRECISION)
    parts = [part for part in shapely.get_parts(merged) if part.geom_type == "Polygon"]
    inner = [shapely.MultiPolygon(own).representative_point() for own in each]
    best = [
        max((score for score, point in zip(scores, inner, strict=True) if part.covers(point)), default=1.0)
        for part in parts
    ]
    return NucleiGeometry(_mapping(parts), [], best)


def _mapping(parts: list[Any]) -> Row:
    import shapely

    return shapely.geometry.mapping(parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts))


def _parts(rings: list[Ring]) -> list[Any]:
    """Polygons of a mask's pieces, holes cut out, as shapely has them."""
    import shapely

    if len(rings) == 1 and (area := shapely.Polygon(rings[0])).is_valid:
        return [area]  # its vertices are halves of a pixel: on the grid
    area = shapely.set_precision(
        shapely.make_valid(shapely.build_area(shapely.MultiLineString(rings))), PRECISION
    )
    return [part for part in shapely.get_parts(area) if part.geom_type == "Polygon" and not part.is_empty]
