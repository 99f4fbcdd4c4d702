"""`irnet predict`: one bad file is reported and the rest goes on."""

import csv
import io
import json
import pydoc
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from irnet.data.coco.coco import read_coco, write_coco
from irnet.errors import InputError
from irnet.inference.predict import Predictor
from irnet.inference.scale import LOOKING
from irnet.progress import Stage, listening
from irnet.verbs.predict_files import predict_files
from irnet.verbs.predict_options import PredictOptions
from irnet.verbs.predict_result import PredictResult


@pytest.fixture
def folder(circles: Path, tmp_path: Path) -> Path:
    """Two good images, one cut short, one that is not an image."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("0.png", "1.png"):
        (folder / name).write_bytes((circles / "images" / name).read_bytes())
    (folder / "cut.png").write_bytes((circles / "images" / "2.png").read_bytes()[:300])
    (folder / "text.jpg").write_text("no image")
    return folder


class Told:
    """Keeps what is told of a run: the last item of each stage, and lines."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self.seen: list[tuple[str, str, int, int]] = []
        self.lines: list[str] = []
        self._open: list[Stage] = []

    def changed(self) -> None:
        over = [one for one in self._open if one not in self.stages]
        self.seen += [(one.what, one.item, one.done, one.total) for one in over]
        self._open = [*self.stages]

    def tell(self, text: str, *, error: bool) -> None:
        self.lines.append(text)


def read_json(path: Path):
    return json.loads(path.read_text())


def test_good_images_are_done_and_bad_ones_reported(blobs_installed: Predictor, folder: Path, tmp_path: Path):
    with listening(Told()) as told:
        report = predict_files([folder], tmp_path / "out", PredictOptions(mpp=0.37))
    assert report.exit_code == 3
    assert told.seen[-1] == ("segmenting", "text.jpg", 3, 4)
    assert [line.partition(": ")[0].rpartition("/")[2] for line in told.lines] == [
        "0.png",
        "1.png",
        "cut.png",
        "text.jpg",
    ]
    assert [Path(error["file"]).name for error in report.errors] == ["cut.png", "text.jpg"]
    assert read_json(tmp_path / "out" / "errors.json") == report.errors
    found = read_coco(tmp_path / "out" / "predictions.json")
    assert [entry.name for entry in found] == ["0.png", "1.png"]
    assert all(len(entry.content.cells) for entry in found)
    assert sorted(file.name for file in (tmp_path / "out" / "overlays").iterdir()) == ["0.png", "1.png"]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "cells.csv").read_text("utf-8-sig"))))
    assert len(rows) == sum(len(entry.content.cells) for entry in found)
    assert rows[0]["area_um2"]


def test_the_record_says_what_was_done_with_what(blobs_installed: Predictor, folder: Path, tmp_path: Path):
    predict_files([folder / "0.png"], tmp_path / "out", PredictOptions(score=0.55))
    run = read_json(tmp_path / "out" / "run.json")
    assert run["scores"] == {"cytoplasm": 0.55, "nucleus": 0.55}
    assert len(run["model_sha256"]) == len(run["images"][0]["sha256"]) == 64
    assert run["images"][0]["found"]["cytoplasm"] > 0
    assert "torch" in run["versions"]
    assert datetime.fromisoformat(run["date"]) <= datetime.now(UTC)


