"""The check finds every kind of fault at once, with file, id and remedy; the fix writes a clean new file."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from irnet.cells import CYTOPLASM, NUCLEUS
from irnet.data.checks.check import UNDECIDED, check, fix
from irnet.data.checks.findings import CODES, Finding
from irnet.data.coco.coco import read_coco
from irnet.data.coco.split import split
from irnet.errors import InputError

SHAPE = (40, 50)


def box(x: int, y: int, width: int, height: int) -> list[list[float]]:
    return [[x, y, x + width, y, x + width, y + height, x, y + height]]


def good(images: int = 3, seed: int = 0) -> dict:
    """A file in which nothing is wrong: a cell of 20 x 17 px with its nucleus in each image."""
    data: dict = {"images": [], "annotations": [], "categories": []}
    for i in range(images):
        data["images"].append({"id": i, "file_name": f"{seed}-{i}.png", "height": 40, "width": 50})
        data["images"][i] |= {"patient": f"p{seed}-{i}", "mpp": 2.0}
        row = {"image_id": i, "iscrowd": 0}
        cell = box(2 + i, 3, 20 + i, 17 + seed)
        data["annotations"].append(row | {"id": 2 * i, "category_id": 1, "segmentation": cell})
        nucleus = row | {"id": 2 * i + 1, "category_id": 2, "segmentation": box(8, 8, 4, 4), "cell_id": 2 * i}
        data["annotations"].append(nucleus)
    data["categories"] = [{"id": 1, "name": "cytoplasm"}, {"id": 2, "name": "nucleus"}]
    return data


def write(folder: Path, data: dict, name: str = "annotations.json", seed: int = 0) -> Path:
    """The file, with an image of noise for each row that has none yet."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for row in data["images"]:
        path = folder / "images" / row["file_name"]
        if not path.exists():
            PIL.Image.fromarray(rng.integers(0, 256, SHAPE, dtype=np.uint8)).save(path)
    (folder / name).write_text(json.dumps(data))
    return folder / name


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings]


def test_nothing_is_found_in_a_good_file(tmp_path: Path) -> None:
    assert check([write(tmp_path, good())]) == []


def test_a_file_of_no_image_is_no_good_file(tmp_path: Path) -> None:
    data = good()
    write(tmp_path, data)
    (tmp_path / "annotations.json").write_text(json.dumps({**data, "images": [], "annotations": []}))
    (told,) = check([tmp_path])
    assert (told.code, told.severity) == ("nothing-annotated", "error")
    for row in data["images"]:
        row["height"] = "x"
    (tmp_path / "annotations.json").write_text(json.dumps(data))
    assert "nothing-annotated" not in codes(check([tmp_path]))


def test_a_place_is_named_once(tmp_path: Path) -> None:
    data = good()
    write(tmp_path, data)
    data["annotations"][1]["cell_id"] = 99
    (tmp_path / "annotations.json").write_text(json.dumps(data))
    (told,) = check([tmp_path])
    assert told.line().count(f"annotation {told.annotation}: ") == 1


def test_null_says_nothing_and_costs_no_cell(tmp_path: Path) -> None:
    data = good()
    for row in data["annotations"]:
        row |= {"iscrowd": None, "score": None, "kind": None}
    assert check([write(tmp_path, data)]) == []
    assert fix(tmp_path, tmp_path / "fixed.json") == []
    assert len(json.loads((tmp_path / "fixed.json").read_text())["annotations"]) == 6


@pytest.mark.parametrize("factor", [0.25, 0.036])
def test_coordinates_in_um_or_shares_are_told(tmp_path: Path, factor: float) -> None:
    data = good()
    for row in data["annotations"]:
        row["segmentation"] = [[value * factor for value in row["segmentation"][0]]]
    found = [finding for finding in check([write(tmp_path, data)]) if finding.code == "odd-coordinates"]
    assert len(found) == 3
    assert ("in um" if factor == 0.25 else "shares of the image's size") in found[0].message


@pytest.mark.parametrize("name", ["Cytoplasm", " cytoplasm", "CYTOPLASM  "])
def test_categories_that_differ_by_case_or_spaces_are_told(tmp_path: Path, name: str) -> None:
    data = good()
    data["categories"].append({"id": 9, "name": name})
    (told,) = check([write(tmp_path, data)])
    assert told.code == "doubled-category"
    assert "differ by case or spaces alone" in told.message


def spoil_unknown_category(data: dict, folder: Path) -> None:
    data["categories"][1]["name"] = "nuclei"


