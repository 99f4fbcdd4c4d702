"""The corrected set: untouched masks bit for bit, and training data at once."""

import csv
import json
from pathlib import Path

import pytest
from drawn import ring

from irnet.data.checks.check import check
from irnet.data.coco.coco import read_coco, write_coco
from irnet.data.files import sha256
from irnet.errors import InputError
from irnet.inference.weights import BUNDLED
from irnet.server import schema
from irnet.server.edits import change_of, draw
from irnet.server.export import export
from irnet.server.store import Review
from irnet.verbs.export import export as export_found
from irnet.verbs.measure import measure_entry, measure_files
from irnet.verbs.report import write_report


def edit(review: Review, place: int, change: schema.Edit) -> None:
    field = review.fields[place]
    review.edit(place, change.op, change_of(change, draw(change, field.image.shape), field, review))


def write(review: Review, file_format: str = "coco", **options) -> Path:
    return export(review, file_format, **options).path


@pytest.fixture
def corrected(review: Review) -> Path:
    edit(review, 0, schema.Reshape(op="reshape", id=1, how="extend", rings=[ring(50, 35, 15)]))
    edit(review, 0, schema.Delete(op="delete", ids=[3]))
    edit(review, 0, schema.Add(op="add", label=1, rings=[ring(138, 22, 18)]))
    edit(review, 1, schema.Accept(op="accept", ids=[9], accepted=True))
    return write(review, cuts={1: 0.5, 2: 0.4})


def test_untouched_masks_are_bit_for_bit_those_of_the_predictions(corrected: Path, found: Path) -> None:
    before = {row["id"]: row for row in json.loads((found / "predictions.json").read_text())["annotations"]}
    after = {row["id"]: row for row in json.loads(corrected.read_text())["annotations"]}
    assert after[1]["segmentation"] != before[1]["segmentation"]
    assert 3 not in after
    untouched = before.keys() & after.keys() - {1}
    assert len(untouched) == 7
    assert all(after[key]["segmentation"] == before[key]["segmentation"] for key in untouched)
    assert after[6] == before[6] | {"origin": "predicted"}


def test_what_is_below_the_scores_goes_unless_it_was_accepted(corrected: Path) -> None:
    ids = {row["id"] for row in json.loads(corrected.read_text())["annotations"]}
    assert 4 not in ids  # a nucleus of score 0.3, its cell deleted
    assert 9 in ids  # the same in the other image, accepted


def test_a_corrected_set_is_sound_training_data(corrected: Path, found: Path) -> None:
    lacks = ("no-patient", "odd-scale", "unfinished")  # of the drawn fields
    assert [finding.line() for finding in check([corrected]) if finding.code not in lacks] == []
    entries = read_coco(corrected)
    assert [len(entry.content.cells) for entry in read_coco(corrected, unreviewed="take")] == [4, 5]
    assert all(entry.read().image.shape == (120, 160, 3) for entry in entries)
    assert (found / "images" / "a.png").read_bytes() == (found.parent / "smears" / "a.png").read_bytes()


@pytest.mark.skipif(not BUNDLED.exists(), reason="needs the bundled weights")
@pytest.mark.weights
def test_the_bundled_network_trains_on_it(corrected: Path, tmp_path: Path) -> None:
    from irnet.cli import main

    options = (
        "--recipe finetune --init bundled --steps 1 --device cpu --set data.crop=64 --set train.workers=0"
    )
    with pytest.raises(SystemExit) as ended:
        main(["train", str(corrected), "-o", str(tmp_path / "run"), *options.split()])
    assert ended.value.code in (0, None)
    assert (tmp_path / "run" / "best.safetensors").exists()


def test_only_finished_images_where_asked(review: Review) -> None:
    before = write(review).read_bytes()
    with pytest.raises(InputError, match="no image is finished: Shift A"):
        write(review, finished_only=True)
    assert (review.folder / "corrected.json").read_bytes() == before
    edit(review, 1, schema.Finish(op="finish", ids=[6, 7, 8, 9, 10], finished=True))
    assert [entry.name for entry in read_coco(write(review, finished_only=True))] == ["b.png"]


