"""COCO json: round trips, what is read and every refusal."""

import copy
import json
import logging
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content, Distractor
from irnet.data import room
from irnet.data.coco.coco import read_coco, write_coco
from irnet.data.coco.document import load
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.geometry import masks

SHAPE = (8, 10)
COUNTS = [16, 4, 4, 4, 4, 4, 44]  # columns 2, 3 and 4, rows 0 to 3
BLOCK = np.zeros(SHAPE, dtype=bool)
BLOCK[:4, 2:5] = True


def table(segmentation: object = None, **annotation: object) -> dict:
    """A file with one image and one annotation."""
    rle = {"size": list(SHAPE), "counts": COUNTS}
    row = {"id": 7, "image_id": 3, "category_id": 1, "iscrowd": 0, "segmentation": segmentation or rle}
    return {
        "images": [{"id": 3, "file_name": "a.png", "height": 8, "width": 10}],
        "annotations": [row | annotation],
        "categories": [{"id": 1, "name": "cytoplasm"}, {"id": 2, "name": "nucleus"}],
    }


def write(path: Path, data: object) -> Path:
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def read_one(tmp_path: Path, data: object, **options) -> Entry:
    (entry,) = read_coco(write(tmp_path / "annotations.json", data), **options)
    return entry


@pytest.mark.parametrize("name", ["a.png", "./a.png", "a.png/"])
def test_two_images_of_one_name_are_refused(tmp_path: Path, name: str) -> None:
    data = table()
    data["images"].append({"id": 9, "file_name": name, "height": 8, "width": 10})
    with pytest.raises(InputError, match="images 3 and 9 have this file_name"):
        read_one(tmp_path, data)


@pytest.mark.parametrize("field", ["file_name", "patient"])
@pytest.mark.parametrize("half", ["\ud800.png", "caf\udce9.png"])
def test_half_a_character_is_no_name(tmp_path: Path, field: str, half: str) -> None:
    data = table()
    data["images"][0][field] = half
    with pytest.raises(InputError, match="half of a character"):
        read_one(tmp_path, data)


def scene() -> list[Entry]:
    """Two overlapping cells with nuclei, one bare nucleus; an image of nuclei only; an empty image."""
    masks = np.zeros((5, 30, 40), dtype=bool)
    masks[0, 2:20, 3:25] = True
    masks[1, 10:30, 15:40] = True  # at two borders, over the first
    masks[2, 5:8, 5:9] = True
    masks[3, 20:24, 30:33] = True
    masks[4, 0, 0] = True
    masks[0, 5, 5] = False  # a hole
    cells = Cells.from_dense(masks, [1, 1, 2, 2, 2], parents=[-1, -1, 0, 1, -1], mpp=0.25)
    ignore = Cells.from_dense(masks[:2], [0, CYTOPLASM])
    truth = Content(
        cells=cells,
        kinds=("superficial", "", "", "", "bare"),
        ignore=ignore,
        distractors=(Distractor(kind="mucus", box=(1.0, 2.0, 3.5, 4.0)),),
    )
    nuclei = Content(cells=cells.of(NUCLEUS), annotated=frozenset({NUCLEUS}))
    empty = Content(cells=Cells.empty((30, 40)))
    return [
        Entry(name="a.png", path=Path("a.png"), content=truth, patient="p1"),
        Entry(name="b/ü.png", path=Path("b/ü.png"), content=nuclei),
        Entry(name="c.png", path=Path("c.png"), content=empty),
    ]


def assert_same_cells(a: Cells, b: Cells) -> None:
    assert a.to_rle() == b.to_rle()
    assert a.labels.tolist() == b.labels.tolist()
    assert a.parents.tolist() == b.parents.tolist()
    assert (a.image_shape, a.mpp) == (b.image_shape, b.mpp)


