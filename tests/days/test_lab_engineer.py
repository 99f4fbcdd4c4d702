"""A lab engineer: images from many places go into one pipeline, and wrong commands are told at once."""

from codecs import BOM_UTF8

import PIL.Image
import pytest
from desk import MPP, Desk

from irnet.cells import Cells, Content
from irnet.data.coco.coco import write_coco
from irnet.data.sample import Entry
from irnet.inference.weights import BUNDLED

FORMULA = "=HYPERLINK(1).png"


@pytest.mark.skipif(not BUNDLED.exists(), reason="needs the bundled weights")
def test_folders_of_images_become_tables_and_files_for_other_tools(desk: Desk) -> None:
    desk.draw_field("in/monday/field.png", 0)
    desk.draw_field("in/tuesday/field.png", 1)
    PIL.Image.open(desk.folder / "in/monday/field.png").save(
        desk.folder / "in/monday/again.webp", lossless=True
    )

    # What is wrong with a command is said before anything is loaded, with what to write instead.
    desk.run("irnet predict in -o out", "no image in in", "--recursive", code=2)
    desk.run("irnet predict in/wednesday -o out", "in/wednesday: no such file or folder", code=2)
    desk.run("irnet predict in/monday -o out --mpp 0,37", "write 0.37", code=2)
    desk.run("irnet predict in/monday -o out --model Nothing", "name a weights file", code=2)
    assert not (desk.folder / "out").exists()

    # It says what it found; images of one name get that of their folder. How far it is it says every 10 s.
    desk.run(
        f"irnet predict in --recursive -o out --mpp {MPP} --model Bundled",
        "tuesday/field.png: cytoplasm",
        "written to out",
    )
    images = [image["file_name"] for image in desk.json("out/predictions.json")["images"]]
    assert sorted(images) == ["again.webp", "monday/field.png", "tuesday/field.png"]
    webp, png = ([r for r in desk.rows("out/cells.csv") if r["image"] == name] for name in sorted(images)[:2])
    assert [row["area_px"] for row in webp] == [row["area_px"] for row in png]

    # Ids go to other tools and come back, whatever the case of a format's name.
    ids = {row["name"] for row in desk.rows("out/cells.csv")}
    for tool, written in (
        ("QuPath", "qupath"),
        ("LabelMe", "labelme"),
        ("ImageJ", "imagej"),
        ("CVAT", "cvat"),
    ):
        desk.run(f"irnet export out --to {tool}", f"3 images written to out/{written}")
        if written == "imagej":
            continue  # its names are those of regions of interest: tests/data/formats/test_ids.py
        desk.run(
            f"irnet data convert out/{written} --from {written} --images out -o back-{written}", "3 images"
        )
        rows = desk.json(f"back-{written}/annotations.json")
        names = {image["id"]: image["file_name"] for image in rows["images"]}
        assert {f"{names[row['image_id']]}#{row['number']}" for row in rows["annotations"]} == ids
    desk.run("irnet export out --to photoshop", "qupath", code=2)


def test_names_are_safe_in_a_spreadsheet(desk: Desk) -> None:
    entries = [
        desk.draw_field(f"set/images/{name}", seed) for seed, name in enumerate((FORMULA, "glück.png"))
    ]
    write_coco(desk.folder / "set" / "annotations.json", entries)
    desk.run("irnet measure set", "written to set/cells.csv")
    assert {row["image"] for row in desk.rows("set/cells.csv")} == {f"'{FORMULA}", "glück.png"}
    for table in ("cells.csv", "images.csv"):
        assert (desk.folder / "set" / table).read_bytes().startswith(BOM_UTF8)  # or Excel garbles names
    assert len(desk.rows("set/images.csv")) == 2


def test_nothing_annotated_is_no_success(desk: Desk) -> None:
    entry = desk.draw_field("set/images/a.png", 0)
    empty = Entry(
        name="a.png", path=entry.path, content=Content(cells=Cells.empty(entry.content.cells.image_shape))
    )
    write_coco(desk.folder / "set" / "annotations.json", [empty])
    desk.run("irnet data check set", "nothing is annotated", code=2)
    desk.run("irnet evaluate bundled set -o scores", "no annotated cell and no nucleus", code=2)
    desk.run("irnet train set -o run --recipe tiny --steps 1", "no annotated cell and no nucleus", code=2)