def test_what_stood_below_the_scores_when_an_image_was_finished_is_no_truth(review: Review) -> None:
    shown = [key for key, each in review.fields[1].parsed().items() if each.score >= 0.5]
    edit(review, 1, schema.Finish(op="finish", ids=shown, finished=True))
    hidden = [key for key in review.fields[1].rows if key not in shown]
    assert hidden

    done = export(review, "coco", finished_only=True, cuts={1: 0.1, 2: 0.1})
    rows = json.loads(done.path.read_text())["annotations"]
    assert [row["id"] for row in rows] == shown
    assert done.notes == [
        f"left out: {len(hidden)} prediction that stood below the scores when the image was finished"
    ]
    assert export(review, "coco", finished_only=True, cuts={1: 0.5, 2: 0.5}).notes == []
    assert len(
        json.loads(export(review, "coco", cuts={1: 0.1, 2: 0.1}).path.read_text())["annotations"]
    ) > len(rows)


def test_images_that_nobody_looked_at_are_no_ground(review: Review, caplog: pytest.LogCaptureFixture) -> None:
    edit(review, 0, schema.Delete(op="delete", ids=[*review.fields[0].rows]))
    path = write(review, cuts={})
    untouched, begun = read_coco(path)
    assert untouched.content.annotated == frozenset()  # neither learned nor scored
    assert begun.content.annotated == {1, 2}
    assert (len(begun.content.cells), begun.scored) == (0, False)
    assert "count as not annotated: 1" in caplog.text
    assert "and nothing is scored; Shift A in irnet view finishes one: 1" in caplog.text
    assert "predictions that nobody looked at, in images that nobody finished: left out: 5" in caplog.text
    assert "nobody finished 1 of 2 images" in "".join(found.message for found in check([path]))

    edit(review, 0, schema.Finish(op="finish", ids=[], finished=True))
    edit(review, 1, schema.Finish(op="finish", ids=[*review.fields[1].rows], finished=True))
    caplog.clear()
    assert [entry.content.annotated for entry in read_coco(write(review, cuts={}))] == [{1, 2}, {1, 2}]
    assert "finished" not in caplog.text


def test_of_an_unfinished_image_what_a_person_saw_is_truth(review: Review) -> None:
    edit(review, 0, schema.Accept(op="accept", ids=[1], accepted=True))
    edit(review, 0, schema.Relabel(op="relabel", ids=[3], label=2))
    edit(review, 0, schema.Add(op="add", label=1, rings=[ring(138, 22, 18)], origin="assisted"))
    edit(review, 1, schema.Finish(op="finish", ids=[*review.fields[1].rows], finished=True))
    path = write(review)

    begun, whole = read_coco(path)
    assert begun.content.numbered == (0, 2, 5)
    assert begun.content.ignore is not None
    assert begun.content.ignore.areas.tolist() == [120 * 160]
    assert (begun.scored, whole.scored, whole.content.ignore) == (False, True, None)

    write_coco(path.with_name("again.json"), [begun, whole])  # the same without the keys of a review
    assert [
        row.get("finished") for row in json.loads(path.with_name("again.json").read_text())["images"]
    ] == [
        False,
        None,
    ]
    again = read_coco(path.with_name("again.json"))
    assert again[0].content.ignore is not None
    assert len(again[0].content.ignore) == 1
    assert [entry.scored for entry in again] == [False, True]
    assert [entry.content.numbered for entry in again] == [entry.content.numbered for entry in (begun, whole)]


def test_a_set_that_was_annotated_elsewhere_stays_whole(review: Review, found: Path) -> None:
    edit(review, 0, schema.Finish(op="finish", ids=[*review.fields[0].rows], finished=True))
    write_coco(found / "annotations.json", read_coco(write(review, finished_only=True)))
    for name in ("predictions.json", "run.json", "corrections.jsonl", "corrected.json"):
        (found / name).unlink()
    again = Review(found)
    edit(again, 0, schema.Reshape(op="reshape", id=1, how="extend", rings=[ring(50, 35, 15)]))
    assert [entry.scored for entry in read_coco(write(again))] == [True]


def test_a_review_goes_on_from_what_it_exported(review: Review, found: Path) -> None:
    edit(review, 1, schema.Finish(op="finish", ids=[*review.fields[1].rows], finished=True))
    (found / "annotations.json").write_bytes(write(review).read_bytes())
    again = Review(found / "annotations.json")
    assert [field.finished for field in again.fields] == [False, True]
    assert [entry.scored for entry in read_coco(write(again))] == [False, True]