def spoil_nothing_annotated(data: dict, folder: Path) -> None:
    data["annotations"].clear()


def spoil_no_link(data: dict, folder: Path) -> None:
    for row in data["annotations"]:
        row.pop("cell_id", None)


def spoil_no_scale(data: dict, folder: Path) -> None:
    del data["images"][1]["mpp"]


def spoil_other_scale(data: dict, folder: Path) -> None:
    data["images"][1]["file_name"] = "scaled.tif"
    pixels = np.arange(SHAPE[0] * SHAPE[1], dtype=np.uint8).reshape(SHAPE)
    tifffile.imwrite(
        folder / "images" / "scaled.tif", pixels, resolution=(10000, 10000), resolutionunit="CENTIMETER"
    )


def spoil_odd_scale(data: dict, folder: Path) -> None:
    for row in data["images"]:
        row["mpp"] = 0.1


def spoil_no_patient(data: dict, folder: Path) -> None:
    data["images"][1]["patient"] = None


def spoil_bad_image(data: dict, folder: Path) -> None:
    data["images"][1]["file_name"] = "../none.png"


def spoil_doubled_name(data: dict, folder: Path) -> None:
    data["images"][1]["file_name"] = "images\\0-0.png"


def spoil_doubled_category(data: dict, folder: Path) -> None:
    data["categories"].append({"id": 9, "name": data["categories"][0]["name"]})


def spoil_stray_piece(data: dict, folder: Path) -> None:
    data["annotations"][3]["segmentation"] = [*box(8, 8, 12, 4), [3, 3], []]


def spoil_found_crowd(data: dict, folder: Path) -> None:
    for row in data["annotations"]:
        row["score"] = 0.5
    data["annotations"][3]["iscrowd"] = 1


def spoil_doubled_id(data: dict, folder: Path) -> None:
    data["images"][1]["id"] = 0


def spoil_missing_image(data: dict, folder: Path) -> None:
    (folder / "images" / "0-1.png").unlink()


def spoil_unreadable_image(data: dict, folder: Path) -> None:
    (folder / "images" / "0-1.png").write_bytes(b"\x89PNG\r\n\x1a\n")


def spoil_size_mismatch(data: dict, folder: Path) -> None:
    PIL.Image.new("RGB", (40, 50)).save(folder / "images" / "0-1.png")


def spoil_doubled_image(data: dict, folder: Path) -> None:
    (folder / "images" / "0-1.png").write_bytes((folder / "images" / "0-0.png").read_bytes())


def spoil_bad_annotation(data: dict, folder: Path) -> None:
    data["annotations"][3]["segmentation"] = {"size": [40, 50], "counts": [1, 2]}


def spoil_bad_link(data: dict, folder: Path) -> None:
    data["annotations"][3]["cell_id"] = 4


def spoil_out_of_frame(data: dict, folder: Path) -> None:
    data["annotations"][3]["segmentation"] = box(-5, 8, 12, 4)


def spoil_degenerate(data: dict, folder: Path) -> None:
    data["annotations"][3]["segmentation"] = box(8, 8, 1, 2)


def spoil_duplicate(data: dict, folder: Path) -> None:
    data["annotations"].append(data["annotations"][2] | {"id": "copy"})


def spoil_not_annotated(data: dict, folder: Path) -> None:
    data["images"][1]["annotated_categories"] = ["cytoplasm"]


def spoil_unfinished(data: dict, folder: Path) -> None:
    data["images"][1]["finished"] = False


def spoil_crowd(data: dict, folder: Path) -> None:
    data["annotations"][3]["iscrowd"] = 1


def spoil_all_crowds(data: dict, folder: Path) -> None:
    for row in data["annotations"]:
        row["iscrowd"] = 1


def spoil_missing_class(data: dict, folder: Path) -> None:
    data["annotations"] = data["annotations"][::2]


SPOILERS = {
    name.removeprefix("spoil_").replace("_", "-"): spoil
    for name, spoil in list(globals().items())
    if name.startswith("spoil_")
}
ABOUT_ROW_1 = {
    "bad-image",
    "doubled-id",
    "doubled-name",
    "missing-image",
    "unreadable-image",
    "size-mismatch",
    "doubled-image",
    "other-scale",
}
ABOUT_ANNOTATION = {
    "bad-annotation": 3,
    "bad-link": 3,
    "out-of-frame": 3,
    "degenerate": 3,
    "stray-piece": 3,
    "duplicate": "copy",
}
LEFT_TO_THE_USER = {
    "doubled-image",
    "doubled-category",
    "found-crowd",
    "not-annotated",
    "crowd",
    "missing-class",
    "no-link",
    "no-patient",
    "no-scale",
    "odd-scale",
    "other-scale",
    "unfinished",
}


