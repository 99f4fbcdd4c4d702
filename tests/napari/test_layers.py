"""Cells as napari's shapes and back, on layer data alone: neither Qt nor a viewer."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.napari.layers import Layer, to_entry, to_layers

SHAPE = (80, 120)


def square(x1: int, y1: int, x2: int, y2: int) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[y1:y2, x1:x2] = True
    return mask


@pytest.fixture
def entry() -> Entry:
    """Two cells that overlap, one with a hole, a nucleus in each, and a bare one; all of some kind."""
    first, second = square(10, 10, 60, 60), square(40, 20, 100, 70)
    first[15:18, 15:18] = False
    masks = [first, square(20, 30, 30, 40), second, square(70, 40, 80, 52), square(104, 4, 112, 12)]
    labels = [CYTOPLASM, NUCLEUS, CYTOPLASM, NUCLEUS, NUCLEUS]
    cells = Cells.from_dense(
        np.array(masks), labels, scores=[0.9, 0.8, 0.7, 0.6, 0.5], parents=[-1, 0, -1, 2, -1], mpp=0.25
    )
    truth = Content(cells=cells, kinds=("a", "a", "b", "b", ""))
    return Entry(name="f.png", path=Path("f.png"), content=truth, patient="p1")


def features(layer: Layer) -> dict[str, list]:
    return {name: list(values) for name, values in layer[1]["features"].items()}


def with_shape(layer: Layer, vertices, form: str = "polygon", **row) -> Layer:
    """A layer after a user drew one more shape; napari gives it the features of the last one chosen."""
    data, attributes, kind = layer
    rows = {name: [*values, row.get(name, values[-1])] for name, values in features(layer).items()}
    forms = ["polygon"] * len(data) + [form]
    vertices = np.asarray(vertices, dtype=np.float32)
    return [*data, vertices], {**attributes, "features": rows, "shape_type": forms}, kind


def without_shape(layer: Layer, place: int) -> Layer:
    data, attributes, kind = layer
    rows = {name: values[:place] + values[place + 1 :] for name, values in features(layer).items()}
    return data[:place] + data[place + 1 :], {**attributes, "features": rows}, kind


def test_an_image_is_two_layers_of_overlapping_shapes(entry: Entry):
    cells, nuclei = to_layers(entry, scored=True)
    assert (cells[1]["name"], nuclei[1]["name"]) == ("f.png cells", "f.png nuclei")
    assert (cells[2], len(cells[0]), len(nuclei[0])) == ("shapes", 2, 3)
    assert features(cells)["id"] == [0, 2]
    assert features(nuclei)["cell_id"] == [0, 2, -1]
    assert features(nuclei)["name"] == ["f.png#1", "f.png#3", "f.png#4"]
    assert features(nuclei)["score"] == [0.8, 0.6, 0.5]
    assert features(nuclei)["label"] == ["nucleus"] * 3
    ring = nuclei[0][0]
    assert ring.min(axis=0).tolist() == [29.5, 19.5]  # y, x; pixel centres at whole numbers
    assert ring.max(axis=0).tolist() == [39.5, 29.5]
    assert not np.array_equal(ring[0], ring[-1])
    assert (cells[1]["edge_color"][0] == nuclei[1]["edge_color"][0]).all()
    assert (cells[1]["edge_color"][0] != cells[1]["edge_color"][1]).any()


def test_what_was_not_touched_comes_back_bit_for_bit(entry: Entry):
    layers = [
        ([np.float32(ring) for ring in data], attributes, kind)  # napari's precision
        for data, attributes, kind in to_layers(entry, scored=True)
    ]
    back, scored = to_entry(layers[::-1])
    assert scored
    assert back.content.cells.to_rle() == entry.content.cells.to_rle()  # the hole as well
    for name in ("labels", "scores", "parents"):
        assert getattr(back.content.cells, name).tolist() == getattr(entry.content.cells, name).tolist()
    assert back.content.cells.mpp == 0.25
    assert (back.content.kinds, back.patient) == (entry.content.kinds, "p1")


def test_a_moved_outline_is_drawn_anew(entry: Entry):
    cells, nuclei = to_layers(entry, scored=True)
    nuclei[0][1] = nuclei[0][1] + (2, 3)
    back, _ = to_entry([cells, nuclei])
    assert back.content.cells.boxes[3].tolist() == [73, 42, 83, 54]
    assert back.content.cells.parents.tolist() == [-1, 0, -1, 2, -1]
    before, after = entry.content.cells.to_rle(), back.content.cells.to_rle()
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, True, True, False, True]


def test_a_nucleus_moved_to_another_cell_changes_its_link(entry: Entry):
    cells, nuclei = to_layers(entry, scored=True)
    nuclei[0][0] = nuclei[0][0] + (20, 65)  # into the second cell
    assert to_entry([cells, nuclei])[0].content.cells.parents.tolist() == [-1, 2, -1, 2, -1]


def test_a_link_can_be_edited_in_the_features(entry: Entry):
    cells, nuclei = to_layers(entry, scored=True)
    nuclei[1]["features"]["cell_id"] = np.array([-1, 2, 2])
    assert to_entry([cells, nuclei])[0].content.cells.parents.tolist() == [-1, -1, -1, 2, 2]


def test_new_shapes_are_new_whatever_features_they_were_given(entry: Entry):
    cells, nuclei = to_layers(entry, scored=True)
    nuclei = with_shape(
        nuclei, [(44.5, 84.5), (44.5, 94.5), (54.5, 94.5), (54.5, 84.5)], "rectangle", cell_id=1
    )
    nuclei = with_shape(nuclei, [(2, 30), (2, 36), (8, 36), (8, 30)], "ellipse", id=float("nan"))
    found = to_entry([cells, nuclei])[0].content
    assert found.cells.parents.tolist() == [-1, 0, -1, 2, -1, 2, -1]  # by where it lies, not by its features
    assert found.cells.scores[5:].tolist() == [1, 1]
    assert found.cells.areas[5] == 100
    assert found.cells.areas[6] == pytest.approx(np.pi * 9, rel=0.15)
    assert found.kinds == ("a", "a", "b", "b", "", "", "")


def test_a_class_is_annotated_once_it_is_drawn(entry: Entry):
    alone = replace(entry.content, cells=entry.content.cells.of(NUCLEUS), kinds=(), annotated={NUCLEUS})
    cells, nuclei = to_layers(replace(entry, content=alone), scored=True)
    assert to_entry([cells, nuclei])[0].content.annotated == {NUCLEUS}

    drawn = [(44.5, 84.5), (44.5, 94.5), (54.5, 94.5), (54.5, 84.5)]
    new = {"id": [float("nan")], "score": [1.0], "kind": [""], "cell_id": [-1]}
    attributes = {**cells[1], "features": new, "shape_type": ["polygon"]}
    found = to_entry([([np.array(drawn, np.float32)], attributes, "shapes"), nuclei])[0].content
    assert found.annotated == {CYTOPLASM, NUCLEUS}


def test_a_deleted_cell_leaves_its_nucleus_to_whoever_holds_it(entry: Entry):
    cells, nuclei = to_layers(entry, scored=True)
    found = to_entry([without_shape(cells, 0), nuclei])[0].content.cells
    assert found.labels.tolist() == [NUCLEUS, CYTOPLASM, NUCLEUS, NUCLEUS]
    assert found.parents.tolist() == [-1, -1, 1, -1]


def test_a_turned_ellipse():
    cells, _ = to_layers(
        Entry(name="e", path=Path("e"), content=Content(cells=Cells.empty(SHAPE))), scored=False
    )
    corners = [(20, 40), (40, 60), (50, 50), (30, 30)]  # 28 by 14 px, at 45 degrees
    rows = {"id": [-1], "label": ["cytoplasm"], "score": [1.0], "kind": [""], "cell_id": [-1]}
    drawn = (
        [np.array(corners, dtype=float)],
        {**cells[1], "features": rows, "shape_type": ["ellipse"]},
        "shapes",
    )
    found, scored = to_entry([drawn])
    assert not scored
    assert found.content.cells.areas[0] == pytest.approx(np.pi / 4 * 28.3 * 14.1, rel=0.03)


def test_refusals_name_layer_and_shape(entry: Entry):
    cells, nuclei = to_layers(entry, scored=True)
    with pytest.raises(InputError, match=r"'f.png cells', shape 2: a line encloses nothing"):
        to_entry([with_shape(cells, [(1, 1), (5, 5)], "line"), nuclei])
    with pytest.raises(InputError, match="holds no pixel"):
        to_entry([with_shape(cells, [(-9, -9), (-9, -3), (-3, -3)]), nuclei])
    with pytest.raises(InputError, match="3 coordinates"):
        to_entry([with_shape(cells, [(0, 1, 1), (0, 1, 9), (0, 9, 9)]), nuclei])
    with pytest.raises(InputError, match="its nuclei are missing"):
        to_entry([cells])
    with pytest.raises(InputError, match="two layers of cells"):
        to_entry([cells, cells, nuclei])
    with pytest.raises(InputError, match="'Shapes' belongs to no image that irnet knows"):
        to_entry([([], {"name": "Shapes", "metadata": {}}, "shapes")])


def test_numbers_stay_and_are_never_given_twice(entry: Entry):
    entry = replace(entry, content=replace(entry.content, numbers=(5, 1, 7, 3, 9), last_number=12))
    cells, nuclei = to_layers(entry, scored=True)
    assert (features(cells)["id"], features(nuclei)["cell_id"]) == ([5, 7], [5, 7, -1])
    back, _ = to_entry([cells, nuclei])
    assert sorted(back.content.numbered) == [1, 3, 5, 7, 9]
    (data, attributes, kind), new = nuclei, (-1, "nucleus", 1.0, "", -1, "")
    rows = {name: [*features(nuclei)[name], value] for name, value in zip(features(nuclei), new, strict=True)}
    drawn = ([*data, data[2] + 3], attributes | {"features": rows}, kind)
    assert to_entry([cells, drawn])[0].content.numbered == (1, 3, 5, 7, 9, 13)