def test_writing_twice_gives_the_same_bytes(review: Review, corrected: Path) -> None:
    before = corrected.read_bytes()
    assert write(review, cuts={1: 0.5, 2: 0.4}).read_bytes() == before


def test_a_foreign_image_is_never_overwritten(review: Review, found: Path) -> None:
    (found / "images").mkdir()
    (found / "images" / "a.png").write_bytes(b"mine")
    with pytest.raises(InputError, match="is another file"):
        write(review)
    assert (found / "images" / "a.png").read_bytes() == b"mine"
    assert not (found / "corrected.json").exists()


@pytest.mark.parametrize("recorded", [True, False])
def test_only_the_image_that_was_segmented_is_copied(found: Path, tmp_path: Path, recorded: bool) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("of this machine")
    run = json.loads((found / "run.json").read_text())
    run["images"][0] |= {"path": str(secret), "sha256": sha256(secret) if recorded else None}
    run["images"][1]["path"] = str(tmp_path / "smears" / "a.png")  # another image than was segmented
    (found / "run.json").write_text(json.dumps(run))
    done = export(Review(found), "labelme")
    assert (done.images, sum("was not copied" in note for note in done.notes)) == (0, 4)
    assert {file.suffix for file in found.rglob("*") if file.is_file()} <= {".json", ".jsonl"}
    assert len(read_coco(found / "corrected.json")) == 2


def test_a_data_set_is_corrected_in_place_without_copies(corrected: Path, found: Path) -> None:
    (found / "annotations.json").write_bytes(corrected.read_bytes())
    for name in ("predictions.json", "corrections.jsonl", "corrected.json"):
        (found / name).unlink()
    again = Review(found)
    before = sorted(found.rglob("*"))
    assert write(again).name == "corrected.json"
    assert sorted(found.rglob("*")) == sorted([*before, found / "corrected.json"])


def test_names_cannot_leave_the_folder(found: Path) -> None:
    predictions = found / "predictions.json"
    predictions.write_text(predictions.read_text().replace('"a.png"', '"../../a.png"'))
    with pytest.raises(InputError, match="leaves its folder"):
        Review(found)


def test_an_unknown_format_is_refused(review: Review) -> None:
    with pytest.raises(InputError, match="'psd' is not written"):
        write(review, "psd")


def test_other_tools_get_the_corrected_cells(review: Review) -> None:
    edit(review, 0, schema.Delete(op="delete", ids=[3]))
    folder = write(review, "csv", cuts={1: 0.5, 2: 0.4})
    rows = list(csv.DictReader((folder / "cells.csv").read_text("utf-8-sig").splitlines()))
    assert [row["image"] for row in rows] == ["a.png"] * 3 + ["b.png"] * 4
    assert folder.name == "corrected-csv"


def test_what_was_changed_since_it_was_exported_is_never_replaced(review: Review) -> None:
    folder = write(review, "labelme")
    edit(review, 0, schema.Delete(op="delete", ids=[3]))
    edit(review, 0, schema.Finish(op="finish", ids=[], finished=True))
    assert write(review, "labelme", finished_only=True) == folder
    assert write(review, "labelme") == folder  # b.json is of the first export

    changed = folder / "b.json"
    changed.write_text(changed.read_text().replace("cytoplasm", "nucleus"))
    before = changed.read_bytes()
    with pytest.raises(InputError, match=r"b\.json was changed after it was exported"):
        write(review, "labelme")
    assert changed.read_bytes() == before


