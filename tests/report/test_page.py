"""The page of what was found: what it says, what it never does, and how it bears what is missing."""

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from page_scenes import HOSTILE, SHAPE, draw_discs, write_found
from PIL import Image

from irnet.cells import Cells
from irnet.errors import InputError
from irnet.report import pictures
from irnet.report.close_up import SIDE, draw_close_up
from irnet.report.histogram import bin_edges, draw_histogram
from irnet.report.outliers import find_outliers
from irnet.report.pictures import Album
from irnet.verbs.report import write_report
from irnet.wording import RESEARCH_USE


class Document(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.html = file.read_text(encoding="utf-8")
        self.feed(self.html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def found(tmp_path: Path) -> Path:
    return write_found(tmp_path / "found", {"a.png": draw_discs(), "b.png": draw_discs(shift=3)})


def test_the_page_tells_numbers_outliers_images_and_the_run(found: Path):
    written = write_report(found)
    assert (written.file, written.exit_code) == (found / "report.html", 0)
    page = Document(written.file)
    for told in (
        "2 images",
        "4 cells",
        "6 nuclei",
        "0.25 µm per pixel",
        "2026-01-02",
        "cytoplasm 0.5",
        "a note",
    ):
        assert told in page.text
    assert RESEARCH_USE in page.text
    assert page.text.index("Highest N:C ratio") < page.text.index("Lowest scores")
    assert "score 0.30, median 0.70 nucleus a.png#3" in page.text
    assert len(page.all("svg")) == 4


def test_every_picture_is_inside_and_can_be_opened(found: Path):
    page = Document(write_report(found).file)
    images = [image for image in page.all("img") if "src" in image]
    assert len(images) > 4
    for image in images:
        kind, _, content = (image["src"] or "").partition(",")
        assert kind == "data:image/jpeg;base64"
        with Image.open(io.BytesIO(base64.b64decode(content))) as picture:
            assert [str(side) for side in picture.size] == [image["width"], image["height"]]


def test_the_policy_names_the_only_script_and_style(found: Path):
    page = Document(write_report(found).file)
    policy = page.all("meta")[1]["content"] or ""
    assert "default-src 'none'" in policy
    for tag in ("script", "style"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page.html, re.S)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    outside = {"src", "href", "style", "srcset", "action"}
    links = [value for _, attributes in page.tags for name, value in attributes.items() if name in outside]
    assert all((link or "").startswith("data:image/jpeg") for link in links)
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)


def test_names_and_records_are_text(tmp_path: Path):
    fields = {HOSTILE: draw_discs(), 'b" onload="alert(1)': draw_discs()}
    folder = write_found(tmp_path / "<b>found", fields, method="<script>alert(2)</script>", patients=True)
    (folder / "errors.json").write_text(json.dumps([{"file": "</dd><script>", "error": "&<i>"}]))
    page = Document(write_report(folder).file)
    assert HOSTILE in page.text
    assert len(page.all("script")) == 1
    assert page.all("i") == page.all("b") == []
    assert not any("onerror" in attributes or "onload" in attributes for _, attributes in page.tags)


def test_the_same_input_gives_the_same_page(found: Path, tmp_path: Path):
    first = write_report(found).file.read_bytes()
    assert write_report(found, tmp_path / "other.html").file.read_bytes() == first


def test_nothing_found_and_no_scale(tmp_path: Path):
    empty = write_found(tmp_path / "empty", {"a.png": Cells.empty(SHAPE)})
    text = Document(write_report(empty).file).text
    for told in ("1 image ", "0 cells", "unknown µm per pixel; sizes are in px", "nothing to show"):
        assert told in text
    assert "Look at these first" not in text


def test_sizes_of_images_of_unlike_scales_are_never_put_together(tmp_path: Path):
    fields = {"a.png": draw_discs(mpp=None), "b.png": draw_discs(), "c.png": draw_discs(mpp=0.5)}
    text = Document(write_report(write_found(tmp_path / "some", fields)).file).text
    assert "0.25 to 0.5 µm per pixel; unknown of 1 image, whose sizes are left out" in text
    assert "Area of whole cells, n = 4" in text  # of two images, in µm²
    nuclei = text.partition("Largest nuclei")[2].partition("Largest cells")[0]
    assert "µm², median" in nuclei
    assert "a.png" not in nuclei


def test_no_image_at_all(tmp_path: Path):
    text = Document(write_report(write_found(tmp_path / "none", {})).file).text
    assert "0 images" in text


def test_a_picture_that_is_gone_is_told_and_the_rest_shown(found: Path):
    (found.parent / "smears" / "0.png").unlink()
    written = write_report(found)
    assert written.exit_code == 3
    assert "0.png: no such file" in written.missing[0]
    page = Document(written.file)
    assert "no picture: " in page.text
    assert len([image for image in page.all("img") if "src" in image]) > 1


def test_patients_have_a_table_where_they_are_named(tmp_path: Path):
    named = write_found(tmp_path / "named", {"a.png": draw_discs(), "b.png": draw_discs()}, patients=True)
    page = Document(write_report(named).file)
    assert [table["class"] for table in page.all("table")] == ["sortable", "sortable"]
    assert "2 patients" in page.text


def test_what_it_refuses(found: Path, tmp_path: Path):
    with pytest.raises(InputError, match="a folder; name the file"):
        write_report(found, tmp_path)
    with pytest.raises(InputError, match="no such file"):
        write_report(tmp_path / "nothing")
    (found / "errors.json").write_text("{")
    with pytest.raises(InputError, match=r"errors\.json, line 1, column 2: not valid JSON"):
        write_report(found)


def test_an_album_stays_below_its_limit(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pictures, "RESERVE", 0)
    noise = np.random.default_rng(0).integers(0, 255, (500, 700, 3), dtype=np.uint8)
    album = Album(3, limit=3 * 90_000)
    shown = [album.add(noise) for _ in range(4)]
    assert shown[3] is None
    assert sum(len(one.source) for one in shown if one) * 3 / 4 < 3 * 90_000
    assert max(shown[0].width, shown[0].height) < 700  # type: ignore[union-attr]
    assert Album(1, limit=5_000).add(noise) is None
    many = Album(10**6, limit=10 * pictures.LEAST)
    assert many.places == 10


def test_a_close_up_is_cut_to_the_frame_and_shows_its_cell():
    cells = draw_discs()
    image = np.full((*SHAPE, 3), 128, np.uint8)
    for index in range(len(cells)):
        shown = draw_close_up(image, cells, index)
        assert max(shown.width, shown.height) == SIDE
    content = base64.b64decode(draw_close_up(image, cells, 0).source.partition(",")[2])
    picture = np.asarray(Image.open(io.BytesIO(content)), dtype=int)
    yellow = (np.abs(picture - (255, 214, 0)).max(axis=2) < 60).mean()
    assert 0.005 < yellow < 0.2
    assert np.abs(picture[:4] - picture[:4].mean()).max() < 140  # no contour runs along the cut


def test_outliers_are_the_ends_and_say_why():
    rows = [
        {"label": "cytoplasm", "touches_border": 0, "nc_ratio": v / 10, "area_px": v, "id": v, "score": 1.0}
        for v in range(1, 21)
    ]
    rows[19]["touches_border"] = 1
    nucleus = {"label": "nucleus", "touches_border": 1, "pairing_confidence": 0.6, "parent": None, "id": 30}
    groups = {g.title: g.outliers for g in find_outliers([rows, [nucleus | {"score": 1.0}]], "area_px")}
    assert [o.id for o in groups["Highest N:C ratio"]] == [19, 18, 17, 16]
    assert [o.id for o in groups["Smallest cells"]] == [1, 2, 3, 4]
    assert groups["Largest cells"][0].reason == "19 px, median 10"
    assert groups["Least sure links"][0][0::3] == (1, "0.60 sure that it is a bare nucleus")
    assert "Lowest scores" not in groups  # all are 1: annotations


def test_a_histogram_holds_every_value():
    values = [0.1, 0.2, 0.25, 0.9]
    edges = bin_edges(values)
    assert edges[0] <= 0.1 < 0.9 <= edges[-1]
    assert np.histogram(values, edges)[0].sum() == 4
    assert len(bin_edges([7.0])) > 5
    assert "median 0.225" in draw_histogram(values, "N:C")
    assert "&lt;b&gt;" in draw_histogram([], "<b>")


def test_a_histogram_counts_what_is_far_from_the_others_in_a_bar_of_its_own():
    values = [*np.linspace(0.1, 0.5, 40), 19.2]
    drawn = draw_histogram(values, "N:C")
    assert re.search(r"1 above 0\.5\d?<", drawn)
    assert "median 0.305" in drawn
    assert "20<" not in drawn.partition("median")[0]  # no tick as far as the outlier
    assert "1 below " in draw_histogram([*range(3, 40), -500], "cells", whole=True)
    assert " above " not in draw_histogram(values[:-1], "N:C")
    assert " above " not in draw_histogram([1.0] * 30 + [5.0], "nuclei")  # nothing is usual but 1

    heights = [float(part.partition('"')[0]) for part in drawn.split('height="')[1:]]
    assert sum(height > 0 for height in heights) > 8  # the others are spread, not in one bar
