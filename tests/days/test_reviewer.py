"""A reviewer of the paper: scores with their definitions, a report that can be read, what a clone can do."""

import re
from pathlib import Path

import pytest
from desk import Desk

from irnet.data.coco.coco import write_coco
from irnet.inference.weights import BUNDLED

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.skipif(not BUNDLED.exists(), reason="needs the bundled weights")
def test_scores_are_defined_and_shown_for_both_classes(desk: Desk) -> None:
    desk.draw_set("test")
    said = desk.run("irnet evaluate bundled test -o scores", "AJI", "overlap recall", "written to scores")
    assert re.search(r"truths / predictions 12 / \d+ 10 / \d+", said)
    summary = desk.json("scores/summary.json")
    assert summary["images"] == 3
    desk.run("irnet report scores", "written to scores/report.html")
    page = desk.text("scores/report.html")
    for name in ("cytoplasm", "nucleus", "F1", "recall", "precision"):
        assert name in page
    assert "cytoplasm and nucleus" in page  # whose the lines of a plot of both are
    assert "break-after: avoid" in page  # no heading alone at the end of a printed page
    assert "<script src" not in page
    assert not re.search(r'(?:src|href)="http', page)


def test_areas_of_images_of_unlike_scale_are_not_pooled_in_px(desk: Desk) -> None:
    entries = [desk.draw_field(f"set/images/{n}.png", n, mpp=mpp) for n, mpp in ((0, 0.25), (1, 0.5))]
    write_coco(desk.folder / "set" / "annotations.json", entries)
    desk.run("irnet report set", "written to set/report.html")
    page = desk.text("set/report.html")
    assert "µm²" in page
    assert not re.search(r"[Aa]rea[^<]{0,20}px", page)


def test_pages_say_what_works_from_a_clone() -> None:
    said = {
        page: page.read_text(encoding="utf-8")
        for page in PAGES
        if page.name not in ("log.md", "releasing.md")
    }
    assert not [page for page, text in said.items() if re.search(r"pip install ['\"]?irnet\b", text)]
    assert "git clone" in said[ROOT / "README.md"]
    measurements = said[ROOT / "docs/reference/measurements.md"]
    assert "nc_ratio" in measurements
    assert "nucleus_cell_ratio" in measurements