@pytest.mark.parametrize("code", SPOILERS)
def test_each_fault_is_found_and_named(tmp_path: Path, code: str) -> None:
    data = good()
    write(tmp_path, data)
    SPOILERS[code](data, tmp_path)
    (tmp_path / "annotations.json").write_text(json.dumps(data))
    findings = check([tmp_path])
    assert [code] == [found for found in codes(findings) if found != "missing-class" or found == code][:1]
    found = next(finding for finding in findings if finding.code == code)
    assert (found.severity, found.remedy) == CODES[code]
    assert found.file == str(tmp_path / "annotations.json")
    assert (found.image is not None) == (code in ABOUT_ROW_1 | ABOUT_ANNOTATION.keys() | {"not-annotated"})
    assert found.annotation == (3 if code == "not-annotated" else ABOUT_ANNOTATION.get(code))
    json.dumps(asdict(found))
    assert found.line().startswith(f"{found.severity}: {found.file}")
    assert found.line().endswith(f"{found.message} -> {found.remedy} [{code}]")
    assert found.line().count(found.file) == 1


@pytest.mark.parametrize("code", SPOILERS)
def test_an_error_stops_the_reader_and_a_warning_does_not(tmp_path: Path, code: str) -> None:
    data = good()
    write(tmp_path, data)
    SPOILERS[code](data, tmp_path)
    (tmp_path / "annotations.json").write_text(json.dumps(data))
    if CODES[code][0] == "warning" or code == "nothing-annotated":  # which every verb that needs some refuses
        assert len([entry.read() for entry in read_coco(tmp_path)]) == 3
    else:
        with pytest.raises(InputError):
            [entry.read() for entry in read_coco(tmp_path)]


@pytest.mark.parametrize("code", sorted(SPOILERS.keys() - LEFT_TO_THE_USER - set(UNDECIDED)))
def test_a_mended_file_is_clean_and_the_old_one_untouched(tmp_path: Path, code: str) -> None:
    data = good()
    source = write(tmp_path, data)
    SPOILERS[code](data, tmp_path)
    source.write_text(json.dumps(data))
    before = source.read_bytes()
    assert code in codes(fix(tmp_path, tmp_path / "fixed.json"))
    assert check([tmp_path / "fixed.json"]) == []
    entries = [entry.read() for entry in read_coco(tmp_path / "fixed.json")]
    assert len(entries) == (2 if code in ABOUT_ROW_1 else 3)
    assert source.read_bytes() == before


@pytest.mark.parametrize("missing", [None, "0-0.png"])
def test_annotations_of_a_doubled_id_are_given_to_nobody(tmp_path: Path, missing: str | None) -> None:
    data = good()
    data["images"][1]["id"] = 0
    source = write(tmp_path, data)
    if missing:
        (tmp_path / "images" / missing).unlink()
    with pytest.raises(InputError, match="id 0 is that of an image before it: number them again"):
        fix(source, tmp_path / "fixed.json")
    assert not (tmp_path / "fixed.json").exists()


@pytest.mark.parametrize("first", ["predicted", "drawn"])
def test_of_two_copies_stays_the_better_with_the_links_and_numbers_of_all(tmp_path: Path, first: str) -> None:
    data = good()
    cell, nucleus = data["annotations"][:2]
    copies = [cell | {"id": "predicted", "score": 0.3}, cell | {"id": "drawn", "accepted": True}]
    copies.sort(key=lambda row: row["id"] != first)
    for linked in ("predicted", "drawn"):
        data["annotations"][:-4] = [*copies, nucleus | {"cell_id": linked}]
        fix(write(tmp_path, data), tmp_path / "fixed.json")

        mended = json.loads((tmp_path / "fixed.json").read_text())
        mine = [row for row in mended["annotations"] if row["image_id"] == 0]
        assert [(row["id"], row.get("cell_id")) for row in mine] == [("drawn", None), (1, "drawn")]
        assert [row["number"] for row in mine] == [int(first == "predicted"), 2]
        assert mended["images"][0]["last_number"] == 2
        assert not any("number" in row for row in mended["annotations"] if row["image_id"] == 1)
        (tmp_path / "fixed.json").unlink()


