"""A cytopathologist: photographs of two slides, a report, corrections in the viewer, the table anew."""

import re

import httpx
import pytest
from desk import MPP, Desk

from irnet.inference.weights import BUNDLED
from irnet.server.app import STATIC

pytestmark = pytest.mark.skipif(not BUNDLED.exists(), reason="needs the bundled weights")


def test_photographs_are_segmented_looked_at_and_corrected(desk: Desk) -> None:
    for slide, seed in (("slide A", 0), ("slide B", 1)):
        desk.draw_field(f"{slide}/field.png", seed)

    # Without a scale sizes are in px, and it is said; one that cannot be is not taken.
    desk.run("irnet predict 'slide A' 'slide B' -o unscaled", "um per pixel unknown")
    assert all(not row["area_um2"] for row in desk.rows("unscaled/cells.csv"))
    desk.run("irnet predict 'slide A' -o no --mpp 37", "37 um per pixel is out of range", code=2)
    desk.run("irnet predict 'slide A' -o no --mpp 0,37", "'0,37' is not a number: write 0.37", code=2)

    # Fields of one name keep the name of their slide.
    said = desk.run(
        f"irnet predict 'slide A' 'slide B' -o found --mpp {MPP}", "slide A/field.png: cytoplasm 4"
    )
    assert re.search(r"slide B/field.png: cytoplasm \d, nucleus \d", said)

    # One id everywhere, and one N:C ratio.
    rows = {row["name"]: row for row in desk.rows("found/cells.csv")}
    assert "slide A/field.png#0" in rows
    desk.run("irnet report found", "written to found/report.html")
    report = desk.text("found/report.html")
    assert "area of the nuclei over the area of the cell without them" in report
    shown = set(re.findall(r"slide [AB]/field\.png#\d+", report))
    assert shown
    assert shown <= set(rows)
    with desk.viewer("found") as viewer:
        viewer.get("/api/images/0")
        in_viewer = everything(viewer, image=0)
        assert {f"slide A/field.png#{number}" for number in in_viewer} == {n for n in rows if "slide A" in n}
        for number, measures in in_viewer.items():
            ratio = rows[f"slide A/field.png#{number}"]["nc_ratio"]
            assert (f"{measures['nc_ratio']}" if "nc_ratio" in measures else "") == ratio
    desk.run("irnet export found --to qupath", "2 images written to found/qupath")
    names = {
        feature["properties"]["name"]
        for feature in desk.json("found/qupath/slide A/field.geojson")["features"]
    }
    assert names <= set(rows)

    # A nucleus is deleted in the viewer; what is measured anew lies beside what the run wrote.
    before = desk.text("found/cells.csv"), desk.text("found/report.html")
    nucleus = next(
        row for row in rows.values() if row["label"] == "nucleus" and row["image"] == "slide A/field.png"
    )
    with desk.viewer("found") as viewer:
        found = viewer.get("/api/images/0").json()
        key = next(each["id"] for each in found["instances"] if str(each["number"]) == nucleus["id"])
        edit = {"revision": 0, "edit": {"op": "delete", "ids": [key]}}
        assert viewer.post("/api/images/0/edits", json=edit).json()["gone"] == [key]
        assert viewer.post("/api/images/0/undo", json={"revision": 1}).json()["gone"] == []
        assert viewer.post("/api/images/0/redo", json={"revision": 2}).json()["gone"] == [key]
        viewer.post("/api/export", json={}).raise_for_status()
    desk.run("irnet measure found/corrected.json", "written to found/corrected-cells.csv")
    desk.run("irnet report found/corrected.json", "written to found/corrected-report.html")
    assert before == (desk.text("found/cells.csv"), desk.text("found/report.html"))
    assert set(rows) - {row["name"] for row in desk.rows("found/corrected-cells.csv")} == {nucleus["name"]}
    desk.run(f"irnet predict 'slide A' -o found --mpp {MPP}", "write to another folder with -o", code=2)


def everything(viewer: httpx.Client, image: int) -> dict[int, dict]:
    """What the viewer shows: measures by number."""
    missing = {"any": True}
    while any(missing.values()):
        missing = viewer.post(f"/api/images/{image}/work", json={}).json()["missing"]
    instances = viewer.get(f"/api/images/{image}").json()["instances"]
    return {each["number"]: each["measures"] for each in instances}


def test_rows_are_there_at_once_and_what_is_missing_is_counted(desk: Desk) -> None:
    (entry,) = desk.draw_set("smears", fields=1)
    count = len(entry.content.cells)
    with desk.viewer("smears") as viewer:
        image = viewer.get("/api/images/0").json()
        assert len(image["instances"]) == count
        assert image["missing"] == {"outlines": count, "measures": count}
        assert len(everything(viewer, image=0)) == count

    page = (STATIC / "index.html").read_text(encoding="utf-8")  # tests/server/test_browser.py works with it
    buttons = re.findall(r"<button data-(?:tool|key)=[^>]*>([^<?]+?) ?(<kbd>[^<]+</kbd>)?</button>", page)
    assert len(buttons) == 17
    assert all(key for _, key in buttons)
