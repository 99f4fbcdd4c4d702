"""A researcher: annotations of another group become a set that is complete; a network learns from it."""

import json

import pytest
from desk import MPP, Desk

from irnet.inference.weights import BUNDLED

TINY = "--recipe tiny --steps 1 --set data.crop=64 --set train.workers=0 --device cpu"


def forget(desk: Desk, source: str) -> None:
    """As other groups publish: no links, no um per pixel, no patients."""
    document = desk.json(source)
    for row in document["annotations"]:
        row.pop("cell_id", None)
    for image in document["images"]:
        image.pop("mpp", None)
        image.pop("patient", None)
    (desk.folder / source).write_text(json.dumps(document))


def test_foreign_annotations_get_links_scale_and_patients(desk: Desk) -> None:
    desk.draw_set("foreign")
    forget(desk, "foreign/annotations.json")

    # What is missing is said, with the remedy.
    desk.run("irnet data check foreign", "has a cell_id: there is no N:C ratio", "have no um per pixel")
    desk.run("irnet measure foreign", "no N:C ratio: --link pairs 10")
    assert not any(row["nc_ratio"] for row in desk.rows("foreign/cells.csv"))
    desk.run("irnet measure foreign --mpp 1.5", "is 1.5 um per pixel right?")

    # The remedies, once for all later steps.
    desk.run(
        f"irnet data convert foreign --from coco -o mine --link --mpp {MPP} --patients '(p\\d+)_'",
        "10 of 10 nuclei linked to a cell",
    )
    desk.run("irnet data check mine", "0 errors, 0 warnings")
    desk.run("irnet measure mine", "22 rows")
    rows = desk.rows("mine/cells.csv")
    assert any(row["nc_ratio"] for row in rows)
    assert all(row["parent"] and row["area_um2"] for row in rows if row["label"] == "nucleus")
    desk.run("irnet data split mine", "train.json, 1 image, 1 patient", "val.json", "test.json")
    desk.run("irnet measure mine/val.json", "val-cells.csv")
    desk.run(
        "irnet data convert foreign --from coco -o no --patients 'x(y)'",
        "finds no patient in the name",
        code=2,
    )

    # A network knows the scale it was trained at, and claims none that nobody gave.
    desk.run(f"irnet train foreign -o unscaled {TINY}", "um per pixel of the training images are unknown")
    assert "| scale | unknown" in desk.text("unscaled/best.md")
    desk.run(f"irnet train mine -o run {TINY}", "weights: run/best.safetensors")
    card = desk.text("run/best.md")
    assert f"| um per pixel | {MPP} by the files" in card
    assert "1, of 1 patient |" in card


def test_a_missing_image_is_told_before_training(desk: Desk) -> None:
    desk.draw_set("mine")
    desk.run("irnet data split mine")
    (lost,) = [image["file_name"] for image in desk.json("mine/train.json")["images"]]
    (desk.folder / "mine" / "images" / lost).unlink()
    desk.run(f"irnet train mine -o run {TINY}", "1 of 2 images missing, such as", lost, code=2)
    assert not (desk.folder / "run" / "best.safetensors").exists()


@pytest.mark.skipif(not BUNDLED.exists(), reason="needs the bundled weights")
def test_two_methods_are_compared_on_one_set(desk: Desk) -> None:
    desk.draw_set("test")
    desk.run("irnet predict test/images -o a --mpp 0.37")
    desk.run("irnet predict test/images -o b --mpp 0.6")
    desk.run("irnet evaluate test a -o no", "the annotated images go last", code=2)
    desk.run("irnet evaluate a b test -o compared", "A: a B: b", "B - A", "false in B alone")
    assert {"comparison.json", "table.txt", "gallery.html", "A", "B"} <= {
        path.name for path in (desk.folder / "compared").iterdir()
    }


@pytest.mark.skipif(not BUNDLED.exists(), reason="needs the bundled weights")
def test_a_scale_that_cannot_be_is_doubted_when_images_are_segmented(desk: Desk) -> None:
    desk.draw_field("in/a.png", 0)
    desk.run("irnet predict in -o right --mpp 0.37", "cytoplasm 4")
    desk.run("irnet predict in -o wrong --mpp 3.7", "out of range: give 0.05 to 2", code=2)
