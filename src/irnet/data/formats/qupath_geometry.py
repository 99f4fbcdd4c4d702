"""Outlines as QuPath has them: valid Polygons and MultiPolygons on its grid, made by shapely."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from irnet.data.coco.document import Row
from irnet.errors import InputError
from irnet.geometry.polygons import Ring
from irnet.wording import install_extra

PRECISION = 0.01  # px: what QuPath rounds to


class NucleiGeometry(NamedTuple):
    """The one geometry of the nuclei of a cell, of those that fit into one."""

    geometry: Row
    members: list[int]  # which nuclei are in it: the first, and each that touches none of those before it
    parts: list[int]  # how many polygons in it each of them has, in order


def check() -> None:
    """Raise InputError where what is needed to write is missing."""
    try:
        import shapely  # noqa: F401
    except ImportError as error:
        raise InputError(f"QuPath's geometry needs shapely: {install_extra('export')}") from error


def geometry_of(rings: list[Ring]) -> Row:
    """The Polygon or MultiPolygon of a mask, given by its outlines."""
    check()
    if len(rings) == 1 and _is_simple(rings[0]):
        return {"type": "Polygon", "coordinates": [rings[0].tolist()]}  # as shapely would say it
    return _mapping(_parts(rings))


def shape_of(rings: list[Ring]) -> Any:
    """The same as shapely's geometry, its vertices as they are."""
    check()
    import shapely

    parts = _parts(rings, precision=0.0)
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)


def nuclei_of(masks: Sequence[list[Ring]]) -> NucleiGeometry:
    """The geometry of the nuclei of a cell, given by their outlines.

    A geometry that is valid has no parts that overlap or share an edge: nuclei that do are left out.
    """
    check()
    import shapely

    polygons: list[Any] = []
    members, parts = [], []
    for index, rings in enumerate(masks):
        own = _parts(rings)
        if members and not shapely.MultiPolygon([*polygons, *own]).is_valid:
            continue
        polygons += own
        members.append(index)
        parts.append(len(own))
    return NucleiGeometry(_mapping(polygons), members, parts)


def _is_simple(ring: Ring) -> bool:
    """Whether a closed ring bounds a valid polygon."""
    import shapely

    return bool(shapely.is_valid(shapely.polygons(ring)))


def _mapping(parts: list[Any]) -> Row:
    import shapely

    return shapely.geometry.mapping(parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts))


def _parts(rings: list[Ring], precision: float = PRECISION) -> list[Any]:
    """Polygons of a mask's pieces, holes cut out, as shapely has them."""
    import shapely

    if len(rings) == 1 and _is_simple(rings[0]):
        return [shapely.Polygon(rings[0])]  # its vertices are halves of a pixel: on the grid
    area = shapely.make_valid(shapely.build_area(shapely.MultiLineString(rings)))
    area = shapely.set_precision(area, precision) if precision else area
    return [part for part in shapely.get_parts(area) if part.geom_type == "Polygon" and not part.is_empty]