def test_marked_points_and_unannotated_classes_stay_as_they_are(found: Path) -> None:
    file = found / "predictions.json"
    document = json.loads(file.read_text())
    first, second = (row["id"] for row in document["images"])
    document["categories"] = [row for row in document["categories"] if row["name"] == "nucleus"]
    document["annotations"] = [
        {"id": 1, "image_id": first, "category_id": 2, "keypoints": [30, 20, 2]},
        {"id": 2, "image_id": second, "category_id": 2, "keypoints": [30, 20, 2]},
    ]
    file.write_text(json.dumps(document))

    review = Review(found)
    assert [len(field.parsed()) for field in review.fields] == [0, 0]
    edit(review, 1, schema.Add(op="add", label=1, rings=[ring(40, 40, 18)]))
    written = json.loads(write(review).read_text())
    assert [row["annotated_categories"] for row in written["images"]] == [
        ["nucleus"],
        ["cytoplasm", "nucleus"],
    ]
    assert [row["keypoints"] for row in written["annotations"] if "keypoints" in row] == [[30, 20, 2]] * 2
    assert "2 marked points not written" in export(review, "csv").notes


def test_numbers_stay_with_their_cells_and_are_never_given_twice(found: Path) -> None:
    review = Review(found)
    ring_at = lambda x: schema.Add(op="add", label=2, rings=[ring(x, 100, 5)])  # noqa: E731
    edit(review, 0, ring_at(20))  # 5
    review.undo(0)
    edit(review, 0, ring_at(40))  # 6
    edit(review, 0, schema.Delete(op="delete", ids=[1]))
    edit(review, 0, schema.Reshape(op="reshape", id=3, how="cut", rings=[ring(100, 60, 9)]))
    edit(review, 0, schema.Delete(op="delete", ids=[12]))
    review = Review(found)
    edit(review, 0, ring_at(60))  # 7, after a restart
    corrected = json.loads(write(review).read_text())
    numbers = {row["id"]: row["number"] for row in corrected["annotations"] if row["image_id"] == 1}
    assert numbers == {2: 1, 3: 2, 4: 3, 5: 4, 13: 7}
    (entry, other) = read_coco(found / "corrected.json", unreviewed="take")
    assert (entry.content.numbers, other.content.numbers) == ((1, 2, 3, 4, 7), ())
    assert [row["id"] for row in measure_entry(entry)[0]] == [1, 2, 3, 4, 7]

    edit(review, 0, schema.Delete(op="delete", ids=[13]))
    again = found.parent / "again"
    again.mkdir()
    (again / "predictions.json").write_bytes(write(review).read_bytes())
    review = Review(again)
    edit(review, 0, ring_at(80))
    assert json.loads(write(review).read_text())["annotations"][-1 - 5]["number"] == 8


def test_what_is_made_of_the_corrected_cells_lies_beside_what_the_run_wrote(
    review: Review, found: Path
) -> None:
    measure_files(found)
    write_report(found)
    made = {name: (found / name).read_bytes() for name in ("predictions.json", "cells.csv", "report.html")}
    edit(review, 0, schema.Delete(op="delete", ids=[3]))
    corrected = write(review)

    assert measure_files(corrected, save=("csv", "parquet")).files == [
        found / "corrected-cells.csv",
        found / "corrected-images.csv",
        found / "corrected-cells.parquet",
    ]
    assert write_report(corrected).file == found / "corrected-report.html"
    assert export_found(corrected, "csv").folder == found / "corrected-csv"
    rows = (found / "corrected-cells.csv").read_text().splitlines()
    assert len(rows) == len(made["cells.csv"].splitlines()) - 1
    assert (found / "corrected-csv" / "cells.csv").read_text().splitlines() == rows
    assert made == {name: (found / name).read_bytes() for name in made}


def test_a_corrected_set_is_corrected_again_beside_the_first_corrections(review: Review, found: Path) -> None:
    edit(review, 0, schema.Delete(op="delete", ids=[3]))
    again = Review(write(review))
    edit(again, 1, schema.Delete(op="delete", ids=[8]))
    assert write(again) == found / "corrected-corrected.json"
    assert len(again.journal.lines) == len(Review(found / "corrected.json").journal.lines) == 1
    assert list(Review(found).fields[0].parsed()) == [1, 2, 4, 5]


def test_a_journal_that_bears_the_name_of_earlier_versions_is_gone_on_with(found: Path) -> None:
    (found / "other.json").write_bytes((found / "predictions.json").read_bytes())
    before = Review(found / "other.json")
    edit(before, 0, schema.Delete(op="delete", ids=[3]))
    before.journal.path.rename(found / "corrections.jsonl")
    assert list(Review(found / "other.json").fields[0].parsed()) == [1, 2, 4, 5]