def test_an_estimated_scale_is_marked_and_makes_no_um(
    blobs_installed: Predictor, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("irnet.inference.scale.LEAST_NUCLEI", 2)  # of 14 px: they look small
    monkeypatch.setattr("irnet.inference.scale.PRIOR_NUCLEI", 0)
    with listening(Told()) as told:
        report = predict_files([folder], tmp_path / "out")
    run = read_json(tmp_path / "out" / "run.json")
    assert {image["zoom"] for image in run["images"]} == {run["scale"]["zoom"]}
    assert run["scale"]["zoom"] == pytest.approx(22.4 / 14, rel=0.1)
    assert (run["scale"]["estimated"], run["scale"]["images"]) == (True, 2)
    assert all(image["zoom_estimated"] and image["mpp"] is None for image in run["images"])
    assert sum("estimated" in line for line in report.lines()) == 1
    assert "estimated" in told.lines[0]
    assert (
        LOOKING,
        "1.png",
        2,
        3,
    ) in told.seen  # the last to be looked at of those that state no um per pixel
    assert [error["file"].rsplit("/")[-1] for error in report.errors] == ["cut.png", "text.jpg"]
    (row, *_) = csv.DictReader(io.StringIO((tmp_path / "out" / "cells.csv").read_text("utf-8-sig")))
    assert not row["area_um2"]


def test_a_scale_that_is_given_holds_for_images_that_say_none(
    blobs_installed: Predictor, folder: Path, tmp_path: Path
):
    with PIL.Image.open(folder / "0.png") as picture:
        picture.save(folder / "known.tif", resolution_unit=3, resolution=1e4 / 0.37)
    predict_files([folder / "0.png", folder / "known.tif"], tmp_path / "out", PredictOptions(scale=0.5))
    run = read_json(tmp_path / "out" / "run.json")
    assert (run["scale"]["zoom"], run["scale"]["estimated"]) == (0.5, False)
    assert [(image["zoom"], image["mpp"]) for image in run["images"]] == [
        (0.5, None),
        (1.0, pytest.approx(0.37, rel=0.01)),
    ]
    predict_files([folder / "known.tif"], tmp_path / "known")
    assert read_json(tmp_path / "known" / "run.json")["scale"] is None


def test_a_scale_that_changes_nothing_is_told_of(blobs_installed: Predictor, folder: Path, tmp_path: Path):
    with PIL.Image.open(folder / "0.png") as picture:
        picture.save(folder / "known.tif", resolution_unit=3, resolution=1e4 / 0.37)
    report = predict_files([folder / "known.tif"], tmp_path / "out", PredictOptions(scale=2.0))
    assert "--scale 2 changed nothing: every image says its um per pixel" in report.lines()
    assert read_json(tmp_path / "out" / "run.json")["scale"] is None


@pytest.mark.parametrize("asked", [{"scale": float("nan")}, {"scale": 0.0}, {"scale": 0.5, "mpp": 0.37}])
def test_a_scale_that_means_nothing_is_refused_and_leaves_no_trace(
    blobs_installed: Predictor, folder: Path, tmp_path: Path, asked: dict[str, float]
):
    with pytest.raises(InputError, match=r"leave --scale out$|times the image's size$"):
        predict_files([folder / "0.png"], tmp_path / "out", PredictOptions(**asked))
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match=r"leave --scale out|times the image's size"):
        blobs_installed.predict(folder / "0.png", **asked)