def test_parts_of_what_was_corrected_since_are_told(tmp_path: Path) -> None:
    source = write(tmp_path, good(images=6))
    split(source)
    assert "stale-split" not in codes(check([tmp_path]))
    data = json.loads(source.read_text())
    del data["annotations"][1]
    data["annotations"][0]["segmentation"] = box(4, 4, 9, 9)
    source.write_text(json.dumps(data))
    (told,) = [found for found in check([tmp_path]) if found.code == "stale-split"]
    assert told.message.startswith(
        "2 annotations of annotations.json are others in train.json and val.json and"
    )

    (tmp_path / "corrected.json").write_text(json.dumps(good(images=6)))  # what was split
    assert "stale-split" not in codes(check([tmp_path]))


def test_predictions_and_outlines_beside_points_are_told(tmp_path: Path) -> None:
    data = good()
    for row in data["annotations"]:
        row["score"] = 0.8
    assert codes(check([write(tmp_path, data)])) == ["predictions"]
    data["annotations"][0]["accepted"] = True
    assert check([write(tmp_path, data)]) == []

    point = {"id": 99, "image_id": 0, "category_id": 2, "keypoints": [5, 5, 2], "num_keypoints": 1}
    data["annotations"].append(point)
    told = [found for found in check([write(tmp_path, data)]) if found.code == "points"]
    assert [found.message for found in told] == ["1 image with outlines and points"]


def test_many_faults_are_found_at_once(tmp_path: Path) -> None:
    data = good()
    write(tmp_path, data)
    wanted = ["missing-image", "out-of-frame", "duplicate"]
    for code in wanted:
        SPOILERS[code](data, tmp_path)
    data["annotations"] += [{}, {"id": 2}, {"id": 90, "image_id": 17}, {"id": 91, "image_id": 0}]
    (tmp_path / "annotations.json").write_text(json.dumps(data))
    assert sorted(codes(check([tmp_path]))) == sorted(["bad-annotation"] * 3 + ["doubled-id", *wanted])


