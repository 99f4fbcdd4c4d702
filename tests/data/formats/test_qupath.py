"""QuPath's rules, each a test of its own, and the way back."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import shapely
from format_scenes import SHAPE, by_place, circle, place, scenes, smear
from hypothesis import HealthCheck, given, settings

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.data.formats import qupath
from irnet.data.formats.qupath_geometry import PRECISION
from irnet.errors import InputError

MANY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(folder: Path, cells: Cells, *, name: str = "a.png", **options: object) -> dict:
    entry = place(folder, cells, name, **options.pop("known", {}))
    path = (folder / name).with_suffix(".geojson")
    qupath.write(path, entry, **options)
    return json.loads(path.read_text())


def geometries(data: dict) -> Iterator[dict]:
    for feature in data["features"]:
        yield from (feature[key] for key in ("geometry", "nucleusGeometry") if key in feature)


def rings(geometry: dict) -> Iterator[list]:
    parts = geometry["coordinates"]
    for part in [parts] if geometry["type"] == "Polygon" else parts:
        yield from part


# QuPath's rules


@MANY
@given(scenes())
def test_every_geometry_is_valid_closed_and_on_the_grid(tmp_path: Path, cells: Cells) -> None:
    for style in ("cells", "annotations"):
        for geometry in geometries(write(tmp_path, cells, style=style)):
            shape = shapely.geometry.shape(geometry)
            assert geometry["type"] in ("Polygon", "MultiPolygon")
            assert shape.is_valid
            assert not shape.is_empty
            assert shape.equals(shapely.set_precision(shape, PRECISION))
            assert geometry["type"] == "Polygon" or len(geometry["coordinates"]) > 1
            assert all(ring[0] == ring[-1] and len(ring) >= 4 for ring in rings(geometry))


def test_ids_are_uuids_and_the_same_each_time(tmp_path: Path) -> None:
    first, again = write(tmp_path, smear()), write(tmp_path, smear())
    ids = [feature["id"] for feature in first["features"]]
    assert ids == [feature["id"] for feature in again["features"]]
    assert [str(uuid.UUID(text)) for text in ids] == ids
    other = write(tmp_path, smear(), name="b.png")
    assert not set(ids) & {feature["id"] for feature in other["features"]}


def test_the_nucleus_stands_beside_the_geometry(tmp_path: Path) -> None:
    data = write(tmp_path, smear())
    first, second, bare = data["features"]
    assert [f["properties"]["objectType"] for f in data["features"]] == ["cell", "cell", "detection"]
    assert first["nucleusGeometry"]["type"] == "MultiPolygon"  # binucleate
    assert second["nucleusGeometry"]["type"] == "Polygon"
    assert "nucleusGeometry" not in bare
    assert "nucleusGeometry" not in first["properties"]


def test_a_cell_without_nucleus_has_no_key_for_it(tmp_path: Path) -> None:
    (cell,) = write(tmp_path, smear().select([0]))["features"]
    assert "nucleusGeometry" not in cell


def test_classifications_have_a_name_and_a_colour(tmp_path: Path) -> None:
    kinds = ("LSIL: low", "", "", "", "", "")
    data = write(tmp_path, smear(), known={"kinds": kinds})
    classes = [feature["properties"]["classification"] for feature in data["features"]]
    assert [c["name"] for c in classes] == ["LSIL low", "cytoplasm", "nucleus"]  # a colon parts names
    assert all(len(c["color"]) == 3 and all(0 <= v <= 255 for v in c["color"]) for c in classes)


def test_metadata_are_text(tmp_path: Path) -> None:
    for style in ("cells", "annotations"):
        for feature in write(tmp_path, smear(), style=style)["features"]:
            metadata = feature["properties"]["metadata"]
            assert metadata
            assert all(isinstance(value, str) for value in metadata.values())


def test_measurements_are_finite_numbers_by_name(tmp_path: Path) -> None:
    values = {"Cell: Area µm^2": 12.5, "Nucleus/Cell area ratio": float("nan"), "IRNet: score": float("inf")}
    data = write(tmp_path, smear(), measurements=[values] * 6)
    assert data["features"][0]["properties"]["measurements"] == {"Cell: Area µm^2": 12.5}
    assert "NaN" not in (tmp_path / "a.geojson").read_text()


def test_the_origin_is_the_corner_of_the_first_pixel(tmp_path: Path) -> None:
    mask = np.zeros((1, *SHAPE), dtype=bool)
    mask[0, :20, :30] = True
    (feature,) = write(tmp_path, Cells.from_dense(mask, [CYTOPLASM]))["features"]
    assert shapely.geometry.shape(feature["geometry"]).bounds == (0, 0, 30, 20)


def test_no_plane_is_named(tmp_path: Path) -> None:
    assert all("plane" not in geometry for geometry in geometries(write(tmp_path, smear())))


def test_empty_masks_are_left_out(tmp_path: Path) -> None:
    cells = Cells.build([np.zeros((0, 0)), np.ones((9, 9))], [(0, 0), (5, 5)], [1, 2], SHAPE, parents=[-1, 0])
    (feature,) = write(tmp_path, cells)["features"]
    assert feature["properties"]["objectType"] == "detection"  # its cell is not there


def test_annotations_carry_the_pair_in_their_metadata(tmp_path: Path) -> None:
    features = write(tmp_path, smear(), style="annotations")["features"]
    assert {feature["properties"]["objectType"] for feature in features} == {"annotation"}
    links = [feature["properties"]["metadata"].get("cell") for feature in features]
    assert links == ["1", "2", "1", "1", "2", None]


def test_one_feature_a_line(tmp_path: Path) -> None:
    write(tmp_path, smear())
    lines = (tmp_path / "a.geojson").read_text().splitlines()
    assert [json.loads(line.rstrip(","))["type"] for line in lines[1:-1]] == ["Feature"] * 3


# Round trips


@MANY
@given(scenes())
def test_annotations_come_back_as_they_were(tmp_path: Path, cells: Cells) -> None:
    write(tmp_path, cells, style="annotations")
    (entry,) = qupath.read(tmp_path)
    assert by_place(entry.content.cells) == by_place(cells)


@MANY
@given(scenes())
def test_cells_come_back_as_they_were(tmp_path: Path, cells: Cells) -> None:
    write(tmp_path, cells)
    (entry,) = qupath.read(tmp_path)
    assert by_place(entry.content.cells) == by_place(cells)


def test_binucleate_cells_come_back(tmp_path: Path) -> None:
    cells, kinds = smear(), ("LSIL", "", "", "", "", "")
    write(tmp_path, cells, known={"kinds": kinds})
    (entry,) = qupath.read(tmp_path)
    assert by_place(entry.content.cells) == by_place(cells)
    assert entry.content.kinds[0] == "LSIL"


@pytest.mark.parametrize("reach", [5, 9, 10])  # px: they overlap, share an edge, lie apart
def test_nuclei_of_a_cell_keep_their_masks_and_numbers_where_they_touch(tmp_path: Path, reach: int) -> None:
    square, third = np.zeros((2, 100, 120), dtype=bool)
    square[40:49, 40:49] = True
    third[60:66, 40:46] = True
    masks = np.stack([circle(30, (50, 50)), square, np.roll(square, reach, axis=1), third])
    cells = Cells.from_dense(masks, [1, 2, 2, 2], parents=[-1, 0, 0, 0], scores=[0.9, 0.8, 0.7, 0.6])
    data = write(tmp_path, cells, known={"numbers": (7, 3, 12, 5)})

    assert [f["properties"]["objectType"] for f in data["features"]] == ["cell", "detection"][
        : 1 + (reach < 10)
    ]
    (entry,) = qupath.read(tmp_path)
    content = entry.content
    again = dict(zip(content.numbers, content.cells.masks, strict=True))
    assert by_place(content.cells) == by_place(cells)
    assert {number: mask.tolist() for number, mask in again.items()} == {
        number: mask.tolist() for number, mask in zip((7, 3, 12, 5), cells.masks, strict=True)
    }
    assert {content.numbers[p] for p in content.cells.parents.tolist() if p >= 0} == {7}


# What QuPath writes, and what others do


SQUARE = {"type": "Polygon", "coordinates": [[[5, 5], [25, 5], [25, 25], [5, 25], [5, 5]]]}


def feature(object_type: str | None = "annotation", name: str | None = "nucleus", **changes: object) -> dict:
    properties: dict = {} if object_type is None else {"objectType": object_type}
    if name is not None:
        properties["classification"] = {"name": name, "color": [1, 2, 3]}
    return {"type": "Feature", "geometry": SQUARE, "properties": properties} | changes


def read(folder: Path, data: object, **options: object) -> Cells:
    place(folder, Cells.empty(SHAPE))
    (folder / "a.geojson").write_text(data if isinstance(data, str) else json.dumps(data))
    (entry,) = qupath.read(folder / "a.geojson", **options)
    return entry.content.cells


@pytest.mark.parametrize(
    "data", [[feature()], feature(), {"type": "FeatureCollection", "features": [feature()]}]
)
def test_collections_arrays_and_single_features_are_read(tmp_path: Path, data: object) -> None:
    cells = read(tmp_path, data)
    assert (cells.labels.tolist(), cells.areas.tolist()) == ([NUCLEUS], [400])


def test_a_score_that_is_null_is_none(tmp_path: Path) -> None:
    row = feature()
    row["properties"]["metadata"] = {"score": None, "cell": None, "kind": None}
    assert read(tmp_path, row).scores.tolist() == [1.0]


@pytest.mark.parametrize("parts", ["2 1", "9 x -1", ""])
def test_nuclei_in_pieces_are_told_by_their_number_of_parts(tmp_path: Path, parts: str) -> None:
    squares = [[[[x, 8], [x + 4, 8], [x + 4, 12], [x, 12], [x, 8]]] for x in (6, 12, 18)]
    cell = feature("cell", None, nucleusGeometry={"type": "MultiPolygon", "coordinates": squares})
    cell["properties"]["metadata"] = {"nucleus_parts": parts, "nucleus_scores": "0.5 0.75"}
    cells = read(tmp_path, cell)
    assert cells.areas.tolist() == ([400, 32, 16] if parts == "2 1" else [400, 16, 16, 16])
    assert cells.scores[1:].tolist() == ([0.5, 0.75] if parts == "2 1" else [1, 1, 1])


def test_of_doubled_keys_the_last_counts(tmp_path: Path) -> None:
    text = json.dumps([feature(), feature(name="cytoplasm")])
    doubled = text.replace(
        '"objectType"', '"metadata": {"cell": "9"}, "metadata": {"cell": "1"}, "objectType"'
    )
    assert read(tmp_path, doubled).parents.tolist() == [1, -1]


def test_doubled_objects_are_joined_and_doubled_lists_refused(tmp_path: Path) -> None:
    text = json.dumps([feature(), feature(name="cytoplasm")])
    joined = text.replace('"objectType"', '"metadata": {"cell": "1"}, "metadata": {}, "objectType"')
    assert read(tmp_path, joined).parents.tolist() == [1, -1]
    twice = text.replace('"coordinates"', '"coordinates": [], "coordinates"')
    with pytest.raises(InputError, match="'coordinates' appears twice in one object"):
        read(tmp_path, twice)


def test_ellipses_fill_their_box(tmp_path: Path) -> None:
    cells = read(tmp_path, [feature(geometry=SQUARE | {"isEllipse": True})])
    assert cells.boxes.tolist() == [[5, 5, 25, 25]]
    assert cells.areas[0] == pytest.approx(np.pi * 100, rel=0.02)


def test_detections_without_a_class_are_nuclei(tmp_path: Path) -> None:
    assert read(tmp_path, [feature("detection", None)]).labels.tolist() == [NUCLEUS]


def test_cells_are_cells_whatever_their_class(tmp_path: Path) -> None:
    cells = read(tmp_path, [feature("cell", "Tumor", nucleusGeometry=SQUARE), feature("cell", None)])
    assert (cells.labels.tolist(), cells.parents.tolist()) == ([1, 2, 1], [-1, 0, -1])


def test_children_and_third_coordinates_are_read(tmp_path: Path) -> None:
    deep = {"type": "Polygon", "coordinates": [[[*point, 0] for point in SQUARE["coordinates"][0]]]}
    parent = feature(name="cytoplasm", geometry=deep)
    parent["properties"]["childObjects"] = [feature()]
    assert read(tmp_path, [parent]).labels.tolist() == [CYTOPLASM, NUCLEUS]


def test_classes_are_renamed_and_dropped(tmp_path: Path) -> None:
    data = [feature(name="Tumor"), feature(name="Region*"), feature(name=None)]
    del data[2]["properties"]["objectType"]
    data[2]["properties"]["classification"] = {"names": ["A", "B"], "colorRGB": -1}
    mapping = {"Tumor": "cytoplasm", "Region*": "drop", "A: B": "nucleus"}
    assert read(tmp_path, data, mapping=mapping).labels.tolist() == [CYTOPLASM, NUCLEUS]

    cells = [feature("cell", "Squamous  cell"), feature("cell", "squamous cell "), feature("cell", "other")]
    assert len(read(tmp_path, cells, mapping={"Squamous cell": "drop"})) == 1


def test_what_qupath_measured_may_be_nan(tmp_path: Path) -> None:
    data = [feature(id=None)]
    data[0]["properties"]["measurements"] = {"Cell: Area": float("nan")}
    assert len(read(tmp_path, data)) == 1


def test_a_nucleus_of_a_doubled_cell_goes_to_the_one_that_holds_it(tmp_path: Path) -> None:
    data = write(tmp_path, smear().select([0, 2]), style="annotations")["features"]
    elsewhere = data[0] | {
        "geometry": {"type": "Polygon", "coordinates": [[[80, 5], [90, 5], [90, 15], [80, 5]]]}
    }
    (tmp_path / "a.geojson").write_text(json.dumps([elsewhere, *data]))
    (entry,) = qupath.read(tmp_path)
    assert entry.content.cells.parents.tolist() == [-1, -1, 1]


@pytest.mark.parametrize(("value", "parent"), [("parabasal", -1), ([1], -1), ("0", -1), ("4", 0), (4, 0)])
def test_metadata_of_the_users_own_link_nothing(
    tmp_path: Path, value: object, parent: int, caplog: pytest.LogCaptureFixture
) -> None:
    drawn = [feature(name="cytoplasm"), feature(name="nucleus")]
    for one in drawn:
        one["properties"]["metadata"] = {"cell": value}
    assert read(tmp_path, drawn).parents.tolist() == [-1, parent]
    assert ("link nothing: 2" in caplog.text) == (parent == -1)


def with_metadata(**metadata: object) -> list[dict]:
    marked = feature()
    marked["properties"]["metadata"] = metadata
    return [marked]


BAD = {
    "not valid JSON": ("{", "not valid JSON"),
    "nested": ("[" * 100_000, "not valid JSON"),
    "a number": (3, "no feature"),
    "no geometry": ([{"type": "Feature"}], "no feature"),
    "null geometry": ([feature(geometry=None)], "feature 1 .*no polygon"),
    "a collection": (
        [feature(), feature(geometry={"type": "GeometryCollection", "geometries": []})],
        "feature 2 .*draw an area",
    ),
    "a part of nothing": (
        [feature(geometry={"type": "MultiPolygon", "coordinates": [[]]})],
        "lists of rings",
    ),
    "no class": ([feature(name=None)], "without classification"),
    "unknown class": ([feature(name="Tumor")], "--map 'Tumor=cytoplasm'"),
    "a tile": ([feature("tile")], "objectType 'tile'"),
    "flat": ([feature(geometry={"type": "Polygon", "coordinates": [1, 2]})], r"lists of \[x, y\]"),
    "numbers": ([feature(geometry={"type": "Polygon", "coordinates": [[1, 2, 3]]})], r"\[x, y\]"),
    "text": ([feature(geometry={"type": "Polygon", "coordinates": [[["a", "b"]] * 3]})], "list of numbers"),
    "NaN": ([feature(geometry={"type": "Polygon", "coordinates": [[[float("nan"), 1]] * 4]})], "not finite"),
    "huge": (
        [feature(geometry={"type": "Polygon", "coordinates": [[[0, 0], [1e12, 0], [0, 1e12]]]})],
        "beyond",
    ),
    "outside": (
        [feature(geometry={"type": "Polygon", "coordinates": [[[80, 80], [90, 80], [90, 90]]]})],
        "no pixel",
    ),
    "score": (with_metadata(score="high"), "score 'high'"),
    "long score": (with_metadata(score=10**400), "score .* is not a number"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_named_with_file_and_feature(tmp_path: Path, name: str) -> None:
    data, message = BAD[name]
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, data)
    assert str(caught.value).startswith(str(tmp_path / "a.geojson"))


def test_masks_that_would_fill_the_memory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("irnet.data.room.MASK_PIXELS", 2000)
    monkeypatch.setattr("irnet.data.room.INSTANCE_PIXELS", 0)
    with pytest.raises(InputError, match=r"feature 6 .*masks together"):
        read(tmp_path, [feature()] * 9)


def ring(x: int, y: int, side: int) -> list:
    return [[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]]


PARTS = {
    "part in a part": ([[ring(5, 5, 40)], [ring(10, 10, 10)]], 1600),
    "part twice": ([[ring(5, 5, 20)], [ring(5, 5, 20)]], 400),
    "overlap": ([[ring(5, 5, 20)], [ring(15, 5, 20)]], 600),
    "hole": ([[ring(5, 5, 40), ring(10, 10, 10)]], 1500),
    "holes that overlap": ([[ring(5, 5, 40), ring(10, 10, 10), ring(15, 10, 10)]], 1450),
    "island in a hole": ([[ring(5, 5, 40), ring(10, 10, 20)], [ring(15, 15, 5)]], 1225),
}


@pytest.mark.parametrize("name", PARTS)
def test_a_multipolygon_is_the_union_of_its_parts(tmp_path: Path, name: str) -> None:
    parts, area = PARTS[name]
    drawn = feature(geometry={"type": "MultiPolygon", "coordinates": parts}, name="cytoplasm")
    assert read(tmp_path, [drawn]).areas.tolist() == [area]


def cell(name: str | None = None) -> dict:
    outer, inner = (
        {"type": "Polygon", "coordinates": [ring(*place)]} for place in ((5, 5, 40), (10, 10, 10))
    )
    return feature("cell", name=name, geometry=outer) | {"nucleusGeometry": inner}


def test_the_class_of_a_cell_obeys_the_mapping(tmp_path: Path) -> None:
    drawn = [cell("Dirt"), cell("LSIL")]
    assert len(read(tmp_path, drawn)) == 4
    assert len(read(tmp_path, drawn, mapping={"dirt": "drop"})) == 2
    assert len(read(tmp_path, drawn, mapping={"Dirt": "ignore"})) == 2
    with pytest.raises(InputError, match="a cell of class 'Dirt' cannot be a nucleus"):
        read(tmp_path, drawn, mapping={"Dirt": "nucleus"})


@pytest.mark.parametrize(
    ("name", "labels"), [("PathCellObject", [1, 2]), ("PathDetectionObject", [2]), ("x", [1, 2])]
)
def test_objects_of_version_0_2_are_told_by_their_id(tmp_path: Path, name: str, labels: list) -> None:
    old = cell() | {"id": name, "properties": {"isLocked": False, "measurements": []}}
    assert read(tmp_path, [old]).labels.tolist() == labels


def test_points_and_lines_are_left_out_and_counted(tmp_path: Path, caplog) -> None:
    point = feature(geometry={"type": "MultiPoint", "coordinates": [[1, 2]]}, name="seen")
    assert len(read(tmp_path, [point, point, cell()])) == 2
    assert "left out (MultiPoint: no area): 2" in caplog.text


def test_json_that_holds_features_is_read_and_other_json_is_named(tmp_path: Path, caplog) -> None:
    for name in ("a.png", "b.png"):
        place(tmp_path, Cells.empty(SHAPE), name)
    for name in ("a.geojson", "b.json"):
        (tmp_path / name).write_text(json.dumps([cell()]))
    (tmp_path / "other.json").write_text('{"images": []}')
    assert [entry.name for entry in qupath.read(tmp_path)] == ["a.png", "b.png"]
    assert "other.json: no GeoJSON: not read" in caplog.text
    for name in ("a.geojson", "b.json"):
        (tmp_path / name).unlink()
    with pytest.raises(InputError, match="no file in it is GeoJSON"):
        qupath.read(tmp_path)


def test_half_a_character_is_refused(tmp_path: Path) -> None:
    place(tmp_path, Cells.empty(SHAPE))
    (tmp_path / "a.geojson").write_text(json.dumps([feature(name="a\ud800")]))
    with pytest.raises(InputError, match="half of a character"):
        qupath.read(tmp_path)


def test_objects_of_several_planes_are_refused(tmp_path: Path) -> None:
    drawn = [cell(), cell()]
    for z, row in enumerate(drawn):
        row["geometry"]["plane"] = {"c": -1, "z": z, "t": 0}
    assert len(read(tmp_path, drawn[1:])) == 2
    del drawn[0]["geometry"]["plane"]  # as QuPath leaves it out where it is the first
    with pytest.raises(InputError, match="objects of 2 planes of a stack"):
        read(tmp_path, drawn)


def test_objects_that_stand_twice_are_told(tmp_path: Path, caplog) -> None:
    assert len(read(tmp_path, [cell(), cell()])) == 4
    assert "have the class and the pixels of one before them, and count once more: 2" in caplog.text