def test_truth_comes_back_as_it_was_written(tmp_path: Path) -> None:
    entries = scene()
    write_coco(tmp_path / "annotations.json", entries, info={"description": "three fields"})
    back = read_coco(tmp_path)
    assert [entry.name for entry in back] == ["a.png", "b/ü.png", "c.png"]
    assert [entry.patient for entry in back] == ["p1", None, None]
    for before, after in zip(entries, back, strict=True):
        assert_same_cells(before.content.cells, after.content.cells)
        assert before.content.kinds == after.content.kinds
        assert before.content.annotated == after.content.annotated
        places = [[(d.kind, d.box) for d in entry.content.distractors] for entry in (before, after)]
        assert places[0] == places[1]
    assert entries[0].content.ignore is not None
    assert back[0].content.ignore is not None
    assert back[0].content.ignore.labels.tolist() == [0, CYTOPLASM]
    assert entries[0].content.ignore.to_rle() == back[0].content.ignore.to_rle()
    assert back[1].content.ignore is None


def test_writing_is_a_function_of_its_input(tmp_path: Path) -> None:
    write_coco(tmp_path / "a.json", scene())
    write_coco(tmp_path / "b.json", read_coco(tmp_path / "a.json"))
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_scores_are_written_for_predictions_only(tmp_path: Path) -> None:
    cells = Cells.from_dense(np.stack([BLOCK, BLOCK]), [1, 2], scores=[0.75, 0.5], parents=[-1, 0])
    entry = Entry(name="a.png", path=Path("a.png"), content=Content(cells=cells))
    write_coco(tmp_path / "p.json", [entry], scores=True)
    assert read_coco(tmp_path / "p.json")[0].content.cells.scores.tolist() == [0.75, 0.5]
    write_coco(tmp_path / "t.json", [entry])
    assert "score" not in (tmp_path / "t.json").read_text()


def test_others_can_read_the_boxes_and_areas(tmp_path: Path) -> None:
    cells = Cells.from_dense(BLOCK[None], [1])
    write_coco(tmp_path / "a.json", [Entry(name="a.png", path=Path("a.png"), content=Content(cells=cells))])
    (row,) = json.loads((tmp_path / "a.json").read_text())["annotations"]
    assert (row["bbox"], row["area"], row["iscrowd"]) == ([2, 0, 3, 4], 12, 0)


def test_empty_masks_are_left_out_and_links_to_them_too(tmp_path: Path) -> None:
    masks = np.stack([np.zeros(SHAPE, dtype=bool), BLOCK, BLOCK, BLOCK])
    cells = Cells.from_dense(masks, [1, 1, 2, 2], parents=[-1, -1, 0, 1])
    write_coco(tmp_path / "a.json", [Entry(name="a.png", path=Path("a.png"), content=Content(cells=cells))])
    back = read_coco(tmp_path / "a.json")[0].content.cells
    assert back.labels.tolist() == [1, 2, 2]
    assert back.parents.tolist() == [-1, -1, 0]


SEGMENTATIONS = {
    "run lengths": {"size": [8, 10], "counts": COUNTS},
    "compressed": {"size": [8, 10], "counts": "`044000X1"},
    "polygon": [[2, 0, 5, 0, 5, 4, 2, 4]],
    "flat polygon": [2, 0, 5, 0, 5, 4, 2, 4],
    "two polygons": [[2, 0, 4, 0, 4, 4, 2, 4], [4.0, 0, 5, 0, 5, 4, 4, 4]],
    "polygon from outside": [[2, -3, 5, -3, 5, 4, 2, 4]],
}


@pytest.mark.parametrize("segmentation", SEGMENTATIONS.values(), ids=SEGMENTATIONS)
def test_every_kind_of_mask_is_read(tmp_path: Path, segmentation: object) -> None:
    cells = read_one(tmp_path, table(segmentation)).content.cells
    assert np.array_equal(cells.to_dense(), BLOCK[None])


def test_coordinates_that_look_like_shares_are_told(tmp_path: Path, caplog) -> None:
    read_one(tmp_path, table([[0.1, 0.1, 0.9, 0.1, 0.9, 0.9, 0.1, 0.9]]))
    assert "are they shares of the image's size? Pixels are meant: 1" in caplog.text
    caplog.clear()
    read_one(tmp_path, table([[2, 0, 5, 0, 5, 4, 2, 4]]))
    assert "shares" not in caplog.text


def test_null_says_nothing(tmp_path: Path) -> None:
    nothing = dict.fromkeys(("iscrowd", "score", "cell_id", "kind", "keypoints", "bbox", "file_name", "area"))
    data = table(**nothing)
    data["images"][0] |= dict.fromkeys(("patient", "mpp", "annotated_categories", "distractors", "license"))
    path = write(tmp_path / "annotations.json", data | {"info": None})
    (entry,) = read_coco(path)
    assert np.array_equal(entry.content.cells.to_dense(), BLOCK[None])
    assert (entry.content.ignore, entry.content.kinds, entry.content.annotated) == (None, (), {1, 2})
    assert not load(path).scored


