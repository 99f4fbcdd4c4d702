"""Results of other tools, matched to the images of a data set."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content
from irnet.data.coco.coco import write_coco
from irnet.data.coco.document import load
from irnet.data.formats.predictions import read_predictions
from irnet.data.matching import match_files
from irnet.data.sample import Entry
from irnet.errors import InputError

SHAPE = (30, 50)
NAMES = ("a.png", "b.png", "c.png")
MASKS = np.zeros((3, *SHAPE), dtype=bool)
MASKS[0, 2:20, 2:30] = MASKS[1, 10:28, 20:45] = MASKS[2, 5:10, 5:10] = True
CELLS = Cells.from_dense(MASKS, [CYTOPLASM, CYTOPLASM, NUCLEUS], mpp=0.25)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data set of three images with the same cells; its pictures are not needed."""
    folder = tmp_path / "data"
    entries = [
        Entry(name=name, path=folder / "images" / name, content=Content(cells=CELLS)) for name in NAMES
    ]
    write_coco(folder / "annotations.json", entries)
    return folder


def save_map(path: Path, masks: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.zeros(masks.shape[1:], dtype=np.uint16)
    for number, mask in enumerate(masks, start=1):
        values[mask] = number
    if path.suffix == ".png":
        PIL.Image.fromarray(values).save(path)
    else:
        tifffile.imwrite(path, values)


def save_maps(folder: Path, masks: np.ndarray, ending: str = "_cp_masks.png") -> Path:
    for name in NAMES:
        save_map(folder / f"{Path(name).stem}{ending}", masks)
    return folder


# COCO


def results(data: Path, *, scores: bool = True) -> list[dict]:
    rows = load(data).annotations
    rows = [{k: row[k] for k in ("image_id", "category_id", "segmentation")} for row in rows]
    return [row | {"score": 0.5 + 0.01 * i} for i, row in enumerate(rows)] if scores else rows


def dump(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path


@pytest.mark.parametrize("scores", [True, False])
def test_a_list_of_results(data: Path, tmp_path: Path, scores: bool) -> None:
    rows = results(data, scores=scores)
    area = SHAPE[0] * SHAPE[1]
    empty = rows[0] | {"segmentation": {"size": list(SHAPE), "counts": [area]}}
    found = read_predictions(dump(tmp_path / "r.json", [empty, *rows]), data)
    assert (found.kind, found.scored, found.notes) == ("coco", scores, ())
    assert [entry.name for entry in found.found] == list(NAMES)
    cells = found.found[1].content.cells
    assert np.array_equal(cells.to_dense(), MASKS)
    assert cells.mpp == 0.25
    assert cells.scores.tolist() == (pytest.approx([0.53, 0.54, 0.55]) if scores else [1, 1, 1])


def test_results_that_name_files_are_taken_by_their_names(data: Path, tmp_path: Path, caplog) -> None:
    own = [row for row in results(data) if row["image_id"] == 1]
    for name, image_id in (("b.png", 1), ("images/b.png", 7), ("b.png", "b")):
        rows = [row | {"file_name": name, "image_id": image_id} for row in own]
        found = read_predictions(dump(tmp_path / "r.json", rows), data, missing="empty")
        assert [len(entry.content.cells) for entry in found.found] == [0, 3, 0]
    assert "3 results name another file than that of their image_id" in caplog.text
    rows = [row | {"file_name": "a.jpg"} for row in own]
    found = read_predictions(dump(tmp_path / "r.json", rows), data, missing="empty")
    assert [len(entry.content.cells) for entry in found.found] == [3, 0, 0]
    rows = [row | {"file_name": "z.png"} for row in own]
    with pytest.raises(InputError, match=r"result 0: file_name 'z\.png' names no image"):
        read_predictions(dump(tmp_path / "r.json", rows), data)


def test_an_image_without_results_has_no_cells(data: Path, tmp_path: Path) -> None:
    rows = [row for row in results(data) if row["image_id"] != 2]
    found = read_predictions(dump(tmp_path / "r.json", rows), data)
    assert [len(entry.content.cells) for entry in found.found] == [3, 0, 3]
    assert found.notes == ("without any result: 1 image",)


def test_numbers_of_categories_may_be_theirs(data: Path, tmp_path: Path) -> None:
    rows = [row | {"category_id": row["category_id"] - 1} for row in results(data)]
    path = dump(tmp_path / "r.json", rows)
    found = read_predictions(path, data, mapping={"0": "cytoplasm", "1": "nucleus"})
    assert found.found[0].content.cells.labels.tolist() == [CYTOPLASM, CYTOPLASM, NUCLEUS]
    with pytest.raises(InputError, match="category_id 0 is not in categories"):
        read_predictions(path, data)


BAD_RESULTS = {
    "image": ({"image_id": 9}, r"result 1: image_id 9 is not in .*another split"),
    "id": ({"image_id": [1]}, "result 1: image_id must be"),
    "box": ({"segmentation": None}, "a box alone is not a mask"),
    "nan": ({"segmentation": [[1, 1, 1e400, 1, 5, 5]]}, "not finite|Infinity"),
    "negative": ({"segmentation": {"size": list(SHAPE), "counts": [-5, 1505]}}, "must not be negative"),
    "size": ({"segmentation": {"size": [9, 9], "counts": [81]}}, None),
    "score": ({"score": "high"}, "score must be a finite number"),
    "unscored": ({"score": None}, "8 of 9 annotations have a score"),
    "category": ({"category_id": 77}, "category_id 77"),
}


@pytest.mark.parametrize("case", BAD_RESULTS)
def test_wrong_results_are_named(data: Path, tmp_path: Path, case: str) -> None:
    rows = results(data)
    change, message = BAD_RESULTS[case]
    rows[1] |= change
    path = dump(tmp_path / "r.json", rows)
    if message is None:  # run lengths without a pixel say nothing, regardless of their frame
        assert [len(entry.content.cells) for entry in read_predictions(path, data).found] == [2, 3, 3]
        return
    with pytest.raises(InputError, match=message) as caught:
        read_predictions(path, data)
    assert "r.json" in str(caught.value)


def test_scores_on_some_results_alone_are_refused(data: Path, tmp_path: Path) -> None:
    rows = results(data)
    del rows[0]["score"]
    with pytest.raises(InputError, match="8 of 9 annotations have a score"):
        read_predictions(dump(tmp_path / "r.json", rows), data)


def test_a_coco_file_of_its_own(data: Path, tmp_path: Path) -> None:
    document = load(data).data
    for row in document["images"]:
        row |= {"id": row["id"] + 70, "file_name": f"seen/{Path(row['file_name']).stem}.jpg"}
    for row in document["annotations"]:
        row |= {"image_id": row["image_id"] + 70, "score": 0.9, "iscrowd": 1}  # as CVAT does
    document["images"].append(document["images"][0] | {"id": 99, "file_name": "other.png"})
    found = read_predictions(dump(tmp_path / "p.json", document), data)
    assert found.scored
    assert [len(entry.content.cells) for entry in found.found] == [3, 3, 3]
    assert found.notes == ("for no image of the data set, left out: other.png",)


def rename_images(data: Path, names: list[str], path: Path) -> Path:
    """The set with other names of its first images, and without the others, as a COCO file."""
    document = load(data).data
    document["images"] = [
        row | {"file_name": name} for row, name in zip(document["images"], names, strict=False)
    ]
    kept = {row["id"] for row in document["images"]}
    document["annotations"] = [row for row in document["annotations"] if row["image_id"] in kept]
    return dump(path, document)


def test_names_without_their_folder_are_not_another_patients(data: Path, tmp_path: Path) -> None:
    ours = rename_images(data, ["p1/1.png", "p2/1.png"], tmp_path / "ours.json")
    one = rename_images(data, ["p1/1.png"], tmp_path / "one.json")
    with pytest.raises(InputError, match=r"nothing for 1 of 2 images: p2/1\.png"):
        read_predictions(one, ours)
    found = read_predictions(one, ours, missing="empty")
    assert [len(entry.content.cells) for entry in found.found] == [3, 0]

    both = rename_images(data, ["p1/1.jpg", "test/p2/1.tif"], tmp_path / "both.json")
    assert [len(entry.content.cells) for entry in read_predictions(both, ours).found] == [3, 3]
    unknown = rename_images(data, ["p1/1.jpg", "1.jpg"], tmp_path / "unknown.json")
    with pytest.raises(InputError, match=r"may be p1/1 or p2/1: write its folder"):
        read_predictions(unknown, ours)
    twice = rename_images(data, ["p1/1.jpg", "p2/1.tif", "p2/1.jpg"], tmp_path / "twice.json")
    with pytest.raises(InputError, match=r"p2/1\.tif and p2/1\.jpg both are the image p2/1\.png"):
        read_predictions(twice, ours)


@pytest.mark.parametrize("results_alone", [True, False])
def test_a_class_that_a_coco_file_does_not_have_was_not_looked_for(
    data: Path, tmp_path: Path, results_alone: bool
) -> None:
    document = load(data).data
    document["categories"] = [row for row in document["categories"] if row["name"] == "nucleus"]
    document["annotations"] = [row for row in document["annotations"] if row["category_id"] == NUCLEUS]
    rows = [row for row in results(data) if row["category_id"] == NUCLEUS]
    found = read_predictions(dump(tmp_path / "p.json", rows if results_alone else document), data)
    assert {entry.content.annotated for entry in found.found} == {frozenset({NUCLEUS})}
    assert found.notes == ("without a cytoplasm: none was looked for",)


def test_predictions_of_another_size_are_refused(data: Path, tmp_path: Path) -> None:
    entries = [
        Entry(name=name, path=Path(name), content=Content(cells=Cells.empty((9, 9)))) for name in NAMES
    ]
    write_coco(tmp_path / "p.json", entries)
    with pytest.raises(InputError, match=r"a\.png: predictions for \(9, 9\) pixels"):
        read_predictions(tmp_path / "p.json", data)


# Label maps


def test_maps_beside_the_pictures(data: Path, tmp_path: Path) -> None:
    folder = save_maps(tmp_path / "maps", MASKS[:1])
    for name in NAMES:
        PIL.Image.fromarray(np.full((*SHAPE, 3), 200, np.uint8)).save(folder / name)
    found = read_predictions(folder, data, labels=["cytoplasm"])
    assert (found.kind, found.scored) == ("labels", False)
    truth = found.found[2].content
    assert truth.annotated == {CYTOPLASM}
    assert np.array_equal(truth.cells.to_dense(), MASKS[:1])


def test_a_folder_for_each_class(data: Path, tmp_path: Path) -> None:
    save_maps(tmp_path / "maps" / "cells", MASKS[:1], ".tif")
    save_maps(tmp_path / "maps" / "Nucleus", MASKS[2:], "_labels.tif")
    (tmp_path / "maps" / "plots").mkdir()
    found = read_predictions(tmp_path / "maps", data, mapping={"cells": "cytoplasm"})
    truth = found.found[0].content
    assert truth.annotated == {CYTOPLASM, NUCLEUS}
    assert sorted(truth.cells.labels.tolist()) == [CYTOPLASM, NUCLEUS]


def test_files_that_are_not_read_are_named(data: Path, tmp_path: Path, caplog) -> None:
    folder = save_maps(tmp_path / "maps" / "cytoplasm", MASKS[:1])
    for name in ("a_seg.npy", "b_masks.webp", "a.png", ".hidden"):
        (folder / name).write_bytes(b"")
    (tmp_path / "maps" / "notes.txt").write_text("")
    read_predictions(tmp_path / "maps", data, kind="labels")
    assert "cytoplasm: not read: a_seg.npy, b_masks.webp" in caplog.text
    assert "maps: not read: notes.txt" in caplog.text
    assert "a.png" not in caplog.text

    text = save_yolo(tmp_path / "yolo" / "labels")
    (text / "a.json").write_text("{}")
    read_predictions(tmp_path / "yolo", data, kind="yolo", mapping={"0": "cytoplasm", "1": "nucleus"})
    assert "labels: not read: a.json" in caplog.text


def test_pages_for_classes(data: Path, tmp_path: Path) -> None:
    for name in NAMES:
        pages = np.stack([MASKS[2], MASKS[0]]).astype(np.int32)
        (tmp_path / "maps").mkdir(exist_ok=True)
        tifffile.imwrite(tmp_path / "maps" / f"{Path(name).stem}_instanseg_prediction.tiff", pages)
    found = read_predictions(tmp_path / "maps", data, labels=["nucleus", "cytoplasm"])
    assert found.found[0].content.cells.labels.tolist() == [NUCLEUS, CYTOPLASM]


def test_a_map_that_is_not_there(data: Path, tmp_path: Path) -> None:
    folder = save_maps(tmp_path / "maps", MASKS[:1])
    (folder / "b_cp_masks.png").rename(folder / "bb_cp_masks.png")
    with pytest.raises(InputError, match=r"1 of 3 images: b\.png; files without an image: bb_cp_masks\.png"):
        read_predictions(folder, data, labels=["cytoplasm"])
    found = read_predictions(folder, data, labels=["cytoplasm"], missing="empty")
    assert [len(entry.content.cells) for entry in found.found] == [1, 0, 1]
    assert "b.png" in found.notes[0]


def test_a_class_that_is_missing_in_an_image_leaves_the_other(data: Path, tmp_path: Path) -> None:
    save_maps(tmp_path / "maps" / "cytoplasm", MASKS[:1])
    save_maps(tmp_path / "maps" / "nucleus", MASKS[2:])
    (tmp_path / "maps" / "nucleus" / "a_cp_masks.png").unlink()
    with pytest.raises(InputError, match=r"1 of 3 images: a\.png"):
        read_predictions(tmp_path / "maps", data)
    found = read_predictions(tmp_path / "maps", data, missing="empty")
    assert [len(entry.content.cells) for entry in found.found] == [1, 2, 2]


def test_what_maps_hold_must_be_said(data: Path, tmp_path: Path) -> None:
    folder = save_maps(tmp_path / "maps", MASKS[:1])
    with pytest.raises(InputError, match="--label cytoplasm or --label nucleus"):
        read_predictions(folder, data)
    with pytest.raises(InputError, match="unknown category 'blob'"):
        read_predictions(folder, data, labels=["blob"])
    with pytest.raises(InputError, match="'ignore' is no class of instances"):
        read_predictions(folder, data, labels=["ignore"])


def test_two_files_for_one_image_are_refused(data: Path, tmp_path: Path) -> None:
    folder = save_maps(save_maps(tmp_path / "maps", MASKS[:1]), MASKS[:1], "_cp_masks.tif")
    with pytest.raises(InputError, match=r"a_cp_masks\.png and a_cp_masks\.tif both fit the image a\.png"):
        read_predictions(folder, data, labels=["cytoplasm"])


# YOLO


def save_yolo(folder: Path, tail: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        (folder / f"{Path(name).stem}.txt").write_text(f"0 0 0 0.5 0 0.5 0.5 0 0.5{tail}\n")
    return folder


def test_yolo_text_in_its_usual_folder(data: Path, tmp_path: Path) -> None:
    save_yolo(tmp_path / "run" / "labels", " 0.75")
    PIL.Image.fromarray(np.zeros((*SHAPE, 3), np.uint8)).save(tmp_path / "run" / "a.jpg")
    found = read_predictions(tmp_path / "run", data, mapping={"0": "cytoplasm"})
    assert (found.kind, found.scored) == ("yolo", True)
    assert found.found[0].content.annotated == {CYTOPLASM}
    assert found.found[0].content.cells.scores.tolist() == [0.75]


@pytest.mark.parametrize("tail", ["", " 0.75"])
def test_lines_that_stand_twice_are_told(data: Path, tmp_path: Path, tail: str) -> None:
    folder = save_yolo(tmp_path / "labels", tail)
    read = partial(read_predictions, folder, data, mapping={"0": "cytoplasm", "1": "nucleus"})
    assert read().notes == ()
    with (folder / "b.txt").open("a") as file:
        file.write(f"0 0.5 0 0.5 0.5 0 0.5 0 0{tail}\n")  # begins at another vertex
        file.write(f"1 0 0 0.5 0 0.5 0.5 0 0.5{tail}\n")  # of another class
    (note,) = read().notes
    assert note == "instances have the class and the pixels of one before them, and count once more: 1"


def test_confidences_in_some_files_alone_are_refused(data: Path, tmp_path: Path) -> None:
    folder = save_yolo(tmp_path / "labels")
    (folder / "b.txt").write_text("0 0 0 0.5 0 0.5 0.5 0.75")
    with pytest.raises(InputError, match=r"b\.txt has confidences, .*c\.txt has none"):
        read_predictions(folder, data, mapping={"0": "cytoplasm"})
    (folder / "b.txt").write_text("")  # nothing found: neither with nor without
    assert not read_predictions(folder, data, mapping={"0": "cytoplasm"}).scored


# Whatever the format


def test_a_source_that_says_nothing_of_its_format(data: Path, tmp_path: Path) -> None:
    folder = save_yolo(save_maps(tmp_path / "both", MASKS[:1]))
    with pytest.raises(InputError, match=r"both label maps and text files \(\.png, \.txt\): .* --from"):
        read_predictions(folder, data, labels=["cytoplasm"])
    assert read_predictions(folder, data, kind="labels", labels=["cytoplasm"]).kind == "labels"
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="neither label maps nor text files"):
        read_predictions(tmp_path / "none", data)
    for gone in ("gone", "gone.json"):
        with pytest.raises(InputError, match="no such file or folder"):
            read_predictions(tmp_path / gone, data)


def test_nothing_that_fits_is_told_with_a_name(tmp_path: Path) -> None:
    folder = save_maps(tmp_path / "maps", MASKS[:1])
    with pytest.raises(InputError, match=r"there is a_cp_masks\.png, for field-1\.png call it field-1\.png"):
        match_files(folder, ["field-1.png"], (".png",))
    with pytest.raises(InputError, match="share the stem x"):
        match_files(folder, ["1/x.png", "2/x.png"], (".png",))


def test_truth_comes_along(data: Path, tmp_path: Path) -> None:
    found = read_predictions(dump(tmp_path / "r.json", results(data)), data)
    assert [entry.content.cells.areas.tolist() for entry in found.truths] == [CELLS.areas.tolist()] * 3
