"""Edits: what each does to the rows, what is refused, and that all else stays as it was."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
from drawn import ring
from pydantic import TypeAdapter

from irnet.cells import CYTOPLASM, NUCLEUS
from irnet.data.components import split_components
from irnet.errors import InputError
from irnet.server import schema
from irnet.server.edits import change_of, combine, draw
from irnet.server.store import Review

EDIT: TypeAdapter[schema.Edit] = TypeAdapter(schema.Edit)
CELL_1, NUCLEUS_1, CELL_2, NUCLEUS_2, BARE = 1, 2, 3, 4, 5


def make(review: Review, edit: dict) -> None:
    parsed, field = EDIT.validate_python(edit), review.fields[0]
    review.edit(0, parsed.op, change_of(parsed, draw(parsed, field.image.shape), field, review))


def instances(review: Review):
    return review.fields[0].parsed()


def test_what_nobody_touched_stays_the_row_that_was_read(review: Review) -> None:
    before = copy.deepcopy(review.document.annotations)
    make(review, {"op": "reshape", "id": CELL_1, "how": "extend", "rings": [ring(30, 60, 20)]})
    make(review, {"op": "delete", "ids": [NUCLEUS_2]})
    make(review, {"op": "accept", "ids": [BARE], "accepted": True})
    rows = review.fields[0].rows
    assert [rows[key] for key in (NUCLEUS_1, CELL_2)] == [before[1], before[2]]
    assert rows[BARE]["segmentation"] == before[4]["segmentation"]
    assert list(review.fields[1].rows.values()) == before[5:]


def test_a_cell_drawn_round_a_bare_nucleus_gets_it(review: Review) -> None:
    make(review, {"op": "add", "label": CYTOPLASM, "rings": [ring(138, 22, 18)]})
    new = max(instances(review))
    assert instances(review)[BARE].cell_id == new
    assert review.fields[0].rows[new]["image_id"] == 1
    mask = instances(review)[new].crop
    assert np.count_nonzero(mask) == pytest.approx(np.pi * 18**2, rel=0.02)


def test_a_nucleus_drawn_inside_a_cell_is_paired(review: Review) -> None:
    make(review, {"op": "add", "label": NUCLEUS, "rings": [ring(30, 60, 5)]})
    make(review, {"op": "add", "label": NUCLEUS, "rings": [ring(15, 110, 5)]})
    *_, inside, outside = instances(review).values()
    assert (inside.cell_id, outside.cell_id) == (CELL_1, None)


def test_ids_are_never_used_twice(review: Review) -> None:
    last = max(row["id"] for row in review.document.annotations)
    for expected in (last + 1, last + 2):
        make(review, {"op": "add", "label": NUCLEUS, "rings": [ring(20, 20, 5)]})
        assert expected in instances(review)
        make(review, {"op": "delete", "ids": [expected]})


@pytest.mark.parametrize(("how", "sign"), [("extend", 1), ("cut", -1)])
def test_a_region_is_added_or_cut_off_and_the_rest_kept(review: Review, how: str, sign: int) -> None:
    before = np.count_nonzero(instances(review)[CELL_1].crop)
    make(review, {"op": "reshape", "id": CELL_1, "how": how, "rings": [ring(50, 30, 12)]})
    after = np.count_nonzero(instances(review)[CELL_1].crop)
    assert 100 < sign * (after - before) < np.pi * 12**2
    assert review.fields[0].rows[CELL_1]["area"] == after


def test_a_mask_stays_in_one_piece(review: Review) -> None:
    stripe = [0, 40, 160, 40, 160, 50, 0, 50]  # across the upper half of the cell
    make(review, {"op": "reshape", "id": CELL_1, "how": "cut", "rings": [stripe]})
    rows = instances(review)[CELL_1]
    assert (rows.offset[1], len(split_components(rows.crop)[0])) == (50, 1)  # the larger piece stays

    hole = [ring(50, 75, 4)]
    make(review, {"op": "reshape", "id": CELL_1, "how": "cut", "rings": hole})
    make(review, {"op": "reshape", "id": CELL_1, "how": "extend", "rings": hole})
    assert (instances(review)[CELL_1].crop == rows.crop).all()


def test_a_mask_of_several_pieces_keeps_them(review: Review) -> None:
    make(
        review, {"op": "reshape", "id": CELL_1, "how": "replace", "rings": [ring(30, 60, 9), ring(90, 60, 9)]}
    )
    make(review, {"op": "reshape", "id": CELL_1, "how": "extend", "rings": [ring(38, 60, 5)]})
    make(review, {"op": "reshape", "id": CELL_1, "how": "cut", "rings": [ring(97, 60, 4)]})
    assert len(split_components(instances(review)[CELL_1].crop)[0]) == 2


def test_strokes_that_would_be_filled_for_minutes_are_refused(review: Review, monkeypatch) -> None:
    monkeypatch.setattr("irnet.server.edits.MOST_PIXELS", 10_000)
    with pytest.raises(InputError, match="too many large outlines"):
        make(review, {"op": "add", "label": CYTOPLASM, "rings": [ring(50, 50, 30)] * 4})


def test_combining_crops_is_the_algebra_of_full_masks() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random((5, 7)) > 0.4, rng.random((6, 4)) > 0.4
    full = np.zeros((2, 20, 20), bool)
    full[0, 3:8, 2:9], full[1, 1:7, 6:10] = a, b
    for how, wanted in (("extend", full[0] | full[1]), ("cut", full[0] & ~full[1]), ("replace", full[1])):
        crop, (x, y) = combine(a, (2, 3), b, (6, 1), how)
        frame = np.zeros((20, 20), bool)
        frame[y : y + crop.shape[0], x : x + crop.shape[1]] = crop
        assert (frame == wanted).all()


def test_deleting_or_relabelling_a_cell_frees_its_nuclei(review: Review) -> None:
    make(review, {"op": "delete", "ids": [CELL_1]})
    make(review, {"op": "relabel", "ids": [CELL_2], "label": NUCLEUS})
    assert CELL_1 not in instances(review)
    assert instances(review)[CELL_2].label == NUCLEUS
    assert {instances(review)[key].cell_id for key in (NUCLEUS_1, NUCLEUS_2)} == {None}


def test_a_nucleus_is_given_to_another_cell_or_to_none(review: Review) -> None:
    make(review, {"op": "pair", "id": NUCLEUS_1, "cell": CELL_2})
    assert instances(review)[NUCLEUS_1].cell_id == CELL_2
    make(review, {"op": "pair", "id": NUCLEUS_1, "cell": None})
    assert "cell_id" not in review.fields[0].rows[NUCLEUS_1]


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        ({"op": "delete", "ids": [99]}, "99 is not in image 'a.png'"),
        ({"op": "pair", "id": NUCLEUS_1, "cell": BARE}, "must link a nucleus to a cytoplasm"),
        ({"op": "pair", "id": CELL_1, "cell": CELL_2}, "must link a nucleus to a cytoplasm"),
        ({"op": "add", "label": NUCLEUS, "rings": [ring(-50, -50, 5)]}, "holds no pixel"),
        ({"op": "add", "label": NUCLEUS, "rings": [[0, 0, 1e6, 0, 0, 1]]}, "beyond 320 px"),
        ({"op": "reshape", "id": BARE, "how": "cut", "rings": [ring(140, 20, 15)]}, "nothing would be left"),
        (
            {"op": "reshape", "id": BARE, "how": "extend", "rings": [ring(20, 20, 5)]},
            "does not touch the mask",
        ),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_no_trace(review: Review, edit: dict, told: str) -> None:
    before = dict(review.fields[0].rows)
    with pytest.raises(InputError, match=told):
        make(review, edit)
    assert review.fields[0].rows == before
    assert review.fields[0].revision == 0
    assert not review.journal.path.exists()


def test_undo_and_redo_walk_through_the_edits_of_an_image(review: Review) -> None:
    states = [dict(review.fields[0].rows)]
    for edit in (
        {"op": "delete", "ids": [CELL_1]},
        {"op": "add", "label": CYTOPLASM, "rings": [ring(50, 60, 25)]},
        {"op": "finish", "ids": [CELL_2], "finished": True},
    ):
        make(review, edit)
        states.append(dict(review.fields[0].rows))
    alive = [{k: v for k, v in state.items() if v is not None} for state in states]
    for wanted in reversed(alive[:-1]):
        review.undo(0)
        assert {k: v for k, v in review.fields[0].rows.items() if v is not None} == wanted
    assert not review.fields[0].finished
    with pytest.raises(InputError, match="nothing to undo"):
        review.undo(0)
    for wanted in alive[1:]:
        review.redo(0)
        assert {k: v for k, v in review.fields[0].rows.items() if v is not None} == wanted
    assert review.fields[0].finished
    with pytest.raises(InputError, match="nothing to redo"):
        review.redo(0)


def test_a_category_that_is_not_known_is_told_with_its_file(found: Path) -> None:
    file = found / "predictions.json"
    document = json.loads(file.read_text())
    document["categories"][0]["name"] = "debris"
    file.write_text(json.dumps(document))
    with pytest.raises(InputError, match=r"predictions\.json: unknown category 'debris'"):
        Review(found)


def test_a_restart_finds_everything_again(review: Review, found: Path) -> None:
    make(review, {"op": "add", "label": CYTOPLASM, "rings": [ring(138, 22, 18)]})
    make(review, {"op": "delete", "ids": [CELL_2]})
    review.undo(0)
    make(review, {"op": "finish", "ids": [CELL_1, CELL_2], "finished": True})
    again = Review(found)
    assert again.fields[0].rows == review.fields[0].rows
    assert again.fields[0].finished
    assert again.new_id() == review.new_id()
    again.undo(0)
    assert again.fields[0].revision == review.fields[0].revision + 1