def test_a_class_without_a_category_was_not_annotated(tmp_path: Path, caplog) -> None:
    data = table(category_id=2)
    del data["categories"][0]
    assert read_one(tmp_path, data).content.annotated == {NUCLEUS}
    assert "no category 'cytoplasm', which counts as not annotated there" in caplog.text

    data["categories"][0]["name"] = "Kern"
    assert read_one(tmp_path, data, mapping={"Kern": "nucleus"}).content.annotated == {NUCLEUS}
    data["images"][0]["annotated_categories"] = ["cytoplasm", "nucleus"]
    assert read_one(tmp_path, data, mapping={"Kern": "nucleus"}).content.annotated == {CYTOPLASM, NUCLEUS}
    nothing = table() | {"annotations": [], "categories": []}
    assert read_one(tmp_path, nothing).content.annotated == {CYTOPLASM, NUCLEUS}


@pytest.mark.parametrize("number", [float, str])
def test_whole_numbers_may_be_written_otherwise(tmp_path: Path, number: type) -> None:
    data = table()
    data["images"][0] |= {"height": number(8), "width": number(10)}
    if number is float:  # tables with gaps have no whole numbers
        data["images"][0]["id"], data["categories"][0]["id"] = 3.0, 1.0
        data["annotations"][0] |= {"id": 7.0, "image_id": 3.0, "category_id": 1.0}
    assert np.array_equal(read_one(tmp_path, data).content.cells.to_dense(), BLOCK[None])


def test_an_image_without_its_size_is_refused(tmp_path: Path) -> None:
    data = table()
    del data["images"][0]["height"]
    with pytest.raises(InputError, match=r"two whole numbers \[height, width\], not \[None, 10\]"):
        read_one(tmp_path, data)


def test_coordinates_that_look_like_um_are_told(tmp_path: Path, caplog) -> None:
    places = [(80, 90), (300, 160), (200, 300)]
    for um_per_px, told in ((0.25, True), (1.0, False)):
        data = table()
        data["images"][0] |= {"height": 400, "width": 500}
        rings = [[v * um_per_px for v in (x, y, x + 60, y, x + 60, y + 50, x, y + 50)] for x, y in places]
        row = data["annotations"][0]
        data["annotations"] = [row | {"id": i, "segmentation": [ring]} for i, ring in enumerate(rings)]
        caplog.clear()
        read_one(tmp_path, data)
        assert ("are coordinates in um, or of a smaller copy?" in caplog.text) == told


def test_polygons_cut_to_the_frame_are_counted(tmp_path: Path, caplog) -> None:
    data = table([[2, -3, 5, -3, 5, 4, 2, 4]])
    data["annotations"].append(
        data["annotations"][0] | {"id": 8, "segmentation": [[8, 0, 12, 0, 12, 4, 8, 4]]}
    )
    data["annotations"].append(data["annotations"][0] | {"id": 9, "segmentation": [[2, 0, 5, 0, 5, 4]]})
    with caplog.at_level(logging.WARNING):
        cells = read_one(tmp_path, data).content.cells
    assert cells.boxes[1].tolist() == [8, 0, 10, 4]
    assert "cut to it: 2" in caplog.text


def test_ids_may_be_text(tmp_path: Path) -> None:
    data = table(id="n1", cell_id="c1", category_id="N")
    data["annotations"].append(table(id="c1", category_id="C")["annotations"][0])
    for row in data["annotations"]:
        row["image_id"] = "i"
    data["images"][0]["id"] = "i"
    data["categories"] = [{"id": "C", "name": "Cytoplasm"}, {"id": "N", "name": "NUCLEUS"}]
    cells = read_one(tmp_path, data).content.cells
    assert cells.labels.tolist() == [NUCLEUS, CYTOPLASM]
    assert cells.parents.tolist() == [1, -1]