def test_a_stopped_run_keeps_no_scale_that_was_given(
    blobs_installed: Predictor, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(blobs_installed, "find", stop)
        with pytest.raises(KeyboardInterrupt, match="no image was done, nothing is kept"):
            predict_files([folder / "0.png"], tmp_path / "out", PredictOptions(scale=2.0))
    assert predict_files([folder / "0.png"], tmp_path / "out", PredictOptions(scale=1.0)).exit_code == 0


def test_um_per_pixel_that_cannot_be_right_are_told_of(
    blobs_installed: Predictor, folder: Path, tmp_path: Path
):
    report = predict_files([folder / "0.png", folder / "1.png"], tmp_path / "out", PredictOptions(mpp=1.9))
    assert [any("1.9 um per pixel right?" in note for note in image["notes"]) for image in report.images] == [
        True,
        True,
    ]
    assert "nuclei of unusual size on 2 images: look at um per pixel" in report.lines()
    right = predict_files([folder / "0.png"], tmp_path / "right", PredictOptions(mpp=0.37))
    assert not any("um per pixel right?" in line or "unusual" in line for line in right.lines())


@pytest.mark.parametrize("mpp", [1e300, 0.0, -0.3, float("nan"), float("inf"), 1e-9])
def test_um_per_pixel_of_no_microscope_are_refused(
    blobs_installed: Predictor, folder: Path, tmp_path: Path, mpp: float
):
    with pytest.raises(InputError, match=r"out of range: give 0\.05 to 2, or leave it out"):
        predict_files([folder / "0.png"], tmp_path / "out", PredictOptions(mpp=mpp))
    assert not (tmp_path / "out").exists()


def test_exit_codes(blobs_installed: Predictor, folder: Path, tmp_path: Path):
    assert predict_files([folder / "0.png"], tmp_path / "a").exit_code == 0
    assert predict_files([folder / "cut.png"], tmp_path / "b").exit_code == 2
    assert not (tmp_path / "b").exists()


def test_what_is_no_image_is_told_before_a_network_is_loaded(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("irnet.verbs.predict_files.open_method", lambda *_, **__: pytest.fail("loaded"))
    table = tmp_path / "cells.csv"
    table.write_text("image,id\n")
    with pytest.raises(InputError, match=r"cells\.csv: no PNG, JPEG, TIFF, .* image.*; nor are 1 more"):
        predict_files([table, folder / "text.jpg"], tmp_path / "b")
    assert not (tmp_path / "b").exists()


def contents(folder: Path) -> dict[str, bytes]:
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_a_run_that_failed_leaves_the_earlier_one(blobs_installed: Predictor, folder: Path, tmp_path: Path):
    predict_files([folder / "0.png"], tmp_path / "out")
    before = contents(tmp_path / "out")
    assert predict_files([folder / "cut.png"], tmp_path / "out").errors
    assert contents(tmp_path / "out") == before


def test_files_of_an_earlier_run_make_way_and_others_stay(
    blobs_installed: Predictor, folder: Path, tmp_path: Path
):
    out = tmp_path / "out"
    predict_files([folder / "0.png", folder / "text.jpg"], out)
    for name in ("report.html", "cells.parquet", "notes.txt", "overlays/mine.png"):
        (out / name).write_text("made since")
    predict_files([folder / "1.png"], out)
    assert contents(out).keys() == {
        *("predictions.json", "cells.csv", "images.csv", "run.json", "errors.json", "overlays/1.png"),
        *("notes.txt", "overlays/mine.png"),
    }
    (out / "overlays" / "mine.png").unlink()
    predict_files([folder / "0.png"], out, PredictOptions(save=["csv"]))
    made = {"cells.csv", "images.csv", "run.json", "errors.json"}
    assert {f.name for f in out.iterdir()} == made | {"notes.txt"}


def test_what_no_run_writes_stays_whatever_the_record_lists(
    blobs_installed: Predictor, folder: Path, tmp_path: Path
):
    out = tmp_path / "out"
    predict_files([folder / "0.png"], out)
    run = read_json(out / "run.json")
    for name in ("thesis.docx", "overlays/thesis.docx", "data/annotations.json"):
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text("mine")
        run["files"].append(name)
    (out / "run.json").write_text(json.dumps(run))
    predict_files([folder / "1.png"], out)
    mine = {"thesis.docx", "overlays/thesis.docx", "data/annotations.json"}
    assert mine < contents(out).keys()
    assert "overlays/0.png" not in contents(out)


@pytest.mark.parametrize("record", ["[", '{"files": ["../notes.txt"]}', '{"name": "of another tool"}'])
def test_a_record_that_is_not_of_a_run_removes_nothing(
    blobs_installed: Predictor, folder: Path, tmp_path: Path, record: str
):
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "notes.txt").write_text("kept")
    (out / "run.json").write_text(record)
    (out / "cells.csv").write_text("kept")
    predict_files([folder / "0.png"], out, PredictOptions(save=["coco"]))
    assert (tmp_path / "notes.txt").read_text() == (out / "cells.csv").read_text() == "kept"


def test_predictions_that_were_corrected_are_not_replaced(
    blobs_installed: Predictor, folder: Path, tmp_path: Path
):
    predict_files([folder / "0.png"], tmp_path / "out")
    (tmp_path / "out" / "corrections.jsonl").write_text("")
    before = contents(tmp_path / "out")
    with pytest.raises(InputError, match=r"corrections\.jsonl corrects .*: write to another folder"):
        predict_files([folder / "1.png"], tmp_path / "out")
    assert contents(tmp_path / "out") == before


def test_only_what_is_asked_for_is_saved(blobs_installed: Predictor, folder: Path, tmp_path: Path):
    predict_files([folder / "0.png"], tmp_path / "out", PredictOptions(save=["csv"]))
    names = ["cells.csv", "errors.json", "images.csv", "run.json"]
    assert sorted(f.name for f in (tmp_path / "out").iterdir()) == names
    with pytest.raises(InputError, match="--save json"):
        predict_files([folder], tmp_path / "out", PredictOptions(save=["json"]))


def test_an_image_too_large_for_the_memory_is_one_error(
    blobs_installed: Predictor, folder: Path, tmp_path: Path
):
    small = tmp_path / "small.png"
    PIL.Image.fromarray(np.full((40, 40, 3), 240, np.uint8)).save(small)
    blobs_installed.model.memory_px = 60**2
    report = predict_files([small, folder / "0.png"], tmp_path / "out")
    assert report.exit_code == 3
    assert "memory" in report.errors[0]["error"]


STEPS = ["irnet.verbs.predict_files.overlay", "irnet.verbs.predict_files.measure"]


@pytest.mark.parametrize("step", [*STEPS, "irnet.inference.predict.Predictor.choose"])
@pytest.mark.parametrize("failure", [MemoryError("too much"), ZeroDivisionError("by zero")], ids=repr)
def test_an_image_that_fails_late_is_one_error(
    blobs_installed: Predictor,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    failure: Exception,
):
    done = pydoc.locate(step)
    calls = iter([done, None])

    def fail_later(*values):
        if work := next(calls):
            return work(*values)
        raise failure

    monkeypatch.setattr(step, fail_later)
    out = tmp_path / "out"
    report = predict_files([folder / "0.png", folder / "1.png"], out, PredictOptions(mpp=0.37))
    assert report.exit_code == 3
    (error,) = read_json(out / "errors.json")
    assert Path(error["file"]).name == "1.png"
    assert ("memory" if isinstance(failure, MemoryError) else "ZeroDivisionError: by zero") in error["error"]
    assert [entry.name for entry in read_coco(out / "predictions.json")] == ["0.png"]
    assert [image["name"] for image in read_json(out / "run.json")["images"]] == ["0.png"]
    assert "1.png" not in (out / "cells.csv").read_text()
    assert not (out / "overlays" / "1.png").exists()


def test_a_bad_image_of_a_group_lets_no_other_be_seen_again(
    blobs_installed: Predictor, circles: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    groups: list[int] = []

    def see(self: Predictor, images: list, scale: object = None) -> list[None]:
        groups.append(len(images))
        return [None] * len(images)

    monkeypatch.setattr(Predictor, "batch", 4)
    monkeypatch.setattr(Predictor, "see", see)
    for name in ("3.png", "4.png", "5.png"):
        shutil.copy(circles / "images" / name, folder)
    files = [folder / name for name in ("0.png", "cut.png", "1.png", "3.png", "4.png", "5.png")]
    report = predict_files(files, tmp_path / "out", PredictOptions(mpp=0.37))
    assert (len(report.images), len(report.errors)) == (5, 1)
    assert groups == [3, 2]


def test_images_of_one_name_are_kept_apart(blobs_installed: Predictor, circles: Path, tmp_path: Path):
    paths = []
    for place in ("a/x.png", "b/x.png", "b/x.bmp"):
        path = tmp_path / place
        path.parent.mkdir(exist_ok=True)
        PIL.Image.open(circles / "images" / "0.png").save(path)
        paths.append(path)
    report = predict_files(paths, tmp_path / "out")
    assert [image["name"] for image in report.images] == ["a/x.png", "b/x.png", "x.bmp"]
    drawn = {file.relative_to(tmp_path / "out").as_posix() for file in (tmp_path / "out").rglob("*.png")}
    assert drawn == {"overlays/a/x.png", "overlays/b/x.png", "overlays/x.png"}


def test_a_row_an_image_says_what_the_record_says(blobs_installed: Predictor, folder: Path, tmp_path: Path):
    tifffile.imwrite(
        folder / "scaled.tif",
        np.asarray(PIL.Image.open(folder / "0.png").convert("RGB")),
        resolution=(20000, 20000),
        resolutionunit="CENTIMETER",
    )
    report = predict_files(
        [folder / "0.png", folder / "scaled.tif"], tmp_path / "out", PredictOptions(mpp=0.37)
    )
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "images.csv").read_text("utf-8-sig"))))
    for row, image in zip(rows, report.images, strict=True):
        assert (row["image"], float(row["mpp"])) == (image["name"], 0.37)
        assert [int(row["cells"]), int(row["nuclei"])] == [*image["found"].values()]
        assert row["notes"] == "; ".join(image["notes"])
    assert "mpp 0.37 is taken, and not the 0.5 um per pixel stated" in rows[1]["notes"]
    assert "images.csv" in read_json(tmp_path / "out" / "run.json")["hashes"]


