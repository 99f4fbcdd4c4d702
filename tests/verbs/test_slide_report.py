"""The page of whole slides: complete, escaped, with its pictures or the reason that there are none."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from found_slides import found_slides

from irnet.cells import CYTOPLASM, LABEL_NAMES
from irnet.errors import InputError
from irnet.server.slide_app import SlideReview
from irnet.slides.reading import open_store
from irnet.verbs import slide_report
from irnet.verbs.report import write_report
from irnet.verbs.slide_notes import notes_of, read_quality

CHROMIUM = os.environ.get("IRNET_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
HOSTILE = "<img src=x onerror=alert(1)>"
ITEM = re.compile(
    r'<li data-label="(\w+)"([^>]*)>.*?<figcaption><strong></strong> \w+ (.*?)<br>(.*?)</fig', re.S
)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return found_slides(tmp_path_factory.mktemp("slides"), HOSTILE, "other", count=14).out


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slide_report, "MOST_CROPS", 2 * len(slide_report.ENDS))  # one of each end and slide


def test_the_page_shows_rows_notes_and_the_ends_of_measures(out: Path, tmp_path: Path) -> None:
    written = write_report(out, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert (written.exit_code, written.missing) == (0, [])
    assert HOSTILE not in page
    assert "&lt;img src=x" in page
    assert page.count("data:image/jpeg") == 2 * 3 + len(ITEM.findall(page))

    with open_store(out / "slides" / "other") as store:
        top = next(one for one in store.ranked("nc_ratio", label=CYTOPLASM) if not one.cut)
        items = {name: (label, reasons) for label, _, name, reasons in ITEM.findall(page)}
        label, reasons = items[f"other#{top.id}"]
        assert label == LABEL_NAMES[CYTOPLASM]
        assert "highest N:C ratio" in reasons
        assert f'data-nc_ratio="{top.measures["nc_ratio"]:.4g}"' in page
        assert str(store.meta.cells) in page
    assert 10 < len(items) <= 2 * len(slide_report.ENDS)


def test_slides_beyond_the_limit_have_no_gallery(
    out: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(slide_report, "MOST_CROPS", len(slide_report.ENDS))
    write_report(out, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "Of 2 slides the first 1 have a gallery" in page
    assert {name.rpartition("#")[0] for _, _, name, _ in ITEM.findall(page)} == {
        "&lt;img src=x onerror=alert(1)&gt;"
    }


def test_a_slide_that_is_not_finished_is_left_out_and_told(out: Path, tmp_path: Path) -> None:
    lost = out / "slides" / "other" / "cells.db"
    lost.rename(tmp_path / "hidden")
    try:
        written = write_report(out, tmp_path / "page.html")
        review = SlideReview(out)
        review.close()
    finally:
        (tmp_path / "hidden").rename(lost)
    assert (written.exit_code, len(written.missing)) == (3, 1)
    assert str(lost) in written.missing[0]
    assert str(lost) in review.left_out[0]
    assert (len(review.scenes), len(review.notes)) == (1, 1)
    assert (tmp_path / "page.html").read_text().count("left out") == 2  # in the headline, and why at the end


def test_a_slide_that_is_gone_is_told(out: Path, tmp_path: Path) -> None:
    (out.parent / "other.tif").rename(out.parent / "hidden")
    try:
        written = write_report(out, tmp_path / "page.html")
    finally:
        (out.parent / "hidden").rename(out.parent / "other.tif")
    page = (tmp_path / "page.html").read_text()
    assert written.exit_code == 3
    assert "other.tif: no such file: put the slide back" in written.missing[0]
    assert "no picture: " in page
    assert "cells in squares" in page  # that needs no slide
    assert any(name.startswith("other#") for _, _, name, _ in ITEM.findall(page))


def test_what_was_given_away_without_the_plan(out: Path, tmp_path: Path) -> None:
    shutil.copy(out / "slides" / "other" / "cells.db", tmp_path / "cells.db")
    written = write_report(tmp_path / "cells.db", tmp_path / "page.html")
    assert (written.exit_code, "plan.json is not beside" in written.missing[0]) == (3, True)
    assert "other" in (tmp_path / "page.html").read_text()


def test_crops_are_places_of_the_slide(out: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    drawn = []
    monkeypatch.setattr(slide_report, "draw_close_up", lambda *given: drawn.append(given))
    write_report(out, tmp_path / "page.html")
    for pixels, cells, index in drawn:
        assert pixels.shape[:2] == cells.image_shape
        mask, (x, y) = cells.masks[index], cells.offsets[index]
        inside = pixels[y : y + mask.shape[0], x : x + mask.shape[1]][mask]
        assert np.median(inside) < np.percentile(pixels, 95)  # stained


QUALITY = {
    "reader": "tifffile",
    "windows": {"done": 3, "failed": 1, "missing": 2},
    "errors": [{"reason": "damaged"}, {"reason": "damaged"}],
    "skipped": 40,
    "audited": 20,
    "found_where_nothing_shows": 3,
    "cut": 5,
    "pictures": {"windows_flagged": {"blurred": 1, "pen": 0, "bubble": 2}},
    "notes": ["plane 2 of 5"],
}


def test_notes_say_what_is_missing_first(tmp_path: Path) -> None:
    (tmp_path / "qc.json").write_text(json.dumps(QUALITY))
    notes = notes_of(read_quality(tmp_path))
    assert notes[0] == "1 window failed, 2 not done: what lies there is missing"
    assert notes[1] == "damaged (2 windows)"
    assert "20 of them were looked at all the same, and 3 instances" in notes[2]
    assert notes[3:] == [
        "5 instances cut by the edge of a window",
        "1 window is blurred",
        "2 windows are partly under air bubbles",
        "plane 2 of 5",
    ]


@pytest.mark.parametrize(
    "text",
    [
        *("", "[1]", "null", "{}", json.dumps(QUALITY)[:-9]),
        *(
            json.dumps(QUALITY | wrong)
            for wrong in (
                *({"windows": 3}, {"cut": "5"}, {"cut": -1}, {"skipped": None}, {"notes": "plane 2"}),
                *({"errors": [3]}, {"pictures": {}}, {"pictures": {"windows_flagged": []}}),
            )
        ),
    ],
)
def test_a_damaged_qc_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / "qc.json").write_text(text)
    with pytest.raises(InputError, match=r"qc\.json: damaged.*irnet slide finish OUT writes it anew"):
        read_quality(tmp_path)


def test_a_qc_that_is_no_file_or_missing_beside_the_plan(tmp_path: Path) -> None:
    assert notes_of(read_quality(tmp_path)) == []  # cells.db was given away alone
    (tmp_path / "qc.json").mkdir()
    with pytest.raises(InputError, match="damaged"):
        read_quality(tmp_path)
    (tmp_path / "qc.json").rmdir()
    (tmp_path / "plan.json").touch()
    with pytest.raises(InputError, match=r"qc\.json: no such file: irnet slide finish"):
        read_quality(tmp_path)


def test_verbs_tell_a_damaged_qc(out: Path, tmp_path: Path) -> None:
    file = out / "slides" / "other" / "qc.json"
    whole = file.read_bytes()
    file.write_bytes(whole[:200])
    try:
        for read in (lambda: write_report(out, tmp_path / "page.html"), lambda: SlideReview(out)):
            with pytest.raises(InputError, match=r"other/qc\.json: damaged"):
                read()
    finally:
        file.write_bytes(whole)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[:-4], "its last line is cut off"),
        (lambda text: text.splitlines(keepends=True)[0], "no row of slide"),
        (lambda text: "\n", "no column slide"),
        (lambda text: text.replace("slide,", "sli,"), "no column slide"),
        (lambda text: re.sub(r"(other,\d+,)", r"\g<1>,", text), "values under"),
        (lambda text: re.sub(r"other,\d+", "other,many", text), "cells: 'many' is no number"),
        (lambda text: re.sub(r"other,\d+", "other,3", text), "cells is 3, in its cells.db"),
        (lambda text: re.sub(r"other,", "\0,", text), "no row of slide other"),
    ],
)
def test_a_damaged_slides_csv_is_told(
    change: Callable[[str], str], said: str, out: Path, tmp_path: Path
) -> None:
    file = out / "slides.csv"
    whole = file.read_bytes()
    file.write_text(change(whole.decode("utf-8-sig")), encoding="utf-8-sig")
    try:
        with pytest.raises(InputError, match=rf"slides\.csv: damaged.*{said}.*irnet slide finish OUT writes"):
            write_report(out, tmp_path / "page.html")
        file.write_bytes(b"\xff\xfe\xfa")
        with pytest.raises(InputError, match=r"slides\.csv: damaged"):
            write_report(out, tmp_path / "page.html")
        file.unlink()
        with pytest.raises(InputError, match=r"slides\.csv: no such file: irnet slide finish"):
            write_report(out, tmp_path / "page.html")
    finally:
        file.write_bytes(whole)


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="the page: no chromium (apt-get install chromium)")
def test_it_sorts_in_a_browser(out: Path, tmp_path: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="the page: playwright is not installed")
    file = write_report(out, tmp_path / "page.html").file
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page, met = browser.new_page(), []
        page.on("console", lambda said: met.append(said.text))
        page.on("pageerror", lambda error: met.append(str(error)))
        page.on("dialog", lambda dialog: met.append(dialog.message))
        page.goto(file.as_uri())

        form = page.locator(".sorting").nth(1)
        form.locator("[name=by]").select_option("nc_ratio")
        items = page.locator(".close-ups").nth(1).locator("li:visible")
        assert {one.get_attribute("data-label") for one in items.all()} == {"cytoplasm"}
        shown = [float(text) for text in items.locator("strong").all_inner_texts()]
        assert shown == sorted(shown, reverse=True)
        form.locator("[name=falling]").select_option("lowest first")
        form.locator("[name=by]").select_option("od_mean")
        form.locator("[name=label]").select_option("nucleus")
        values = [float(text) for text in items.locator("strong").all_inner_texts()]
        assert values == sorted(values)
        assert {one.get_attribute("data-label") for one in items.all()} == {"nucleus"}

        items.first.locator(".picture").click()
        assert page.locator("dialog[open] img").evaluate("image => image.naturalWidth") == 240
        page.keyboard.press("ArrowRight")  # what is hidden is left out
        playwright.expect(page.locator("dialog[open] p")).to_contain_text("nucleus other#")
        browser.close()
    assert met == []