def test_categories_are_mapped(tmp_path: Path) -> None:
    data = table()
    data["categories"] = [{"id": 1, "name": "Cell"}, {"id": 2, "name": "debris"}, {"id": 9, "name": "unused"}]
    data["annotations"].append(data["annotations"][0] | {"id": 8, "category_id": 2})
    mapping = {"cell": "cytoplasm", "debris": "drop"}
    assert read_one(tmp_path, data, mapping=mapping).content.cells.labels.tolist() == [CYTOPLASM]
    with pytest.raises(InputError, match=r"annotation 7: unknown category 'Cell'.*--map"):
        read_one(tmp_path, data)


def test_names_of_other_tools_mean_the_files_in_images(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").touch()
    data = table()
    for name in ("images/a.png", "C:\\x\\a.png", "/data/local-files/?d=images/a.png"):
        data["images"][0]["file_name"] = name
        entry = read_one(tmp_path, data)
        assert (entry.name, entry.path) == ("a.png", tmp_path / "images" / "a.png")
    (elsewhere := tmp_path / "elsewhere").mkdir()
    write(elsewhere / "x.json", data)
    (entry,) = read_coco(elsewhere / "x.json", images=tmp_path / "images")
    assert entry.path == tmp_path / "images" / "a.png"
    with pytest.raises(InputError, match="none: no such folder"):
        read_coco(elsewhere / "x.json", images=tmp_path / "none")


@pytest.mark.parametrize("second", ["a.png", "images/a.png"])
def test_two_images_of_one_file_are_refused(tmp_path: Path, second: str) -> None:
    (tmp_path / "a.png").touch()
    data = table()
    data["images"].append(data["images"][0] | {"id": 4, "file_name": second})
    with pytest.raises(InputError, match=r"have this file_name|join their annotations"):
        read_one(tmp_path, data)


def test_two_categories_of_one_id_are_refused(tmp_path: Path) -> None:
    data = table()
    data["categories"][1]["id"] = 1
    with pytest.raises(InputError, match=r"category 'nucleus': id 1 is that of another category"):
        read_one(tmp_path, data)


def test_two_categories_of_one_name_are_one_and_said(tmp_path: Path, caplog) -> None:
    data = table(category_id=2)
    data["categories"][1]["name"] = "cytoplasm"
    assert read_one(tmp_path, data).content.cells.labels.tolist() == [CYTOPLASM]
    assert "categories of the name of another, read as one with it: 1" in caplog.text


def test_stray_pieces_of_polygons_are_left_out_and_counted(tmp_path: Path, caplog) -> None:
    cells = read_one(tmp_path, table([[0, 0, 3, 0, 3, 3, 0, 3], [5, 5], [6, 6, 7, 7], []])).content.cells
    assert cells.areas.tolist() == [9]
    assert "fewer than three vertices were left out: 3" in caplog.text


@pytest.mark.parametrize(
    ("bbox", "told"),
    [
        ([1, 2, 3, 1], False),
        ([0.5, 1.5, 4, 2], False),
        ([2, 1, 1, 3], True),  # y before x
        ([1, 2, 4, 3], True),  # corners
        ([0, 0, 0, 0], False),
        ([9] * 3 + [10**400], False),
        ([1, 2, 3], False),
        (None, False),
    ],
)
def test_a_box_that_lies_elsewhere_than_its_mask_is_told(tmp_path: Path, caplog, bbox, told: bool) -> None:
    cells = read_one(tmp_path, table([[1, 2, 4, 2, 4, 3, 1, 3]], bbox=bbox)).content.cells
    assert cells.boxes.tolist() == [[1, 2, 4, 3]]
    assert ("do polygons have y before x?: 1" in caplog.text) == told


def test_annotations_that_stand_twice_are_told(tmp_path: Path, caplog) -> None:
    data = table()
    data["annotations"] = [data["annotations"][0] | {"id": number} for number in (1, 2, 3)]
    assert len(read_one(tmp_path, data).content.cells) == 3
    assert "and count once more: 2" in caplog.text


@pytest.mark.parametrize("score", [-0.5, 2.5, 97])
def test_scores_outside_0_to_1_are_refused_with_the_remedy(tmp_path: Path, score: float) -> None:
    with pytest.raises(InputError, match="divide percent by 100, put logits through a sigmoid"):
        read_one(tmp_path, table(score=score))


def test_a_score_that_rounding_lifted_above_1_is_1(tmp_path: Path) -> None:
    assert read_one(tmp_path, table(score=1.0000001)).content.cells.scores.tolist() == [1]


def test_what_has_a_score_is_an_instance_whatever_iscrowd_says(tmp_path: Path, caplog) -> None:
    entry = read_one(tmp_path, table(score=0.5, iscrowd=1))
    assert (len(entry.content.cells), entry.content.ignore) == (1, None)
    assert "with iscrowd = 1 that are read as instances like those with 0: 1" in caplog.text


def test_crowds_among_cells_are_said_to_be_ignored(tmp_path: Path, caplog) -> None:
    data = table()
    data["annotations"].append(data["annotations"][0] | {"id": 8, "iscrowd": 1})
    entry = read_one(tmp_path, data)
    assert (len(entry.content.cells), entry.content.ignore and len(entry.content.ignore)) == (1, 1)
    assert "ignored in training and scores" in caplog.text


def test_crowds_are_ignore_regions_or_cells(tmp_path: Path) -> None:
    data = table()
    data["annotations"].append(data["annotations"][0] | {"id": 8, "iscrowd": 1, "category_id": 2})
    truth = read_one(tmp_path, data).content
    assert truth.ignore is not None
    assert (truth.cells.labels.tolist(), truth.ignore.labels.tolist()) == ([CYTOPLASM], [NUCLEUS])
    truth = read_one(tmp_path, data, crowd="instances").content
    assert (truth.cells.labels.tolist(), truth.ignore) == ([CYTOPLASM, NUCLEUS], None)


def test_a_file_of_crowds_only_is_offered_crowd_instances(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--crowd instances"):
        read_one(tmp_path, table(iscrowd=1))
    assert len(read_one(tmp_path, table(iscrowd=1), crowd="instances").content.cells) == 1


def test_a_region_of_category_ignore_counts_for_every_class(tmp_path: Path) -> None:
    data = table()
    data["categories"][0]["name"] = "ignore"
    for crowd in ("ignore", "instances"):
        truth = read_one(tmp_path, data, crowd=crowd).content
        assert truth.ignore is not None
        assert (len(truth.cells), truth.ignore.labels.tolist()) == (0, [0])


def test_a_link_to_a_crowd_is_dropped(tmp_path: Path) -> None:
    data = table(category_id=2, cell_id=8)
    data["annotations"].append(table(id=8, iscrowd=1)["annotations"][0])
    assert read_one(tmp_path, data).content.cells.parents.tolist() == [-1]


def test_images_lie_in_images_or_beside_the_file(tmp_path: Path) -> None:
    assert read_one(tmp_path, table()).path == tmp_path / "a.png"
    (tmp_path / "images").mkdir()
    assert read_one(tmp_path, table()).path == tmp_path / "images" / "a.png"


def test_a_folder_without_annotations_json_lists_what_it_has(tmp_path: Path) -> None:
    write(tmp_path / "nuclei.json", table())
    with pytest.raises(InputError, match=r"name one of nuclei\.json"):
        read_coco(tmp_path)
    assert len(read_coco(tmp_path / "nuclei.json")) == 1
    with pytest.raises(InputError, match="no such file or folder"):
        read_coco(tmp_path / "none.json")


BAD_FILES = {
    "no json": ('{"images": [\n1, 2,\n oops', "line 3, column 2"),
    "empty": ("", "line 1"),
    "list": ("[]", "is an object"),
    "text": ('"x"', "is an object"),
    "nan": ('{"images": ["NaN",\n\n NaN]}', "line 3: NaN is not a number"),
    "deep": ("[" * 100_000, "not valid JSON"),
    "digits": ('{"images": ' + "1" * 5000 + "}", "not valid JSON"),
    "no images": ({"annotations": [], "categories": []}, "'images' must be a list"),
    "images of numbers": ({"images": [1], "annotations": [], "categories": []}, "'images' must be a list"),
    "category without name": ({"images": [], "annotations": [], "categories": [{"id": 1}]}, "has no name"),
    "category without id": (
        {"images": [], "annotations": [], "categories": [{"name": "x"}]},
        "id must be a whole number",
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused(tmp_path: Path, name: str) -> None:
    data, message = BAD_FILES[name]
    with pytest.raises(InputError, match=message) as caught:
        read_coco(write(tmp_path / "bad.json", data))
    assert "bad.json" in str(caught.value)


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_bytes(b'{"images": "\xff"}')
    with pytest.raises(InputError, match=r"bad\.json: not valid JSON"):
        read_coco(tmp_path / "bad.json")


BAD_IMAGES = {
    "finished": ("false", "finished must be true or false, without quotes, not 'false'"),
    "finished ": (0, "finished must be true or false"),
    "id": (None, "id must be"),
    "id ": ([1], "id must be"),
    "file_name": ("../a.png", "leaves its folder"),
    "file_name ": (5, "file_name must be text"),
    "height": (0, "outside"),
    "height ": (None, "whole numbers"),
    "height  ": (2**40, "outside"),
    "width": (10.5, "whole numbers"),
    "width ": (100_000_000, "outside"),
    "mpp": (-1, "um per pixel"),
    "mpp  ": (1e300, "give 0.05 to 2, or leave it out"),
    "mpp ": ("0.25", "finite number"),
    "patient": (1.5, "patient must be"),
    "annotated_categories": ("nucleus", "must be a list"),
    "annotated_categories ": (["cell"], "unknown category"),
    "distractors": ([{"kind": "mucus", "bbox": [1, 2, 3]}], "distractor must be"),
    "distractors ": ([{"kind": "mucus", "bbox": [1, 2, 3, "4"]}], "finite number"),
    "distractors  ": ([[]], "distractor must be"),
    "distractors   ": (5, "distractors must be"),
}


@pytest.mark.parametrize("field", BAD_IMAGES)
def test_a_bad_image_row_is_refused(tmp_path: Path, field: str) -> None:
    value, message = BAD_IMAGES[field]
    data = table()
    data["images"][0][field.strip()] = value
    with pytest.raises(InputError, match=message) as caught:
        read_one(tmp_path, data)
    assert "annotations.json: image" in str(caught.value)


BAD_ANNOTATIONS = {
    "id": (None, "id must be"),
    "id ": (True, "id must be"),
    "image_id": (99, "image_id 99 is not in images"),
    "image_id ": ("3", "image_id '3' is not in images"),
    "category_id": (5, "category_id 5 is not in categories"),
    "category_id ": ({}, "category_id must be"),
    "iscrowd": (2, "iscrowd must be the number 0 or 1, not 2"),
    "iscrowd ": ("0", "iscrowd must be the number 0 or 1, not '0'"),
    "score": ("high", "score must be"),
    "score ": (10**400, "score must be"),
    "accepted": ("no", "accepted must be true or false, without quotes, not 'no'"),
    "accepted ": (1, "accepted must be true or false"),
    "cell_id": (12, "cell_id 12 must link a nucleus to a cytoplasm"),
    "cell_id ": (1.5, "cell_id must be"),
    "segmentation": ([], "a box alone is not a mask"),
    "segmentation ": (None, "a box alone is not a mask"),
    "no size": ({"counts": COUNTS}, "run lengths of size None"),
    "size": ({"size": [10, 8], "counts": COUNTS}, r"run lengths of size \[10, 8\] in an image of \[8, 10\]"),
    "no counts": ({"size": [8, 10]}, "counts must be"),
    "sum": ({"size": [8, 10], "counts": [*COUNTS[:-1], 43]}, "add up to 79"),
    "negative": ({"size": [8, 10], "counts": [16, -4, 68]}, "not be negative"),
    "float": ({"size": [8, 10], "counts": [16.0, 4, 60]}, "whole numbers"),
    "text": ({"size": [8, 10], "counts": "é"}, "characters"),
    "empty mask": ({"size": [8, 10], "counts": [80]}, "its mask is empty"),
    "outside": ([[11, 0, 14, 0, 14, 4, 11, 4]], "its mask is empty"),
    "two points": ([[1, 2, 3, 4]], "at least 6 numbers"),
    "odd": ([[1, 2, 3, 4, 5, 6, 7]], "even count"),
    "far": ([[0, 0, 1e9, 0, 1e9, 1e9]], "beyond"),
    "huge": ([[0, 0, 10**400, 0, 1, 1]], "points must be a list"),
    "words": ([["1", "2", "3", "4", "5", "6"]], "list of numbers"),
    "nested": ([[[1, 2], [3, 4], [5, 6]]], "list of numbers"),
    "mixed": ([[1, 2, 3, 4, 5, 6], 7], "list of numbers"),
    "line": ([[1, 1, 5, 1, 1, 1]], "its mask is empty"),
}


@pytest.mark.parametrize("field", BAD_ANNOTATIONS)
def test_a_bad_annotation_row_is_refused(tmp_path: Path, field: str) -> None:
    value, message = BAD_ANNOTATIONS[field]
    data = table()
    row = data["annotations"][0]
    row[
        field.strip()
        if field.strip() in row or field.strip() in ("score", "cell_id", "accepted")
        else "segmentation"
    ] = value
    with pytest.raises(InputError, match=message) as caught:
        read_one(tmp_path, data)
    assert "annotations.json: " in str(caught.value)
    assert "annotation " in str(caught.value)


def test_an_annotation_that_names_another_image_than_its_own_is_refused(tmp_path: Path) -> None:
    read_one(tmp_path, table(file_name="images/a.jpg"))
    with pytest.raises(
        InputError, match=r"annotation 7: file_name 'b\.png' is not that of its image, 'a\.png'"
    ):
        read_one(tmp_path, table(file_name="b.png"))


def test_doubled_ids_are_refused(tmp_path: Path) -> None:
    data = table()
    data["annotations"] *= 2
    with pytest.raises(InputError, match="annotation 7: another annotation has the same id"):
        read_one(tmp_path, data)
    data = table()
    data["images"].append(copy.deepcopy(data["images"][0]))
    with pytest.raises(InputError, match="id 3 is that of another image"):
        read_one(tmp_path, data)


DOUBLED = {  # what stands twice, and what the second one says
    "annotations": "[]",
    "segmentation": "[[1, 1, 2, 1, 2, 2]]",
    "category_id": "2",
}


@pytest.mark.parametrize("key", DOUBLED)
def test_a_key_that_stands_twice_is_refused(tmp_path: Path, key: str) -> None:
    text = json.dumps(table())
    path = tmp_path / "annotations.json"
    path.write_text(text.replace(f'"{key}": ', f'"{key}": {DOUBLED[key]}, "{key}": '))
    with pytest.raises(InputError, match=rf"annotations\.json: '{key}' appears twice in one object"):
        load(path)


def test_a_key_that_says_the_same_twice_is_read(tmp_path: Path) -> None:
    path = tmp_path / "annotations.json"
    path.write_text(
        json.dumps(table()).replace('"images": ', '"info": {"a": 1}, "info": {"a": 1}, "images": ')
    )
    assert load(path).data["info"] == {"a": 1}


def test_a_few_bytes_cannot_stand_for_gigabytes(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(room, "MASK_PIXELS", 1000)
    monkeypatch.setattr(room, "INSTANCE_PIXELS", 0)
    data = table({"size": [8, 10], "counts": [0, 80]})
    data["annotations"] = [data["annotations"][0] | {"id": i} for i in range(20)]
    with pytest.raises(InputError, match="annotation 12: the image's masks together"):
        read_one(tmp_path, data)


EDGES = {
    "full frame": ((0, 0), (3, 5), (3, 5)),
    "one pixel": ((0, 0), (1, 1), (1, 1)),
    "last pixel of the widest frame": ((2**20 - 1, 4094), (1, 1), (4095, 2**20)),
    "last column of the tallest frame": ((4094, 2**20 - 300), (300, 1), (2**20, 4095)),
    "over 2^31 px": ((60_000, 50_000), (40, 30), (65_535, 65_537)),
    "whole columns": ((1000, 0), (50_000, 3), (50_000, 80_000)),
}


@pytest.mark.parametrize("name", EDGES)
def test_what_is_written_is_read_back_at_the_edges(tmp_path: Path, name: str) -> None:
    offset, size, shape = EDGES[name]
    holed = np.ones(size, dtype=bool)
    holed[size[0] // 2, size[1] // 2] = size == (1, 1)
    cells = Cells.build([holed, np.ones(size)], [offset] * 2, [1, 2], shape, parents=[-1, 0])
    again = round_trip(tmp_path, cells)
    assert again.image_shape == shape
    assert again.offsets.tolist() == cells.offsets.tolist()
    assert again.parents.tolist() == [-1, 0]
    for mask, written in zip(again.masks, cells.masks, strict=True):
        np.testing.assert_array_equal(mask, written)


def round_trip(folder: Path, cells: Cells) -> Cells:
    write_coco(folder / "a.json", [Entry(name="a.png", path=folder / "a.png", content=Content(cells=cells))])
    return read_coco(folder / "a.json")[0].content.cells


def test_many_instances_have_more_room_than_few(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(room, "MASK_PIXELS", 50)
    monkeypatch.setattr(room, "INSTANCE_PIXELS", 10)
    few = Cells.build([np.ones((5, 8))] * 2, [(0, 0)] * 2, [1, 1], (8, 10))
    many = Cells.build([np.ones((3, 4))] * 25, [(0, 0)] * 25, [1] * 25, (8, 10))
    with pytest.raises(InputError, match=r"image 'a\.png': .*more than 70 pixels, too many for 2 instances"):
        round_trip(tmp_path, few)
    assert not (tmp_path / "a.json").exists()
    assert len(round_trip(tmp_path, many)) == 25


SQUARE = Cells.build([np.ones((2, 2))] * 2, [(0, 0)] * 2, [1, 2], (4, 4))
UNREADABLE = {
    "frame": (Cells.empty((2**20 + 1, 2)), "size"),
    "frame of too many pixels": (Cells.build([np.ones((1, 1))], [(0, 0)], [1], (2**16, 2**16)), "size"),
    "scale": (replace(SQUARE, mpp=0.01), "um per pixel"),
    "link": (replace(SQUARE, parents=np.array([1, -1])), "parent must link"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_could_not_be_read_is_not_written(tmp_path: Path, name: str) -> None:
    cells, message = UNREADABLE[name]
    with pytest.raises(InputError, match=rf"image 'a\.png': .*{message}"):
        write_coco(
            tmp_path / "a.json",
            [Entry(name="a.png", path=tmp_path / "a.png", content=Content(cells=cells))],
            scores=True,
        )
    assert not list(tmp_path.iterdir())


def test_two_images_of_one_name_are_not_written(tmp_path: Path) -> None:
    entries = [Entry(name="a.png", path=tmp_path / "a.png", content=Content(cells=SQUARE))] * 2
    with pytest.raises(InputError, match=r"two images are called 'a\.png'"):
        write_coco(tmp_path / "a.json", entries)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_box_that_is_none_is_not_written(tmp_path: Path, bad: float) -> None:
    truth = Content(cells=SQUARE, distractors=(Distractor(kind="dirt", box=(0.0, 0.0, bad, 2.0)),))
    with pytest.raises(InputError, match=r"image 'a\.png': .*distractor's box is not finite"):
        write_coco(tmp_path / "a.json", [Entry(name="a.png", path=tmp_path / "a.png", content=truth)])
    assert not list(tmp_path.iterdir())


FRAMES = [(65_535, 65_536), (4095, 2**20), (2**20, 4095), (30_000, 30_000), (2**20 + 1, 1), (10**6, 10**6)]
BOMBS = {
    "full": lambda h, w: {"size": [h, w], "counts": [0, h * w]},
    "packed": lambda h, w: {"size": [h, w], "counts": masks.pack([0, h * w])},
    "columns": lambda h, w: {"size": [h, w], "counts": [h // 2, h * w - h, h - h // 2]},
    "corners": lambda h, w: {"size": [h, w], "counts": [0, 1, h * w - 2, 1]},
    "polygon": lambda h, w: [[0, 0, w, 0, w, h, 0, h]],
    "rings": lambda h, w: [[0, 0, w, 0, w, h, 0, h]] * 100,
}


@pytest.mark.parametrize("shape", FRAMES)
@pytest.mark.parametrize("name", BOMBS)
def test_masks_that_would_fill_the_memory_are_not_made(tmp_path: Path, name: str, shape: tuple) -> None:
    data = table(BOMBS[name](*shape))
    data["images"][0] |= {"height": shape[0], "width": shape[1]}
    tracemalloc.start()
    with pytest.raises(InputError, match=r"masks together|size"):
        read_one(tmp_path, data)
    assert tracemalloc.get_traced_memory()[1] < 300 * 2**20
    tracemalloc.stop()