def test_images_in_folders_bear_their_names(blobs_installed: Predictor, folder: Path, tmp_path: Path):
    for place in ("set/p1", "set/p2", "set"):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / place / "field.png").write_bytes((folder / "0.png").read_bytes())
    options = PredictOptions(recursive=True)
    for _ in range(2):  # the second time beside what the first wrote
        report = predict_files([tmp_path / "set"], tmp_path / "set" / "found", options)
        names = [image["name"] for image in report.images]
        assert names == ["set/field.png", "p1/field.png", "p2/field.png"]


def test_ids_are_written_on_overlays_alone(blobs_installed: Predictor, folder: Path, tmp_path: Path):
    for out, ids in (("plain", False), ("numbered", True)):
        predict_files([folder / "0.png"], tmp_path / out, PredictOptions(mpp=0.37, ids=ids))
    plain, numbered = (tmp_path / out for out in ("plain", "numbered"))
    drawn = [np.asarray(PIL.Image.open(out / "overlays" / "0.png")) for out in (plain, numbered)]
    assert (drawn[0] != drawn[1]).any()
    for file in ("predictions.json", "cells.csv"):
        assert (plain / file).read_bytes() == (numbered / file).read_bytes()
    rows = list(csv.DictReader(io.StringIO((plain / "cells.csv").read_text("utf-8-sig"))))
    numbers = [row["number"] for row in read_json(plain / "predictions.json")["annotations"]]
    assert [row["name"] for row in rows] == [f"0.png#{number}" for number in numbers]