def test_a_file_that_cannot_be_parsed_is_a_finding_and_the_rest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{\n oops")
    findings = check([tmp_path / "bad.json", write(tmp_path, good())])
    assert codes(findings) == ["bad-file"]
    assert "line 2" in findings[0].message
    with pytest.raises(InputError, match="no such file"):
        check([tmp_path / "none.json"])


def test_a_mapping_answers_unknown_categories(tmp_path: Path) -> None:
    data = good()
    data["categories"] = [{"id": 1, "name": "Cell"}, {"id": 2, "name": "nuclei"}, {"id": 3, "name": "odd"}]
    source = write(tmp_path, data)
    assert codes(check([source])) == [
        "unknown-category",
        "unknown-category",
        "missing-class",
        "missing-class",
    ]
    mapping = {"Cell": "cytoplasm", "nuclei": "nucleus"}
    assert check([source], mapping=mapping) == []
    with pytest.raises(InputError, match="--map"):
        fix(source, tmp_path / "fixed.json")
    fix(source, tmp_path / "fixed.json", mapping=mapping)
    assert len(read_coco(tmp_path / "fixed.json")) == 3


def test_dropped_categories_leave_the_mended_file(tmp_path: Path) -> None:
    data = good()
    data["categories"].append({"id": 3, "name": "debris"})
    data["annotations"].append(data["annotations"][0] | {"id": 99, "category_id": 3})
    fix(write(tmp_path, data), tmp_path / "fixed.json", mapping={"debris": "drop"})
    assert check([tmp_path / "fixed.json"]) == []
    assert "debris" not in (tmp_path / "fixed.json").read_text()


def test_crowds_become_cells_on_demand(tmp_path: Path) -> None:
    data = good()
    SPOILERS["all-crowds"](data, tmp_path)
    source = write(tmp_path, data)
    assert check([source], crowd="instances") == []
    with pytest.raises(InputError, match="--crowd instances"):
        fix(source, tmp_path / "fixed.json")
    fix(source, tmp_path / "fixed.json", crowd="instances")
    assert sum(len(entry.content.cells) for entry in read_coco(tmp_path / "fixed.json")) == 6


def test_what_we_do_not_know_is_kept_and_links_to_what_was_left_out_are_not(tmp_path: Path) -> None:
    data = good()
    data["licenses"] = ["none"]
    data["images"][0]["microscope"] = "x40"
    data["annotations"][0] |= {"annotator": "A", "segmentation": box(2, 3, 1, 1)}
    data["annotations"][1]["annotator"] = "B"
    fix(write(tmp_path, data), tmp_path / "fixed.json")
    mended = json.loads((tmp_path / "fixed.json").read_text())
    assert mended["licenses"] == ["none"]
    assert mended["images"][0]["microscope"] == "x40"
    assert mended["annotations"][0]["annotator"] == "B"
    assert "cell_id" not in mended["annotations"][0]
    assert mended["annotations"][2]["cell_id"] == 2


def test_nothing_is_mended_in_place_or_away_from_its_images(tmp_path: Path) -> None:
    source = write(tmp_path / "set", good())
    with pytest.raises(InputError, match="files are not changed in place"):
        fix(source, source)
    with pytest.raises(InputError, match="beside the images"):
        fix(source, tmp_path / "fixed.json")


def test_a_good_split_shares_nothing(tmp_path: Path) -> None:
    split(write(tmp_path, good(images=6)))
    assert check([tmp_path]) == []


def test_what_two_files_share_is_found(tmp_path: Path) -> None:
    first, second = good(), good(seed=1)
    write(tmp_path, first, "train.json")
    second["images"][0]["patient"] = "p0-2"  # a patient of the first file
    second["annotations"][2]["segmentation"] = box(20, 11, 21, 17)  # a cell of the first file, elsewhere
    write(tmp_path, second, "test.json", seed=1)
    copy = (tmp_path / "images" / "0-0.png").read_bytes()
    (tmp_path / "images" / "1-2.png").write_bytes(copy)
    findings = check([tmp_path])
    assert codes(findings) == ["cells-in-two-files", "image-in-two-files", "patient-in-two-files"]
    assert [finding.image for finding in findings] == ["1-1.png", "1-2.png", None]
    assert {finding.severity for finding in findings} == {"error"}
    assert all("train.json" in finding.message for finding in findings)
    assert "p0-2" in findings[2].message


def test_two_folders_are_compared_too(tmp_path: Path) -> None:
    write(tmp_path / "a", good())
    write(tmp_path / "b", good())
    found = set(codes(check([tmp_path / "a", tmp_path / "b"])))
    assert found == {"patient-in-two-files", "image-in-two-files", "cells-in-two-files"}


def test_labels_survive_mending(tmp_path: Path) -> None:
    fix(write(tmp_path, good()), tmp_path / "fixed.json")
    cells = read_coco(tmp_path / "fixed.json")[0].content.cells
    assert (cells.labels.tolist(), cells.parents.tolist()) == ([CYTOPLASM, NUCLEUS], [-1, 0])


def test_every_code_is_documented() -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "data-format.md"
    rows = [line.split("|")[1:3] for line in page.read_text(encoding="utf-8").splitlines() if "| `" in line]
    documented = {code.strip(" `"): severity.split(",")[0].strip() for code, severity in rows}
    assert {code: documented.get(code) for code in CODES} == {code: CODES[code][0] for code in CODES}


def test_nothing_is_mended_to_a_file_without_images(tmp_path: Path) -> None:
    source = write(tmp_path, good())
    for row in good()["images"]:
        (tmp_path / "images" / row["file_name"]).unlink()
    with pytest.raises(InputError, match=r"no image would be left of 3: .*missing-image"):
        fix(source, tmp_path / "fixed.json")
    assert not (tmp_path / "fixed.json").exists()


def test_nothing_is_mended_to_a_file_without_annotations(tmp_path: Path) -> None:
    data = good()
    data["annotations"] = data["annotations"][:2]
    data["categories"].append({"id": 3, "name": "Nucleus"})  # told first, and leaves nothing out
    source = write(tmp_path, data)
    with pytest.raises(InputError, match="nothing is annotated in 3 images"):
        fix(source, tmp_path / "fixed.json", mapping={"cytoplasm": "drop", "nucleus": "drop"})

    (tmp_path / "images" / data["images"][0]["file_name"]).unlink()
    with pytest.raises(InputError, match=r"no annotation would be left of 2: .*\[missing-image\]"):
        fix(source, tmp_path / "fixed.json")
    assert not (tmp_path / "fixed.json").exists()


def test_what_mending_leaves_out_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = good()
    source = write(tmp_path, data)
    (tmp_path / "images" / data["images"][0]["file_name"]).unlink()
    fix(source, tmp_path / "fixed.json")
    own = sum(row["image_id"] == data["images"][0]["id"] for row in data["annotations"])
    assert "without 1 of 3 images" in caplog.text
    assert f"without {own} of {len(data['annotations'])} annotations" in caplog.text
