"""What the page receives: outlines close to the masks, measures never stale."""

import numpy as np
import pytest
from drawn import disc, ring

from irnet.cells import Cells
from irnet.geometry.polygons import contours, rasterise
from irnet.server import schema
from irnet.server.edits import change_of, draw
from irnet.server.scene import Scene, outlines
from irnet.server.store import Review


def test_outlines_have_few_vertices_and_hold_the_mask() -> None:
    cells = Cells.from_dense(np.array([disc(60, 60, 40), disc(30, 40, 20) & ~disc(30, 40, 8)]), [1, 1])
    drawn = outlines(cells.masks, cells.offsets.tolist())
    assert [len(rings) for rings in drawn] == [1, 2]  # a hole is a ring of its own
    outer = drawn[0][0]
    assert len(outer) < len(contours(cells.masks[0], (0, 0))[0])
    crop, offset = rasterise([outer], (120, 160))
    drawn_again = Cells.build([crop], [offset], [1], (120, 160))
    assert drawn_again.iou(cells)[0, 0] > 0.99


def test_nothing_to_outline() -> None:
    assert outlines([], []) == []


@pytest.fixture
def scene(review: Review) -> Scene:
    scene = Scene(review.fields[0])
    scene.describe_all()
    scene.work(60)
    return scene


def edit(scene: Scene, review: Review, change: schema.Edit) -> None:
    review.edit(0, change.op, change_of(change, draw(change, scene.field.image.shape), scene.field, review))


def everything(scene: Scene) -> dict:
    """Without colours, which stay with the cell that had them."""
    return {each["id"]: {k: v for k, v in each.items() if k != "colour"} for each in scene.describe_all()}


def test_after_edits_a_scene_tells_what_a_new_one_would(scene: Scene, review: Review) -> None:
    for change in (
        schema.Reshape(op="reshape", id=1, how="extend", rings=[ring(75, 75, 20)]),
        schema.Delete(op="delete", ids=[3]),
        schema.Add(op="add", label=1, rings=[ring(138, 22, 18)]),
        schema.Pair(op="pair", id=4, cell=1),
        schema.Pair(op="pair", id=5, cell=1),
        schema.Pair(op="pair", id=5, cell=None),
    ):
        edit(scene, review, change)
        scene.update()
    new = Scene(review.fields[0])
    new._original = scene._original
    new.describe_all()
    new.work(60)
    assert everything(scene) == everything(new)


def test_only_what_changed_is_told_again(scene: Scene, review: Review) -> None:
    edit(scene, review, schema.Delete(op="delete", ids=[5]))
    assert scene.update() == ([], [5])
    edit(scene, review, schema.Accept(op="accept", ids=[1], accepted=True))
    changed, gone = scene.update()
    assert [(each["id"], each["accepted"], each["edited"]) for each in changed] == [(1, True, False)]
    assert gone == []
    edit(scene, review, schema.Reshape(op="reshape", id=1, how="cut", rings=[ring(70, 60, 14)]))
    changed, _ = scene.update()
    assert {each["id"]: each["edited"] for each in changed}[1]
    assert {each["id"] for each in changed} >= {1, 3}  # the neighbour overlaps less than before


def test_outlines_and_measures_come_in_portions(review: Review) -> None:
    scene = Scene(review.fields[0])
    first = scene.describe_all()
    assert [(each["rings"], each["measures"]) for each in first] == [(None, None)] * 5
    portions = []
    while any(scene.missing.values()):
        portions.append(scene.work(0))
    assert [(len(portion["rings"]), len(portion["measures"])) for portion in portions] == [(5, 0), (0, 5)]
    assert scene.work(0) == {"rings": [], "measures": []}

    whole = Scene(review.fields[0])
    whole.describe_all()
    made = whole.work(60)
    assert made["rings"] == portions[0]["rings"]
    assert made["measures"] == portions[1]["measures"]
    assert whole.describe_all() == scene.describe_all()


def test_an_edit_before_all_is_made_makes_what_it_changed(review: Review) -> None:
    scene = Scene(review.fields[0])
    scene.describe_all()
    edit(scene, review, schema.Reshape(op="reshape", id=1, how="cut", rings=[ring(30, 60, 12)]))
    edit(scene, review, schema.Delete(op="delete", ids=[5]))
    changed, gone = scene.update()
    assert gone == [5]
    assert {each["id"]: each["rings"] is not None for each in changed}[1]
    assert scene.missing["outlines"] == 3
    scene.work(60)
    new = Scene(review.fields[0])
    new._original = scene._original
    new.describe_all()
    new.work(60)
    assert everything(scene) == everything(new)


def test_a_new_cell_takes_a_colour_that_its_neighbours_do_not_have(scene: Scene, review: Review) -> None:
    edit(scene, review, schema.Add(op="add", label=1, rings=[ring(65, 75, 25)]))
    scene.update()
    colours = {each["id"]: each["colour"] for each in scene.describe_all() if each["label"] == 1}
    assert len(set(colours.values())) == 3