@pytest.mark.parametrize(
    ("mpp", "cells", "nuclei", "doubted"),
    [(0.25, 6, 1, True), (0.25, 6, 3, True), (0.25, 6, 4, False), (0.25, 4, 0, False), (None, 6, 1, False)],
)
def test_cells_without_nuclei_speak_against_um_per_pixel(
    mpp: float | None, cells: int, nuclei: int, doubted: bool
):
    found = {"cytoplasm": cells, "nucleus": nuclei}
    row = {"mpp": mpp, "mpp_doubted": False, "found": found, "notes": []}
    images = [{"name": name, **row} for name in ("a", "b")]
    lines = PredictResult(images, [], "irnet", {}).last_lines()
    question = (
        f"{2 * nuclei} nuclei in {2 * cells} cells, where nearly each has one: is 0.25 um per pixel right?"
    )
    assert (question in lines) == doubted
    assert len(lines) == 1 + doubted


def test_predictions_never_stand_beside_annotations(
    blobs_installed: Predictor, folder: Path, circles: Path, tmp_path: Path
):
    shutil.copytree(circles, tmp_path / "set")
    with pytest.raises(InputError, match="holds annotated images"):
        predict_files([folder / "0.png"], tmp_path / "set")
    write_coco(tmp_path / "set" / "annotations.json", [])  # as irnet annotate begins one
    assert predict_files([folder / "0.png"], tmp_path / "set").exit_code == 0
